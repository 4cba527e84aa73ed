//! Operations: every act on a cluster is one, so that every act leaves a record.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bellwether_model::access::Role;
use bellwether_model::drill::Drill;
use bellwether_model::event::Page;
use bellwether_model::operation::NewOperation;
use bellwether_model::plan::Plan;
use bellwether_model::problem::{Code, FieldProblem, Problem};
use bellwether_model::{
    Backup, Cluster, ClusterId, Operation, OperationKind, OperationStatus, Timestamp,
};
use bellwether_planner::{View, check_operation, plan, resync, scheduled, shards};
use bellwether_store::{Error as StoreError, Stored, Txn, backups as stored, clusters, operations};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::Caller;
use crate::clusters::{PlanOnly, TRIES, find_view, new_operation, problems};
use crate::error::{ApiError, Result};
use crate::extract::{Body, Nothing, Path, Query};
use crate::idempotency::{self, Key};
use crate::paging::{Paging, page};
use crate::{Inner, State, access, backups, restore};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Selection {
    /// Only of this cluster, by id or name.
    cluster: Option<String>,
    /// At most so many, 1 to 500; 100 when left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// Operations, the newest first.
#[utoipa::path(get, path = "/v1/operations", tag = "operations", operation_id = "list_operations",
    params(Selection), responses(
    (status = 200, body = Page<Operation>), (status = 400, body = Problem),
    (status = 401, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    caller: Caller,
    Query(selection): Query<Selection>,
) -> Result<Json<Page<Operation>>> {
    // A cluster that is gone still has its operations, by its id or its name of then.
    let mut all = operations::newest(&api.store, None);
    all.retain(|operation| caller.sees(&access::project_of(&api, &operation.object)));
    if let Some(text) = &selection.cluster {
        let id = clusters::find(&api.store, text).map(|cluster| cluster.object.id);
        let shards = id.iter().flat_map(|id| clusters::shards(&api.store, id));
        let shards: Vec<ClusterId> = shards.map(|shard| shard.object.id).collect();
        all.retain(|operation| match &id {
            Some(id) => {
                let of = &operation.object.cluster;
                of == id || shards.contains(of)
            }
            None => {
                operation.object.cluster.as_str() == text || operation.object.cluster_name == *text
            }
        });
    }
    let paging = Paging { limit: selection.limit, after: selection.after };
    let key = |operation: &Stored<Operation>| operation.object.id.to_string();
    let show = |operation: Stored<Operation>| Some(operation.object);
    page(all, key, |key, after| key < after, &paging, show).map(Json)
}

/// One operation.
#[utoipa::path(get, path = "/v1/operations/{id}", tag = "operations",
    operation_id = "show_operation", params(("id" = String, Path)), responses(
    (status = 200, body = Operation),
    (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
    Path(id): Path<String>,
) -> Result<Json<Operation>> {
    Ok(Json(api.store.get::<Operation>(&id)?.object))
}

/// Take back what was asked for at a later time. What has begun goes on.
#[utoipa::path(delete, path = "/v1/operations/{id}", tag = "operations",
    operation_id = "cancel_operation", params(("id" = String, Path)), responses(
    (status = 200, body = Operation),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem),
))]
pub(crate) async fn cancel(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path(id): Path<String>,
) -> Result<Json<Operation>> {
    let mut operation: Stored<Operation> = api.store.get(&id)?;
    let object = &mut operation.object;
    if object.status != OperationStatus::Scheduled {
        let title = object.kind.title().to_lowercase();
        let words = format!("this {title} is not one for later that could be taken back");
        return Err(ApiError::new(Code::OperationRefused, words));
    }
    object.status = OperationStatus::Cancelled;
    object.ended_at = Some(Timestamp::now());
    object.message = format!("taken back by {}", caller.user.name);
    let name = object.node_name.clone().unwrap_or_else(|| object.cluster_name.clone());
    let entry = caller.entry("operation.cancel", &name);
    match api.store.commit(Txn::new().update(&operation).audit(entry)).await {
        Ok(_) => Ok(Json(operation.object)),
        Err(StoreError::Conflict { .. }) => {
            let words = "its time has come just now";
            Err(ApiError::new(Code::OperationRefused, words))
        }
        Err(error) => Err(error.into()),
    }
}

/// Ask for an operation. With `plan=true` nothing is done and a plan is the answer.
#[utoipa::path(post, path = "/v1/clusters/{cluster}/operations", tag = "operations",
    operation_id = "create_operation", params(
    ("cluster" = String, Path, description = "id or name"), PlanOnly,
    ("Idempotency-Key" = Option<String>, Header, description = "the same key asks once")),
    request_body = NewOperation, responses(
    (status = 202, body = Operation), (status = 200, body = Plan, description = "with `plan=true`"),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`operation-refused`, `idempotency-key-reused`"),
    (status = 413, body = Problem), (status = 422, body = Problem),
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
    if request.kind == OperationKind::DeleteCluster || restore::is_one(request.kind) {
        let spec = &view.cluster.spec;
        caller.require(&spec.project, Role::Admin, &spec.name).await?;
    }
    // Of a cluster with shards, a node belongs to one of them.
    let view = shards::group_asked(&view, &request);
    let refusal = restore::refuse(&api, &caller, view, &request).await?;
    if query.plan {
        return planned(&api, view, &request, refusal);
    }
    if let Some(refusal) = refusal {
        return Err(refused(request.kind, &refusal));
    }
    let id = &view.cluster.id;
    let text = serde_json::to_string(&request).expect("plain data");
    let key = Key::read(&caller, &headers, &format!("operate {id} {text}"))?;
    accept(&api, &caller, id, &request, &key).await
}

/// The plan of an operation, with whatever would refuse it now.
pub(crate) fn planned(
    api: &Inner,
    view: &View,
    request: &NewOperation,
    refusal: Option<String>,
) -> Result<Response> {
    check_node(view, request)?;
    let mut plan = plan(view, request);
    if scheduled::is_later(request) {
        let slot = later(request)?;
        plan.summary = format!("At {} or soon after: {}", slot.from, plan.summary);
        plan.refusals = scheduled::refuse(view, request).into_iter().collect();
    }
    plan.refusals.extend(refusal);
    if request.kind == OperationKind::AddNode {
        plan.refusals.extend(too_many(api, view)?);
    }
    Ok(Json(plan).into_response())
}

/// Writes the operation down, and with it what it changes of the spec.
pub(crate) async fn accept(
    api: &Inner,
    caller: &Caller,
    id: &ClusterId,
    request: &NewOperation,
    key: &Key,
) -> Result<Response> {
    for _ in 0..TRIES {
        if let Some(made) = made_before(api, key)? {
            return Ok(made);
        }
        // In this order: what the view does not show yet makes the commit fail.
        let mut cluster: Stored<Cluster> = api.store.get(id.as_str())?;
        let view = find_view(api, id.as_str())?;
        if let Err(refusal) = check(api, &view, request) {
            // What is in the way may be what this same request has made a moment ago.
            return made_before(api, key)?.ok_or(refusal);
        }
        let operation = asked_for(&cluster.object, &view, request, caller)?;
        let (operation, backup) = with_backup(api, &cluster.object, &view, request, operation)?;
        // What is asked for stays asked for: otherwise the loop would undo it.
        let nodes = match request.kind {
            OperationKind::AddNode => view.nodes.len() as u32 + 1,
            OperationKind::RemoveNode => (view.nodes.len() as u32).saturating_sub(1).max(1),
            _ => cluster.object.spec.nodes,
        };
        if nodes != cluster.object.spec.nodes {
            cluster.object.spec.nodes = nodes;
            cluster.object.generation += 1;
        }
        let action = format!("operation.{}", request.kind);
        let object = operation.node_name.as_ref().unwrap_or(&operation.cluster_name);
        // The cluster is saved in any case: of two requests at one moment one is refused.
        let txn = Txn::new().insert(&operation).update(&cluster);
        let txn = backup.iter().fold(txn, |txn, backup| txn.insert(backup));
        let txn = txn.audit(caller.entry(&action, object));
        match api.store.commit(key.remember(api, txn, operation.id.as_str())).await {
            Ok(_) => return Ok(answer(&operation)),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(changes_too_quickly())
}

/// The operation, with what it was asked for.
fn asked_for(
    cluster: &Cluster,
    view: &View,
    request: &NewOperation,
    caller: &Caller,
) -> Result<Operation> {
    let mut operation = new_operation(cluster, request.kind, caller);
    let node = request.node.as_deref().and_then(|text| view.node_named(text));
    operation.node = node.map(|facts| facts.node.id.clone());
    operation.node_name = node.map(|facts| facts.node.name.clone());
    if request.kind == OperationKind::Resync {
        // Those that were confirmed, whoever comes or goes meanwhile.
        let resync = resync::resolve(view, request).map_err(|r| refused(request.kind, &r))?;
        operation.state = serde_json::to_value(&resync).expect("plain data");
        if let [node] = resync.nodes.as_slice() {
            operation.node = Some(node.id.clone());
            operation.node_name = Some(node.name.clone());
        }
    }
    if request.kind == OperationKind::Drill {
        let (kind, allow_loss) = (request.drill.unwrap_or_default(), request.allow_loss);
        let drill = Drill { kind, allow_loss, ..Drill::default() };
        operation.state = serde_json::to_value(&drill).expect("plain data");
    }
    if request.kind == OperationKind::Failover {
        operation.state = serde_json::json!({ "allows_loss": true });
    }
    if request.allow_waiting && request.kind != OperationKind::Resync {
        operation.state = serde_json::json!({ "allow_waiting": true });
    }
    if scheduled::is_later(request) {
        let slot = later(request)?;
        operation.status = OperationStatus::Scheduled;
        (operation.due_at, operation.due_until) = (Some(slot.from), Some(slot.until));
        operation.message = format!("waits for {}", slot.from);
    }
    if request.end_transactions {
        operation.state = serde_json::json!({ "end_transactions": true });
    }
    Ok(operation)
}

/// When it shall begin.
fn later(request: &NewOperation) -> Result<scheduled::Slot> {
    scheduled::slot(request, Timestamp::now()).map_err(|(field, why)| ApiError::field(field, why))
}

/// The same, with the backup that it is to take, where it takes one.
fn with_backup(
    api: &Inner,
    cluster: &Cluster,
    view: &View,
    request: &NewOperation,
    operation: Operation,
) -> Result<(Operation, Option<Backup>)> {
    if request.kind == OperationKind::Restore {
        return restore::asked_for(api, cluster, view, request, operation);
    }
    let is_last = request.kind == OperationKind::DeleteCluster && request.repository.is_some();
    if request.kind != OperationKind::Backup && !is_last {
        return Ok((operation, None));
    }
    let repository = backups::repository(api, view, request.repository.as_deref())?;
    let rate_kib = request.rate_kib.unwrap_or(0);
    let (backup, operation) = stored::begin(cluster, &repository, operation, None, rate_kib);
    Ok((operation, Some(backup)))
}

/// The answer to a request that was served before.
fn made_before(api: &Inner, key: &Key) -> Result<Option<Response>> {
    let Some(made) = key.made(api)? else { return Ok(None) };
    let known = api.store.find::<Operation>(&made);
    let known = known.ok_or_else(|| idempotency::is_gone("operation"))?;
    Ok(Some(answer(&known.object)))
}

fn answer(operation: &Operation) -> Response {
    let location = format!("/v1/operations/{}", operation.id);
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(operation)).into_response()
}

pub(crate) fn changes_too_quickly() -> ApiError {
    ApiError::new(Code::OperationRefused, "the cluster changes too quickly").hint("try again")
}

pub(crate) fn refused(kind: OperationKind, reason: &str) -> ApiError {
    let words = format!("{} is refused: {reason}", kind.title().to_lowercase());
    ApiError::new(Code::OperationRefused, words)
}

/// Whether the operation may begin now.
fn check(api: &Inner, view: &View, request: &NewOperation) -> Result<()> {
    check_node(view, request)?;
    let name = &view.cluster.spec.name;
    let is_typed = request.confirm.as_ref() == Some(name);
    if request.kind == OperationKind::DeleteCluster && !is_typed {
        let words = format!("type the cluster's name, `{name}`, to confirm that it shall go");
        return Err(ApiError::field("confirm", words));
    }
    if restore::is_one(request.kind) && !is_typed {
        let words = format!("type the cluster's name, `{name}`, to confirm what is replaced");
        return Err(ApiError::field("confirm", words));
    }
    if scheduled::is_later(request) {
        later(request)?;
        return scheduled::refuse(view, request)
            .map_or(Ok(()), |why| Err(refused(request.kind, &why)));
    }
    check_operation(view, request).map_err(|reason| refused(request.kind, &reason))?;
    if request.kind == OperationKind::AddNode
        && let Some(reason) = too_many(api, view)?
    {
        return Err(refused(request.kind, &reason));
    }
    Ok(())
}

/// Whether the request names nodes where they are needed, such that are there.
fn check_node(view: &View, request: &NewOperation) -> Result<()> {
    let may_wait = matches!(
        request.kind,
        OperationKind::Drain
            | OperationKind::Reboot
            | OperationKind::Restore
            | OperationKind::UndoRestore
    );
    if request.kind == OperationKind::Resync {
        resync::resolve(view, request).map_err(|words| ApiError::field("nodes", words))?;
    } else {
        let given = [
            ("nodes", !request.nodes.is_empty()),
            ("copy", request.copy),
            ("allow_waiting", request.allow_waiting && !may_wait),
        ];
        if let Some((field, _)) = given.iter().find(|(_, is_given)| *is_given) {
            let words = format!("{} knows no `{field}`; leave it out", request.kind);
            return Err(ApiError::field(field, words));
        }
    }
    if request.end_transactions && request.kind != OperationKind::Switchover {
        let words = format!("{} knows no `end_transactions`; leave it out", request.kind);
        return Err(ApiError::field("end_transactions", words));
    }
    let may_lose = matches!(request.kind, OperationKind::Drill | OperationKind::Failover);
    let given = [
        ("drill", request.drill.is_some() && request.kind != OperationKind::Drill),
        ("allow_loss", request.allow_loss && !may_lose),
    ];
    if let Some((field, _)) = given.iter().find(|(_, is_given)| *is_given) {
        let words = format!("{} knows no `{field}`; leave it out", request.kind);
        return Err(ApiError::field(field, words));
    }
    let is_backup = request.kind == OperationKind::Backup;
    let may_back_up =
        is_backup || matches!(request.kind, OperationKind::DeleteCluster | OperationKind::Restore);
    let given = [
        ("repository", request.repository.is_some() && !may_back_up),
        ("rate_kib", request.rate_kib.is_some() && !is_backup),
    ];
    if let Some((field, _)) = given.iter().find(|(_, is_given)| *is_given) {
        let words = format!("{} knows no `{field}`; leave it out", request.kind);
        return Err(ApiError::field(field, words));
    }
    if request.kind == OperationKind::Failover && !request.allow_loss {
        let words = "a failover by a person is one that may lose writes: say so with `true`";
        return Err(ApiError::field("allow_loss", words));
    }
    check_later(request)?;
    check_named(view, request)
}

/// Whether it names one node that is there, where it is about one.
fn check_named(view: &View, request: &NewOperation) -> Result<()> {
    let needs_node = matches!(
        request.kind,
        OperationKind::Switchover
            | OperationKind::RemoveNode
            | OperationKind::ReplaceNode
            | OperationKind::Drain
            | OperationKind::Undrain
            | OperationKind::Reboot
    );
    match request.node.as_deref() {
        None | Some("") if needs_node => {
            Err(ApiError::field("node", format!("{} needs a node; name it", request.kind)))
        }
        Some(text) if needs_node && view.node_named(text).is_none() => {
            let names: Vec<_> = view.nodes.iter().map(|facts| facts.node.name.as_str()).collect();
            let names = names.join(", ");
            Err(ApiError::field("node", format!("there is no node `{text}`; there are {names}")))
        }
        Some(_) if !needs_node => {
            Err(ApiError::field("node", format!("{} is about no single node", request.kind)))
        }
        _ => Ok(()),
    }
}

/// Whether it is one that may be asked for at a later time, where it is.
fn check_later(request: &NewOperation) -> Result<()> {
    let is_reboot = request.kind == OperationKind::Reboot;
    let given = [
        ("at", request.at.is_some() && !is_reboot),
        ("window", request.window.is_some() && !is_reboot),
        ("within_minutes", request.within_minutes.is_some() && !scheduled::is_later(request)),
    ];
    let Some((field, _)) = given.iter().find(|(_, is_given)| *is_given) else { return Ok(()) };
    let words = format!("{} knows no `{field}` here; leave it out", request.kind);
    Err(ApiError::field(field, words))
}

/// Why one node more cannot be had.
fn too_many(api: &Inner, view: &View) -> Result<Option<String>> {
    let mut spec = view.cluster.spec.clone();
    spec.nodes = view.nodes.len() as u32 + 1;
    let concerns = |problem: &FieldProblem| matches!(problem.field.as_str(), "nodes" | "apart");
    let problem = problems(api, &spec)?.into_iter().find(concerns);
    Ok(problem.map(|problem| problem.message))
}

/// Nothing is changed on a cluster that is on its way out.
pub(crate) fn refuse_when_deleted(view: &View) -> Result<()> {
    if view.is_being_deleted() {
        let words = format!("{} is being deleted", view.cluster.spec.name);
        return Err(ApiError::new(Code::OperationRefused, words));
    }
    Ok(())
}
