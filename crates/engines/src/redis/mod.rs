//! Valkey, Redis and KeyDB: facts, and hands on a node. One driver, for they grew from one root;
//! what differs is in `Kind`.
//!
//! The engine never starts as a primary by itself: its configuration makes it a replica of nobody,
//! and the agent alone promotes it, once it has seen that the data is what it should be. The data
//! itself says the term of its last primary: a function that is replicated and saved with it and is
//! no key (`term`). So neither an empty engine nor an old one is taken for what it is not.
//!
//! A stop loses the engine's place in the replication stream (a data set that is read from the
//! append-only file begins another one). So an engine that was down never serves its old term again
//! (`Driver::resumes_term`), a planned change goes without a stop (`Driver::hand_over`), and where
//! the place was is written down beside the data.

mod backup;
mod config;
mod diverged;
mod driver;
mod link;
mod mover;
mod moves;
mod parameters;
mod peers;
mod place;
mod probe;
pub mod profile;
mod replication;
mod resp;
mod restore;
pub mod sessions;
mod settings;
mod shards;
mod slots;
mod term;
mod users;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use bellwether_model::divergence::Divergence;
use bellwether_model::{NodeId, Term};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;

use crate::files::User;
use crate::findings::findings;
use crate::process::Processes;
use crate::settings::Settings;

/// The agents' own user.
const AGENT_USER: &str = "bellwether_agent";

/// Feeds replicas; members only.
const REPLICATION_USER: &str = "bellwether_replication";

/// Measures how long writes wait; may do nothing else.
const PROBE_USER: &str = "bellwether_probe";

/// Brings keys from another shard; made for one move, and gone with it.
const MOVE_USER: &str = "bellwether_move";

/// The key that its writes name; it is never there.
const PROBE_KEY: &str = "bellwether:probe";

/// One of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Valkey,
    Redis,
    KeyDb,
}

impl Kind {
    /// The operating system's user it runs as.
    fn user(self) -> User {
        User(self.name())
    }

    /// The name of its process.
    fn process(self) -> &'static str {
        match self {
            Self::Valkey => "valkey-server",
            Self::Redis => "redis-server",
            Self::KeyDb => "keydb-server",
        }
    }

    fn server(self) -> &'static Path {
        Path::new(match self {
            Self::Valkey => "/usr/bin/valkey-server",
            Self::Redis => "/usr/bin/redis-server",
            Self::KeyDb => "/usr/local/bin/keydb-server",
        })
    }

    fn client(self) -> &'static Path {
        Path::new(match self {
            Self::Valkey => "/usr/bin/valkey-cli",
            Self::Redis => "/usr/bin/redis-cli",
            Self::KeyDb => "/usr/local/bin/keydb-cli",
        })
    }

    /// The stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Valkey => "valkey",
            Self::Redis => "redis",
            Self::KeyDb => "keydb",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Valkey, Self::Redis, Self::KeyDb].into_iter().find(|kind| kind.name() == name)
    }

    /// Whether slots that have keys may be lost while writes are held: Redis deletes the keys then,
    /// asserts that nothing is passed on to replicas meanwhile, and ends.
    fn may_lose_slots_while_held(self) -> bool {
        self == Self::Valkey
    }

    /// Whether it lists the keys of every slot: Redis does so only of those that it has or imports.
    fn lists_every_slot(self) -> bool {
        self == Self::Valkey
    }

    /// What `INFO` calls its version.
    fn version_name(self) -> &'static str {
        if self == Self::Valkey { "valkey_version" } else { "redis_version" }
    }
}

/// An engine's hands on this node.
pub struct Redis {
    kind: Kind,
    members: Mutex<Vec<Member>>,
    link: link::Link,
    processes: Processes,
    seen: Mutex<probe::Seen>,
    /// The term that was handed over while the engine goes on.
    handed: Mutex<Handed>,
    /// The engine runs in the directory of a copy that is not complete.
    is_copying: AtomicBool,
    /// It accepts writes, and its data does not tell the new term yet.
    is_promoting: AtomicBool,
    /// What the chosen settings shall be, and are.
    settings: Settings,
    /// What was assigned last, where the group is one shard of several; when that was looked at.
    sharded: Mutex<Option<Box<Assignment>>>,
    tended: Mutex<Option<Instant>>,
    /// Engines that it was not to know at the last look.
    strangers: Mutex<Vec<String>>,
    /// The engine of a shard says that it takes no writes.
    is_refusing: AtomicBool,
    /// Slots that leave this shard.
    moving: Mutex<Option<mover::Mover>>,
    /// The token of the move that may bring keys here, or none; not known before it was set.
    lets_in: Mutex<Option<Option<String>>>,
    /// What only this node held and is kept, the newest first.
    diverged: Mutex<Vec<Divergence>>,
}

/// Whether writes are refused for a handover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handed {
    /// A worker that was here before may have done it.
    Unknown,
    No,
    Over(Term),
}

impl Redis {
    #[must_use]
    pub fn new(kind: Kind, assignment: &Assignment) -> Self {
        let password = assignment.secrets.rewind_password.clone();
        Self {
            kind,
            members: Mutex::new(assignment.group.members.clone()),
            link: link::Link::new(socket().join("engine.sock"), password),
            processes: Processes::new(kind.user(), kind.process()),
            seen: Mutex::default(),
            handed: Mutex::new(Handed::Unknown),
            is_copying: AtomicBool::default(),
            is_promoting: AtomicBool::default(),
            settings: Settings::default(),
            sharded: Mutex::new(sharded(assignment)),
            tended: Mutex::default(),
            strangers: Mutex::default(),
            is_refusing: AtomicBool::default(),
            moving: Mutex::default(),
            lets_in: Mutex::default(),
            diverged: Mutex::new(findings()),
        }
    }

    /// The member at that address.
    fn member_at(&self, address: &str) -> Option<NodeId> {
        let members = self.members.lock().expect("nothing panics while it is held");
        let member = members.iter().find(|m| m.address == address || m.address6 == address);
        member.map(|member| member.node.clone())
    }

    fn note_members(&self, assignment: &Assignment) {
        *self.members.lock().expect("nothing panics while it is held") =
            assignment.group.members.clone();
        *self.sharded.lock().expect("nothing panics while it is held") = sharded(assignment);
    }

    fn handed(&self) -> Handed {
        *self.handed.lock().expect("nothing panics while it is held")
    }

    fn set_handed(&self, handed: Handed) {
        *self.handed.lock().expect("nothing panics while it is held") = handed;
    }
}

fn sharded(assignment: &Assignment) -> Option<Box<Assignment>> {
    assignment.sharding.is_some().then(|| Box::new(assignment.clone()))
}

/// The data directory.
fn data() -> &'static Path {
    Path::new("/data/engine")
}

/// A copy that is not complete yet.
fn new_data() -> &'static Path {
    Path::new("/data/engine.new")
}

/// What the engine could not read.
fn damaged_data() -> &'static Path {
    Path::new("/data/engine.damaged")
}

/// What a copy under an order replaced.
fn former_data() -> &'static Path {
    Path::new("/data/engine.former")
}

/// Configuration and keys of this node's engine.
fn conf() -> &'static Path {
    Path::new("/data/conf")
}

/// The directory of the engine's Unix socket.
fn socket() -> &'static Path {
    Path::new("/run/bellwether/engine")
}

/// Within a data directory: where the append-only files are.
fn log_of(directory: &Path) -> PathBuf {
    directory.join("appendonlydir")
}
