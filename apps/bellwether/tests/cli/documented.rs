//! docs/cli.md and the program say the same.

use std::collections::BTreeSet;

use crate::program::Run;

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    std::fs::read_to_string(path).expect("the document")
}

/// The rows of the table under a heading, as cells.
fn table(heading: &str) -> Vec<Vec<String>> {
    let text = document();
    let section = text.split("\n## ").find(|section| section.starts_with(heading));
    let rows = section.expect(heading).lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = |row: &str| row.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect();
    rows.map(cells).collect()
}

/// The texts in backticks.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The subcommands that `--help` lists.
fn subcommands(path: &[&str]) -> Vec<String> {
    let arguments: Vec<&str> = path.iter().copied().chain(["--help"]).collect();
    let help = Run::new(&arguments).run().clean().out;
    let list = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let names = list.lines().take_while(|line| !line.is_empty());
    let names = names.filter_map(|line| line.split_whitespace().next().map(str::to_owned));
    names.filter(|name| name != "help").collect()
}

/// Every command of the program, with its arguments as the usage has them.
fn commands() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for name in subcommands(&[]) {
        let below = subcommands(&[&name]);
        if below.is_empty() {
            all.insert(name);
        } else {
            all.extend(below.iter().map(|sub| format!("{name} {sub}")));
        }
    }
    all
}

#[test]
fn every_command_is_documented_and_every_documented_one_is_there() {
    let all = commands();
    let groups: BTreeSet<&str> =
        all.iter().filter_map(|command| command.split_once(' ')).map(|(group, _)| group).collect();
    let mut documented = BTreeSet::new();
    for row in table("Commands") {
        let mut group = "";
        for text in code(&row[0]) {
            // The first of a group names it, the others follow: `cluster create NAME` `list`.
            let words: Vec<&str> = text.split(' ').collect();
            let command = match words.as_slice() {
                [first, second, ..] if groups.contains(first) => {
                    group = *first;
                    format!("{first} {second}")
                }
                [first, ..] if group.is_empty() || all.contains(*first) => (*first).to_owned(),
                [first, ..] => format!("{group} {first}"),
                [] => continue,
            };
            documented.insert(command);
        }
    }
    assert_eq!(documented, all);
}

#[test]
fn every_setting_has_its_flag_its_variable_and_its_name_in_the_file() {
    let help = Run::new(&["cluster", "list", "--help"]).run().clean().out;
    for row in table("Where it finds the server") {
        let [_, flag, variable, name] = row.as_slice() else { panic!("{row:?}") };
        let flag = code(flag)[0].split(' ').next().expect("a flag");
        assert!(help.contains(flag), "{flag}");
        assert!(help.contains(&format!("[env: {}", code(variable)[0])), "{variable}");
        let text = format!("{} = 7\n", code(name)[0]);
        let run = Run::new(&["cluster", "list"]).file(".config/bellwether/config.toml", &text);
        let ended = run.run().code(2);
        assert!(!ended.err.contains("unknown field"), "{}", ended.err);
    }
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let help = Run::new(&["--help"]).run().clean().out;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let codes: Vec<String> = table("Exit codes").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(codes, ["0", "1", "2", "3", "4", "5", "6", "7"]);
    let list = help.split("Exit codes: ").nth(1).and_then(|rest| rest.split('.').next());
    let list = list.expect("a list");
    let told: Vec<&str> = list.split(", ").filter_map(|item| item.split(' ').next()).collect();
    assert_eq!(told, codes);
}

#[test]
fn acts_on_clusters_have_the_documented_flags() {
    let text = document();
    let sentence = text.split("\n\n").find(|part| part.contains("`--plan`")).expect("a sentence");
    let flags: Vec<&str> = code(sentence).into_iter().filter(|f| f.starts_with("--")).collect();
    for flag in ["--plan", "--wait", "--yes", "--timeout"] {
        assert!(flags.contains(&flag), "{flag}: {sentence}");
    }
    for line in [
        &["cluster", "create"][..],
        &["cluster", "resync"],
        &["cluster", "delete"],
        &["node", "add"],
        &["node", "promote"],
        &["node", "remove"],
        &["drill", "run"],
        &["apply"],
    ] {
        let arguments: Vec<&str> = line.iter().copied().chain(["--help"]).collect();
        let help = Run::new(&arguments).run().clean().out;
        for flag in &flags {
            assert!(help.contains(flag), "{line:?} has no {flag}");
        }
    }
}

#[test]
fn completions_are_printed_for_every_shell_and_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Run::new(&["completions", shell]).run().clean().out;
        for word in ["bellwether", "cluster", "promote", "apply", "--password-file"] {
            let word = if shell == "fish" { word.trim_start_matches("--") } else { word };
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}
