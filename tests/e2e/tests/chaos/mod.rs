//! Whatever breaks, no acknowledged write is missing and never do two nodes take writes: one file
//! for each kind of failure, each with the number it has in the table of failures of the design.
//!
//! Every test has two clients that write all the time, one through the primary's own node and one
//! through another's, and ends with the same check of what they were told. Proven elsewhere: a
//! killed primary (F2), a dead engine (F1) in `failover.rs`; transactions that do not end (F28) in
//! `held_clients.rs`; a resync whose primary is lost (F29) in `resync.rs`; a server that is
//! killed (F8, F27) in `server_restart.rs`. Clocks that jump (F17) need a machine of its own for
//! each node, for containers share the host's; the simulation sets the server's.

mod agent_killed;
mod all_at_once;
mod asynchronous;
mod cut_off;
mod data_damaged;
mod disk_full;
mod disk_hung;
mod engine_frozen;
mod in_a_switchover;
mod machine_off;
mod no_server;
mod nobody_complete;
mod node_added;
mod node_paused;
mod one_after_another;
mod one_way;
mod promoted_by_hand;
mod replica_lost;
mod scene;
mod server_frozen;
mod server_restored;
mod two_nodes;
mod unstable_link;
