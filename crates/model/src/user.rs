//! People and programs that may use the API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Access, Scope};
use crate::id::{TokenId, UserId};
use crate::time::Timestamp;

/// A user as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserView {
    pub id: UserId,
    pub name: String,
    /// The first password was printed by the server: it must be changed before anything else is
    /// done in the dashboard.
    pub must_change_password: bool,
    /// Signing in takes a code of an application too.
    #[serde(default)]
    pub second_factor: bool,
    /// Signs in through the identity provider, and has no password.
    #[serde(default)]
    pub by_provider: bool,
    /// What may be done with what is asked with.
    #[serde(default)]
    pub access: Access,
    /// What an allowlist calls whoever asks: an address, or `server`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
}

/// `POST /v1/sessions`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    pub user: String,
    pub password: String,
    /// Of the application, or one for its loss, where the user has a second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A session: the token is shown this once. Browsers get it as a cookie too.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    pub token: String,
    pub user: UserView,
    pub expires_at: Timestamp,
}

/// `PUT /v1/me/password`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    pub current: String,
    /// 12 characters or more.
    pub new: String,
}

/// `POST /v1/tokens`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// Days until it expires; none: never.
    #[serde(default)]
    pub days: Option<u32>,
    /// What it may at most.
    #[serde(default, skip_serializing_if = "Scope::is_unlimited")]
    pub scope: Scope,
}

/// A bearer token as the API lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    pub id: TokenId,
    pub name: String,
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// What it may at most.
    #[serde(default)]
    pub scope: Scope,
}

/// A new bearer token: `secret` is shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    pub token: TokenView,
    pub secret: String,
}

/// A session as its user sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    pub id: TokenId,
    /// The address it was begun from.
    pub source: String,
    /// The program it was begun with, as that calls itself.
    pub program: String,
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// It is the one that asks.
    pub current: bool,
}

/// A user as those see it who manage users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserSummary {
    pub id: UserId,
    pub name: String,
    pub access: Access,
    /// The password was made by the server and not changed yet.
    pub must_change_password: bool,
    /// Signing in takes a code of an application too.
    #[serde(default)]
    pub second_factor: bool,
    /// Signs in through the identity provider, which says what they may; has no password.
    #[serde(default)]
    pub by_provider: bool,
    pub created_at: Timestamp,
    /// When a session or token was last used, to some minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
    pub sessions: u32,
    pub tokens: u32,
}

/// `POST /v1/users`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// 1 to 64 letters, digits and `.`, `_`, `-`, `@`, `+`; unique on the server.
    pub name: String,
    #[serde(default)]
    pub access: Access,
    /// 12 characters or more; one is made when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// `PATCH /v1/users/{user}`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    pub access: Access,
}

/// A user whose password was made: it is shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedUser {
    pub user: UserSummary,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// `POST /v1/me/second-factor`, and `/end` of it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecondFactor {
    /// One's own, again.
    pub password: String,
}

/// What an application that shows codes has to know, shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SecondFactorSecret {
    /// Base32, to be typed.
    pub secret: String,
    /// The same as an address that applications read.
    pub uri: String,
    /// The address as a picture.
    pub qr: QrCode,
}

/// A QR code: black squares of the size 1 as the path of an SVG.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct QrCode {
    /// Squares on each side.
    pub size: u32,
    pub path: String,
}

/// `PUT /v1/me/second-factor`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorCode {
    /// Six digits.
    pub code: String,
}

/// Codes for when the application is lost, each good once; shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodes {
    pub codes: Vec<String>,
}
