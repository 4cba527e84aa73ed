//! Reports: every change of primary with what was seen, decided, measured and lost.

use axum::Json;
use axum::extract::State as Extract;
use bellwether_model::Operation;
use bellwether_model::event::Page;
use bellwether_model::problem::Problem;
use bellwether_model::report::Report;
use bellwether_planner::report::report;
use bellwether_store::{Stored, clusters, operations};

use crate::State;
use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Nothing, Path, Query};
use crate::paging::{Paging, page};

/// The changes of primary of a cluster and of its shards, the newest first.
#[utoipa::path(get, path = "/v1/clusters/{cluster}/reports", tag = "reports",
    operation_id = "list_reports",
    params(("cluster" = String, Path, description = "id or name"), Paging), responses(
    (status = 200, body = Page<Report>), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 404, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    _: Caller,
    Path(cluster): Path<String>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Report>>> {
    let id = clusters::find(&api.store, &cluster)
        .map(|found| found.object.id)
        .ok_or_else(|| ApiError::not_found("cluster", &cluster))?;
    let shards = clusters::shards(&api.store, &id).into_iter().map(|shard| shard.object.id);
    let groups = std::iter::once(id).chain(shards);
    let mut all: Vec<Stored<Operation>> =
        groups.flat_map(|group| operations::newest(&api.store, Some(&group))).collect();
    all.retain(|operation| report(&operation.object).is_some());
    all.sort_by_key(|operation| std::cmp::Reverse(operation.object.id.to_string()));
    let key = |operation: &Stored<Operation>| operation.object.id.to_string();
    let show = |operation: Stored<Operation>| report(&operation.object);
    page(all, key, |key, after| key < after, &paging, show).map(Json)
}

/// The report of one change of primary, by the id of its operation.
#[utoipa::path(get, path = "/v1/reports/{id}", tag = "reports", operation_id = "show_report",
    params(("id" = String, Path, description = "of the operation")), responses(
    (status = 200, body = Report),
    (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
    Path(id): Path<String>,
) -> Result<Json<Report>> {
    let found = api.store.find::<Operation>(&id).and_then(|found| report(&found.object));
    found.map(Json).ok_or_else(|| ApiError::not_found("report", &id))
}
