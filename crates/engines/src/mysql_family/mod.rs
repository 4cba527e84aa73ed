//! What MariaDB and MySQL have in common; `words` says where they only differ in how it is said.

pub(crate) mod alone;
pub(crate) mod backup;
pub(crate) mod clients;
pub(crate) mod databases;
pub(crate) mod diverged;
pub(crate) mod driver;
mod fingerprint;
pub(crate) mod history;
pub(crate) mod kept_log;
pub(crate) mod log_file;
mod moment;
pub(crate) mod node;
pub(crate) mod parameters;
pub(crate) mod peers;
pub(crate) mod place;
pub(crate) mod probe;
pub(crate) mod probes;
pub(crate) mod replication;
mod restore;
mod roles;
mod room;
pub(crate) mod session;
pub(crate) mod sessions;
mod settings;
mod stand_in;
pub(crate) mod synchronous;
pub(crate) mod words;

use bellwether_protocol::assignment::Member;

use crate::files::User;

/// The operating system's user the engine runs as.
pub(crate) const OS_USER: User = User("mysql");

/// Looks at other members; members only.
pub(crate) const REPLICATION_USER: &str = "bellwether_replication";

/// Every other user of our own begins so.
pub(crate) const OWN_USERS: &str = "bellwether\\_%";

/// A text within quotes of a statement.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// The user that a member's engine replicates as.
pub(crate) fn replication_user(member: &Member) -> String {
    format!("bellwether_replica_{}", member.ordinal)
}
