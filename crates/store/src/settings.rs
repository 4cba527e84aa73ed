//! What the server itself keeps: who it is, and its certificate authority.

use serde::{Deserialize, Serialize};

use crate::{Object, Sealed};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerSettings {
    /// Names this server for ever; machines and networks carry it as their owner.
    pub instance: String,
    /// PEM.
    pub authority_certificate: String,
    pub authority_key: Sealed,
}

impl ServerSettings {
    /// There is one.
    pub const KEY: &'static str = "server";
}

impl Object for ServerSettings {
    const KIND: &'static str = "settings";

    fn key(&self) -> String {
        Self::KEY.to_owned()
    }
}
