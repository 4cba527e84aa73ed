//! What the worker must not forget: the term its data was last primary of, and the one it gave up.

use std::path::{Path, PathBuf};

use bellwether_model::Term;
use bellwether_protocol::session::Surrender;
use serde::{Deserialize, Serialize};

use crate::{DATA, files};

/// Kept on the node's disk, beside the data it speaks of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Role {
    /// The term this node's engine was started or promoted for.
    pub(super) primary_term: Term,
    pub(super) surrendered: Option<Surrender>,
}

fn path() -> PathBuf {
    Path::new(DATA).join("bellwether").join("role.json")
}

impl Role {
    pub(super) fn read() -> std::io::Result<Self> {
        Ok(files::read_json(&path())?.unwrap_or_default())
    }

    pub(super) fn write(&self) -> std::io::Result<()> {
        files::write_json(&path(), self)
    }
}
