//! How a client reaches a cluster.

use axum::Json;
use axum::extract::State as Extract;
use bellwether_model::access::Role;
use bellwether_model::connection::Connection;
use bellwether_model::problem::Problem;
use bellwether_planner::{connect, databases};
use bellwether_store::secrets;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::Caller;
use crate::clusters::find_view;
use crate::databases::find_whole;
use crate::error::{ApiError, Result};
use crate::extract::{Path, Query};
use crate::{State, authority};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reveal {
    /// Show the password; the audit log remembers who saw it.
    #[serde(default)]
    pub(crate) reveal: bool,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// Show the password; the audit log remembers who saw it.
    #[serde(default)]
    reveal: bool,
    /// Another user of the cluster's databases than the application's.
    user: Option<String>,
}

/// Endpoints, certificate and ready-made connection strings.
#[utoipa::path(get, path = "/v1/clusters/{cluster}/connection", tag = "clusters",
    operation_id = "show_connection",
    params(("cluster" = String, Path, description = "id or name"), Which), responses(
    (status = 200, body = Connection), (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`forbidden`: to see the password"),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    Extract(api): State,
    caller: Caller,
    Path(cluster): Path<String>,
    Query(query): Query<Which>,
) -> Result<Json<Connection>> {
    let view = find_view(&api, &cluster)?;
    let engine = api
        .engine(&view.cluster.spec.engine)
        .ok_or_else(|| ApiError::not_found("engine", &view.cluster.spec.engine))?;
    let whole = find_whole(&api, &cluster)?;
    let name = query.user.as_ref().unwrap_or(&engine.user);
    let mut users = databases::users_shown(&whole, engine).into_iter();
    let user = users.find(|user| user.name == *name);
    let user = user.ok_or_else(|| ApiError::not_found("database user", name))?;
    let granted = user.grants.first().map(|grant| grant.on.clone());
    let has_names = !engine.database.is_empty();
    let mut who = connect::Who {
        login: user.login,
        database: granted.filter(|_| has_names).unwrap_or_else(|| engine.database.clone()),
        password: None,
    };
    if query.reveal {
        let spec = &view.cluster.spec;
        caller.require(&spec.project, Role::Operator, &spec.name).await?;
        let detail = query.user.clone().unwrap_or_default();
        let entry = caller.entry_of("connection.reveal", &spec.name, detail);
        api.store.append_audit(entry).await?;
        let id = &whole.cluster.id;
        who.password = secrets::login_password(&api.store, id, &engine.user, &who.login);
    }
    let settings = authority::settings(&api)?.object;
    let other = settings.other_certificate().is_some();
    Ok(Json(connect::connection(&view, engine, &who, (&settings.trusted(), other))))
}
