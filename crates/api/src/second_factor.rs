//! A second factor: six digits that an application shows for half a minute (RFC 6238), and codes
//! for when it is lost.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use bellwether_model::problem::{Code, Problem};
use bellwether_model::user::{
    NewSecondFactor, QrCode, RecoveryCodes, SecondFactorCode, SecondFactorSecret,
};
use bellwether_model::{Timestamp, UserId};
use bellwether_store::users::{SecondFactor, User};
use bellwether_store::{Stored, Txn, tokens};
use qrcodegen::{QrCode as Squares, QrCodeEcc};
use totp_rs::{Algorithm, Builder, Secret, Totp};

use crate::auth::{Caller, Limit};
use crate::error::{ApiError, Result};
use crate::extract::{Body, Nothing, Path, Query};
use crate::{Inner, State, identity, passwords, users};

/// As long as the digest that it keys.
const SECRET_BYTES: usize = 20;

/// Codes for when the application is lost, each good once.
const RECOVERY_CODES: usize = 8;

/// What the seal of a user's secret is for.
fn purpose(user: &UserId) -> String {
    format!("second factor of {user}")
}

/// Begin to use a second factor: the secret for the application, shown this once. It counts from
/// its first code on.
#[utoipa::path(post, path = "/v1/me/second-factor", tag = "sessions",
    operation_id = "begin_second_factor", request_body = NewSecondFactor, responses(
    (status = 201, body = SecondFactorSecret), (status = 400, body = Problem),
    (status = 401, body = Problem, description = "`unauthenticated`, `wrong-password`"),
    (status = 403, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem),
    (status = 422, body = Problem), (status = 429, body = Problem),
))]
pub(crate) async fn begin(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Body(request): Body<NewSecondFactor>,
) -> Result<(StatusCode, Json<SecondFactorSecret>)> {
    identity::refuse_foreign(&caller.user)?;
    let mut user = own(&api, &caller, request.password).await?;
    if user.object.has_second_factor() {
        let words = "a second factor is in use already";
        return Err(ApiError::new(Code::OperationRefused, words).hint("end it first"));
    }
    let secret: [u8; SECRET_BYTES] = rand::random();
    let shown = shown(&secret, &user.object.name);
    user.object.second_factor = Some(SecondFactor {
        secret: api.store.seal(&purpose(&user.object.id), &secret),
        is_confirmed: false,
        last_step: 0,
        recovery: Vec::new(),
    });
    let entry = caller.entry("second-factor.begin", &caller.user.name);
    api.store.commit(Txn::new().update(&user).audit(entry)).await?;
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Confirm it with the first code. The answer has the codes for when the application is lost, shown
/// this once.
#[utoipa::path(put, path = "/v1/me/second-factor", tag = "sessions",
    operation_id = "confirm_second_factor", request_body = SecondFactorCode, responses(
    (status = 200, body = RecoveryCodes), (status = 400, body = Problem),
    (status = 401, body = Problem, description = "`unauthenticated`, `wrong-password`"),
    (status = 403, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem),
    (status = 422, body = Problem), (status = 429, body = Problem),
))]
pub(crate) async fn confirm(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Body(request): Body<SecondFactorCode>,
) -> Result<Json<RecoveryCodes>> {
    let mut user: Stored<User> = api.store.get(caller.user.id.as_str())?;
    let begun = user.object.second_factor.as_ref().is_some_and(|factor| !factor.is_confirmed);
    if !begun {
        let words = "no second factor awaits its first code";
        return Err(ApiError::new(Code::OperationRefused, words).hint("begin with one first"));
    }
    use_code(&api, &mut user.object, &request.code)?;
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| passwords::random(12)).collect();
    if let Some(factor) = &mut user.object.second_factor {
        factor.is_confirmed = true;
        factor.recovery = codes.iter().map(|code| tokens::hash(code)).collect();
    }
    let entry = caller.entry("second-factor.confirm", &caller.user.name);
    api.store.commit(Txn::new().update(&user).audit(entry)).await?;
    Ok(Json(RecoveryCodes { codes }))
}

/// Use a second factor no more.
#[utoipa::path(post, path = "/v1/me/second-factor/end", tag = "sessions",
    operation_id = "end_second_factor", request_body = NewSecondFactor, responses(
    (status = 204), (status = 400, body = Problem),
    (status = 401, body = Problem, description = "`unauthenticated`, `wrong-password`"),
    (status = 403, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
    (status = 429, body = Problem),
))]
pub(crate) async fn end(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Body(request): Body<NewSecondFactor>,
) -> Result<StatusCode> {
    let mut user = own(&api, &caller, request.password).await?;
    user.object.second_factor = None;
    let entry = caller.entry("second-factor.end", &caller.user.name);
    api.store.commit(Txn::new().update(&user).audit(entry)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take somebody's second factor away: the application and the codes for its loss are lost.
#[utoipa::path(delete, path = "/v1/users/{user}/second-factor", tag = "users",
    operation_id = "remove_second_factor",
    params(("user" = String, Path, description = "id or name")), responses(
    (status = 204), (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 404, body = Problem),
))]
pub(crate) async fn remove(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    let mut user = users::find(&api, &name)?;
    user.object.second_factor = None;
    let entry = caller.entry("second-factor.remove", &user.object.name);
    api.store.commit(Txn::new().update(&user).audit(entry)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The caller, who has shown the password again.
async fn own(api: &Inner, caller: &Caller, password: String) -> Result<Stored<User>> {
    let user: Stored<User> = api.store.get(caller.user.id.as_str())?;
    let keys = [(format!("password of {}", caller.user.id), Limit::PAIR)];
    let known = Some(user.object.password_hash.clone());
    if passwords::verify(api, &keys, password, known).await? {
        return Ok(user);
    }
    Err(ApiError::new(Code::WrongPassword, "the password is wrong"))
}

/// Takes a code of the application, or one for its loss. Each is good once: the caller saves the
/// user.
pub(crate) fn use_code(api: &Inner, user: &mut User, code: &str) -> Result<()> {
    let key = format!("code of {}", user.id);
    api.throttle.check(&key, Limit::PAIR)?;
    if takes(api, user, code) {
        api.throttle.succeeded(&key);
        return Ok(());
    }
    api.throttle.failed(&key);
    Err(ApiError::new(Code::WrongPassword, "the code is wrong, or was used already")
        .hint("wait for the next one; is the clock of the device right?"))
}

fn takes(api: &Inner, user: &mut User, code: &str) -> bool {
    let purpose = purpose(&user.id);
    let Some(factor) = &mut user.second_factor else { return false };
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let hashed = tokens::hash(&code);
    if let Some(index) = factor.recovery.iter().position(|known| *known == hashed) {
        factor.recovery.remove(index);
        return true;
    }
    let Ok(secret) = api.store.unseal(&purpose, &factor.secret) else { return false };
    let seconds = u64::try_from(Timestamp::now().as_millis() / 1_000).unwrap_or(0);
    let step = totp(&secret).and_then(|totp| totp.check(&code, seconds));
    let is_new = step.is_some_and(|step| step > factor.last_step);
    if is_new {
        factor.last_step = step.unwrap_or_default();
    }
    is_new
}

/// As every application does it by default.
fn totp(secret: &[u8]) -> Option<Totp> {
    let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_skew(1);
    builder.with_step_duration(30).with_secret(Secret::from(secret)).build().ok()
}

fn shown(secret: &[u8], name: &str) -> SecondFactorSecret {
    let secret = Secret::from(secret).to_base32();
    // The other characters that a user's name may have need no encoding.
    let name = name.replace('@', "%40").replace('+', "%2B");
    let uri = format!("otpauth://totp/Bellwether:{name}?secret={secret}&issuer=Bellwether");
    let squares = Squares::encode_text(&uri, QrCodeEcc::Medium).expect("it is short");
    let size = squares.size();
    let mut path = String::new();
    for y in 0..size {
        for x in (0..size).filter(|x| squares.get_module(*x, y)) {
            path += &format!("M{x} {y}h1v1h-1z");
        }
    }
    SecondFactorSecret { secret, uri, qr: QrCode { size: size.unsigned_abs(), path } }
}
