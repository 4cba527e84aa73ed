//! Every engine we can run. Adding one: its folder, its `mod`, its line in each list.

use std::sync::Arc;

use bellwether_contracts::{Driver, Sessions};
use bellwether_model::engine::EngineProfile;
use bellwether_protocol::Assignment;
use bellwether_protocol::local::Routes;

mod files;
pub mod hydra;
pub mod postgres;
mod process;
mod room;
pub mod timescaledb;

/// The facts of every engine.
#[must_use]
pub fn profiles() -> Vec<EngineProfile> {
    vec![postgres::profile::profile(), timescaledb::profile(), hydra::profile()]
}

/// The hands of the assigned engine, where it is known.
#[must_use]
pub fn driver(assignment: &Assignment) -> Option<Arc<dyn Driver>> {
    match assignment.engine.name.as_str() {
        postgres::profile::NAME => postgres_with(&postgres::flavour::PLAIN, assignment),
        timescaledb::NAME => postgres_with(&timescaledb::FLAVOUR, assignment),
        hydra::NAME => postgres_with(&hydra::FLAVOUR, assignment),
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
    match routes.engine.as_str() {
        postgres::profile::NAME | timescaledb::NAME | hydra::NAME => {
            Some(Arc::new(postgres::sessions::PostgresSessions::new(routes.private_port)))
        }
        _ => None,
    }
}
