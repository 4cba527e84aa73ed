//! The people who may use the server, and what each may.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use bellwether_model::access::{Access, DEFAULT_PROJECT, Role};
use bellwether_model::problem::{Code, FieldProblem, Problem};
use bellwether_model::user::{CreatedUser, NewUser, UserChange, UserSummary};
use bellwether_model::{Timestamp, UserId};
use bellwether_store::projects::Project;
use bellwether_store::tokens::{Token, TokenKind};
use bellwether_store::users::{self, IdentityClaim, NameClaim, User};
use bellwether_store::{Error as StoreError, Stored, Txn};

use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Body, Nothing, Path, Query};
use crate::sessions::{PASSWORD_LENGTH_MAX, check_length};
use crate::{Inner, State, identity, passwords};

/// The longest name of a user.
const NAME_LENGTH_MAX: usize = 64;

pub(crate) fn find(api: &Inner, text: &str) -> Result<Stored<User>> {
    let found = api.store.find::<User>(text).or_else(|| users::find_by_name(&api.store, text));
    found.ok_or_else(|| ApiError::not_found("user", text))
}

fn summary(api: &Inner, user: &User) -> UserSummary {
    let tokens = api.store.list_where(|token: &Token| token.user == user.id);
    let used = tokens.iter().filter_map(|token| token.object.last_used_at);
    let count = |kind: TokenKind| {
        u32::try_from(tokens.iter().filter(|token| token.object.kind == kind).count()).unwrap_or(0)
    };
    UserSummary {
        id: user.id.clone(),
        name: user.name.clone(),
        access: user.access.clone(),
        must_change_password: user.must_change_password,
        second_factor: user.has_second_factor(),
        by_provider: user.identity.is_some(),
        created_at: user.created_at,
        last_seen_at: used.max(),
        sessions: count(TokenKind::Session),
        tokens: count(TokenKind::Api),
    }
}

/// Everybody who may use the server, by name.
#[utoipa::path(get, path = "/v1/users", tag = "users", operation_id = "list_users", responses(
    (status = 200, body = Vec<UserSummary>), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
) -> Json<Vec<UserSummary>> {
    let mut all: Vec<User> = api.store.list::<User>().into_iter().map(|u| u.object).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Json(all.iter().map(|user| summary(&api, user)).collect())
}

/// One user, by id or name.
#[utoipa::path(get, path = "/v1/users/{user}", tag = "users", operation_id = "show_user",
    params(("user" = String, Path, description = "id or name")), responses(
    (status = 200, body = UserSummary), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
))]
pub(crate) async fn show(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
    Path(user): Path<String>,
) -> Result<Json<UserSummary>> {
    Ok(Json(summary(&api, &find(&api, &user)?.object)))
}

/// What is wrong with a user's name.
pub(crate) fn check_name(name: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-@+".contains(c);
    let is_usable = !name.is_empty() && name.len() <= NAME_LENGTH_MAX && name.chars().all(is_plain);
    (!is_usable)
        .then(|| format!("use 1 to {NAME_LENGTH_MAX} letters, digits and `.`, `_`, `-`, `@`, `+`"))
}

fn check_access(api: &Inner, access: &Access) -> Vec<FieldProblem> {
    let unknown = access
        .projects
        .keys()
        .filter(|name| *name != DEFAULT_PROJECT && api.store.find::<Project>(name).is_none());
    unknown
        .map(|name| FieldProblem {
            field: format!("access.projects.{name}"),
            message: format!("there is no project `{name}`"),
        })
        .collect()
}

/// What somebody may, for the audit log.
pub(crate) fn words(access: &Access) -> String {
    let everywhere = access.everywhere.iter().map(|role| format!("{role} everywhere"));
    let projects = access.projects.iter().map(|(project, role)| format!("{role} in {project}"));
    everywhere.chain(projects).collect::<Vec<_>>().join(", ")
}

/// Let somebody use the server. Without a password one is made, to be changed at the first sign-in;
/// it is shown this once.
#[utoipa::path(post, path = "/v1/users", tag = "users", operation_id = "create_user",
    request_body = NewUser, responses(
    (status = 201, body = CreatedUser), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 409, body = Problem, description = "`name-taken`"),
    (status = 413, body = Problem), (status = 422, body = Problem),
))]
pub(crate) async fn create(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Body(new): Body<NewUser>,
) -> Result<(StatusCode, Json<CreatedUser>)> {
    let mut problems = check_access(&api, &new.access);
    if let Some(message) = check_name(&new.name) {
        problems.push(FieldProblem { field: "name".to_owned(), message });
    }
    if !problems.is_empty() {
        return Err(ApiError::fields(problems));
    }
    if let Some(password) = &new.password {
        check_length("password", password, PASSWORD_LENGTH_MAX)?;
        if password.chars().count() < passwords::LENGTH_MIN {
            return Err(ApiError::field("password", "use 12 characters or more"));
        }
    }
    let taken = || {
        let words = format!("there is a user `{}` already", new.name);
        ApiError::new(Code::NameTaken, words).hint("choose another name")
    };
    if users::find_by_name(&api.store, &new.name).is_some() {
        return Err(taken());
    }
    let made = new.password.is_none().then(|| passwords::random(20));
    let password = new.password.clone().or_else(|| made.clone()).unwrap_or_default();
    let user = User {
        id: UserId::generate(),
        name: new.name.clone(),
        password_hash: passwords::hash(&api, password).await,
        must_change_password: true,
        created_at: Timestamp::now(),
        access: new.access.clone(),
        second_factor: None,
        identity: None,
    };
    let claim = NameClaim { name: user.name.clone(), user: user.id.clone() };
    let txn = Txn::new().insert(&user).insert(&claim);
    let entry = caller.entry_of("user.create", &user.name, words(&user.access));
    match api.store.commit(txn.audit(entry)).await {
        Ok(_) => {}
        Err(StoreError::Conflict { .. }) => return Err(taken()),
        Err(error) => return Err(error.into()),
    }
    let created = CreatedUser { user: summary(&api, &user), password: made };
    Ok((StatusCode::CREATED, Json(created)))
}

/// The server keeps an owner with a password, whatever becomes of an identity provider: one that
/// stays is saved with the change, so that of two owners who
/// leave at one moment one is refused.
fn keep_an_owner(api: &Inner, leaving: &User, txn: Txn) -> Result<Txn> {
    let is_owner =
        |user: &User| user.access.everywhere == Some(Role::Owner) && user.identity.is_none();
    if !is_owner(leaving) {
        return Ok(txn);
    }
    let others = api.store.list_where(|user: &User| is_owner(user) && user.id != leaving.id);
    let other = others.first().ok_or_else(|| {
        let words = format!("{} is the only owner with a password", leaving.name);
        ApiError::new(Code::OperationRefused, words).hint("make somebody else an owner first")
    })?;
    Ok(txn.update(other))
}

/// Change what somebody may.
#[utoipa::path(patch, path = "/v1/users/{user}", tag = "users", operation_id = "change_user",
    params(("user" = String, Path, description = "id or name")), request_body = UserChange,
    responses(
    (status = 200, body = UserSummary), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
))]
pub(crate) async fn change(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path(name): Path<String>,
    Body(change): Body<UserChange>,
) -> Result<Json<UserSummary>> {
    let mut user = find(&api, &name)?;
    identity::refuse_foreign(&user.object)?;
    let problems = check_access(&api, &change.access);
    if !problems.is_empty() {
        return Err(ApiError::fields(problems));
    }
    let mut txn = Txn::new();
    if change.access.everywhere != Some(Role::Owner) {
        txn = keep_an_owner(&api, &user.object, txn)?;
    }
    user.object.access = change.access;
    let detail = words(&user.object.access);
    let entry = caller.entry_of("user.change", &user.object.name, detail);
    api.store.commit(txn.update(&user).audit(entry)).await?;
    Ok(Json(summary(&api, &user.object)))
}

/// Let somebody use the server no more. Sessions and tokens end at once.
#[utoipa::path(delete, path = "/v1/users/{user}", tag = "users", operation_id = "delete_user",
    params(("user" = String, Path, description = "id or name")), responses(
    (status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
))]
pub(crate) async fn delete(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    let user = find(&api, &name)?;
    let txn = keep_an_owner(&api, &user.object, Txn::new())?;
    let id = &user.object.id;
    let tokens = api.store.list_where(|token: &Token| token.user == *id);
    let txn =
        tokens.iter().fold(txn, |txn, token| txn.delete::<Token>(&token.object.secret_hash, None));
    let txn = txn
        .delete::<User>(id.as_str(), Some(user.revision))
        .delete::<NameClaim>(&user.object.name, None);
    let identity = user.object.identity.as_ref();
    let txn = identity
        .into_iter()
        .fold(txn, |txn, identity| txn.delete::<IdentityClaim>(&identity.key(), None))
        .audit(caller.entry("user.delete", &user.object.name));
    api.store.commit(txn).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give somebody a new password, to be changed at the next sign-in; it is shown this once. Sessions
/// end at once.
#[utoipa::path(post, path = "/v1/users/{user}/password", tag = "users",
    operation_id = "reset_password",
    params(("user" = String, Path, description = "id or name")), responses(
    (status = 200, body = CreatedUser), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    (status = 409, body = Problem),
))]
pub(crate) async fn reset_password(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path(name): Path<String>,
) -> Result<Json<CreatedUser>> {
    let mut user = find(&api, &name)?;
    identity::refuse_foreign(&user.object)?;
    let password = passwords::random(20);
    user.object.password_hash = passwords::hash(&api, password.clone()).await;
    user.object.must_change_password = true;
    let id = &user.object.id;
    let sessions =
        api.store.list_where(|token: &Token| token.kind == TokenKind::Session && token.user == *id);
    let txn = Txn::new().update(&user).audit(caller.entry("password.reset", &user.object.name));
    let txn = sessions
        .iter()
        .fold(txn, |txn, token| txn.delete::<Token>(&token.object.secret_hash, None));
    api.store.commit(txn).await?;
    let user = summary(&api, &user.object);
    Ok(Json(CreatedUser { user, password: Some(password) }))
}
