//! Drills: every try of the change of primary, with what was measured.

use axum::Json;
use axum::extract::State as Extract;
use bellwether_model::drill::DrillView;
use bellwether_model::event::Page;
use bellwether_model::problem::Problem;
use bellwether_model::{Operation, OperationKind};
use bellwether_store::{Stored, clusters, operations};

use crate::State;
use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Path, Query};
use crate::paging::{Paging, page};

/// The drills of a cluster, also those that were skipped, the newest first. One is asked for as an
/// operation.
#[utoipa::path(get, path = "/v1/clusters/{cluster}/drills", tag = "reports",
    operation_id = "list_drills",
    params(("cluster" = String, Path, description = "id or name"), Paging), responses(
    (status = 200, body = Page<DrillView>), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 404, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    _: Caller,
    Path(cluster): Path<String>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<DrillView>>> {
    let id = clusters::find(&api.store, &cluster)
        .map(|found| found.object.id)
        .ok_or_else(|| ApiError::not_found("cluster", &cluster))?;
    let mut all = operations::newest(&api.store, Some(&id));
    all.retain(|operation| operation.object.kind == OperationKind::Drill);
    let key = |operation: &Stored<Operation>| operation.object.id.to_string();
    let show = |operation: Stored<Operation>| Some(DrillView::of(&operation.object));
    page(all, key, |key, after| key < after, &paging, show).map(Json)
}
