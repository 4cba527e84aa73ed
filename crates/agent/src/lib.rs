//! What runs on a node.
//!
//! `bellwether-agent init` keeps three processes alive that cannot delay each other: the *sentry*
//! (session with the server, lease, gate, promise, fence), the *worker* (the engine's supervision,
//! seeding, probes) and the *endpoint* (leads clients to the primary or to replicas).

pub mod clock;
pub mod endpoint;
pub mod figures;
pub mod files;
pub mod firewall;
mod growth;
pub mod init;
pub mod join;
pub mod lines;
pub mod paths;
pub mod sentry;
#[cfg(test)]
mod testing;
pub mod worker;

/// The node's disk.
pub const DATA: &str = "/data";
