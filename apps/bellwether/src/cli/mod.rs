//! The command line: the same REST API as the dashboard.

mod allowlist;
mod apply;
mod audit;
mod authority;
mod backups;
mod clusters;
mod config;
mod connection;
mod databases;
mod drills;
mod engines;
mod failover;
mod failure;
mod login;
mod nodes;
mod operations;
pub(crate) mod output;
mod parameters;
mod people;
mod replace;
mod reports;
mod repositories;
mod restore;
mod schedules;
mod second_factor;
mod shards;
mod sizes;
mod tokens;
mod watch;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use bellwether_client::{Client, Options};
use bellwether_model::OperationKind;
use bellwether_model::plan::Plan;
use clap::{Args, Subcommand};

use config::Config;
use failure::{Failure, Result};
use output::{Format, put};

/// What every command knows. Flags come before the environment, that before the file.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value = "table")]
    output: Format,
    /// The server's address
    #[arg(long, global = true, env = "BELLWETHER_URL", value_name = "URL")]
    url: Option<String>,
    /// A bearer token; in the environment or the file it is not seen by other users of this machine
    #[arg(long, global = true, env = "BELLWETHER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// PEM file of the server's authority, for https
    #[arg(long, global = true, env = "BELLWETHER_CA", value_name = "FILE")]
    ca: Option<OsString>,
    /// The settings `login` writes
    #[arg(long, global = true, env = "BELLWETHER_CONFIG", value_name = "FILE")]
    config: Option<OsString>,
    /// Print no progress
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create, look at and delete clusters
    #[command(subcommand)]
    Cluster(clusters::Command),
    /// Look at, add, promote and remove nodes
    #[command(subcommand)]
    Node(nodes::Command),
    /// Look at and change settings of a cluster's engine
    #[command(subcommand)]
    Parameter(parameters::Command),
    /// Look at and change who may reach a cluster
    #[command(subcommand)]
    Allowlist(allowlist::Command),
    /// Databases of a cluster
    #[command(subcommand)]
    Database(databases::Command),
    /// Users of a cluster's databases, their rights and their passwords
    #[command(subcommand)]
    DatabaseUser(databases::UserCommand),
    /// Look at what is being done and was done
    #[command(subcommand)]
    Operation(operations::Command),
    /// What changes of primary have seen, decided, taken and lost
    #[command(subcommand)]
    Report(reports::Command),
    /// Try the change of primary, now or on schedule
    #[command(subcommand)]
    Drill(drills::Command),
    /// Take, look at, verify and delete backups
    #[command(subcommand)]
    Backup(backups::Command),
    /// Make a new cluster from a backup
    Restore(restore::Restore),
    /// Where backups are kept
    #[command(subcommand)]
    Repository(repositories::Command),
    /// When backups are taken by themselves
    #[command(subcommand)]
    Schedule(schedules::Command),
    /// Go on without a lost primary, where more is lost by that than automation may lose
    Failover(failover::Failover),
    /// Create or change clusters as a file says
    Apply(apply::Apply),
    /// What engines can be created
    #[command(subcommand)]
    Engine(engines::Command),
    /// Where machines come from
    #[command(subcommand)]
    Provider(engines::ProviderCommand),
    /// Sign in and remember it
    Login(login::Login),
    /// Sign out and forget it
    Logout,
    /// Who may use the server, and what each may
    #[command(subcommand)]
    User(people::UserCommand),
    /// Projects, and who may do what in them
    #[command(subcommand)]
    Project(people::ProjectCommand),
    /// Codes of an application, beside your password
    #[command(subcommand)]
    SecondFactor(second_factor::Command),
    /// Your sessions in browsers
    #[command(subcommand)]
    Session(people::SessionCommand),
    /// What was changed and which secrets were shown, by whom
    #[command(subcommand)]
    Audit(audit::Command),
    /// Who signs certificates, and another in its place
    #[command(subcommand)]
    Authority(authority::Command),
    /// Bearer tokens for programs
    #[command(subcommand)]
    Token(tokens::Command),
}

/// How a command that changes something behaves.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Acting {
    /// Wait until it is done, showing its steps
    #[arg(long)]
    wait: bool,
    /// Only say what would be done
    #[arg(long)]
    plan: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Wait at most so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "900")]
    timeout: u64,
}

/// A command's surroundings.
pub(crate) struct Context {
    client: Client,
    format: Format,
    quiet: bool,
    url: String,
    config: Config,
    authority: Option<PathBuf>,
}

/// Runs a command.
pub(crate) fn run(global: Global, command: Command) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(global, command)),
        Err(error) => Err(Failure::unexpected(error.to_string())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", failure.text);
            for line in failure.details {
                eprintln!("       {line}");
            }
            if !failure.hint.is_empty() {
                eprintln!("hint: {}", failure.hint);
            }
            ExitCode::from(failure.code)
        }
    }
}

async fn dispatch(global: Global, command: Command) -> Result {
    // Empty is not given: that is how scripts unset a variable.
    let given = |text: &String| !text.is_empty();
    let path = |text: Option<OsString>| text.filter(|text| !text.is_empty()).map(PathBuf::from);
    let config = Config::open(path(global.config))?;
    let settings = config.read()?;
    let url = global.url.filter(given).or(settings.url);
    let url = url.unwrap_or_else(|| "http://127.0.0.1:7480".to_owned());
    let authority = path(global.ca).or(settings.ca);
    let pem = authority
        .as_ref()
        .map(|path| {
            std::fs::read(path)
                .map_err(|error| Failure::usage(format!("--ca {}: {error}", path.display())))
        })
        .transpose()?;
    let token = global.token.filter(given).or(settings.token);
    let options = Options { url: url.clone(), token, authority: pem };
    let context = Context {
        client: Client::new(options)?,
        format: global.output,
        quiet: global.quiet,
        url,
        config,
        authority,
    };
    match command {
        Command::Cluster(command) => clusters::run(&context, command).await,
        Command::Node(command) => nodes::run(&context, command).await,
        Command::Allowlist(command) => allowlist::run(&context, command).await,
        Command::Database(command) => databases::run(&context, command).await,
        Command::DatabaseUser(command) => databases::run_user(&context, command).await,
        Command::Parameter(command) => parameters::run(&context, command).await,
        Command::Operation(command) => operations::run(&context, command).await,
        Command::Report(command) => reports::run(&context, command).await,
        Command::Drill(command) => drills::run(&context, command).await,
        Command::Backup(command) => backups::run(&context, command).await,
        Command::Restore(command) => restore::run(&context, command).await,
        Command::Repository(command) => repositories::run(&context, command).await,
        Command::Schedule(command) => schedules::run(&context, command).await,
        Command::Failover(command) => failover::run(&context, command).await,
        Command::Apply(command) => apply::run(&context, command).await,
        Command::Engine(command) => engines::run(&context, command).await,
        Command::Provider(command) => engines::run_provider(&context, command).await,
        Command::Login(command) => login::run(&context, command).await,
        Command::Logout => login::logout(&context).await,
        Command::User(command) => people::run_user(&context, command).await,
        Command::Project(command) => people::run_project(&context, command).await,
        Command::SecondFactor(command) => second_factor::run(&context, command).await,
        Command::Session(command) => people::run_session(&context, command).await,
        Command::Audit(command) => audit::run(&context, command).await,
        Command::Authority(command) => authority::run(&context, command).await,
        Command::Token(command) => tokens::run(&context, command).await,
    }
}

impl Context {
    /// Shows what would be done; fails when it would be refused.
    fn show_plan(&self, plan: &Plan) -> Result {
        match self.format {
            Format::Table => put(format_args!("{}", plan_text(plan))),
            _ => output::print(self.format, plan)?,
        }
        refuse_refused(plan)
    }

    /// Shows what would be done to whoever is asked; the result goes to standard output later.
    fn explain(&self, plan: &Plan) {
        eprint!("{}", plan_text(plan));
    }

    /// Asks yes or no; without a terminal it refuses.
    fn confirm(&self, acting: &Acting, question: &str) -> Result {
        if acting.yes {
            return Ok(());
        }
        let answer = self.ask(&format!("{question} [y/N] "))?;
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(Failure::usage("nothing was done"))
    }

    fn ask(&self, question: &str) -> Result<String> {
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage("this has to be confirmed and there is no terminal to ask")
                .hint("add --yes"));
        }
        eprint!("{question}");
        let mut answer = String::new();
        std::io::stdin()
            .read_line(&mut answer)
            .map_err(|error| Failure::unexpected(error.to_string()))?;
        Ok(answer)
    }
}

/// What is refused now is not asked for: a moment later it might be done, unconfirmed.
fn refuse_refused(plan: &Plan) -> Result {
    if plan.refusals.is_empty() {
        return Ok(());
    }
    let (title, why) = (plan.kind.title().to_lowercase(), plan.refusals.join("; "));
    let refused = Failure::refused(format!("{title} is refused: {why}"));
    Err(match why.contains("allow waiting") {
        true => refused.hint("`--allow-waiting` allows it"),
        false => refused,
    })
}

fn plan_text(plan: &Plan) -> String {
    let mut lines = vec![plan.summary.clone()];
    lines.extend(plan.changes.iter().map(|change| {
        let restart = if change.restart { "  (needs a restart)" } else { "" };
        format!("  ~ {}: {} → {}{restart}", change.name, change.from, change.to)
    }));
    if !plan.restarts.is_empty() {
        lines.push(format!("Restarts, one after the other: {}.", plan.restarts.join(", ")));
    }
    let steps = plan.steps.iter().enumerate();
    lines.extend(steps.map(|(number, step)| format!("  {}. {}", number + 1, step.title)));
    lines.extend(pause_words(plan));
    if plan.bytes_copied > 0 {
        lines.push(format!("Copies {}.", bellwether_model::Bytes(plan.bytes_copied)));
    }
    let has_copies = !matches!(
        plan.kind,
        OperationKind::CreateCluster | OperationKind::DeleteCluster | OperationKind::Prove
    );
    if has_copies {
        let copies = plan.redundancy_min;
        lines.push(format!("At the lowest point copies beside the primary: {copies}."));
    }
    use bellwether_model::OperationKind::{Restore, UndoRestore};
    let verb = match plan.kind {
        Restore | UndoRestore => "Replaces on",
        _ => "Erases",
    };
    lines.extend(plan.erases.iter().map(|what| format!("{verb} {what}.")));
    lines.join("\n") + "\n"
}

/// For how long writes wait, and how that is known.
fn pause_words(plan: &Plan) -> Option<String> {
    let ms = plan.write_pause_ms;
    let words = match plan.pauses {
        _ if ms == 0 => return None,
        None => format!("Writes wait for about {ms} ms."),
        Some(past) if past.count == 0 => {
            format!("Writes wait; how long is not known here yet, elsewhere about {ms} ms.")
        }
        Some(past) => format!(
            "Writes wait for about {ms} ms; in the last changes of primary here ({}) it was {} ms \
             in the middle and {} ms at most.",
            past.count, past.median_ms, past.max_ms
        ),
    };
    Some(words)
}
