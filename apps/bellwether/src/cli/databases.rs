//! `bellwether database …` and `database-user …`

use std::time::{Duration, Instant};

use bellwether_model::database::{
    DatabaseState, DatabaseUserView, DatabaseView, Grant, LoginSessions, NewDatabaseUser, Rights,
    Rotation,
};
use clap::{Args, Subcommand};

use super::failure::{Failure, Result};
use super::output::{Format, or_dash, print, say, table};
use super::{Acting, Context};

/// Between two looks while it is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(300);

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the databases of a cluster
    List { cluster: String },
    /// Make a database
    Create {
        cluster: String,
        name: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Drop a database with all of its data
    Drop {
        cluster: String,
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// List the users of a cluster's databases
    List { cluster: String },
    /// Show a user, what it may, and who still uses its former login
    Show {
        cluster: String,
        name: String,
        /// Show the password too
        #[arg(long)]
        reveal: bool,
    },
    /// Make a user with a password of its own; `show --reveal` tells it
    Create {
        cluster: String,
        name: String,
        #[command(flatten)]
        may: May,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Say anew what a user may: what is not named is taken away
    Grant {
        cluster: String,
        name: String,
        #[command(flatten)]
        may: May,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Begin to rotate a password: a second login, and both are valid until `finish`
    Rotate {
        cluster: String,
        name: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Turn a rotation round: the former login stays, and the new one goes with `finish`
    Cancel {
        cluster: String,
        name: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Let nobody in with the former login any more
    Finish {
        cluster: String,
        name: String,
        /// Also where the former login is used, or where that is not known; its sessions end
        #[arg(long)]
        even_if_used: bool,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Drop a user; its sessions end
    Drop {
        cluster: String,
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(crate) struct May {
    /// Rights on a database, or on a pattern of keys: read-only, read-write or owner; may be given
    /// more than once
    #[arg(long = "on", value_name = "DATABASE=RIGHTS", value_parser = grant)]
    grants: Vec<Grant>,
}

#[derive(Args)]
pub(crate) struct Waiting {
    /// Wait until the engine has it
    #[arg(long)]
    wait: bool,
    /// Wait at most so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    timeout: u64,
}

fn grant(text: &str) -> std::result::Result<Grant, String> {
    let (on, word) = text.rsplit_once('=').ok_or("write DATABASE=RIGHTS")?;
    let all = [Rights::ReadOnly, Rights::ReadWrite, Rights::Owner];
    let rights = all.into_iter().find(|rights| rights.word() == word.replace('-', "_"));
    let rights = rights.ok_or("use read-only, read-write or owner")?;
    Ok(Grant { on: on.to_owned(), rights })
}

pub(super) async fn run(context: &Context, command: Command) -> Result {
    let client = &context.client;
    match command {
        Command::List { cluster } => {
            let all = client.databases(&cluster).await?;
            if context.format != Format::Table {
                return print(context.format, &all);
            }
            let row = |one: DatabaseView| {
                let state = state(one.state, one.reason.as_ref());
                vec![one.name, or_dash(one.created_at), state]
            };
            table(&["name", "made", "state"], all.into_iter().map(row).collect());
            Ok(())
        }
        Command::Create { cluster, name, waiting } => {
            let mut made = client.create_database(&cluster, &name).await?;
            if waiting.wait {
                let find = |all: Vec<DatabaseView>| all.into_iter().find(|one| one.name == name);
                let gone = || Failure::refused(format!("{name} was dropped meanwhile"));
                made = until(&waiting, async || {
                    let found = find(client.databases(&cluster).await?).ok_or_else(gone)?;
                    let (state, reason) = (found.state, found.reason.clone());
                    Ok((found, state, reason))
                })
                .await?;
            }
            show_database(context, &made)
        }
        Command::Drop { cluster, name, yes } => {
            let acting = Acting { yes, ..Acting::default() };
            let question = format!("Drop the database {name} of {cluster} with all of its data?");
            context.confirm(&acting, &question)?;
            show_database(context, &client.drop_database(&cluster, &name).await?)
        }
    }
}

fn show_database(context: &Context, database: &DatabaseView) -> Result {
    if context.format != Format::Table {
        return print(context.format, database);
    }
    say!("{}: {}", database.name, state(database.state, database.reason.as_ref()));
    Ok(())
}

pub(super) async fn run_user(context: &Context, command: UserCommand) -> Result {
    let client = &context.client;
    match command {
        UserCommand::List { cluster } => {
            let users = client.database_users(&cluster).await?;
            if context.format != Format::Table {
                return print(context.format, &users);
            }
            let row = |user: DatabaseUserView| {
                let rotating = user.rotation.as_ref().map(|rotation| rotation.former.clone());
                let state = state(user.state, user.reason.as_ref());
                let may = may(&user.grants);
                vec![user.name, user.login, or_dash(rotating), may, state]
            };
            let heads = ["name", "login", "replaces", "may", "state"];
            table(&heads, users.into_iter().map(row).collect());
            Ok(())
        }
        UserCommand::Show { cluster, name, reveal } => {
            show_user(context, &client.database_user(&cluster, &name, reveal).await?)
        }
        UserCommand::Create { cluster, name, may, waiting } => {
            let new = NewDatabaseUser { name, grants: may.grants };
            let user = client.create_database_user(&cluster, &new).await?;
            follow(context, &cluster, user, &waiting).await
        }
        UserCommand::Grant { cluster, name, may, waiting } => {
            let user = client.grant(&cluster, &name, may.grants).await?;
            follow(context, &cluster, user, &waiting).await
        }
        UserCommand::Rotate { cluster, name, waiting } => {
            let user = client.rotate(&cluster, &name).await?;
            follow(context, &cluster, user, &waiting).await
        }
        UserCommand::Cancel { cluster, name, waiting } => {
            let user = client.cancel_rotation(&cluster, &name).await?;
            follow(context, &cluster, user, &waiting).await
        }
        UserCommand::Finish { cluster, name, even_if_used, yes, waiting } => {
            if even_if_used {
                let acting = Acting { yes, ..Acting::default() };
                let user = client.database_user(&cluster, &name, false).await?;
                // Without one the server says so.
                if let Some(rotation) = &user.rotation {
                    context.confirm(&acting, &what_ends(rotation))?;
                }
            }
            let user = client.end_rotation(&cluster, &name, even_if_used).await?;
            if let Some(count) = user.sessions_ended.filter(|_| context.format == Format::Table) {
                say!("Sessions that end: {count}");
            }
            follow(context, &cluster, user, &waiting).await
        }
        UserCommand::Drop { cluster, name, yes } => {
            let acting = Acting { yes, ..Acting::default() };
            context.confirm(&acting, &format!("Drop {name} of {cluster}? Its sessions end."))?;
            show_user(context, &client.drop_database_user(&cluster, &name).await?)
        }
    }
}

/// What it means to turn a login off that may be used.
fn what_ends(rotation: &Rotation) -> String {
    let former = &rotation.former;
    let known: u64 = rotation.sessions.iter().map(|one| u64::from(one.count)).sum();
    let more = match rotation.unknown.is_empty() {
        true => String::new(),
        false => {
            format!(", and those on {}, of which nothing is known", rotation.unknown.join(", "))
        }
    };
    format!("Turn {former} off? Its sessions end: {known}{more}.")
}

/// Waits for the engine where that is asked for, and shows the user.
async fn follow(
    context: &Context,
    cluster: &str,
    user: DatabaseUserView,
    waiting: &Waiting,
) -> Result {
    if !waiting.wait {
        return show_user(context, &user);
    }
    let user = until(waiting, async || {
        let found = context.client.database_user(cluster, &user.name, false).await?;
        let (state, reason) = (found.state, found.reason.clone());
        Ok((found, state, reason))
    });
    show_user(context, &user.await?)
}

/// Looks until it is in force; fails when it is refused or time is over.
async fn until<T>(
    waiting: &Waiting,
    look: impl AsyncFn() -> Result<(T, DatabaseState, Option<String>)>,
) -> Result<T> {
    let end = Instant::now() + Duration::from_secs(waiting.timeout);
    loop {
        let (found, state, reason) = look().await?;
        match state {
            DatabaseState::InForce => return Ok(found),
            DatabaseState::Refused => return Err(Failure::refused(reason.unwrap_or_default())),
            DatabaseState::Dropping => return Err(Failure::refused("it is being dropped")),
            DatabaseState::Pending if Instant::now() >= end => {
                let seconds = waiting.timeout;
                return Err(Failure::refused(format!("it is not in force after {seconds} s")));
            }
            DatabaseState::Pending => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

fn show_user(context: &Context, user: &DatabaseUserView) -> Result {
    if context.format != Format::Table {
        return print(context.format, user);
    }
    let hidden = "hidden; `database-user show --reveal` shows it";
    say!("User      {}", user.name);
    say!("Login     {}", user.login);
    say!("Password  {}", user.password.as_deref().unwrap_or(hidden));
    say!("May       {}", may(&user.grants));
    say!("State     {}", state(user.state, user.reason.as_ref()));
    let Some(rotation) = &user.rotation else { return Ok(()) };
    say!("");
    let (former, since) = (&rotation.former, rotation.since);
    say!("{former} is valid too, since {since}, until the rotation is finished.");
    if rotation.sessions.is_empty() && rotation.unknown.is_empty() {
        say!("Nobody uses it.");
    }
    if !rotation.sessions.is_empty() {
        let row = |one: &LoginSessions| {
            let (from, node) = (one.from.clone(), one.node.clone());
            vec![from, one.application.clone(), node, one.count.to_string()]
        };
        let heads = ["still used from", "as", "at", "sessions"];
        table(&heads, rotation.sessions.iter().map(row).collect());
    }
    if !rotation.unknown.is_empty() {
        say!("Who uses it on {} is not known.", rotation.unknown.join(", "));
    }
    Ok(())
}

fn may(grants: &[Grant]) -> String {
    let words = |Grant { on, rights }: &Grant| {
        let rights = rights.word().replace('_', "-");
        format!("{rights} on {on}")
    };
    let all: Vec<String> = grants.iter().map(words).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}

fn state(state: DatabaseState, reason: Option<&String>) -> String {
    match reason {
        Some(reason) => format!("{}: {reason}", state.words()),
        None => state.words().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bellwether_model::Timestamp;

    use super::*;

    #[test]
    fn it_is_said_whose_sessions_end_before_they_do() {
        let session = |count| LoginSessions {
            node: "demo-1".to_owned(),
            from: "198.51.100.7".to_owned(),
            application: String::new(),
            count,
        };
        let rotation = Rotation {
            since: Timestamp::from_millis(0),
            former: "web".to_owned(),
            sessions: vec![session(2), session(1)],
            unknown: vec!["demo-2".to_owned()],
        };
        let expected = "Turn web off? Its sessions end: 3, \
                        and those on demo-2, of which nothing is known.";
        assert_eq!(what_ends(&rotation), expected);
    }

    #[test]
    fn rights_are_named_with_what_they_are_on() {
        let read = |text: &str| grant(text).map(|grant| (grant.on, grant.rights));
        assert_eq!(read("shop=read-only"), Ok(("shop".to_owned(), Rights::ReadOnly)));
        assert_eq!(read("a=b:*=read_write"), Ok(("a=b:*".to_owned(), Rights::ReadWrite)));
        for wrong in ["shop", "shop=", "shop=admin"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
