//! The loops of the server: one per cluster, which looks, decides and takes one small step; the
//! sessions with agents; the certificate authority; the collection of what nobody owns.
//!
//! Nothing here is told what changed: a change and the clock wake the same pass, which looks at
//! everything anew. Steps act only through the [`world::World`] they are handed.

mod allowlist;
pub mod authority;
pub mod background;
pub mod backups;
mod databases;
mod drills;
pub mod leases;
pub mod lineage;
pub mod logs;
pub mod machines;
mod members;
mod nodes_of;
pub mod operations;
pub mod orphans;
pub mod pass;
pub mod reconcile;
pub mod runner;
mod scheduled;
pub mod sessions;
mod shards;
pub mod stopwatch;
pub mod world;

pub use authority::Authority;
pub use world::{BackupTimers, World};
