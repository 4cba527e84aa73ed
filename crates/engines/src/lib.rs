//! Every engine we can run. Adding one: its folder, its `mod`, its line in each list.

use std::sync::Arc;

use bellwether_contracts::{Driver, Prober, Sessions};
use bellwether_model::engine::EngineProfile;
use bellwether_protocol::Assignment;
use bellwether_protocol::local::Routes;

pub mod postgres;

/// The facts of every engine.
#[must_use]
pub fn profiles() -> Vec<EngineProfile> {
    vec![postgres::profile::profile()]
}

/// The hands of the assigned engine, where it is known.
#[must_use]
pub fn driver(assignment: &Assignment) -> Option<Arc<dyn Driver>> {
    match assignment.engine.name.as_str() {
        postgres::profile::NAME => Some(Arc::new(postgres::Postgres::new(assignment))),
        _ => None,
    }
}

/// The way with the sessions of the assigned engine's clients, where one is known.
#[must_use]
pub fn sessions(routes: &Routes) -> Option<Arc<dyn Sessions>> {
    match routes.engine.as_str() {
        postgres::profile::NAME => {
            Some(Arc::new(postgres::sessions::PostgresSessions::new(routes.private_port)))
        }
        _ => None,
    }
}

/// The way to measure how long writes of the assigned engine wait, where one is known.
#[must_use]
pub fn prober(routes: &Routes) -> Option<Arc<dyn Prober>> {
    match routes.engine.as_str() {
        postgres::profile::NAME => Some(Arc::new(postgres::sessions::PostgresProber::new(routes))),
        _ => None,
    }
}
