//! The audit log.

use axum::Json;
use axum::extract::State as Extract;
use bellwether_model::Timestamp;
use bellwether_model::event::Page;
use bellwether_model::problem::Problem;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::State;
use crate::auth::Caller;
use crate::error::{Query, Result};

/// One entry: who did what, from where, and what came of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditView {
    id: i64,
    at: Timestamp,
    user: String,
    source: String,
    action: String,
    object: String,
    result: String,
}

#[derive(Deserialize, IntoParams)]
pub(crate) struct Paging {
    /// At most so many, 1 to 500; 100 when left out.
    limit: Option<u16>,
    /// The `next` of the page before.
    after: Option<i64>,
}

/// The audit log, the newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(Paging), responses(
    (status = 200, body = Page<AuditView>), (status = 400, body = Problem),
    (status = 401, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    _: Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<AuditView>>> {
    let limit = usize::from(paging.limit.unwrap_or(100).clamp(1, 500));
    let entries = api.store.list_audit(limit, paging.after)?;
    let next = (entries.len() == limit).then(|| entries.last().map(|e| e.id.to_string())).flatten();
    let items = entries.into_iter().map(|entry| AuditView {
        id: entry.id,
        at: entry.at,
        user: entry.user,
        source: entry.source,
        action: entry.action,
        object: entry.object,
        result: entry.result,
    });
    Ok(Json(Page { items: items.collect(), next }))
}
