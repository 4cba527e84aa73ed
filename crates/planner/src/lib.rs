//! What should happen next. Pure: no clock, no I/O; time is a field of the view.
//!
//! Two things decide: the **rules** (`rules`), an ordered, numbered table of which the first that
//! holds decides, and the **election** (`election`), the judgement of the replication group. The
//! same functions tell the API what is allowed now and why the rest is not (`allowed`), and what an
//! operation would do (`plan`).

pub mod allowed;
pub mod allowlist;
pub mod assign;
pub mod authority;
pub mod backups;
pub mod capacity;
pub mod check;
pub mod connect;
pub mod databases;
pub mod drills;
pub mod election;
pub mod logs;
pub mod maintenance;
pub mod members;
pub mod moves;
pub mod plan;
pub mod reconfigure;
pub mod replace;
pub mod report;
pub mod resize;
pub mod restore;
pub mod resync;
pub mod rules;
pub mod schedule;
pub mod scheduled;
pub mod shards;
pub mod show;
pub mod steps;
pub mod suspicion;
pub mod view;
pub mod voters;

pub use allowed::{allowed_on_cluster, allowed_on_node, check_operation};
pub use check::{check_spec, check_timers};
pub use connect::connection;
pub use plan::{plan, plan_change, plan_creation};
pub use rules::{Act, Decision, decide, machines_to_start};
pub use show::{cluster_view, node_view};
pub use view::{NodeFacts, Seen, View};
