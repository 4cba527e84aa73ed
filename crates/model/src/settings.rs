//! The settings of nodes' engines: what they shall be, what they are, and how that is shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::parameter::{ParameterKind, Parameters};

/// What a node's engine shall run with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NodeSettings {
    /// Counts changes of the values: reports name the one they speak of.
    pub version: u64,
    pub values: Parameters,
    /// A replica restarts its engine for values that need it.
    pub restart: bool,
}

/// What an agent found of its engine's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SettingsReport {
    /// Of which version (`NodeSettings::version`) it speaks.
    pub version: u64,
    /// Values in force that are not what they shall be.
    pub differs: Vec<ParameterDrift>,
    /// The engine's own words on values that it refuses, or on why it does not start with them.
    pub refused: Option<String>,
}

/// A value in force that is not what it shall be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParameterDrift {
    pub name: String,
    pub wanted: String,
    pub in_force: String,
    /// It comes into force when the engine is started again.
    pub needs_restart: bool,
}

/// A setting as it is for a cluster, or for one that is to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ParameterView {
    pub name: String,
    pub title: String,
    pub summary: String,
    pub group: String,
    pub kind: ParameterKind,
    /// What is possible on a node of this size, in words.
    pub range: String,
    /// The words of a choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The default on a node of this size.
    pub default: String,
    /// What was asked for: the default where nobody chose.
    pub value: String,
    /// Somebody chose it.
    pub chosen: bool,
    /// The engine takes it only when it starts.
    pub restart: bool,
    /// Nodes on which another value is in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<NodeDrift>,
}

/// A node on which another value is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeDrift {
    pub node: String,
    pub in_force: String,
    pub needs_restart: bool,
}

/// A new value for a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParameterChange {
    pub name: String,
    pub from: String,
    pub to: String,
    /// The engine takes it only when it starts.
    pub restart: bool,
}
