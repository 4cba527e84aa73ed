//! Backups: taken from a replica without downtime, restored whole, proven, also with nothing but
//! the repository and its key.

mod borg;
pub(crate) mod engines;
mod in_place;
mod moment;
mod moment_mysql;
mod replaced;
mod restored;
mod scene;
mod taken;
mod versions;
