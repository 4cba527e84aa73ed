//! Operations: every act on a cluster is one, so that every act leaves a record.

use axum::Json;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bellwether_model::event::Page;
use bellwether_model::operation::NewOperation;
use bellwether_model::plan::Plan;
use bellwether_model::problem::{Code, Problem};
use bellwether_model::{Cluster, Operation, OperationKind};
use bellwether_planner::{View, check_operation, plan};
use bellwether_store::{Error as StoreError, Stored, Txn, clusters, operations};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::Caller;
use crate::clusters::{PlanOnly, find_view, new_operation, page};
use crate::error::{ApiError, Body, Query, Result};
use crate::{Inner, State, idempotency};

/// Times a request is tried again when the control loop changed the same cluster meanwhile.
const TRIES: usize = 20;

#[derive(Deserialize, IntoParams)]
pub(crate) struct Selection {
    /// Only of this cluster, by id or name.
    cluster: Option<String>,
    /// At most so many, 1 to 500; 100 when left out.
    limit: Option<u16>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// Operations, the newest first.
#[utoipa::path(get, path = "/v1/operations", tag = "operations", params(Selection), responses(
    (status = 200, body = Page<Operation>), (status = 400, body = Problem),
    (status = 401, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    _: Caller,
    Query(selection): Query<Selection>,
) -> Json<Page<Operation>> {
    // A cluster that is gone still has its operations, by its id or its name of then.
    let mut all = operations::newest(&api.store, None);
    if let Some(text) = &selection.cluster {
        let id = clusters::find(&api.store, text).map(|cluster| cluster.object.id);
        all.retain(|operation| match &id {
            Some(id) => operation.object.cluster == *id,
            None => {
                operation.object.cluster.as_str() == text || operation.object.cluster_name == *text
            }
        });
    }
    let key = |operation: &Stored<Operation>| operation.object.id.to_string();
    let show = |operation: Stored<Operation>| Some(operation.object);
    Json(page(all, key, selection.limit, selection.after.as_deref(), show))
}

/// One operation.
#[utoipa::path(get, path = "/v1/operations/{id}", tag = "operations", params(("id" = String, Path)),
    responses((status = 200, body = Operation), (status = 401, body = Problem),
        (status = 404, body = Problem)))]
pub(crate) async fn show(
    Extract(api): State,
    _: Caller,
    Path(id): Path<String>,
) -> Result<Json<Operation>> {
    Ok(Json(api.store.get::<Operation>(&id)?.object))
}

/// Ask for an operation. With `plan=true` nothing is done and a plan is the answer.
#[utoipa::path(post, path = "/v1/clusters/{cluster}/operations", tag = "operations", params(
    ("cluster" = String, Path, description = "id or name"), PlanOnly,
    ("Idempotency-Key" = Option<String>, Header, description = "the same key asks once")),
    request_body = NewOperation, responses(
    (status = 202, body = Operation), (status = 200, body = Plan, description = "with `plan=true`"),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem),
    (status = 422, body = Problem),
))]
pub(crate) async fn create(
    Extract(api): State,
    caller: Caller,
    Path(cluster): Path<String>,
    Query(query): Query<PlanOnly>,
    headers: HeaderMap,
    Body(request): Body<NewOperation>,
) -> Result<Response> {
    let view = find_view(&api, &cluster)?;
    if query.plan {
        return Ok(Json(plan(&view, &request)).into_response());
    }
    let text = serde_json::to_string(&request).expect("plain data");
    let id = &view.cluster.id;
    let key = idempotency::read(&api, &caller, &headers, &format!("operate {id} {text}"))?;
    if let Some(made) = &key.made {
        return Ok(answer(&api.store.get::<Operation>(made)?.object));
    }
    accepted(&api, &caller, &view, &request, Some(key)).await
}

fn answer(operation: &Operation) -> Response {
    let location = format!("/v1/operations/{}", operation.id);
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(operation)).into_response()
}

/// Writes the operation down, and with it what it changes of the spec.
pub(crate) async fn accepted(
    api: &Inner,
    caller: &Caller,
    view: &View,
    request: &NewOperation,
    key: Option<idempotency::Key>,
) -> Result<Response> {
    let name = view.cluster.spec.name.clone();
    if request.kind == OperationKind::DeleteCluster
        && request.confirm.as_deref() != Some(name.as_str())
    {
        let words = format!("type the cluster's name, `{name}`, to confirm that it shall go");
        return Err(ApiError::field("confirm", words));
    }
    let id = view.cluster.id.clone();
    for _ in 0..TRIES {
        let view = find_view(api, id.as_str())?;
        check_operation(&view, request).map_err(|reason| {
            let words = format!("{} is refused: {reason}", request.kind.title().to_lowercase());
            ApiError::new(Code::OperationRefused, words)
        })?;
        let mut cluster: Stored<Cluster> = api.store.get(id.as_str())?;
        let mut operation = new_operation(&cluster.object, request.kind, caller);
        let node = request.node.as_deref().and_then(|text| view.node_named(text));
        operation.node = node.map(|facts| facts.node.id.clone());
        operation.node_name = node.map(|facts| facts.node.name.clone());
        // What is asked for stays asked for: otherwise the loop would undo it.
        let count = view.nodes.len() as u32;
        match request.kind {
            OperationKind::AddNode => cluster.object.spec.nodes = count + 1,
            OperationKind::RemoveNode => cluster.object.spec.nodes = count.saturating_sub(1).max(1),
            _ => {}
        }
        let mut txn = Txn::new().insert(&operation);
        if matches!(request.kind, OperationKind::AddNode | OperationKind::RemoveNode) {
            cluster.object.generation += 1;
            txn = txn.update(&cluster);
        }
        if let Some(key) = &key {
            txn = key.remember(api, txn, operation.id.as_str());
        }
        match api.store.commit(txn).await {
            Ok(_) => {
                let action = format!("operation.{}", request.kind);
                caller.audit(api, &action, &name).await?;
                return Ok(answer(&operation));
            }
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ApiError::internal("the cluster changes too quickly").hint("try again"))
}
