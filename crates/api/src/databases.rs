//! Databases of a cluster, beside the one that is made with it.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use bellwether_model::database::{
    self, DATABASES_MAX, Database, DatabaseView, Databases, NewDatabase,
};
use bellwether_model::engine::EngineProfile;
use bellwether_model::problem::{Code, Problem};
use bellwether_model::{Cluster, DatabaseId};
use bellwether_planner::{View, databases as planned};
use bellwether_store::secrets::Secret;
use bellwether_store::{Error as StoreError, Stored, Txn, clusters};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::Caller;
use crate::clusters::{TRIES, find_view};
use crate::error::{ApiError, Result};
use crate::extract::{Body, Nothing, Path, Query};
use crate::{Inner, State, operations};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirm {
    /// The database's name, typed again.
    #[serde(default)]
    confirm: String,
}

/// The databases of a cluster; none where its engine knows keys instead.
#[utoipa::path(get, path = "/v1/clusters/{cluster}/databases", tag = "databases",
    operation_id = "list_databases",
    params(("cluster" = String, Path, description = "id or name")), responses(
    (status = 200, body = Vec<DatabaseView>),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
    Path(cluster): Path<String>,
) -> Result<Json<Vec<DatabaseView>>> {
    let view = find_whole(&api, &cluster)?;
    Ok(Json(planned::databases_shown(&view, engine_of(&api, &view.cluster)?)))
}

/// Make a database. Nobody but its users gets in. It is done in the background.
#[utoipa::path(post, path = "/v1/clusters/{cluster}/databases", tag = "databases",
    operation_id = "create_database",
    params(("cluster" = String, Path, description = "id or name")),
    request_body = NewDatabase, responses(
    (status = 202, body = DatabaseView),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem),
    (status = 409, body = Problem, description = "`name-taken`, `operation-refused`"),
    (status = 413, body = Problem), (status = 422, body = Problem),
))]
pub(crate) async fn create(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path(cluster): Path<String>,
    Body(new): Body<NewDatabase>,
) -> Accepted<DatabaseView> {
    let view = change(&api, &caller, &cluster, ("database.create", &new.name), |asked| {
        let (name, engine) = (new.name.as_str(), asked.engine);
        refuse_keys(engine)?;
        database::check_database_name(name).map_err(|words| ApiError::field("name", words))?;
        // With MariaDB and MySQL the application's user may make these itself.
        let own = format!("{}_", engine.database);
        if name.starts_with(&own) {
            let words = format!("names that begin with `{own}` are the application's");
            return Err(ApiError::field("name", words));
        }
        if name == engine.database || asked.databases.database(name).is_some() {
            return Err(taken("database", name));
        }
        if asked.databases.databases.len() >= DATABASES_MAX {
            let words = format!("a cluster has at most {DATABASES_MAX} databases");
            return Err(ApiError::new(Code::OperationRefused, words));
        }
        asked.databases.databases.push(Database {
            id: DatabaseId::generate(),
            name: name.to_owned(),
            created_at: api.store.now(),
            dropped: false,
        });
        Ok(Vec::new())
    });
    accepted(find_shown(&api, &view.await?, &new.name)?)
}

/// Drop a database with all of its data. It is done in the background.
#[utoipa::path(delete, path = "/v1/clusters/{cluster}/databases/{database}", tag = "databases",
    operation_id = "drop_database", params(
    ("cluster" = String, Path, description = "id or name"),
    ("database" = String, Path, description = "name"), Confirm), responses(
    (status = 202, body = DatabaseView),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem),
))]
pub(crate) async fn drop(
    Extract(api): State,
    caller: Caller,
    Path((cluster, name)): Path<(String, String)>,
    Query(query): Query<Confirm>,
) -> Accepted<DatabaseView> {
    let view = change(&api, &caller, &cluster, ("database.drop", &name), |asked| {
        if name == asked.engine.database && !name.is_empty() {
            let words = format!("{name} is made with the cluster, and stays");
            return Err(ApiError::new(Code::OperationRefused, words));
        }
        let databases = &mut asked.databases.databases;
        let found = databases.iter_mut().find(|database| database.name == name);
        let found = found.ok_or_else(|| ApiError::not_found("database", &name))?;
        if query.confirm != name {
            let words = format!("type the database's name, `{name}`, to confirm that it shall go");
            return Err(ApiError::field("confirm", words));
        }
        found.dropped = true;
        for user in &mut asked.databases.users {
            user.grants.retain(|grant| grant.on != name);
        }
        Ok(Vec::new())
    });
    accepted(find_shown(&api, &view.await?, &name)?)
}

fn find_shown(api: &Inner, view: &View, name: &str) -> Result<DatabaseView> {
    let all = planned::databases_shown(view, engine_of(api, &view.cluster)?);
    let found = all.into_iter().find(|database| database.name == name);
    found.ok_or_else(|| ApiError::not_found("database", name))
}

/// The answer to what is done in the background: the thing as it is asked for.
pub(crate) type Accepted<T> = Result<(StatusCode, Json<T>)>;

pub(crate) fn accepted<T>(shown: T) -> Accepted<T> {
    Ok((StatusCode::ACCEPTED, Json(shown)))
}

fn refuse_keys(engine: &EngineProfile) -> Result<()> {
    if !engine.database.is_empty() {
        return Ok(());
    }
    let words = format!("{} has no databases by name", engine.title);
    Err(ApiError::new(Code::OperationRefused, words)
        .hint("give users rights on patterns of keys, such as `orders:*`"))
}

pub(crate) fn taken(what: &str, name: &str) -> ApiError {
    ApiError::new(Code::NameTaken, format!("there is a {what} `{name}` already"))
}

/// What a cluster is asked to have, to be changed.
pub(crate) struct Asked<'a> {
    pub(crate) databases: &'a mut Databases,
    pub(crate) cluster: &'a Cluster,
    pub(crate) view: &'a View,
    pub(crate) engine: &'a EngineProfile,
}

/// Changes what a cluster is asked to have: saved with the secrets that the change makes, and with
/// an entry in the audit log (an action, and the name of what it is done to).
pub(crate) async fn change(
    api: &Inner,
    caller: &Caller,
    name: &str,
    (action, what): (&str, &str),
    edit: impl Fn(&mut Asked<'_>) -> Result<Vec<Secret>>,
) -> Result<View> {
    for _ in 0..TRIES {
        let mut cluster = find(api, name)?;
        let view = find_view(api, cluster.object.id.as_str())?;
        operations::refuse_when_deleted(&view)?;
        let mut databases = cluster.object.databases.clone();
        let secrets = edit(&mut Asked {
            databases: &mut databases,
            cluster: &cluster.object,
            view: &view,
            engine: engine_of(api, &cluster.object)?,
        })?;
        databases.version = planned::latest_version(&view) + 1;
        cluster.object.databases = databases;
        let entry = caller.entry_of(action, &cluster.object.spec.name, what.to_owned());
        let txn = Txn::new().update(&cluster).audit(entry);
        let txn = secrets.iter().fold(txn, |txn, secret| txn.put(secret));
        match api.store.commit(txn).await {
            Ok(_) => return find_view(api, cluster.object.id.as_str()),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(operations::changes_too_quickly())
}

fn find(api: &Inner, name: &str) -> Result<Stored<Cluster>> {
    let found = clusters::find(&api.store, name);
    let found = found.ok_or_else(|| ApiError::not_found("cluster", name))?;
    if found.object.shard.is_some() {
        let words = "a shard has the users of the cluster that it is part of";
        return Err(ApiError::new(Code::OperationRefused, words));
    }
    Ok(found)
}

/// A cluster as it is looked at, of a shard the cluster that it is part of.
pub(crate) fn find_whole(api: &Inner, name: &str) -> Result<View> {
    let view = find_view(api, name)?;
    match &view.cluster.shard {
        Some(shard) => find_view(api, shard.of.as_str()),
        None => Ok(view),
    }
}

pub(crate) fn engine_of<'a>(api: &'a Inner, cluster: &Cluster) -> Result<&'a EngineProfile> {
    let engine = &cluster.spec.engine;
    api.engine(engine).ok_or_else(|| ApiError::not_found("engine", engine))
}
