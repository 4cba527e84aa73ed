//! PostgreSQL 15 to 18: facts, and hands on a node.
//!
//! The engine never starts as a primary by itself: every start is the agent's. Configuration lies
//! outside the data directory, so that no copy and no rewind carries one node's to another.

mod backup;
mod bootstrap;
mod clients;
mod config;
mod databases;
mod diverged;
mod driver;
mod fingerprint;
pub mod flavour;
mod kept_log;
mod log_end;
mod moment;
pub(crate) mod parameters;
mod probe;
mod process;
pub mod profile;
mod replication;
mod restore;
mod rewind;
mod room;
mod segments;
pub mod sessions;
mod settings;
mod sql;
mod timelines;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use bellwether_model::NodeId;
use bellwether_model::divergence::Divergence;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;

use crate::files::User;
use crate::process::Processes;
use crate::settings::Settings;
pub use flavour::Flavour;

/// Makes and feeds replicas; members only.
const REPLICATION_USER: &str = "bellwether_replication";

/// May read what `pg_rewind` reads; members only.
const REWIND_USER: &str = "bellwether_rewind";

/// Measures how long writes wait; may do nothing else.
const PROBE_USER: &str = "bellwether_probe";

/// Its writes are messages in the log that begin so.
const PROBE_PREFIX: &str = "bellwether probe";

/// The engine's own user; the agent alone, over the socket.
const SUPERUSER: &str = "postgres";

/// The operating system's user the engine runs as.
const OS_USER: User = User("postgres");

/// The name that every process of the engine has, whatever it writes over its arguments.
const PROCESS: &str = "postgres";

/// An engine's hands on this node.
pub struct Postgres {
    flavour: &'static Flavour,
    version: String,
    port: u16,
    members: Mutex<Vec<Member>>,
    sql: sql::Session,
    /// What was found by slower means and need not be looked for at every probe.
    cache: Mutex<probe::Cache>,
    /// The arming of the configuration in force.
    mark: Mutex<Option<replication::Mark>>,
    processes: Processes,
    /// The prober's user is known to be there.
    has_prober: AtomicBool,
    /// A backup holds the replay of the log for a moment.
    pausing: Arc<AtomicBool>,
    /// New data is refused, for want of room.
    refusing: AtomicBool,
    /// What only this node held and is kept, the newest first.
    diverged: Mutex<Vec<Divergence>>,
    /// What the chosen settings shall be, and are.
    settings: Settings,
}

impl Postgres {
    #[must_use]
    pub fn new(flavour: &'static Flavour, assignment: &Assignment) -> Self {
        let port = assignment.engine.ports.private;
        Self {
            flavour,
            version: assignment.engine.version.clone(),
            port,
            members: Mutex::new(assignment.group.members.clone()),
            sql: sql::Session::new(port),
            cache: Mutex::default(),
            mark: Mutex::default(),
            processes: Processes::new(OS_USER, PROCESS),
            has_prober: AtomicBool::default(),
            pausing: Arc::default(),
            refusing: AtomicBool::new(room::is_refusing()),
            diverged: Mutex::new(crate::findings::findings()),
            settings: Settings::default(),
        }
    }

    /// A program of this version.
    fn program(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/usr/lib/postgresql/{}/bin/{name}", self.version))
    }

    fn member_named(&self, name: &str) -> Option<NodeId> {
        let members = self.members.lock().expect("nothing panics while it is held");
        members.iter().find(|member| member.name == name).map(|member| member.node.clone())
    }
}

/// The data directory.
fn data() -> &'static Path {
    Path::new("/data/pgdata")
}

/// Where the log is.
fn log_directory() -> PathBuf {
    data().join("pg_wal")
}

/// A copy that is not complete yet.
fn new_data() -> &'static Path {
    Path::new("/data/pgdata.new")
}

/// What a copy under an order replaced.
fn former_data() -> &'static Path {
    Path::new("/data/pgdata.former")
}

/// In data that was brought to take the place of other data: the token of the order.
const BROUGHT: &str = "bellwether_brought";

/// In data that was copied under an order: its token.
const COPIED: &str = "bellwether_copied";

/// In data that was restored to a moment: the timeline to follow until it is promoted.
const TIMELINE: &str = "bellwether_timeline";

/// Beside it: what the log that is to be replayed demands of settings, each with its number.
const FLOORS: &str = "bellwether_floors";

/// There while the data is being rewound: what is there then is neither the old nor the new.
fn rewinding() -> &'static Path {
    Path::new("/data/rewinding")
}

/// Configuration, keys and passwords of this node's engine.
fn conf() -> &'static Path {
    Path::new("/data/conf")
}

/// The directory of the engine's Unix socket.
fn socket() -> &'static Path {
    Path::new("/run/bellwether/postgresql")
}

/// The name of a member's replication slot.
fn slot(member: &Member) -> String {
    format!("bw_{}", member.ordinal)
}
