//! Sessions: signing in and out, and one's own password.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bellwether_model::problem::{Code, Problem};
use bellwether_model::user::{NewPassword, NewSession, Session, UserView};
use bellwether_model::{Timestamp, TokenId};
use bellwether_store::tokens::{self, Token, TokenKind};
use bellwether_store::users::{self, User};
use bellwether_store::{Stored, Txn};

use crate::auth::{COOKIE, Caller, SESSION_MS, Source, audit};
use crate::error::{ApiError, Body, Result};
use crate::{State, passwords};

fn view(user: &User) -> UserView {
    UserView {
        id: user.id.clone(),
        name: user.name.clone(),
        must_change_password: user.must_change_password,
    }
}

/// Sign in. Browsers are given a cookie too.
#[utoipa::path(post, path = "/v1/sessions", tag = "sessions", request_body = NewSession, responses(
    (status = 201, body = Session), (status = 401, body = Problem), (status = 422, body = Problem),
    (status = 400, body = Problem), (status = 429, body = Problem),
))]
pub(crate) async fn create(
    Extract(api): State,
    Source(source): Source,
    Body(request): Body<NewSession>,
) -> Result<Response> {
    let key = format!("{source}/{}", request.user);
    api.throttle.check(&key)?;
    let user = users::find_by_name(&api.store, &request.user);
    let known = user.as_ref().map(|user| user.object.password_hash.clone());
    if !passwords::verify(&api, request.password, known).await {
        api.throttle.failed(&key);
        audit(&api, &request.user, &source, "session.create", &request.user, "wrong-password")
            .await?;
        return Err(ApiError::new(Code::WrongPassword, "the user or the password is wrong"));
    }
    let Some(user) = user else { return Err(ApiError::internal("the user is gone")) };
    api.throttle.succeeded(&key);
    let secret = passwords::random(52);
    let expires_at = Timestamp::from_millis(Timestamp::now().as_millis() + SESSION_MS);
    let token = Token {
        id: TokenId::generate(),
        secret_hash: tokens::hash(&secret),
        kind: TokenKind::Session,
        name: "session".to_owned(),
        user: user.object.id.clone(),
        created_at: Timestamp::now(),
        expires_at: Some(expires_at),
        last_used_at: None,
    };
    let expired = expired(&api.store.list::<Token>());
    let txn = expired.iter().fold(Txn::new().insert(&token), |txn, old| {
        txn.delete::<Token>(&old.object.secret_hash, None)
    });
    api.store.commit(txn).await?;
    audit(&api, &user.object.name, &source, "session.create", &user.object.name, "ok").await?;
    let cookie = format!("{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict");
    let session = Session { token: secret, user: view(&user.object), expires_at };
    let mut response = (StatusCode::CREATED, Json(session)).into_response();
    set_cookie(&mut response, &cookie);
    Ok(response)
}

fn expired(tokens: &[Stored<Token>]) -> Vec<Stored<Token>> {
    let now = Timestamp::now();
    let is_over = |token: &&Stored<Token>| token.object.expires_at.is_some_and(|end| end < now);
    tokens.iter().filter(is_over).cloned().collect()
}

fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
}

/// Sign out: the session, or the token, that asks is forgotten.
#[utoipa::path(delete, path = "/v1/sessions/current", tag = "sessions", responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
))]
pub(crate) async fn delete(Extract(api): State, caller: Caller, _: HeaderMap) -> Result<Response> {
    api.store.commit(Txn::new().delete::<Token>(&caller.token.secret_hash, None)).await?;
    caller.audit(&api, "session.delete", &caller.user.name).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, &format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"));
    Ok(response)
}

/// Who asks.
#[utoipa::path(get, path = "/v1/me", tag = "sessions", responses(
    (status = 200, body = UserView), (status = 401, body = Problem),
))]
pub(crate) async fn me(caller: Caller) -> Json<UserView> {
    Json(view(&caller.user))
}

/// Change one's own password; other sessions end.
#[utoipa::path(put, path = "/v1/me/password", tag = "sessions", request_body = NewPassword,
    responses(
    (status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 422, body = Problem),
))]
pub(crate) async fn change_password(
    Extract(api): State,
    caller: Caller,
    Body(request): Body<NewPassword>,
) -> Result<StatusCode> {
    if request.new.chars().count() < passwords::LENGTH_MIN {
        return Err(ApiError::field("new", "use 12 characters or more"));
    }
    let known = Some(caller.user.password_hash.clone());
    if !passwords::verify(&api, request.current, known).await {
        return Err(ApiError::new(Code::WrongPassword, "the current password is wrong"));
    }
    let hashed = passwords::hash(&api, request.new).await?;
    let mut user: Stored<User> = api.store.get(caller.user.id.as_str())?;
    user.object.password_hash = hashed;
    user.object.must_change_password = false;
    let others = api.store.list::<Token>().into_iter().filter(|token| {
        token.object.kind == TokenKind::Session
            && token.object.user == caller.user.id
            && token.object.id != caller.token.id
    });
    let txn = others.fold(Txn::new().update(&user), |txn, token| {
        txn.delete::<Token>(&token.object.secret_hash, None)
    });
    api.store.commit(txn).await?;
    caller.audit(&api, "password.change", &caller.user.name).await?;
    Ok(StatusCode::NO_CONTENT)
}
