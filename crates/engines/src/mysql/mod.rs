//! MySQL 9.7: facts, and hands on a node.
//!
//! The engine never starts to accept writes by itself: its configuration makes it read-only and
//! follow nobody, and the agent opens it. Configuration lies outside the data directory, so that no
//! copy carries one node's to another.

mod backup;
mod binlog;
mod config;
mod diverged;
mod driver;
mod gtid;
mod install;
pub mod profile;
mod repair;
mod seed;
mod words;

use std::ops::Deref;

use bellwether_protocol::Assignment;

use crate::mysql_family::node::Node;

/// An engine's hands on this node.
pub(crate) struct Mysql {
    node: Node,
}

impl Mysql {
    pub(crate) fn new(assignment: &Assignment) -> Self {
        Self { node: Node::new(assignment, &words::WORDS) }
    }
}

impl Deref for Mysql {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}
