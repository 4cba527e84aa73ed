//! Every engine we can run. Adding one: its folder, its `mod`, its line in each list.

use std::sync::Arc;

use bellwether_contracts::{Driver, Prober, Sessions};
use bellwether_model::engine::EngineProfile;
use bellwether_protocol::Assignment;
use bellwether_protocol::local::Routes;

use crate::mysql_family::driver::FamilyDriver;
use crate::redis::Kind;

mod backup;
mod facts;
mod files;
mod findings;
pub mod hydra;
mod kept_log;
mod led;
pub mod mariadb;
pub mod mysql;
mod mysql_family;
mod parameters;
mod passing;
pub mod postgres;
mod process;
pub mod redis;
mod room;
mod settings;
pub mod timescaledb;
mod tls;

/// The facts of every engine.
#[must_use]
pub fn profiles() -> Vec<EngineProfile> {
    vec![
        postgres::profile::profile(),
        timescaledb::profile(),
        hydra::profile(),
        mariadb::profile::profile(),
        mysql::profile::profile(),
        redis::profile::profile(Kind::Valkey),
        redis::profile::profile(Kind::Redis),
        redis::profile::profile(Kind::KeyDb),
    ]
}

/// The hands of the assigned engine, where it is known.
#[must_use]
pub fn driver(assignment: &Assignment) -> Option<Arc<dyn Driver>> {
    let name = assignment.engine.name.as_str();
    if let Some(kind) = Kind::named(name) {
        return Some(Arc::new(redis::Redis::new(kind, assignment)));
    }
    match name {
        postgres::profile::NAME => postgres_with(&postgres::flavour::PLAIN, assignment),
        timescaledb::NAME => postgres_with(&timescaledb::FLAVOUR, assignment),
        hydra::NAME => postgres_with(&hydra::FLAVOUR, assignment),
        mariadb::profile::NAME => Some(Arc::new(FamilyDriver(mariadb::Mariadb::new(assignment)))),
        mysql::profile::NAME => Some(Arc::new(FamilyDriver(mysql::Mysql::new(assignment)))),
        _ => None,
    }
}

fn postgres_with(
    flavour: &'static postgres::Flavour,
    assignment: &Assignment,
) -> Option<Arc<dyn Driver>> {
    Some(Arc::new(postgres::Postgres::new(flavour, assignment)))
}

/// The way with the sessions of the assigned engine's clients, where one is known.
#[must_use]
pub fn sessions(routes: &Routes) -> Option<Arc<dyn Sessions>> {
    if Kind::named(&routes.engine).is_some() {
        return Some(Arc::new(redis::sessions::RedisSessions::default()));
    }
    match routes.engine.as_str() {
        postgres::profile::NAME | timescaledb::NAME | hydra::NAME => {
            Some(Arc::new(postgres::sessions::PostgresSessions::new(routes.private_port)))
        }
        mariadb::profile::NAME | mysql::profile::NAME => {
            Some(Arc::new(mysql_family::sessions::MysqlSessions::default()))
        }
        _ => None,
    }
}

/// The way to measure how long writes of the assigned engine wait, where one is known.
#[must_use]
pub fn prober(routes: &Routes) -> Option<Arc<dyn Prober>> {
    if Kind::named(&routes.engine).is_some() {
        return Some(Arc::new(redis::sessions::RedisProber::new(routes)));
    }
    match routes.engine.as_str() {
        postgres::profile::NAME | timescaledb::NAME | hydra::NAME => {
            Some(Arc::new(postgres::sessions::PostgresProber::new(routes)))
        }
        mariadb::profile::NAME | mysql::profile::NAME => {
            Some(Arc::new(mysql_family::sessions::MysqlProber::new(routes)))
        }
        _ => None,
    }
}
