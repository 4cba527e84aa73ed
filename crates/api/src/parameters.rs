//! Settings of engines: what can be chosen, what was, and what is in force.

use axum::Json;
use axum::extract::State as Extract;
use bellwether_model::problem::Problem;
use bellwether_model::settings::ParameterView;
use bellwether_model::{Bytes, ClusterSpec, NodeSize};
use bellwether_planner::reconfigure;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::State;
use crate::auth::Caller;
use crate::clusters::find_view;
use crate::error::{ApiError, Result};
use crate::extract::{Nothing, Path, Query};

/// The settings of a cluster's engine: chosen values, defaults, and where others are in force.
#[utoipa::path(get, path = "/v1/clusters/{cluster}/parameters", tag = "clusters",
    operation_id = "list_cluster_parameters",
    params(("cluster" = String, Path, description = "id or name")), responses(
    (status = 200, body = Vec<ParameterView>),
    (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn of_cluster(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
    Path(cluster): Path<String>,
) -> Result<Json<Vec<ParameterView>>> {
    let view = find_view(&api, &cluster)?;
    let spec = &view.cluster.spec;
    let engine = api.engine(&spec.engine);
    let engine = engine.ok_or_else(|| ApiError::not_found("engine", &spec.engine))?;
    Ok(Json(reconfigure::shown(engine, spec, Some(&view))))
}

/// For what nodes the defaults and limits are.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForNodes {
    /// A version of the engine; the newest when left out.
    #[serde(default)]
    version: String,
    /// Memory of a node in bytes, or with a unit: `1GiB`.
    #[serde(default)]
    memory: Option<String>,
    /// Disk of a node in bytes, or with a unit.
    #[serde(default)]
    disk: Option<String>,
}

/// The settings of an engine that can be chosen, with defaults and limits for nodes of that size.
#[utoipa::path(get, path = "/v1/engines/{engine}/parameters", tag = "engines",
    operation_id = "list_engine_parameters",
    params(("engine" = String, Path, description = "its stored name"), ForNodes), responses(
    (status = 200, body = Vec<ParameterView>),
    (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 404, body = Problem), (status = 422, body = Problem),
))]
pub(crate) async fn of_engine(
    Extract(api): State,
    _: Caller,
    Query(nodes): Query<ForNodes>,
    Path(name): Path<String>,
) -> Result<Json<Vec<ParameterView>>> {
    let engine = api.engine(&name).ok_or_else(|| ApiError::not_found("engine", &name))?;
    let bytes = |field: &str, given: Option<&String>, default: Bytes| match given {
        None => Ok(default),
        Some(text) => text.parse().map_err(|e| ApiError::field(field, format!("{e}"))),
    };
    let mut spec: ClusterSpec = serde_json::from_value(
        serde_json::json!({ "name": "new", "engine": name, "nodes": 1, "version": nodes.version }),
    )
    .map_err(|error| ApiError::field("version", error.to_string()))?;
    if spec.version.is_empty() {
        spec.version = engine.versions.first().cloned().unwrap_or_default();
    }
    spec.size = NodeSize {
        memory: bytes("memory", nodes.memory.as_ref(), spec.size.memory)?,
        disk: bytes("disk", nodes.disk.as_ref(), spec.size.disk)?,
        ..spec.size
    };
    Ok(Json(reconfigure::shown(engine, &spec, None)))
}
