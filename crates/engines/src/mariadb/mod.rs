//! MariaDB 11.8: facts, and hands on a node.
//!
//! The engine never starts to accept writes by itself: its configuration makes it read-only and
//! follow nobody, and the agent opens it. Configuration lies outside the data directory, so that no
//! copy carries one node's to another.

mod backup;
mod binlog;
mod config;
mod diverged;
mod donor;
mod driver;
mod group;
mod gtid;
mod install;
pub mod profile;
mod repair;
mod replication;
mod seed;
mod words;
mod written;

use std::ops::Deref;
use std::sync::Mutex;

use bellwether_protocol::Assignment;

use crate::mysql_family::node::Node;

/// An engine's hands on this node.
pub(crate) struct Mariadb {
    node: Node,
    /// Where copies are asked for.
    donor_port: u16,
    donor: donor::Donor,
    group: group::Group,
    /// Notes when the log is written, while it is kept.
    watch: Mutex<Option<written::Watch>>,
}

impl Mariadb {
    #[must_use]
    pub(crate) fn new(assignment: &Assignment) -> Self {
        Self {
            node: Node::new(assignment, &words::WORDS),
            donor_port: assignment.engine.ports.peer,
            donor: donor::Donor::default(),
            group: group::Group::default(),
            watch: Mutex::default(),
        }
    }
}

impl Deref for Mariadb {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}
