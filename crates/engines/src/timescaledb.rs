//! TimescaleDB: PostgreSQL with an extension for time series. Facts only.

use bellwether_model::Parameter;
use bellwether_model::engine::EngineProfile;
use bellwether_model::parameter::ParameterDefault;

use crate::parameters::{Told as _, fixed, integer};
use crate::postgres::flavour::{Extension, Flavour};
use crate::postgres::profile as postgres;

/// The stored name.
pub const NAME: &str = "timescaledb";

/// Processes of the extension, beside the parallel workers.
const WORKERS: f64 = 16.0;

pub static FLAVOUR: Flavour = Flavour {
    profile,
    settings: &[("timescaledb.telemetry_level", "off"), ("timescaledb.license", "apache")],
    extension: Some(Extension { name: "timescaledb", preload: "timescaledb" }),
};

#[must_use]
pub fn profile() -> EngineProfile {
    let base = postgres::profile();
    let mut parameters: Vec<Parameter> = base.parameters.into_iter().map(tuned).collect();
    parameters.push(Parameter {
        group: "TimescaleDB".to_owned(),
        ..integer("timescaledb.max_background_workers", "Background workers")
            .range(fixed(1.0), fixed(512.0))
            .by_default(fixed(WORKERS))
            .at_start()
            .about("Processes of the extension: one for each database, and one for each job.")
    });
    EngineProfile {
        name: NAME.to_owned(),
        title: "TimescaleDB".to_owned(),
        summary: "PostgreSQL with hypertables for time series. This build is the Apache-licensed \
                  one of Debian: compression, continuous aggregates and retention policies are \
                  not in it."
            .to_owned(),
        versions: vec!["17".to_owned()],
        memory_min: 512 << 20,
        parameters,
        ..base
    }
}

/// The defaults that suit many chunks, and workers of the extension beside the parallel ones.
fn tuned(parameter: Parameter) -> Parameter {
    let default = match parameter.name.as_str() {
        "max_worker_processes" => 3.0 + WORKERS + 8.0,
        "max_locks_per_transaction" => 256.0,
        _ => return parameter,
    };
    Parameter { default: ParameterDefault::Amount(fixed(default)), ..parameter }
}
