//! Backups, of clusters that are and of those that were.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bellwether_model::access::Role;
use bellwether_model::backup::{BackupFacts, BackupStatus};
use bellwether_model::event::Page;
use bellwether_model::problem::{Code, Problem};
use bellwether_model::restore::{ReplaceStage, Source};
use bellwether_model::{Backup, Cluster, ClusterPhase, Node, Operation, Timestamp};
use bellwether_planner::View;
use bellwether_store::logs::{self, Windows};
use bellwether_store::repositories::{self, SealedRepository};
use bellwether_store::{Stored, Txn, backups, clusters};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Nothing, Path, Query};
use crate::paging::{self, page};
use crate::{Inner, State};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// Only those of this cluster: an id, or a name, with those of deleted ones of that name.
    cluster: Option<String>,
    /// At most so many, 1 to 500; 100 when left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
    /// The `next` of the page before.
    after: Option<String>,
}

fn find(api: &Inner, id: &str) -> Result<Stored<Backup>> {
    api.store.find(id).ok_or_else(|| ApiError::not_found("backup", id))
}

/// Backups, the newest first. One is asked for as an operation on a cluster.
#[utoipa::path(get, path = "/v1/backups", tag = "backups", operation_id = "list_backups",
    params(Which), responses(
    (status = 200, body = Page<Backup>), (status = 400, body = Problem),
    (status = 401, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<Json<Page<Backup>>> {
    let mut all = backups::newest(&api.store, None);
    all.retain(|backup| caller.sees(&backup.object.project));
    if let Some(text) = &which.cluster {
        let id = clusters::find(&api.store, text).map(|found| found.object.id);
        all.retain(|Stored { object: backup, .. }| {
            // Also those of earlier clusters of that name: one may have been restored from them.
            id.as_ref() == Some(&backup.cluster)
                || backup.cluster.as_str() == text
                || backup.cluster_name == *text
        });
    }
    let paging = paging::Paging { limit: which.limit, after: which.after };
    let key = |backup: &Stored<Backup>| backup.object.id.to_string();
    let windows = Windows::look(&api.store);
    let show = |backup: Stored<Backup>| Some(windows.show(&api.store, backup.object));
    page(all, key, |key, after| key < after, &paging, show).map(Json)
}

/// One backup.
#[utoipa::path(get, path = "/v1/backups/{backup}", tag = "backups", operation_id = "show_backup",
    params(("backup" = String, Path)), responses(
    (status = 200, body = Backup), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 404, body = Problem),
))]
pub(crate) async fn show(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
    Path(id): Path<String>,
) -> Result<Json<Backup>> {
    let backup = find(&api, &id)?.object;
    Ok(Json(Windows::look(&api.store).show(&api.store, backup)))
}

/// Remove a backup from its repository. It is done in the background.
#[utoipa::path(delete, path = "/v1/backups/{backup}", tag = "backups",
    operation_id = "delete_backup", params(("backup" = String, Path)), responses(
    (status = 202, body = Backup), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
))]
pub(crate) async fn delete(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Backup>)> {
    let mut backup = find(&api, &id)?;
    if backup.object.status == BackupStatus::Running {
        return Err(ApiError::new(Code::OperationRefused, "it is being taken")
            .hint("wait until it has ended"));
    }
    let is_used = |cluster: &Cluster| {
        // One that could not be restored has nothing and gets nothing any more.
        let is_new =
            cluster.status.primary.is_none() && cluster.status.phase != ClusterPhase::Failed;
        is_new
            && cluster.spec.source.as_ref().is_some_and(|source| source.backup == backup.object.id)
    };
    let is_brought = |node: &Node| {
        let order = node.replace.as_ref().filter(|order| order.stage != ReplaceStage::Keep);
        let source = order.and_then(|order| order.source.as_ref());
        source.is_some_and(|source| source.backup == backup.object.id)
    };
    let is_brought = !api.store.list_where(is_brought).is_empty();
    if is_brought || !api.store.list_where(is_used).is_empty() {
        return Err(ApiError::new(Code::OperationRefused, "it is being restored")
            .hint("wait until that has ended"));
    }
    backup.object.status = BackupStatus::Deleting;
    let txn = Txn::new().update(&backup).audit(caller.entry("backup.delete", &id));
    api.store.commit(txn).await?;
    Ok((StatusCode::ACCEPTED, Json(backup.object)))
}

/// Restore a backup in a scratch node and look through it; the node goes afterwards.
#[utoipa::path(post, path = "/v1/backups/{backup}/verify", tag = "backups",
    operation_id = "verify_backup", params(("backup" = String, Path)), responses(
    (status = 202, body = Operation), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    (status = 409, body = Problem),
))]
pub(crate) async fn verify(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path(id): Path<String>,
) -> Result<Response> {
    let backup = find(&api, &id)?.object;
    let facts = complete(&backup)?;
    let of_it = |cluster: &Cluster| cluster.proof_of.as_ref() == Some(&backup.id);
    if !api.store.list_where(of_it).is_empty() {
        return Err(ApiError::new(Code::OperationRefused, "it is being verified already"));
    }
    let (cluster, claim, operation) =
        backups::begin_proof(&backup, facts, &caller.user.name, Timestamp::now());
    let txn = Txn::new().insert(&cluster).insert(&claim).insert(&operation);
    api.store.commit(txn.audit(caller.entry("backup.verify", &id))).await?;
    let location = format!("/v1/operations/{}", operation.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(operation)).into_response())
}

/// What a backup holds, where it is one that can be restored.
pub(crate) fn complete(backup: &Backup) -> Result<&BackupFacts> {
    backup.facts.as_ref().filter(|_| backup.status == BackupStatus::Complete).ok_or_else(|| {
        ApiError::new(Code::OperationRefused, format!("the backup {} is not complete", backup.id))
    })
}

/// The backup that a new cluster begins with. Whoever restores it sees all of its data.
pub(crate) async fn source(api: &Inner, caller: &Caller, source: &Source) -> Result<BackupFacts> {
    let id = &source.backup;
    let backup = api.store.find::<Backup>(id.as_str()).map(|found| found.object);
    let backup = backup.filter(|backup| caller.sees(&backup.project));
    let backup = backup
        .ok_or_else(|| ApiError::field("source.backup", format!("there is no backup `{id}`")))?;
    caller.require(&backup.project, Role::Operator, id.as_str()).await?;
    let facts = complete(&backup)?;
    if let Some(at) = source.at {
        logs::way(&api.store, &backup, at).map_err(|why| ApiError::field("source.at", why))?;
    }
    Ok(facts.clone())
}

/// The repository that a backup goes to: the one that is named, the schedule's, or the only one.
pub(crate) fn repository(
    api: &Inner,
    view: &View,
    named: Option<&str>,
) -> Result<SealedRepository> {
    let scheduled = view.cluster.spec.backup.as_ref().map(|wanted| wanted.repository.as_str());
    if let Some(name) = named.or(scheduled) {
        let known = repositories::find(&api.store, name).map(|found| found.object);
        return known.ok_or_else(|| {
            ApiError::field("repository", format!("there is no repository `{name}`"))
        });
    }
    let mut all = api.store.list::<SealedRepository>();
    match (all.len(), all.pop()) {
        (1, Some(only)) => Ok(only.object),
        (0, _) => Err(ApiError::field("repository", "there is none yet; register one first")),
        _ => Err(ApiError::field("repository", "there are several; name one")),
    }
}
