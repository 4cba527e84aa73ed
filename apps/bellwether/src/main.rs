mod server;
use clap::{Parser, Subcommand};
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}
#[derive(Subcommand)]
enum Command {
    Server(server::ServerArgs),
}
fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    match Cli::parse().command {
        Command::Server(a) => server::run(a),
    }
}
