//! `bellwether audit …`

use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};

use bellwether_model::audit::{AuditEntry, AuditVerification};
use bellwether_store::audit::Verifier;
use clap::Subcommand;

use super::Context;
use super::failure::{Failure, Result};
use super::output::{Format, print, say, table};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List what was changed and shown, the newest first
    List {
        /// At most so many
        #[arg(long, default_value = "50", value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
    },
    /// Write all of it, one JSON document in a line
    Export {
        /// Where to; standard output when left out
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Look whether the log, or an export of it, is whole
    Verify {
        /// An export to look at instead of the server's log
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// A hash of its last entry that was noted before: it has to be there still
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    match command {
        Command::List { limit } => {
            let entries = context.client.audit(limit).await?;
            if context.format != Format::Table {
                return print(context.format, &entries);
            }
            let row = |entry: AuditEntry| {
                let AuditEntry { at, user, source, action, object, detail, result, .. } = entry;
                vec![at.to_string(), user, source, action, object, result, detail]
            };
            let heads = ["at", "who", "from", "what", "of", "result", "detail"];
            table(&heads, entries.into_iter().map(row).collect());
            Ok(())
        }
        Command::Export { file } => export(context, file).await,
        Command::Verify { file, head } => verify(context, file, head).await,
    }
}

async fn export(context: &Context, file: Option<PathBuf>) -> Result {
    let mut download = context.client.export_audit().await?;
    let failed = |error: std::io::Error| Failure::unexpected(error.to_string());
    let mut output: Box<dyn std::io::Write> = match &file {
        Some(path) => Box::new(
            std::fs::File::create(path)
                .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?,
        ),
        None => Box::new(std::io::stdout()),
    };
    while let Some(chunk) = download.next().await? {
        output.write_all(&chunk).map_err(failed)?;
    }
    output.flush().map_err(failed)
}

async fn verify(context: &Context, file: Option<PathBuf>, head: Option<String>) -> Result {
    let (found, is_there) = match (&file, &head) {
        (None, None) => (context.client.verify_audit().await?, true),
        (Some(path), _) => {
            let lines = std::io::BufReader::new(open(path)?).lines();
            let lines = lines.map(|line| line.map_err(|error| error.to_string()));
            look(lines, head.as_deref())?
        }
        // Whether a hash is in the log has to be looked up entry by entry.
        (None, Some(_)) => {
            let mut download = context.client.export_audit().await?;
            let mut text = Vec::new();
            while let Some(chunk) = download.next().await? {
                text.extend(chunk);
            }
            let text = String::from_utf8_lossy(&text).into_owned();
            look(text.lines().map(|line| Ok(line.to_owned())), head.as_deref())?
        }
    };
    if context.format == Format::Table {
        say_found(&found);
    } else {
        print(context.format, &found)?;
    }
    match (found.broken_at, is_there) {
        (Some(id), _) => Err(Failure::unexpected(format!(
            "the audit log is not as it was written: entry {id} does not follow from the one before"
        ))),
        (None, false) => Err(Failure::unexpected(
            "the audit log is not as it was: the entry with that hash is gone",
        )),
        (None, true) => Ok(()),
    }
}

fn open(path: &Path) -> Result<std::fs::File> {
    std::fs::File::open(path)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// What is found in the lines of an export, and whether an entry has that hash.
fn look(
    lines: impl Iterator<Item = std::result::Result<String, String>>,
    head: Option<&str>,
) -> Result<(AuditVerification, bool)> {
    let mut verifier = Verifier::default();
    let mut is_there = head.is_none();
    for (number, line) in lines.enumerate() {
        let entry = line.and_then(|line| {
            serde_json::from_str::<AuditEntry>(&line).map_err(|error| error.to_string())
        });
        let number = number + 1;
        let entry = entry.map_err(|why| Failure::usage(format!("line {number}: {why}")))?;
        is_there |= head == Some(entry.hash.as_str());
        verifier.next(&entry);
    }
    Ok((verifier.end(), is_there))
}

fn say_found(found: &AuditVerification) {
    if !found.whole {
        return;
    }
    say!("{} entries, each follows from the one before.", found.entries);
    if let (Some(id), Some(hash)) = (found.last_id, &found.last_hash) {
        say!("The last is {id} with the hash {hash}");
        say!("Kept elsewhere, `audit verify --head` shows later that nothing was cut off.");
    }
}
