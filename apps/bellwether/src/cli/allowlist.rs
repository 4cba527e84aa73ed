//! `bellwether allowlist …`

use bellwether_model::Timestamp;
use bellwether_model::allowlist::{
    AllowEntry, AllowlistPlan, AllowlistView, ConnectedClient, NewAllowlist,
};
use clap::{Args, Subcommand};

use super::failure::{Failure, Result};
use super::output::{Format, or_dash, print, put, say, table};
use super::{Acting, Context};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show who may reach a cluster, who is connected and who was not let in
    Show { cluster: String },
    /// Let addresses in
    Add {
        cluster: String,
        /// An address, a range, `me` or `server`
        #[arg(required = true, value_name = "ADDRESS")]
        addresses: Vec<String>,
        /// What they are for
        #[arg(long, default_value = "")]
        note: String,
        /// Let them in for so long only, for example 30m, 8h or 7d
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        lasting: Option<i64>,
        #[command(flatten)]
        trying: Trying,
    },
    /// Let addresses in no more
    Remove {
        cluster: String,
        #[arg(required = true, value_name = "ADDRESS")]
        addresses: Vec<String>,
        #[command(flatten)]
        trying: Trying,
    },
    /// Keep a list that is only tried
    Confirm { cluster: String },
    /// Go back from a list that is only tried
    Revert { cluster: String },
}

#[derive(Args)]
pub(crate) struct Trying {
    /// Only try it: go back after so many seconds unless it is confirmed
    #[arg(long, value_name = "SECONDS")]
    revert_after: Option<u32>,
    /// Only say what would be done
    #[arg(long)]
    plan: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// A number with a unit, in seconds.
fn seconds(text: &str) -> std::result::Result<i64, String> {
    let wrong = || format!("`{text}` is no length of time; write 30m, 8h or 7d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let unit_seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    Ok(i64::from(number) * unit_seconds)
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    match command {
        Command::Show { cluster } => {
            let list = context.client.allowlist(&cluster).await?;
            show(context, &list)
        }
        Command::Add { cluster, addresses, note, lasting, trying } => {
            let known = context.client.allowlist(&cluster).await?;
            if known.open {
                return Err(Failure::usage(format!("{cluster} lets everybody in already"))
                    .hint("`bellwether allowlist remove` with 0.0.0.0/0 and ::/0 closes it"));
            }
            let now = Timestamp::now().as_millis();
            let expires_at = lasting.map(|s| Timestamp::from_millis(now + s * 1_000));
            let mut entries = known.entries.clone();
            for address in addresses {
                let address = if address == "me" { known.caller.clone() } else { address };
                // One that is there already gets the new note and time.
                entries.retain(|entry| entry.address != address);
                entries.push(AllowEntry { address, note: note.clone(), expires_at });
            }
            change(context, &cluster, &known, entries, trying).await
        }
        Command::Remove { cluster, addresses, trying } => {
            let known = context.client.allowlist(&cluster).await?;
            let mut entries = known.entries.clone();
            if known.open {
                entries = ["0.0.0.0/0", "::/0"].map(AllowEntry::of).to_vec();
            }
            for address in addresses {
                let address = if address == "me" { &known.caller } else { &address };
                let count = entries.len();
                entries.retain(|entry| entry.address != *address);
                if entries.len() == count {
                    let words = format!("{address} is not on the allowlist of {cluster}");
                    return Err(Failure::usage(words));
                }
            }
            change(context, &cluster, &known, entries, trying).await
        }
        Command::Confirm { cluster } => decide(context, &cluster, true).await,
        Command::Revert { cluster } => decide(context, &cluster, false).await,
    }
}

async fn decide(context: &Context, cluster: &str, keep: bool) -> Result {
    let list = context.client.decide_allowlist(cluster, keep).await?;
    show(context, &list)
}

async fn change(
    context: &Context,
    cluster: &str,
    known: &AllowlistView,
    entries: Vec<AllowEntry>,
    trying: Trying,
) -> Result {
    let new = NewAllowlist { entries, revert_after_seconds: trying.revert_after };
    let plan = context.client.plan_allowlist(cluster, known.generation, &new).await?;
    if trying.plan {
        if context.format != Format::Table {
            return print(context.format, &plan);
        }
        put(format_args!("{}", plan_text(&plan)));
        return Ok(());
    }
    if !plan.cut.is_empty() {
        if !trying.yes {
            eprint!("{}", plan_text(&plan));
        }
        context.confirm(&Acting { yes: trying.yes, ..Acting::default() }, "Go on?")?;
    }
    let list = context.client.change_allowlist(cluster, known.generation, &new).await?;
    show(context, &list)
}

fn plan_text(plan: &AllowlistPlan) -> String {
    let mut lines: Vec<String> = plan.added.iter().map(|one| format!("+ {one}")).collect();
    lines.extend(plan.removed.iter().map(|one| format!("- {one}")));
    let cut = |client: &ConnectedClient| {
        let (address, count, nodes) = (&client.address, client.connections, &client.nodes);
        format!("Cuts off {address}: {count} connections to {}.", nodes.join(", "))
    };
    lines.extend(plan.cut.iter().map(cut));
    if plan.excludes_caller {
        lines.push("This machine would not be let in.".to_owned());
    }
    if !plan.unknown.is_empty() {
        lines.push(format!("Who is connected to {} is not known.", plan.unknown.join(", ")));
    }
    lines.join("\n") + "\n"
}

fn show(context: &Context, list: &AllowlistView) -> Result {
    if context.format != Format::Table {
        return print(context.format, list);
    }
    match (list.open, list.entries.is_empty()) {
        (true, _) => say!("Everybody is let in."),
        (false, true) => say!("Nobody is let in."),
        (false, false) => {
            let row = |entry: &AllowEntry| {
                vec![entry.address.clone(), or_dash(entry.expires_at), entry.note.clone()]
            };
            table(&["address", "until", "note"], list.entries.iter().map(row).collect());
        }
    }
    if let Some(at) = list.revert_at {
        say!("Only tried: the former list is in force again at {at} unless this is confirmed.");
    }
    if !list.clients.is_empty() {
        say!("");
        let row = |client: &ConnectedClient| {
            let count = client.connections.to_string();
            vec![client.address.clone(), count, client.nodes.join(", ")]
        };
        table(&["connected", "connections", "nodes"], list.clients.iter().map(row).collect());
    }
    if list.blocked > 0 {
        say!("");
        say!("{} attempts were not let in since the agents were started.", list.blocked);
        let rows = list.blocked_sources.iter().map(|source| {
            vec![source.address.clone(), source.attempts.to_string(), source.last_at.to_string()]
        });
        table(&["not let in", "attempts", "last"], rows.collect());
    }
    if !list.awaited.is_empty() {
        say!("Not known to be in force on {} yet.", list.awaited.join(", "));
    }
    Ok(())
}

/// What `--allow` asks for, when a cluster is made.
pub(super) async fn asked_for(context: &Context, allow: &[String]) -> Result<Vec<AllowEntry>> {
    let mut entries: Vec<AllowEntry> = Vec::new();
    for address in allow.iter().filter(|address| *address != "none") {
        let entry = if address == "me" {
            let address = context.client.me().await?.address;
            AllowEntry { note: "whoever made the cluster".to_owned(), ..AllowEntry::of(&address) }
        } else {
            AllowEntry::of(address)
        };
        if entries.iter().all(|known| known.address != entry.address) {
            entries.push(entry);
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_a_unit() {
        assert_eq!(seconds("30m"), Ok(1_800));
        assert_eq!(seconds("7d"), Ok(604_800));
        for wrong in ["", "7", "d", "-1h", "1w", "1é"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
