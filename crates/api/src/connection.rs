//! How a client reaches a cluster.

use axum::Json;
use axum::extract::State as Extract;
use bellwether_model::access::Role;
use bellwether_model::connection::Connection;
use bellwether_model::problem::Problem;
use bellwether_planner::connect;
use bellwether_store::secrets::{Secret, USER_PASSWORD};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::State;
use crate::auth::Caller;
use crate::clusters::find_view;
use crate::error::{ApiError, Result};
use crate::extract::{Path, Query};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reveal {
    /// Show the password; the audit log remembers who saw it.
    #[serde(default)]
    reveal: bool,
}

/// Endpoints, certificate and ready-made connection strings.
#[utoipa::path(get, path = "/v1/clusters/{cluster}/connection", tag = "clusters",
    operation_id = "show_connection",
    params(("cluster" = String, Path, description = "id or name"), Reveal), responses(
    (status = 200, body = Connection), (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`forbidden`: to see the password"),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    Extract(api): State,
    caller: Caller,
    Path(cluster): Path<String>,
    Query(query): Query<Reveal>,
) -> Result<Json<Connection>> {
    let view = find_view(&api, &cluster)?;
    let engine = api
        .engine(&view.cluster.spec.engine)
        .ok_or_else(|| ApiError::not_found("engine", &view.cluster.spec.engine))?;
    let password = if query.reveal {
        let spec = &view.cluster.spec;
        caller.require(&spec.project, Role::Operator, &spec.name).await?;
        let entry = caller.entry("connection.reveal", &view.cluster.spec.name);
        api.store.append_audit(entry).await?;
        Secret::open(&api.store, &view.cluster.id, USER_PASSWORD)
            .and_then(|secret| String::from_utf8(secret).ok())
    } else {
        None
    };
    Ok(Json(connect::connection(&view, engine, password.as_deref(), &api.authority_certificate)))
}
