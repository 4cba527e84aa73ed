//! Repositories of backups: registered once, with what opens them; used by many clusters.

use std::time::Duration;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bellwether_contracts::repository::Archive;
use bellwether_model::backup::{BackupFacts, BackupStatus};
use bellwether_model::event::Page;
use bellwether_model::log::{KeptPiece, LogPiece};
use bellwether_model::name::check_cluster_name;
use bellwether_model::problem::{Code, Problem};
use bellwether_model::repository::{
    NewRepository, Place, Repository, RepositoryKey, RepositoryView,
};
use bellwether_model::{Backup, Cluster, RepositoryId, Timestamp};
use bellwether_protocol::repository::{Access, answer_seconds};
use bellwether_store::repositories::{self, SealedRepository};
use bellwether_store::{Error as StoreError, Stored, Txn};

use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Body, Nothing, Path, Query};
use crate::paging::{Paging, page};
use crate::{Inner, State, passwords, ssh_key};

/// A store that does not answer by then cannot be used.
const ANSWER_MAX: Duration = Duration::from_secs(25);

/// Characters of a new encryption key.
const KEY_LENGTH: usize = 48;

fn view(api: &Inner, known: &SealedRepository) -> RepositoryView {
    let repository = &known.repository;
    let is_in = |backup: &Backup| {
        backup.repository == repository.id && backup.status == BackupStatus::Complete
    };
    RepositoryView {
        id: repository.id.clone(),
        name: repository.name.clone(),
        place: repository.place.clone(),
        address: repository.place.address(),
        created_at: repository.created_at,
        checked_at: repository.checked_at,
        checked_by: repository.checked_by.clone(),
        public_key: repository.public_key.clone(),
        backups: api.store.list_where(is_in).len() as u64,
    }
}

fn find(api: &Inner, name: &str) -> Result<Stored<SealedRepository>> {
    repositories::find(&api.store, name).ok_or_else(|| ApiError::not_found("repository", name))
}

/// Every repository, by name.
#[utoipa::path(get, path = "/v1/repositories", tag = "backups", operation_id = "list_repositories",
    params(Paging), responses(
    (status = 200, body = Page<RepositoryView>), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    _: Caller,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<RepositoryView>>> {
    let all = api.store.list::<SealedRepository>();
    let key = |known: &Stored<SealedRepository>| known.object.repository.name.clone();
    let show = |known: Stored<SealedRepository>| Some(view(&api, &known.object));
    page(all, key, |key, after| key > after, &paging, show).map(Json)
}

/// One repository, by id or name.
#[utoipa::path(get, path = "/v1/repositories/{repository}", tag = "backups",
    operation_id = "show_repository",
    params(("repository" = String, Path, description = "id or name")), responses(
    (status = 200, body = RepositoryView), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
))]
pub(crate) async fn show(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
    Path(name): Path<String>,
) -> Result<Json<RepositoryView>> {
    Ok(Json(view(&api, &find(&api, &name)?.object)))
}

/// Register a repository. Its credentials are tried, and it is made where there is none. With the
/// key of one that is there already, the backups in it are listed from then on.
#[utoipa::path(post, path = "/v1/repositories", tag = "backups",
    operation_id = "create_repository", request_body = NewRepository, responses(
    (status = 201, body = RepositoryView), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 409, body = Problem, description = "`name-taken`"),
    (status = 413, body = Problem), (status = 422, body = Problem),
))]
pub(crate) async fn create(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Body(request): Body<NewRepository>,
) -> Result<Response> {
    check(&request)?;
    if repositories::find(&api.store, &request.name).is_some() {
        return Err(taken(&request.name));
    }
    let is_known = !request.key.is_empty();
    let key = if is_known { request.key.clone() } else { passwords::random(KEY_LENGTH) };
    let mut repository = Repository {
        id: RepositoryId::generate(),
        name: request.name.clone(),
        place: request.place.clone(),
        created_at: Timestamp::now(),
        checked_at: None,
        checked_by: String::new(),
        public_key: ssh_key::public_half(&request.secret).unwrap_or_default(),
    };
    let access = Access {
        name: request.name.clone(),
        place: request.place,
        secret: request.secret.clone(),
        key: key.clone(),
        answer_seconds: answer_seconds(),
        is_made: false,
        is_trial: false,
    };
    let archives = reach(&api, &access, is_known).await?;
    if archives.is_some() {
        (repository.checked_at, repository.checked_by) =
            (Some(Timestamp::now()), "server".to_owned());
    }
    let archives = archives.unwrap_or_default();
    let pieces = found_log(&api, &repository, &archives);
    let known = found(&api, &repository, archives);
    let sealed = SealedRepository::seal(&api.store, repository, &request.secret, &key);
    let txn = Txn::new().insert(&sealed).audit(caller.entry("repository.create", &request.name));
    let txn = known.iter().fold(txn, |txn, backup| txn.insert(backup));
    let txn = pieces.iter().fold(txn, |txn, piece| txn.insert(piece));
    match api.store.commit(txn).await {
        Ok(_) => {}
        Err(StoreError::Conflict { .. }) => return Err(taken(&request.name)),
        Err(error) => return Err(error.into()),
    }
    Ok((StatusCode::CREATED, Json(view(&api, &sealed))).into_response())
}

fn taken(name: &str) -> ApiError {
    ApiError::new(Code::NameTaken, format!("there is a repository `{name}` already"))
        .hint("choose another name")
}

fn check(request: &NewRepository) -> Result<()> {
    check_cluster_name(&request.name).map_err(|words| ApiError::field("name", words))?;
    let plain = |field: &str, text: &str| {
        let is_plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
        let words = "it is missing, or has characters that it cannot have";
        if is_plain { Ok(()) } else { Err(ApiError::field(field, words)) }
    };
    match &request.place {
        Place::S3 { endpoint, bucket, access_key, prefix, region } => {
            let is_url = ["http://", "https://"].iter().any(|start| endpoint.starts_with(start));
            if !is_url {
                let words = "it begins with https:// or http://, like https://s3.example.com";
                return Err(ApiError::field("place.endpoint", words));
            }
            plain("place.endpoint", endpoint)?;
            plain("place.bucket", bucket)?;
            plain("place.access_key", access_key)?;
            plain("secret", &request.secret)?;
            let optional = [("place.prefix", prefix), ("place.region", region)];
            optional.iter().filter(|(_, text)| !text.is_empty()).try_for_each(|(f, t)| plain(f, t))
        }
        Place::Borg { user, host, path, host_key, .. } => {
            plain("place.user", user)?;
            plain("place.host", host)?;
            plain("place.path", path)?;
            if host_key.is_empty() {
                let words = "name the host's key, as `ssh-keyscan` prints it after the host";
                return Err(ApiError::field("place.host_key", words));
            }
            ssh_key::public_half(&request.secret)
                .map(|_| ())
                .map_err(|words| ApiError::field("secret", words))
        }
    }
}

/// What is in the repository; none where this server has not got the tool to look. A new one is
/// made.
async fn reach(api: &Inner, access: &Access, is_known: bool) -> Result<Option<Vec<Archive>>> {
    let repository = (api.repositories)(access);
    if !repository.is_here() {
        if is_known {
            let words = "this server has not got the tool that lists it; install restic, or Borg";
            return Err(ApiError::field("key", words));
        }
        return Ok(None);
    }
    let look = async {
        repository.open(!is_known).await?;
        if is_known { repository.list().await } else { Ok(Vec::new()) }
    };
    match tokio::time::timeout(ANSWER_MAX, look).await {
        Ok(Ok(archives)) => Ok(Some(archives)),
        Ok(Err(failure)) => Err(ApiError::field("place", failure.text)),
        Err(_) => {
            let seconds = ANSWER_MAX.as_secs();
            Err(ApiError::field("place", format!("it did not answer within {seconds} s")))
        }
    }
}

/// Pieces of log in the repository that this server does not know.
fn found_log(api: &Inner, repository: &Repository, archives: &[Archive]) -> Vec<KeptPiece> {
    let pieces = archives.iter().filter_map(|archive| {
        let piece: LogPiece = serde_json::from_str(&archive.facts).ok()?;
        (piece.id == archive.backup).then(|| KeptPiece {
            piece,
            repository: repository.id.clone(),
            archive: archive.id.clone(),
            needless_since: None,
        })
    });
    pieces.filter(|kept| api.store.find::<KeptPiece>(kept.piece.id.as_str()).is_none()).collect()
}

/// Complete backups in the repository that this server does not know.
fn found(api: &Inner, repository: &Repository, archives: Vec<Archive>) -> Vec<Backup> {
    let ends = archives.iter().filter_map(|archive| {
        let facts: BackupFacts = serde_json::from_str(&archive.facts).ok()?;
        (facts.id == archive.backup).then_some(facts)
    });
    let unknown = ends.filter(|facts| api.store.find::<Backup>(facts.id.as_str()).is_none());
    unknown
        .map(|facts| Backup {
            id: facts.id.clone(),
            cluster: facts.cluster.clone(),
            cluster_name: facts.cluster_name.clone(),
            project: facts.spec.project.clone(),
            repository: repository.id.clone(),
            repository_name: repository.name.clone(),
            status: BackupStatus::Complete,
            started_by: "found in the repository".to_owned(),
            created_at: facts.started_at,
            ended_at: Some(facts.taken_at),
            due_at: None,
            operation: None,
            stored: None,
            took_ms: None,
            archives: archives
                .iter()
                .filter(|archive| archive.backup == facts.id)
                .map(|archive| archive.id.clone())
                .collect(),
            message: String::new(),
            proof: None,
            recoverable_to: None,
            facts: Some(facts),
        })
        .collect()
}

/// The encryption key of a repository: without it nobody reads what is in it. The audit log
/// remembers who saw it.
#[utoipa::path(get, path = "/v1/repositories/{repository}/key", tag = "backups",
    operation_id = "show_repository_key",
    params(("repository" = String, Path, description = "id or name")), responses(
    (status = 200, body = RepositoryKey), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
))]
pub(crate) async fn key(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path(name): Path<String>,
) -> Result<Json<RepositoryKey>> {
    let known = find(&api, &name)?.object;
    let access = known.access(&api.store);
    let access = access.ok_or_else(|| ApiError::internal("the key cannot be opened"))?;
    let repository = known.repository.name;
    api.store.append_audit(caller.entry("repository.key", &repository)).await?;
    Ok(Json(RepositoryKey { repository, address: access.place.address(), key: access.key }))
}

/// Forget a repository and the backups in it. Nothing is removed from it: with its key it can be
/// registered again.
#[utoipa::path(delete, path = "/v1/repositories/{repository}", tag = "backups",
    operation_id = "delete_repository",
    params(("repository" = String, Path, description = "id or name")), responses(
    (status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
))]
pub(crate) async fn delete(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    let known = find(&api, &name)?;
    let repository = &known.object.repository;
    let uses = |cluster: &Cluster| {
        let wanted = cluster.spec.backup.as_ref();
        wanted.is_some_and(|wanted| wanted.repository == repository.name)
    };
    if let Some(cluster) = api.store.list_where(uses).first() {
        let words = format!("the schedule of {} uses it", cluster.object.spec.name);
        return Err(ApiError::new(Code::OperationRefused, words).hint("change that schedule first"));
    }
    let of_it = api.store.list_where(|backup: &Backup| backup.repository == repository.id);
    if of_it.iter().any(|backup| backup.object.status == BackupStatus::Running) {
        return Err(ApiError::new(Code::OperationRefused, "a backup is being taken to it"));
    }
    let txn = Txn::new()
        .delete::<SealedRepository>(&repository.name, Some(known.revision))
        .audit(caller.entry("repository.delete", &repository.name));
    let txn = of_it.iter().fold(txn, |txn, backup| {
        txn.delete::<Backup>(backup.object.id.as_str(), Some(backup.revision))
    });
    let pieces = api.store.list_where(|kept: &KeptPiece| kept.repository == repository.id);
    let txn = pieces
        .iter()
        .fold(txn, |txn, kept| txn.delete::<KeptPiece>(kept.object.piece.id.as_str(), None));
    api.store.commit(txn).await?;
    Ok(StatusCode::NO_CONTENT)
}
