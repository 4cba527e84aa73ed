//! Users of databases: what they may, their passwords, and how these are rotated.

use std::sync::atomic::{AtomicU32, Ordering};

use axum::Json;
use axum::extract::State as Extract;
use bellwether_model::access::Role;
use bellwether_model::database::{
    self, DatabaseState, DatabaseUser, DatabaseUserChange, DatabaseUserView, Grant, Logins,
    NewDatabaseUser, Rotation, RotationEnd, USERS_MAX,
};
use bellwether_model::problem::{Code, Problem};
use bellwether_planner::{View, databases as planned};
use bellwether_store::secrets::{self, Secret};

use crate::auth::Caller;
use crate::connection::Reveal;
use crate::databases::{Accepted, Asked, accepted, change, engine_of, find_whole, taken};
use crate::error::{ApiError, Result};
use crate::extract::{Body, Nothing, Path, Query};
use crate::passwords::random;
use crate::{Inner, State};

/// Letters and digits of a password: nothing that a connection string has to escape.
const PASSWORD_LENGTH: usize = 32;

/// More are not named in a refusal; the user shows all.
const PLACES_MAX: usize = 5;

/// The users of a cluster's databases, the application's first.
#[utoipa::path(get, path = "/v1/clusters/{cluster}/database-users", tag = "databases",
    operation_id = "list_database_users",
    params(("cluster" = String, Path, description = "id or name")), responses(
    (status = 200, body = Vec<DatabaseUserView>),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
    Path(cluster): Path<String>,
) -> Result<Json<Vec<DatabaseUserView>>> {
    let view = find_whole(&api, &cluster)?;
    Ok(Json(planned::users_shown(&view, engine_of(&api, &view.cluster)?)))
}

/// One user; with `reveal=true` also the password.
#[utoipa::path(get, path = "/v1/clusters/{cluster}/database-users/{database_user}",
    tag = "databases", operation_id = "show_database_user", params(
    ("cluster" = String, Path, description = "id or name"),
    ("database_user" = String, Path, description = "name"), Reveal), responses(
    (status = 200, body = DatabaseUserView),
    (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`forbidden`: to see the password"),
    (status = 404, body = Problem),
))]
pub(crate) async fn show(
    Extract(api): State,
    caller: Caller,
    Path((cluster, name)): Path<(String, String)>,
    Query(query): Query<Reveal>,
) -> Result<Json<DatabaseUserView>> {
    let view = find_whole(&api, &cluster)?;
    let mut user = find(&api, &view, &name)?;
    if query.reveal {
        let spec = &view.cluster.spec;
        caller.require(&spec.project, Role::Operator, &spec.name).await?;
        let entry = caller.entry_of("database_user.reveal", &spec.name, name);
        api.store.append_audit(entry).await?;
        let first = &engine_of(&api, &view.cluster)?.user;
        let id = &view.cluster.id;
        user.password = secrets::login_password(&api.store, id, first, &user.login);
    }
    Ok(Json(user))
}

/// Make a user with a password of its own, which `show` with `reveal=true` tells. It is done in the
/// background.
#[utoipa::path(post, path = "/v1/clusters/{cluster}/database-users", tag = "databases",
    operation_id = "create_database_user",
    params(("cluster" = String, Path, description = "id or name")),
    request_body = NewDatabaseUser, responses(
    (status = 202, body = DatabaseUserView),
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
    Body(new): Body<NewDatabaseUser>,
) -> Accepted<DatabaseUserView> {
    let view = change(&api, &caller, &cluster, ("database_user.create", &new.name), |asked| {
        let name = new.name.as_str();
        database::check_user_name(name).map_err(|words| ApiError::field("name", words))?;
        check_grants(asked, &new.grants)?;
        if name == asked.engine.user || asked.databases.user(name).is_some() {
            return Err(taken("user", name));
        }
        if asked.databases.users.len() >= USERS_MAX {
            let words = format!("a cluster has at most {USERS_MAX} users");
            return Err(ApiError::new(Code::OperationRefused, words));
        }
        let logins = Logins::default();
        let secret = new_password(&api, asked, &logins.current.name(name));
        asked.databases.users.push(DatabaseUser {
            name: name.to_owned(),
            created_at: api.store.now(),
            grants: new.grants.clone(),
            logins,
            dropped: false,
        });
        Ok(vec![secret])
    });
    accepted(find(&api, &view.await?, &new.name)?)
}

/// Give a user other rights.
#[utoipa::path(patch, path = "/v1/clusters/{cluster}/database-users/{database_user}",
    tag = "databases", operation_id = "change_database_user", params(
    ("cluster" = String, Path, description = "id or name"),
    ("database_user" = String, Path, description = "name")),
    request_body = DatabaseUserChange, responses(
    (status = 202, body = DatabaseUserView),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem),
    (status = 422, body = Problem),
))]
pub(crate) async fn alter(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path((cluster, name)): Path<(String, String)>,
    Body(new): Body<DatabaseUserChange>,
) -> Accepted<DatabaseUserView> {
    let words = |grant: &Grant| format!("{} on {}", grant.rights.word(), grant.on);
    let rights = new.grants.iter().map(words).collect::<Vec<_>>().join(", ");
    let what = format!("{name}: {rights}");
    let view = change(&api, &caller, &cluster, ("database_user.change", &what), |asked| {
        check_grants(asked, &new.grants)?;
        own(asked, &name)?.grants.clone_from(&new.grants);
        Ok(Vec::new())
    });
    accepted(find(&api, &view.await?, &name)?)
}

/// Drop a user: its sessions end, and what it made becomes its database's owner's. It is done in
/// the background.
#[utoipa::path(delete, path = "/v1/clusters/{cluster}/database-users/{database_user}",
    tag = "databases", operation_id = "drop_database_user", params(
    ("cluster" = String, Path, description = "id or name"),
    ("database_user" = String, Path, description = "name")), responses(
    (status = 202, body = DatabaseUserView),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem),
))]
pub(crate) async fn drop(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path((cluster, name)): Path<(String, String)>,
) -> Accepted<DatabaseUserView> {
    let view = change(&api, &caller, &cluster, ("database_user.drop", &name), |asked| {
        let user = own(asked, &name)?;
        user.dropped = true;
        user.grants.clear();
        Ok(Vec::new())
    });
    accepted(find(&api, &view.await?, &name)?)
}

/// Begin to rotate a password: the user gets a second login with a password of its own, and both
/// are valid until the rotation is ended.
#[utoipa::path(post, path = "/v1/clusters/{cluster}/database-users/{database_user}/rotation",
    tag = "databases", operation_id = "begin_rotation", params(
    ("cluster" = String, Path, description = "id or name"),
    ("database_user" = String, Path, description = "name")), responses(
    (status = 202, body = DatabaseUserView),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem),
))]
pub(crate) async fn rotate(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path((cluster, name)): Path<(String, String)>,
) -> Accepted<DatabaseUserView> {
    let view = change(&api, &caller, &cluster, ("database_user.rotate", &name), |asked| {
        let now = api.store.now();
        let login = {
            let logins = logins(asked, &name)?;
            if let Some(former) = logins.former() {
                let words = format!("{} is being replaced already", former.name(&name));
                return Err(
                    ApiError::new(Code::OperationRefused, words).hint("end that rotation first")
                );
            }
            logins.rotate(now);
            logins.current.name(&name)
        };
        Ok(vec![new_password(&api, asked, &login)])
    });
    accepted(find(&api, &view.await?, &name)?)
}

/// Cancel a rotation: it is turned round. The login that was to be replaced stays; the one that was
/// to take its place is valid until nobody uses it and the rotation is ended.
#[utoipa::path(post, path = "/v1/clusters/{cluster}/database-users/{database_user}/rotation/cancel",
    tag = "databases", operation_id = "cancel_rotation", params(
    ("cluster" = String, Path, description = "id or name"),
    ("database_user" = String, Path, description = "name")), responses(
    (status = 202, body = DatabaseUserView),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem),
))]
pub(crate) async fn cancel_rotation(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path((cluster, name)): Path<(String, String)>,
) -> Accepted<DatabaseUserView> {
    let view = change(&api, &caller, &cluster, ("database_user.cancel_rotation", &name), |asked| {
        let now = api.store.now();
        let logins = logins(asked, &name)?;
        if logins.former().is_none() {
            let words = format!("no rotation of {name} is under way");
            return Err(ApiError::new(Code::OperationRefused, words));
        }
        logins.turn_back(now);
        Ok(Vec::new())
    });
    accepted(find(&api, &view.await?, &name)?)
}

/// End a rotation: nobody is let in with the former login any more. It is refused while the former
/// login is used, or where that is not known, unless that is said to be meant: then its sessions
/// end, and the answer says how many are known of.
#[utoipa::path(post, path = "/v1/clusters/{cluster}/database-users/{database_user}/rotation/end",
    tag = "databases", operation_id = "end_rotation", params(
    ("cluster" = String, Path, description = "id or name"),
    ("database_user" = String, Path, description = "name")),
    request_body = RotationEnd, responses(
    (status = 202, body = DatabaseUserView),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem),
    (status = 422, body = Problem),
))]
pub(crate) async fn end_rotation(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path((cluster, name)): Path<(String, String)>,
    Body(end): Body<RotationEnd>,
) -> Accepted<DatabaseUserView> {
    let ended = AtomicU32::new(0);
    let what = if end.even_if_used { format!("{name}, even if used") } else { name.clone() };
    let what = ("database_user.end_rotation", what.as_str());
    let view = change(&api, &caller, &cluster, what, |asked| {
        let shown = find(&api, asked.view, &name)?;
        let Some(rotation) = &shown.rotation else {
            let words = format!("no rotation of {name} is under way");
            return Err(ApiError::new(Code::OperationRefused, words));
        };
        // Without the new login nobody could come in.
        if shown.state != DatabaseState::InForce {
            let words = format!("{} is not known to be valid yet", shown.login);
            return Err(ApiError::new(Code::OperationRefused, words)
                .hint("wait until the user's state is `in_force`"));
        }
        if end.even_if_used {
            let known = rotation.sessions.iter().map(|one| one.count).sum();
            ended.store(known, Ordering::Relaxed);
        } else {
            refuse_when_used(rotation)?;
        }
        logins(asked, &name)?.end_rotation(end.even_if_used);
        Ok(Vec::new())
    });
    let mut user = find(&api, &view.await?, &name)?;
    user.sessions_ended = end.even_if_used.then(|| ended.into_inner());
    accepted(user)
}

/// Nobody is locked out who still comes with the former password.
fn refuse_when_used(rotation: &Rotation) -> Result<()> {
    let former = &rotation.former;
    let hint = "let clients change to the new login, or say `even_if_used`";
    let used: u64 = rotation.sessions.iter().map(|one| u64::from(one.count)).sum();
    if used > 0 {
        let places = rotation.sessions.iter().map(|one| match one.application.as_str() {
            "" => one.from.clone(),
            application => format!("{} ({application})", one.from),
        });
        let places = places.take(PLACES_MAX).collect::<Vec<_>>().join(", ");
        let words = format!("{former} is used by {used} sessions, from {places}");
        return Err(ApiError::new(Code::OperationRefused, words).hint(hint));
    }
    if !rotation.unknown.is_empty() {
        let nodes = rotation.unknown.join(", ");
        let words = format!("whether {former} is used on {nodes} is not known");
        return Err(ApiError::new(Code::OperationRefused, words).hint(hint));
    }
    Ok(())
}

fn check_grants(asked: &Asked<'_>, grants: &[Grant]) -> Result<()> {
    let names = planned::names(asked.databases, asked.engine);
    let problems = database::check_grants(grants, names.as_deref());
    if problems.is_empty() { Ok(()) } else { Err(ApiError::fields(problems)) }
}

fn new_password(api: &Inner, asked: &Asked<'_>, login: &str) -> Secret {
    let name = secrets::of_login(&asked.engine.user, login);
    let password = random(PASSWORD_LENGTH);
    Secret::seal(&api.store, &asked.cluster.id, &name, password.as_bytes())
}

/// A user that is not the application's, to be changed.
fn own<'a>(asked: &'a mut Asked<'_>, name: &str) -> Result<&'a mut DatabaseUser> {
    if name == asked.engine.user {
        let words = format!("{name} is made with the cluster, and stays as it is");
        return Err(ApiError::new(Code::OperationRefused, words));
    }
    let users = asked.databases.users.iter_mut();
    let found = users.filter(|user| !user.dropped).find(|user| user.name == name);
    found.ok_or_else(|| ApiError::not_found("database user", name))
}

fn logins<'a>(asked: &'a mut Asked<'_>, name: &str) -> Result<&'a mut Logins> {
    let found = asked.databases.logins_mut(name, &asked.engine.user);
    found.ok_or_else(|| ApiError::not_found("database user", name))
}

fn find(api: &Inner, view: &View, name: &str) -> Result<DatabaseUserView> {
    let all = planned::users_shown(view, engine_of(api, &view.cluster)?);
    let found = all.into_iter().find(|user| user.name == name);
    found.ok_or_else(|| ApiError::not_found("database user", name))
}
