//! What server and agent say to each other, and what the processes of one agent say among
//! themselves.
//!
//! Everything here is a whole state, not an edge: a message that is lost, repeated or late does no
//! harm. The agent dials the server's one port (WebSocket over mutual TLS, JSON text frames); the
//! agent's processes speak JSON lines over a Unix socket; sentries ask each other by UDP with a
//! keyed digest.

pub mod assignment;
pub mod databases;
pub mod join;
pub mod local;
pub mod peer;
pub mod repository;
pub mod session;

pub use assignment::{Assignment, Group, Member};
pub use session::{FromAgent, FromServer, Hello, Report};

/// The version of the protocol. The server refuses an agent whose version it does not know.
pub const VERSION: u32 = 1;
