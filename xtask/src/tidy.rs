//! Style that matters is a test: files a person reads in one sitting, functions that fit a screen,
//! lines of 100 columns, error codes with a page, no unfinished work.

use std::path::{Path, PathBuf};

use anyhow::bail;
use bellwether_model::problem::Code;

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Words of work that is not done; put together here, so that this file does not have them.
const UNFINISHED: &[[&str; 2]] =
    &[["to", "do!("], ["unimple", "mented!("], ["FIX", "ME"], ["TO", "DO"]];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_ours =
                !["target", "node_modules", "dist", ".git", "generated"].contains(&&*name);
            if is_ours {
                sources(&path, found);
            }
        } else if [".rs", ".ts", ".tsx"].iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
}

pub(crate) fn check() -> anyhow::Result<()> {
    let mut found = Vec::new();
    sources(&crate::root(), &mut found);
    let mut wrong = Vec::new();
    for path in &found {
        look(path, &mut wrong);
    }
    for code in Code::ALL {
        let page = crate::root().join(format!("docs/errors/{}.md", code.facts().0));
        if !page.exists() {
            wrong.push(format!("the error code {} has no page {}", code.facts().0, page.display()));
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}

fn look(path: &Path, wrong: &mut Vec<String>) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let is_test = path.components().any(|part| part.as_os_str() == "tests")
        || path.file_stem().is_some_and(|stem| stem == "tests");
    let lines: Vec<&str> = text.lines().collect();
    let shown = path.display();
    if lines.len() > FILE_LINES_MAX && !is_test {
        wrong.push(format!("{shown}: {} lines; split it", lines.len()));
    }
    for (number, line) in lines.iter().enumerate() {
        if line.chars().count() > COLUMNS_MAX && path.extension().is_some_and(|e| e == "rs") {
            wrong.push(format!("{shown}:{}: longer than {COLUMNS_MAX} columns", number + 1));
        }
        if UNFINISHED.iter().any(|parts| line.contains(&parts.concat())) {
            wrong.push(format!("{shown}:{}: unfinished work", number + 1));
        }
    }
    if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
        long_functions(&lines, &shown.to_string(), wrong);
    }
}

/// A function ends at the first closing brace of its own indentation.
fn long_functions(lines: &[&str], shown: &str, wrong: &mut Vec<String>) {
    let mut open: Option<(usize, String, String)> = None;
    for (number, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if line.contains("#[cfg(test)]") {
            return;
        }
        if open.is_none()
            && (code.starts_with("fn ") || code.contains(" fn "))
            && !code.starts_with("//")
        {
            let indentation = line[..line.len() - code.len()].to_owned();
            open = Some((number, indentation, code.to_owned()));
        }
        let Some((start, indentation, name)) = &open else { continue };
        if code.ends_with(';') && number == *start {
            open = None;
        } else if *line == format!("{indentation}}}") {
            if number - start + 1 > FUNCTION_LINES_MAX {
                wrong.push(format!("{shown}:{}: {} lines: {name}", start + 1, number - start + 1));
            }
            open = None;
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_code_is_tidy() {
        super::check().expect("tidy");
    }
}
