//! `bellwether cluster connection`: how a client reaches a cluster.

use std::path::{Path, PathBuf};

use bellwether_model::connection::{Connection, ConnectionExample};
use clap::Args;

use super::Context;
use super::failure::{Failure, Result};
use super::output::{Format, print, put, say};

/// What the examples call the file of the certificate.
const CA_FILE: &str = "ca.pem";

#[derive(Args)]
pub(crate) struct Show {
    cluster: String,
    /// Show the password too
    #[arg(long)]
    reveal: bool,
    /// As another user of the cluster's databases than the application's
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Print one ready-made text only, for example uri, or ca for the certificate; engines have
    /// different ones, which are listed without this
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// Write the certificate to this file, and name that file in the ready-made texts
    #[arg(long, value_name = "FILE")]
    save_ca: Option<PathBuf>,
    /// The endpoint for reads instead of the one for writes
    #[arg(long)]
    read_only: bool,
}

pub(super) async fn show(context: &Context, command: &Show) -> Result {
    let file = command.save_ca.as_deref().map(plain_path).transpose()?;
    let mut connection = read(context, command, command.reveal).await?;
    if let Some(name) = command.format.as_deref().filter(|name| *name != "ca") {
        // Nothing is revealed, and nobody written down for it, when there is no such text.
        check_format(&connection, name)?;
        connection = read(context, command, true).await?;
    }
    if let Some(file) = &file {
        std::fs::write(file, &connection.ca_certificate)
            .map_err(|error| Failure::usage(format!("--save-ca {file}: {error}")))?;
        for example in &mut connection.examples {
            example.text = example.text.replace(CA_FILE, file);
        }
    }
    if context.format != Format::Table {
        return print(context.format, &connection);
    }
    let endpoint = if command.read_only { "read_only" } else { "read_write" };
    let examples = connection.examples.iter().filter(|example| example.endpoint == endpoint);
    let examples: Vec<&ConnectionExample> = examples.collect();
    match command.format.as_deref() {
        Some("ca") => put(format_args!("{}", connection.ca_certificate)),
        Some(name) => {
            if let Some(found) = examples.iter().find(|example| example.name == name) {
                say!("{}", found.text);
            }
        }
        None => show_all(&connection, &examples, file.is_none().then_some(&command.cluster)),
    }
    Ok(())
}

async fn read(context: &Context, command: &Show, reveal: bool) -> Result<Connection> {
    let (client, cluster) = (&context.client, &command.cluster);
    Ok(match &command.user {
        Some(user) => client.connection_of(cluster, user, reveal).await?,
        None => client.connection(cluster, reveal).await?,
    })
}

/// Whether there is such a ready-made text. Both endpoints have the same.
fn check_format(connection: &Connection, name: &str) -> Result {
    let known = connection.examples.iter().map(|example| example.name.as_str());
    let known: std::collections::BTreeSet<&str> = known.collect();
    if known.is_empty() {
        return Err(Failure::refused("the cluster has no node to connect to yet"));
    }
    if known.contains(name) {
        return Ok(());
    }
    let known: Vec<&str> = known.into_iter().collect();
    Err(Failure::usage(format!("--format {name}: use {} or ca", known.join(", "))))
}

/// `unwritten` is the name of the cluster, when its certificate has not been written to a file.
fn show_all(connection: &Connection, examples: &[&ConnectionExample], unwritten: Option<&String>) {
    say!("For writes  {}", connection.read_write.join(", "));
    say!("For reads   {}", connection.read_only.join(", "));
    say!("User        {}", connection.user);
    if !connection.database.is_empty() {
        say!("Database    {}", connection.database);
    }
    let hidden = "hidden; --reveal shows it";
    say!("Password    {}", connection.password.as_deref().unwrap_or(hidden));
    for example in examples {
        say!(
            "\n{} (--format {})\n  {}",
            example.title,
            example.name,
            example.text.replace('\n', "\n  ")
        );
    }
    if let Some(name) = unwritten {
        say!(
            "\n{CA_FILE} is the certificate: \
             bellwether cluster connection {name} --save-ca {CA_FILE}"
        );
    }
}

/// The path as it goes into connection strings, which have no common way to quote.
fn plain_path(path: &Path) -> Result<String> {
    let text = path.to_str().unwrap_or_default();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@".contains(c);
    if text.is_empty() || !text.chars().all(is_plain) {
        let words = "use a path of letters, digits and `/ . _ - + @` only";
        return Err(Failure::usage(format!("--save-ca {}: {words}", path.display())));
    }
    Ok(text.to_owned())
}
