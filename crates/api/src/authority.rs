//! The server's certificate authority, and its rotation.

use axum::Json;
use axum::extract::State as Extract;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bellwether_model::authority::{
    AuthorityCertificate, AuthorityRole, AuthorityState, AuthorityView,
};
use bellwether_model::problem::{Code, Problem};
use bellwether_planner::authority::{refusal, words};
use bellwether_store::settings::{Rotation, ServerSettings};
use bellwether_store::{Stored, Txn};

use crate::auth::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Nothing, Query};
use crate::{Inner, State};

pub(crate) fn settings(api: &Inner) -> Result<Stored<ServerSettings>> {
    ServerSettings::of(&api.store).ok_or_else(|| ApiError::internal("the server has no settings"))
}

fn view(api: &Inner, settings: &ServerSettings) -> AuthorityView {
    let (state, waiting) = settings.state(&api.store);
    let certificate =
        |role, pem: &str| AuthorityCertificate { role, fingerprint: fingerprint(pem) };
    let other_role = match settings.rotation {
        Some(Rotation::Former { .. }) => AuthorityRole::Former,
        _ => AuthorityRole::Next,
    };
    let signs = certificate(AuthorityRole::Signs, &settings.authority_certificate);
    let other = settings.other_certificate().map(|pem| certificate(other_role, pem));
    AuthorityView {
        state,
        message: words(state, &waiting),
        ca_certificate: settings.trusted(),
        authorities: std::iter::once(signs).chain(other).collect(),
        waiting,
    }
}

/// As `openssl x509 -fingerprint -sha256` prints it.
fn fingerprint(pem: &str) -> String {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = BASE64.decode(body).unwrap_or_default();
    let digest = ring::digest::digest(&ring::digest::SHA256, &der);
    let bytes: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

/// Who signs certificates and who is trusted.
#[utoipa::path(get, path = "/v1/authority", tag = "authority", operation_id = "show_authority",
    responses(
    (status = 200, body = AuthorityView), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem),
))]
pub(crate) async fn show(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
) -> Result<Json<AuthorityView>> {
    Ok(Json(view(&api, &settings(&api)?.object)))
}

/// Make another authority, which nodes are told of. Both are trusted, and it signs nothing yet.
#[utoipa::path(post, path = "/v1/authority/rotation", tag = "authority",
    operation_id = "rotate_authority", responses(
    (status = 200, body = AuthorityView), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem),
))]
pub(crate) async fn rotate(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
) -> Result<Json<AuthorityView>> {
    let mut settings = settings(&api)?;
    if settings.object.rotation.is_some() {
        let (state, waiting) = settings.object.state(&api.store);
        return Err(ApiError::new(
            Code::OperationRefused,
            format!("the authority is being rotated already: {}", words(state, &waiting)),
        )
        .hint("end or cancel that rotation first"));
    }
    settings.object.rotation = Some(Rotation::Asked);
    save(&api, &caller, "authority.rotate", &settings).await
}

/// Trust the new authority no more, before it has signed anything.
#[utoipa::path(post, path = "/v1/authority/rotation/cancel", tag = "authority",
    operation_id = "cancel_authority_rotation", responses(
    (status = 200, body = AuthorityView), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem),
))]
pub(crate) async fn cancel(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
) -> Result<Json<AuthorityView>> {
    let mut settings = settings(&api)?;
    let refuse = |why: &str, hint: &str| {
        Err(ApiError::new(Code::OperationRefused, why.to_owned()).hint(hint))
    };
    match settings.object.rotation {
        Some(Rotation::Asked | Rotation::Next { .. }) => settings.object.end_rotation(),
        Some(Rotation::Former { .. }) => {
            return refuse(
                "the new authority signs already",
                "wait until the rotation has ended, then rotate again",
            );
        }
        None => {
            return refuse("no rotation of the authority is under way", "there is nothing to do");
        }
    }
    save(&api, &caller, "authority.cancel", &settings).await
}

/// Let the new authority sign. Clients that do not trust it are refused from then on. The former
/// one is trusted until every node has its certificate, then the rotation has ended.
#[utoipa::path(post, path = "/v1/authority/rotation/end", tag = "authority",
    operation_id = "end_authority_rotation", responses(
    (status = 200, body = AuthorityView), (status = 400, body = Problem),
    (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 409, body = Problem, description = "`operation-refused`: not every node trusts it"),
))]
pub(crate) async fn end(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
) -> Result<Json<AuthorityView>> {
    let mut settings = settings(&api)?;
    let (state, waiting) = settings.object.state(&api.store);
    if let Some((why, hint)) = refusal(state, &waiting) {
        return Err(ApiError::new(Code::OperationRefused, why).hint(hint));
    }
    debug_assert_eq!(state, AuthorityState::Introduced);
    settings.object.change_over();
    save(&api, &caller, "authority.end", &settings).await
}

async fn save(
    api: &Inner,
    caller: &Caller,
    action: &str,
    settings: &Stored<ServerSettings>,
) -> Result<Json<AuthorityView>> {
    let entry = caller.entry(action, "authority");
    api.store.commit(Txn::new().update(settings).audit(entry)).await?;
    Ok(Json(view(api, &self::settings(api)?.object)))
}
