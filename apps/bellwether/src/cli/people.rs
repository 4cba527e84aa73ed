//! `bellwether user …`, `project …` and `session …`

use std::path::{Path, PathBuf};

use bellwether_model::access::{Access, Member, ProjectView, Role};
use bellwether_model::user::{CreatedUser, NewUser, UserChange, UserSummary};
use clap::{Args, Subcommand};

use super::failure::{Failure, Result};
use super::output::{Format, or_dash, print, say, table};
use super::{Acting, Context};

#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// List who may use the server
    List,
    /// Let somebody use the server; the password that is made is printed this once
    Create {
        name: String,
        #[command(flatten)]
        may: May,
        /// A file with a password to take instead of one that is made
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Say anew what somebody may: what is not named is taken away
    Access {
        user: String,
        #[command(flatten)]
        may: May,
    },
    /// Give somebody a new password, printed this once; sessions end
    Password { user: String },
    /// Take the second factor of somebody away who has lost it
    RemoveFactor { user: String },
    /// Let somebody use the server no more
    Delete {
        user: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(crate) struct May {
    /// A role everywhere: viewer, operator, admin or owner
    #[arg(long, value_parser = role)]
    role: Option<Role>,
    /// A role in one project; may be given more than once
    #[arg(long = "in", value_name = "PROJECT=ROLE", value_parser = in_project)]
    projects: Vec<(String, Role)>,
}

impl May {
    fn access(self) -> Access {
        Access { everywhere: self.role, projects: self.projects.into_iter().collect() }
    }
}

#[derive(Subcommand)]
pub(crate) enum ProjectCommand {
    /// List the projects in which you have a role
    List,
    /// Make a project
    Create { project: String },
    /// Delete a project that has no cluster
    Delete { project: String },
    /// Give somebody a role in a project
    Grant {
        project: String,
        user: String,
        #[arg(value_parser = role)]
        role: Role,
    },
    /// Take somebody's role in a project away
    Revoke { project: String, user: String },
}

#[derive(Subcommand)]
pub(crate) enum SessionCommand {
    /// List your sessions
    List,
    /// End one of your sessions
    End { id: String },
}

/// A role by its word.
pub(super) fn role(text: &str) -> std::result::Result<Role, String> {
    let found = Role::ALL.into_iter().find(|role| role.word() == text);
    found.ok_or_else(|| "use viewer, operator, admin or owner".to_owned())
}

fn in_project(text: &str) -> std::result::Result<(String, Role), String> {
    let (project, word) = text.split_once('=').ok_or("write PROJECT=ROLE")?;
    Ok((project.to_owned(), role(word)?))
}

fn may(access: &Access) -> String {
    let everywhere = access.everywhere.iter().map(|role| format!("{role} everywhere"));
    let projects = access.projects.iter().map(|(project, role)| format!("{role} in {project}"));
    let all: Vec<String> = everywhere.chain(projects).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}

pub(super) async fn run_user(context: &Context, command: UserCommand) -> Result {
    match command {
        UserCommand::List => {
            let users = context.client.users().await?;
            if context.format != Format::Table {
                return print(context.format, &users);
            }
            let row = |user: UserSummary| {
                let (sessions, tokens) = (user.sessions.to_string(), user.tokens.to_string());
                vec![user.name, may(&user.access), sessions, tokens, or_dash(user.last_seen_at)]
            };
            let heads = ["name", "may", "sessions", "tokens", "last seen"];
            table(&heads, users.into_iter().map(row).collect());
        }
        UserCommand::Create { name, may, password_file } => {
            let password = password_file.as_deref().map(read_password).transpose()?;
            let new = NewUser { name, access: may.access(), password };
            return show_created(context, &context.client.create_user(&new).await?);
        }
        UserCommand::Access { user, may: new } => {
            let change = UserChange { access: new.access() };
            let user = context.client.change_user(&user, &change).await?;
            if context.format != Format::Table {
                return print(context.format, &user);
            }
            say!("{} may: {}", user.name, may(&user.access));
        }
        UserCommand::Password { user } => {
            return show_created(context, &context.client.reset_password(&user).await?);
        }
        UserCommand::RemoveFactor { user } => context.client.remove_second_factor(&user).await?,
        UserCommand::Delete { user, yes } => {
            let acting = Acting { yes, ..Acting::default() };
            context.confirm(&acting, &format!("Let {user} use this server no more?"))?;
            context.client.delete_user(&user).await?;
        }
    }
    Ok(())
}

fn read_password(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

fn show_created(context: &Context, made: &CreatedUser) -> Result {
    if context.format != Format::Table {
        return print(context.format, made);
    }
    say!("{} may: {}", made.user.name, may(&made.user.access));
    if let Some(password) = &made.password {
        say!("Password, to be changed at the first sign-in: {password}");
    }
    Ok(())
}

pub(super) async fn run_project(context: &Context, command: ProjectCommand) -> Result {
    let client = &context.client;
    match command {
        ProjectCommand::List => {
            let projects = client.projects().await?;
            if context.format != Format::Table {
                return print(context.format, &projects);
            }
            let member = |member: &Member| format!("{} ({})", member.user, member.role);
            let row = |project: ProjectView| {
                let members: Vec<String> = project.members.iter().map(member).collect();
                let clusters = project.clusters.to_string();
                vec![project.name, clusters, project.role.to_string(), members.join(", ")]
            };
            let rows = projects.into_iter().map(row).collect();
            table(&["name", "clusters", "you are", "members"], rows);
            Ok(())
        }
        ProjectCommand::Create { project } => Ok(client.create_project(&project).await?),
        ProjectCommand::Delete { project } => Ok(client.delete_project(&project).await?),
        ProjectCommand::Grant { project, user, role } => {
            Ok(client.set_member(&project, &user, role).await?)
        }
        ProjectCommand::Revoke { project, user } => {
            Ok(client.remove_member(&project, &user).await?)
        }
    }
}

pub(super) async fn run_session(context: &Context, command: SessionCommand) -> Result {
    match command {
        SessionCommand::List => {
            let sessions = context.client.sessions().await?;
            if context.format != Format::Table {
                return print(context.format, &sessions);
            }
            let rows = sessions.into_iter().map(|session| {
                let id = session.id.to_string();
                let begun = session.created_at.to_string();
                let used = or_dash(session.last_used_at);
                vec![id, session.source, begun, used, session.program]
            });
            table(&["id", "from", "begun", "last used", "with"], rows.collect());
        }
        SessionCommand::End { id } => context.client.end_session(&id).await?,
    }
    Ok(())
}
