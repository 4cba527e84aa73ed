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
use crate::error::{ApiError, Result};
use crate::extract::Query;
use crate::paging;

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
#[serde(deny_unknown_fields)]
pub(crate) struct Paging {
    /// At most so many, 1 to 500; 100 when left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
    /// The `next` of the page before.
    after: Option<i64>,
}

/// The audit log, the newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", operation_id = "list_audit",
    params(Paging), responses(
    (status = 200, body = Page<AuditView>), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    _: Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<AuditView>>> {
    let limit = paging::limit(paging.limit)?;
    let store = api.store.clone();
    let read = move || store.list_audit(limit + 1, paging.after);
    let read = tokio::task::spawn_blocking(read).await;
    let mut entries = read.map_err(|_| ApiError::internal("the audit log could not be read"))??;
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| has_more).map(|entry| entry.id.to_string());
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
