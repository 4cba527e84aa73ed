//! `bellwether token …`

use bellwether_model::user::NewToken;
use clap::Subcommand;

use super::Context;
use super::failure::Result;
use super::output::{Format, or_dash, print, say, table};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a token; its secret is printed this once
    Create {
        /// What it is for
        name: String,
        /// Days until it expires; never when left out
        #[arg(long)]
        days: Option<u32>,
    },
    /// List your tokens
    List,
    /// Forget a token
    Delete { id: String },
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    match command {
        Command::Create { name, days } => {
            let token = context.client.create_token(&NewToken { name, days }).await?;
            if context.format != Format::Table {
                return print(context.format, &token);
            }
            say!("{}", token.secret);
        }
        Command::List => {
            let tokens = context.client.tokens().await?;
            if context.format != Format::Table {
                return print(context.format, &tokens);
            }
            let rows = tokens.into_iter().map(|token| {
                let (id, made) = (token.id.to_string(), token.created_at.to_string());
                let used = or_dash(token.last_used_at);
                vec![id, token.name, made, or_dash(token.expires_at), used]
            });
            table(&["id", "name", "made", "expires", "last used"], rows.collect());
        }
        Command::Delete { id } => context.client.delete_token(&id).await?,
    }
    Ok(())
}
