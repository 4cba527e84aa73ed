//! `bellwether repository …`

use std::io::Read as _;
use std::path::PathBuf;

use bellwether_model::repository::{NewRepository, Place, RepositoryView};
use clap::{Args, Subcommand};

use super::failure::{Failure, Result};
use super::output::{Format, or_dash, print, say, table};
use super::{Acting, Context};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Register a repository
    #[command(subcommand)]
    Add(Add),
    /// List the repositories
    List,
    /// Print the key that everything in it is encrypted with
    Key { repository: String },
    /// Forget a repository; what is in it stays
    Remove {
        repository: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum Add {
    /// A bucket of an S3-compatible store
    S3(S3),
    /// A directory on a host that is reached by SSH
    Borg(Borg),
}

#[derive(Args)]
pub(crate) struct S3 {
    name: String,
    /// The store's address, like https://s3.example.com
    #[arg(long)]
    endpoint: String,
    #[arg(long)]
    bucket: String,
    /// The directory within the bucket
    #[arg(long, default_value = "")]
    prefix: String,
    #[arg(long, default_value = "")]
    region: String,
    #[arg(long)]
    access_key: String,
    /// A file with the secret of the access key; standard input when left out
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// A file with the encryption key of a repository that is there already
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Borg {
    name: String,
    #[arg(long)]
    user: String,
    #[arg(long)]
    host: String,
    #[arg(long, default_value = "22")]
    port: u16,
    /// The directory on that host, from its root
    #[arg(long)]
    path: String,
    /// The host's public key, as ssh-keyscan prints it after the host
    #[arg(long)]
    host_key: String,
    /// A file with the private SSH key; standard input when left out
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// A file with the encryption key of a repository that is there already
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    match command {
        Command::Add(add) => run_add(context, add).await,
        Command::List => list(context).await,
        Command::Key { repository } => {
            let key = context.client.repository_key(&repository).await?;
            if context.format != Format::Table {
                return print(context.format, &key);
            }
            say!("{}", key.key);
            Ok(())
        }
        Command::Remove { repository, yes } => {
            let acting = Acting { yes, ..Acting::default() };
            let question = format!("Forget {repository} and the list of what is in it?");
            context.confirm(&acting, &question)?;
            context.client.delete_repository(&repository).await?;
            say!("{repository} is forgotten; what is in it stays");
            Ok(())
        }
    }
}

/// A secret is never an argument, where others see it.
fn read(file: Option<PathBuf>) -> Result<String> {
    let text = match file {
        Some(path) => std::fs::read_to_string(&path)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?,
        None => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|error| Failure::unexpected(error.to_string()))?;
            text
        }
    };
    Ok(text.trim_end_matches('\n').to_owned())
}

async fn run_add(context: &Context, add: Add) -> Result {
    let (name, place, secret_file, key_file) = match add {
        Add::S3(s3) => {
            let (endpoint, bucket, prefix) = (s3.endpoint, s3.bucket, s3.prefix);
            let (region, access_key) = (s3.region, s3.access_key);
            let place = Place::S3 { endpoint, bucket, prefix, region, access_key };
            (s3.name, place, s3.secret_file, s3.key_file)
        }
        Add::Borg(borg) => {
            let (user, host, port) = (borg.user, borg.host, borg.port);
            let place = Place::Borg { user, host, port, path: borg.path, host_key: borg.host_key };
            (borg.name, place, borg.secret_file, borg.key_file)
        }
    };
    let key = match key_file {
        Some(file) => read(Some(file))?,
        None => String::new(),
    };
    let new = NewRepository { name, place, secret: read(secret_file)?, key };
    let made = context.client.create_repository(&new).await?;
    if context.format != Format::Table {
        return print(context.format, &made);
    }
    match made.checked_at {
        Some(_) => say!("{} is registered; {} backups are in it", made.name, made.backups),
        None => say!(
            "{} is registered and was not tried: this server has not got the tool; the first \
             backup will",
            made.name
        ),
    }
    Ok(())
}

async fn list(context: &Context) -> Result {
    let all = context.client.repositories().await?;
    if context.format != Format::Table {
        return print(context.format, &all);
    }
    let row = |known: &RepositoryView| {
        vec![
            known.name.clone(),
            known.place.kind().to_owned(),
            known.address.clone(),
            known.backups.to_string(),
            or_dash(known.checked_at),
        ]
    };
    table(&["name", "kind", "address", "backups", "last reached"], all.iter().map(row).collect());
    Ok(())
}
