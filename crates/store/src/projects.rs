//! Projects. The one that clusters belong to which name no other is always there, unwritten.

use bellwether_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Object;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Project {
    pub name: String,
    pub created_at: Timestamp,
}

impl Object for Project {
    const KIND: &'static str = "project";

    fn key(&self) -> String {
        self.name.clone()
    }
}
