//! Sessions: signing in and out, and one's own password.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bellwether_model::access::Scope;
use bellwether_model::problem::{Code, Problem};
use bellwether_model::user::{NewPassword, NewSession, Session, SessionView, UserView};
use bellwether_model::{Timestamp, TokenId};
use bellwether_store::tokens::{self, Token, TokenKind};
use bellwether_store::users::{self, User};
use bellwether_store::{AuditEntry, Error as StoreError, Stored, Txn};

use crate::auth::{Caller, Limit, SESSION_MS, Source, cookie, entry, expired, listed_as};
use crate::error::{ApiError, Result};
use crate::extract::{Body, Nothing, Path, Query};
use crate::{Inner, State, identity, passwords, second_factor};

/// Nobody has a longer name.
const NAME_LENGTH_MAX: usize = 100;

/// Longer ones would only cost time.
pub(crate) const PASSWORD_LENGTH_MAX: usize = 1_000;

fn view(user: &User, address: String) -> UserView {
    UserView {
        id: user.id.clone(),
        name: user.name.clone(),
        must_change_password: user.must_change_password,
        second_factor: user.has_second_factor(),
        by_provider: user.identity.is_some(),
        access: user.access.clone(),
        address,
    }
}

/// Sign in. Browsers are given a cookie too.
#[utoipa::path(post, path = "/v1/sessions", tag = "sessions",
    operation_id = "sign_in", request_body = NewSession, responses(
    (status = 201, body = Session), (status = 400, body = Problem),
    (status = 401, body = Problem, description = "`wrong-password`, `second-factor-needed`"),
    (status = 413, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem),
), security(()))]
pub(crate) async fn create(
    Extract(api): State,
    source: Source,
    _: Query<Nothing>,
    Body(request): Body<NewSession>,
) -> Result<Response> {
    check_length("user", &request.user, NAME_LENGTH_MAX)?;
    // It is written to the audit log whether there is such a user or not.
    check_plain("user", &request.user)?;
    check_length("password", &request.password, PASSWORD_LENGTH_MAX)?;
    let (address, name) = (&source.address, &request.user);
    let keys = [
        (format!("{address}/{name}"), Limit::PAIR),
        (format!("address {address}"), Limit::ADDRESS),
        (format!("user {name}"), Limit::USER),
    ];
    let user = users::find_by_name(&api.store, &request.user);
    let known = user.as_ref().filter(|user| user.object.identity.is_none());
    let known = known.map(|user| user.object.password_hash.clone());
    let is_right = passwords::verify(&api, &keys, request.password, known).await?;
    let Some(mut user) = user.filter(|_| is_right) else {
        let (name, address) = (&request.user, &source.address);
        let entry = entry(name, address, "session.create", name, "wrong-password");
        api.store.append_audit(entry).await?;
        return Err(ApiError::new(Code::WrongPassword, "the user or the password is wrong"));
    };
    let has_second_factor = user.object.has_second_factor();
    if has_second_factor {
        take_code(&api, &source, &mut user.object, request.code.as_deref()).await?;
    }
    // Of two who give the same code at one moment one is refused.
    let txn = if has_second_factor { Txn::new().update(&user) } else { Txn::new() };
    match open(&api, &source, &user.object, txn, String::new()).await {
        Err(StoreError::Conflict { .. }) => {
            let words = "the code was used at the same moment; wait for the next one";
            Err(ApiError::new(Code::WrongPassword, words))
        }
        other => Ok(other?),
    }
}

/// Opens a session of a user, together with what has to be saved with it.
///
/// # Errors
/// When that is not as it was read any more, or the store refuses.
pub(crate) async fn open(
    api: &Inner,
    source: &Source,
    user: &User,
    txn: Txn,
    detail: String,
) -> std::result::Result<Response, StoreError> {
    let secret = passwords::random(52);
    let expires_at = Timestamp::from_millis(Timestamp::now().as_millis() + SESSION_MS);
    let token = Token {
        id: TokenId::generate(),
        secret_hash: tokens::hash(&secret),
        kind: TokenKind::Session,
        name: "session".to_owned(),
        user: user.id.clone(),
        created_at: Timestamp::now(),
        expires_at: Some(expires_at),
        last_used_at: None,
        scope: Scope::default(),
        source: source.address.clone(),
        program: source.program.clone(),
    };
    let name = &user.name;
    let entry = entry(name, &source.address, "session.create", name, "ok");
    let txn = txn.insert(&token).audit(AuditEntry { detail, ..entry });
    let txn = expired(api)
        .iter()
        .fold(txn, |txn, old| txn.delete::<Token>(&old.object.secret_hash, None));
    api.store.commit(txn).await?;
    let cookie = cookie(Some(&secret), source.over_tls);
    let session =
        Session { token: secret, user: view(user, listed_as(&source.address)), expires_at };
    let mut response = (StatusCode::CREATED, Json(session)).into_response();
    set_cookie(&mut response, &cookie);
    Ok(response)
}

/// Whether the code that belongs to the password is there and right; what is not is kept.
async fn take_code(
    api: &Inner,
    source: &Source,
    user: &mut User,
    code: Option<&str>,
) -> Result<()> {
    let code = code.filter(|code| !code.trim().is_empty()).ok_or_else(|| {
        ApiError::new(Code::SecondFactorNeeded, "a code of your application is needed too")
            .hint("send it as `code`")
    })?;
    let Err(refusal) = second_factor::use_code(api, user, code) else { return Ok(()) };
    let entry = entry(&user.name, &source.address, "session.create", &user.name, "wrong-code");
    api.store.append_audit(entry).await?;
    Err(refusal)
}

pub(crate) fn check_length(field: &str, text: &str, most: usize) -> Result<()> {
    if text.len() > most {
        return Err(ApiError::field(field, format!("use at most {most} characters")));
    }
    Ok(())
}

/// Refuses characters that would do something to the terminal they are shown on.
pub(crate) fn check_plain(field: &str, text: &str) -> Result<()> {
    if text.chars().any(char::is_control) {
        return Err(ApiError::field(field, "use no control characters"));
    }
    Ok(())
}

fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
}

/// Sign out: the session, or the token, that asks is forgotten.
#[utoipa::path(delete, path = "/v1/sessions/current", tag = "sessions", operation_id = "sign_out",
    responses(
    (status = 204),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
))]
pub(crate) async fn delete(
    Extract(api): State,
    caller: Caller,
    source: Source,
    _: Query<Nothing>,
) -> Result<Response> {
    let txn = Txn::new()
        .delete::<Token>(&caller.token.secret_hash, None)
        .audit(caller.entry("session.delete", &caller.user.name));
    api.store.commit(txn).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, &cookie(None, source.over_tls));
    Ok(response)
}

/// One's own sessions, the newest first.
#[utoipa::path(get, path = "/v1/sessions", tag = "sessions", operation_id = "list_sessions",
    responses(
    (status = 200, body = Vec<SessionView>), (status = 400, body = Problem),
    (status = 401, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
) -> Json<Vec<SessionView>> {
    let own = own(&api, &caller).into_iter().map(|token| SessionView {
        current: token.id == caller.token.id,
        id: token.id,
        source: token.source,
        program: token.program,
        created_at: token.created_at,
        last_used_at: token.last_used_at,
        expires_at: token.expires_at,
    });
    Json(own.collect())
}

fn own(api: &Inner, caller: &Caller) -> Vec<Token> {
    let sessions = api.store.list_where(|token: &Token| {
        token.kind == TokenKind::Session && token.user == caller.user.id
    });
    let over = expired(api);
    let is_over = |id: &TokenId| over.iter().any(|token| token.object.id == *id);
    let mut own: Vec<Token> = sessions.into_iter().map(|token| token.object).collect();
    own.retain(|token| !is_over(&token.id));
    own.sort_by(|a, b| b.id.cmp(&a.id));
    own
}

/// End one of one's own sessions.
#[utoipa::path(delete, path = "/v1/sessions/{id}", tag = "sessions",
    operation_id = "end_session", params(("id" = String, Path)), responses(
    (status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 404, body = Problem),
))]
pub(crate) async fn end(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let session = own(&api, &caller).into_iter().find(|token| token.id.as_str() == id);
    let session = session.ok_or_else(|| ApiError::not_found("session", &id))?;
    let txn = Txn::new()
        .delete::<Token>(&session.secret_hash, None)
        .audit(caller.entry("session.end", &format!("from {}", session.source)));
    api.store.commit(txn).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who asks.
#[utoipa::path(get, path = "/v1/me", tag = "sessions", operation_id = "show_me", responses(
    (status = 200, body = UserView), (status = 400, body = Problem), (status = 401, body = Problem),
))]
pub(crate) async fn me(caller: Caller, _: Query<Nothing>) -> Json<UserView> {
    let access = caller.access.clone();
    Json(UserView { access, ..view(&caller.user, caller.listed_as()) })
}

/// Change one's own password; other sessions end.
#[utoipa::path(put, path = "/v1/me/password", tag = "sessions", operation_id = "change_password",
    request_body = NewPassword, responses(
    (status = 204), (status = 400, body = Problem),
    (status = 401, body = Problem, description = "`unauthenticated`, `wrong-password`"),
    (status = 403, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem),
    (status = 422, body = Problem), (status = 429, body = Problem),
))]
pub(crate) async fn change_password(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Body(request): Body<NewPassword>,
) -> Result<StatusCode> {
    if request.new.chars().count() < passwords::LENGTH_MIN {
        return Err(ApiError::field("new", "use 12 characters or more"));
    }
    check_length("new", &request.new, PASSWORD_LENGTH_MAX)?;
    check_length("current", &request.current, PASSWORD_LENGTH_MAX)?;
    identity::refuse_foreign(&caller.user)?;
    if request.new == request.current {
        return Err(ApiError::field("new", "choose one that differs from the current one"));
    }
    let keys = [(format!("password of {}", caller.user.id), Limit::PAIR)];
    // Read before the current one is checked: of two changes at one moment one is refused.
    let mut user: Stored<User> = api.store.get(caller.user.id.as_str())?;
    let known = Some(user.object.password_hash.clone());
    if !passwords::verify(&api, &keys, request.current, known).await? {
        return Err(ApiError::new(Code::WrongPassword, "the current password is wrong"));
    }
    let hashed = passwords::hash(&api, request.new).await;
    user.object.password_hash = hashed;
    user.object.must_change_password = false;
    let others = api.store.list_where(|token: &Token| {
        token.kind == TokenKind::Session
            && token.user == caller.user.id
            && token.id != caller.token.id
    });
    let txn = Txn::new().update(&user).audit(caller.entry("password.change", &caller.user.name));
    let txn =
        others.iter().fold(txn, |txn, token| txn.delete::<Token>(&token.object.secret_hash, None));
    api.store.commit(txn).await?;
    Ok(StatusCode::NO_CONTENT)
}
