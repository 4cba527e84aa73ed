//! Bearer tokens of programs.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use bellwether_model::access::Scope;
use bellwether_model::problem::Problem;
use bellwether_model::user::{CreatedToken, NewToken, TokenView};
use bellwether_model::{Timestamp, TokenId};
use bellwether_store::Txn;
use bellwether_store::tokens::{self, Token, TokenKind};

use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Body, Nothing, Path, Query};
use crate::sessions::check_plain;
use crate::{State, passwords, projects};

/// Ten years.
const DAYS_MAX: u32 = 3_650;

fn view(token: &Token) -> TokenView {
    TokenView {
        id: token.id.clone(),
        name: token.name.clone(),
        created_at: token.created_at,
        expires_at: token.expires_at,
        last_used_at: token.last_used_at,
        scope: token.scope.clone(),
    }
}

fn own(api: &crate::Inner, caller: &Caller) -> Vec<Token> {
    let mut tokens: Vec<Token> = api
        .store
        .list_where(|token: &Token| token.kind == TokenKind::Api && token.user == caller.user.id)
        .into_iter()
        .map(|token| token.object)
        .collect();
    tokens.sort_by(|a, b| a.id.cmp(&b.id));
    tokens
}

/// One's own bearer tokens.
#[utoipa::path(get, path = "/v1/tokens", tag = "tokens", operation_id = "list_tokens",
    responses(
    (status = 200, body = Vec<TokenView>),
    (status = 400, body = Problem), (status = 401, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
) -> Json<Vec<TokenView>> {
    Json(own(&api, &caller).iter().map(view).collect())
}

/// Make a bearer token; its secret is shown this once.
#[utoipa::path(post, path = "/v1/tokens", tag = "tokens", operation_id = "create_token",
    request_body = NewToken, responses(
    (status = 201, body = CreatedToken), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem), (status = 413, body = Problem),
    (status = 422, body = Problem),
))]
pub(crate) async fn create(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Body(request): Body<NewToken>,
) -> Result<(StatusCode, Json<CreatedToken>)> {
    if request.name.trim().is_empty() || request.name.len() > 100 {
        return Err(ApiError::field("name", "say in 1 to 100 characters what the token is for"));
    }
    check_plain("name", &request.name)?;
    if request.days.is_some_and(|days| days == 0 || days > DAYS_MAX) {
        let words =
            format!("use 1 to {DAYS_MAX}, or leave it out for a token that does not expire");
        return Err(ApiError::field("days", words));
    }
    let secret = format!("bw_{}", passwords::random(48));
    let now = Timestamp::now();
    let day_ms = 86_400_000;
    let token = Token {
        id: TokenId::generate(),
        secret_hash: tokens::hash(&secret),
        kind: TokenKind::Api,
        name: request.name.trim().to_owned(),
        user: caller.user.id.clone(),
        created_at: now,
        expires_at: request
            .days
            .map(|days| Timestamp::from_millis(now.as_millis() + i64::from(days) * day_ms)),
        last_used_at: None,
        scope: narrowed(&api, &caller, request.scope)?,
        source: String::new(),
        program: String::new(),
    };
    let role = token.scope.role.map_or_else(|| "any role".to_owned(), |role| role.to_string());
    let project = token.scope.project.as_deref().unwrap_or("every project");
    let entry = caller.entry_of("token.create", &token.name, format!("{role} in {project}"));
    let txn = Txn::new().insert(&token).audit(entry);
    api.store.commit(txn).await?;
    Ok((StatusCode::CREATED, Json(CreatedToken { token: view(&token), secret })))
}

/// A token that is made with a token may no more than that.
fn narrowed(api: &crate::Inner, caller: &Caller, asked: Scope) -> Result<Scope> {
    let own = &caller.token.scope;
    if let Some(project) = &asked.project
        && (!projects::exists(api, project) || !caller.sees(project))
    {
        return Err(ApiError::field("scope.project", format!("there is no project `{project}`")));
    }
    let role = match (asked.role, own.role) {
        (Some(asked), Some(own)) => Some(asked.min(own)),
        (asked, own) => asked.or(own),
    };
    Ok(Scope { role, project: asked.project.or_else(|| own.project.clone()) })
}

/// Forget a bearer token: it is refused from now on.
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "tokens",
    operation_id = "delete_token", params(("id" = String, Path)),
    responses((status = 204),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub(crate) async fn delete(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let token = own(&api, &caller).into_iter().find(|token| token.id.as_str() == id);
    let token = token.ok_or_else(|| ApiError::not_found("token", &id))?;
    let txn = Txn::new()
        .delete::<Token>(&token.secret_hash, None)
        .audit(caller.entry("token.delete", &token.name));
    api.store.commit(txn).await?;
    Ok(StatusCode::NO_CONTENT)
}
