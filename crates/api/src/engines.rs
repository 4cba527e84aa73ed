//! Engines: the same facts the wizard and the CLI show.

use axum::Json;
use axum::extract::State as Extract;
use bellwether_model::engine::EngineProfile;
use bellwether_model::problem::Problem;

use crate::State;
use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Nothing, Path, Query};

/// Every engine that can be created.
#[utoipa::path(get, path = "/v1/engines", tag = "engines", operation_id = "list_engines",
    responses(
    (status = 200, body = Vec<EngineProfile>),
    (status = 400, body = Problem), (status = 401, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
) -> Json<Vec<EngineProfile>> {
    Json(api.engines.clone())
}

/// One engine.
#[utoipa::path(get, path = "/v1/engines/{name}", tag = "engines",
    operation_id = "show_engine", params(("name" = String, Path)),
    responses((status = 200, body = EngineProfile),
    (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 404, body = Problem)))]
pub(crate) async fn show(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
    Path(name): Path<String>,
) -> Result<Json<EngineProfile>> {
    let engine = api.engine(&name).cloned();
    engine.map(Json).ok_or_else(|| ApiError::not_found("engine", &name))
}
