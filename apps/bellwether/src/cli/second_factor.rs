//! `bellwether second-factor …`

use std::path::PathBuf;

use clap::Subcommand;

use super::Context;
use super::failure::Result;
use super::login;
use super::output::{Format, print, say};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Begin to use an application that shows codes; its secret is printed this once
    Begin {
        /// A file with your password, or - for standard input; asked for when left out
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Confirm it with the first code; codes for its loss are printed this once
    Confirm { code: String },
    /// Sign in with the password alone again
    End {
        /// A file with your password, or - for standard input; asked for when left out
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    let client = &context.client;
    match command {
        Command::Begin { password_file } => {
            let password = login::password(password_file)?;
            let secret = client.begin_second_factor(&password).await?;
            if context.format != Format::Table {
                return print(context.format, &secret);
            }
            say!("Give this to your application: {}", secret.secret);
            say!("Or open it there: {}", secret.uri);
            say!("It counts from its first code on: bellwether second-factor confirm CODE");
        }
        Command::Confirm { code } => {
            let recovery = client.confirm_second_factor(&code).await?;
            if context.format != Format::Table {
                return print(context.format, &recovery);
            }
            say!("Signing in takes a code from now on.");
            say!("Keep these for when the application is lost; each is good once:");
            recovery.codes.iter().for_each(|code| say!("  {code}"));
        }
        Command::End { password_file } => {
            client.end_second_factor(&login::password(password_file)?).await?;
        }
    }
    Ok(())
}
