//! `bellwether authority …`

use std::time::{Duration, Instant};

use bellwether_model::authority::{AuthorityRole, AuthorityState, AuthorityView};
use clap::Subcommand;

use super::failure::{Failure, Result};
use super::output::{Format, print, put, say, table};
use super::{Acting, Context};

/// Between two looks at how far a rotation is.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Who signs certificates, who is trusted, and which nodes a rotation waits for
    Show {
        /// Print the certificates of all that are trusted and nothing else: the clients' `ca.pem`
        #[arg(long)]
        certificate: bool,
    },
    /// Make another authority, which nodes are told of; it signs with `finish`
    Rotate {
        /// Wait until every node trusts it
        #[arg(long)]
        wait: bool,
        /// Wait at most so many seconds
        #[arg(long, value_name = "SECONDS", default_value = "900")]
        timeout: u64,
    },
    /// Trust the new authority no more, before it has signed anything
    Cancel,
    /// Let the new authority sign; clients that do not trust it are refused from then on
    Finish {
        /// Wait until every node has its certificate and the former one is trusted no more
        #[arg(long)]
        wait: bool,
        /// Wait at most so many seconds
        #[arg(long, value_name = "SECONDS", default_value = "900")]
        timeout: u64,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    let client = &context.client;
    match command {
        Command::Show { certificate: true } => {
            put(format_args!("{}", client.authority().await?.ca_certificate));
            Ok(())
        }
        Command::Show { certificate: false } => show(context, &client.authority().await?),
        Command::Rotate { wait, timeout } => {
            let mut view = client.rotate_authority().await?;
            if wait {
                view = until(context, AuthorityState::Introducing, timeout).await?;
            }
            show(context, &view)
        }
        Command::Cancel => show(context, &client.cancel_authority_rotation().await?),
        Command::Finish { wait, timeout, yes } => {
            let question = "Let the new authority sign? Clients that do not have the new ca.pem \
                            cannot connect any more.";
            context.confirm(&Acting { yes, ..Acting::default() }, question)?;
            let mut view = client.end_authority_rotation().await?;
            if wait {
                view = until(context, AuthorityState::Replacing, timeout).await?;
            }
            show(context, &view)
        }
    }
}

/// Waits until that state is over and no node is waited for.
async fn until(context: &Context, state: AuthorityState, seconds: u64) -> Result<AuthorityView> {
    let begun = Instant::now();
    let mut said = String::new();
    loop {
        let view = context.client.authority().await?;
        if view.state != state && view.waiting.is_empty() {
            return Ok(view);
        }
        if !context.quiet && view.message != said {
            eprintln!("{}", view.message);
            said.clone_from(&view.message);
        }
        if begun.elapsed() > Duration::from_secs(seconds) {
            let words = format!("not done after {seconds} s: {}", view.message);
            return Err(Failure::timed_out(words));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn show(context: &Context, view: &AuthorityView) -> Result {
    if context.format != Format::Table {
        return print(context.format, view);
    }
    say!("{}", view.message);
    say!();
    let role = |role| match role {
        AuthorityRole::Signs => "signs",
        AuthorityRole::Next => "next",
        AuthorityRole::Former => "former",
    };
    let rows = view.authorities.iter();
    let rows = rows.map(|a| vec![role(a.role).to_owned(), a.fingerprint.clone()]).collect();
    table(&["authority", "sha-256"], rows);
    if !view.waiting.is_empty() {
        say!();
        let rows = view.waiting.iter().cloned();
        let rows = rows.map(|w| vec![w.cluster, w.node, w.reason]).collect();
        table(&["cluster", "node", "waits because"], rows);
    }
    Ok(())
}
