//! Hydra: PostgreSQL with columnar tables. Facts only.

use bellwether_model::engine::EngineProfile;

use crate::postgres::flavour::{Extension, Flavour};
use crate::postgres::profile as postgres;

/// The stored name.
pub const NAME: &str = "hydra";

pub static FLAVOUR: Flavour = Flavour {
    profile,
    settings: &[],
    extension: Some(Extension { name: "columnar", preload: "columnar" }),
};

#[must_use]
pub fn profile() -> EngineProfile {
    EngineProfile {
        name: NAME.to_owned(),
        title: "Hydra".to_owned(),
        summary: "PostgreSQL with columnar tables for analytics. The extension is built for \
                  PostgreSQL 13 to 16, and its image has to be given a build of it."
            .to_owned(),
        versions: vec!["15".to_owned()],
        memory_min: 512 << 20,
        ..postgres::profile()
    }
}
