//! A provider as people see it: where machines come from.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A provider and whether it can be used now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProviderView {
    pub name: String,
    pub title: String,
    /// Whether machines can be made now.
    pub available: bool,
    /// Why not, and what to do about it; empty when available.
    #[serde(default)]
    pub reason: String,
    /// What one node may have at most here.
    pub limits: ProviderLimits,
}

/// What one node may have at most, and at least, at a provider.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProviderLimits {
    pub cpus_min: f64,
    pub cpus_max: f64,
    pub memory_min: u64,
    pub memory_max: u64,
    pub disk_min: u64,
    pub disk_max: u64,
    /// Nodes that fit in one cluster's network.
    pub nodes_max: u32,
    /// Whether a disk is made larger while its machine runs.
    #[serde(default)]
    pub disks_grow_in_use: bool,
    /// All machines are on one host: what takes it takes every node.
    #[serde(default)]
    pub one_host: bool,
}
