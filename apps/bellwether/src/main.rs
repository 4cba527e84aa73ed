//! `bellwether`: the server, and the command line over its API.

mod cli;
mod server;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Runs clusters of databases that fail over by themselves.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused, 5 not signed in or not
/// allowed, 6 the server cannot be reached, 7 not done in time.
#[derive(Parser)]
#[command(name = "bellwether", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: cli::Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Server(server::ServerArgs),
    #[command(flatten)]
    Client(cli::Command),
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
}

fn main() -> ExitCode {
    let arguments = Cli::parse();
    // Once for the whole process; it cannot have been set before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match arguments.command {
        Command::Server(server) => match server::run(server) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        },
        Command::Completions { shell } => {
            let mut command = Cli::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "bellwether", &mut script);
            cli::output::put(format_args!("{}", String::from_utf8_lossy(&script)));
            ExitCode::SUCCESS
        }
        Command::Client(command) => cli::run(arguments.global, command),
    }
}
