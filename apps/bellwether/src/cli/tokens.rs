//! `bellwether token …`

use bellwether_model::access::{Role, Scope};
use bellwether_model::user::NewToken;
use clap::Subcommand;

use super::failure::Result;
use super::output::{Format, or_dash, print, say, table};
use super::{Context, people};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a token; its secret is printed this once
    Create {
        /// What it is for
        name: String,
        /// Days until it expires; never when left out
        #[arg(long)]
        days: Option<u32>,
        /// The role it has at most: viewer, operator, admin or owner; yours when left out
        #[arg(long, value_parser = people::role)]
        role: Option<Role>,
        /// The project it is for alone
        #[arg(long)]
        project: Option<String>,
    },
    /// List your tokens
    List,
    /// Forget a token
    Delete { id: String },
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    match command {
        Command::Create { name, days, role, project } => {
            let scope = Scope { role, project };
            let token = context.client.create_token(&NewToken { name, days, scope }).await?;
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
                let scope = or_dash(token.scope.role);
                let project = or_dash(token.scope.project);
                vec![id, token.name, scope, project, made, or_dash(token.expires_at), used]
            });
            let heads = ["id", "name", "role", "project", "made", "expires", "last used"];
            table(&heads, rows.collect());
        }
        Command::Delete { id } => context.client.delete_token(&id).await?,
    }
    Ok(())
}
