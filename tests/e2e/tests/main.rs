//! The whole system on real engines in real containers: one file for each promise, all in one
//! program, which is linked once.

mod allowlist;
mod backups;
mod bad_input;
mod certificates;
mod chaos;
mod database_users;
mod diverged;
mod drills;
mod engine_hydra;
mod engine_mariadb;
mod engine_mysql;
mod engine_postgresql;
mod engine_redis;
mod engine_timescaledb;
mod extension;
mod failover;
mod held_clients;
mod maintenance;
mod multi_primary;
mod mysql_family;
mod nodes;
mod parameters;
mod provider;
mod replace;
mod replication;
mod reports;
mod resharding;
mod resync;
mod server_restart;
mod sharded;
mod strangers;
mod switchover;
mod versions;
