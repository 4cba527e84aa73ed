//! The audit log.

use axum::Json;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bellwether_model::audit::{AuditEntry, AuditVerification};
use bellwether_model::event::Page;
use bellwether_model::problem::Problem;
use bellwether_store::audit::Verifier;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;

use crate::State;
use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Nothing, Query};
use crate::paging;

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
    (status = 200, body = Page<AuditEntry>), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    _: Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<AuditEntry>>> {
    let limit = paging::limit(paging.limit)?;
    let store = api.store.clone();
    let read = move || store.list_audit(limit + 1, paging.after);
    let read = tokio::task::spawn_blocking(read).await;
    let mut items = read.map_err(|_| unread())??;
    let has_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| has_more).map(|entry| entry.id.to_string());
    Ok(Json(Page { items, next }))
}

fn unread() -> ApiError {
    ApiError::internal("the audit log could not be read")
}

/// Whether the audit log is whole: every entry follows from the one before.
#[utoipa::path(get, path = "/v1/audit/verification", tag = "audit", operation_id = "verify_audit",
    responses(
    (status = 200, body = AuditVerification), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem),
))]
pub(crate) async fn verify(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
) -> Result<Json<AuditVerification>> {
    let store = api.store.clone();
    let verify = move || {
        let mut verifier = Verifier::default();
        let walked = store.walk_audit(|entry| {
            verifier.next(&entry);
            true
        });
        walked.map(|()| verifier.end())
    };
    let verified = tokio::task::spawn_blocking(verify).await;
    Ok(Json(verified.map_err(|_| unread())??))
}

/// All of the audit log, the oldest entry first: one JSON document in a line.
#[utoipa::path(get, path = "/v1/audit/export", tag = "audit", operation_id = "export_audit",
    responses(
    (status = 200, body = AuditEntry, content_type = "application/x-ndjson"),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
))]
pub(crate) async fn export(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
) -> Result<Response> {
    api.store.append_audit(caller.entry("audit.export", "all of it")).await?;
    let store = api.store.clone();
    let (sender, receiver) = mpsc::channel::<std::io::Result<String>>(256);
    tokio::task::spawn_blocking(move || {
        let walked = store.walk_audit(|entry| {
            let line = serde_json::to_string(&entry).expect("plain data") + "\n";
            // Who has gone needs no more of it.
            sender.blocking_send(Ok(line)).is_ok()
        });
        if let Err(error) = walked {
            let _ = sender.blocking_send(Err(std::io::Error::other(error)));
        }
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, Body::from_stream(ReceiverStream::new(receiver))).into_response())
}
