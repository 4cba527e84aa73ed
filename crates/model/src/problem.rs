//! What went wrong, as the API says it (RFC 9457 problem details) and as the CLI reads it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer to a request that could not be served: `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The page that explains the code: `/docs/errors/<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status.
    pub status: u16,
    /// A stable word for programs.
    pub code: Code,
    /// What is wrong, in one sentence.
    pub title: String,
    /// What is wrong with this request, naming the field or object.
    pub detail: String,
    /// What would be right, or what to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// The fields that are wrong, with the reason for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldProblem>,
    /// Names the request in the server's log.
    pub request_id: String,
}

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// The path of the field, for example `size.memory`.
    pub field: String,
    pub message: String,
}

/// The stable words. Each has a page under `docs/errors/`; add, never rename.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    BadRequest,
    InvalidField,
    Unauthenticated,
    WrongPassword,
    SecondFactorNeeded,
    SignInRefused,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NameTaken,
    GenerationMismatch,
    OperationRefused,
    IdempotencyKeyReused,
    JoinTokenInvalid,
    PayloadTooLarge,
    TooManyAttempts,
    ProviderUnavailable,
    Internal,
}

impl Code {
    pub const ALL: [Self; 18] = [
        Self::BadRequest,
        Self::InvalidField,
        Self::Unauthenticated,
        Self::WrongPassword,
        Self::SecondFactorNeeded,
        Self::SignInRefused,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NameTaken,
        Self::GenerationMismatch,
        Self::OperationRefused,
        Self::IdempotencyKeyReused,
        Self::JoinTokenInvalid,
        Self::PayloadTooLarge,
        Self::TooManyAttempts,
        Self::ProviderUnavailable,
        Self::Internal,
    ];

    /// The stable word and its HTTP status.
    #[must_use]
    pub fn facts(self) -> (&'static str, u16) {
        match self {
            Self::BadRequest => ("bad-request", 400),
            Self::InvalidField => ("invalid-field", 422),
            Self::Unauthenticated => ("unauthenticated", 401),
            Self::WrongPassword => ("wrong-password", 401),
            Self::SecondFactorNeeded => ("second-factor-needed", 401),
            Self::SignInRefused => ("sign-in-refused", 401),
            Self::Forbidden => ("forbidden", 403),
            Self::NotFound => ("not-found", 404),
            Self::MethodNotAllowed => ("method-not-allowed", 405),
            Self::NameTaken => ("name-taken", 409),
            Self::GenerationMismatch => ("generation-mismatch", 412),
            Self::OperationRefused => ("operation-refused", 409),
            Self::IdempotencyKeyReused => ("idempotency-key-reused", 409),
            Self::JoinTokenInvalid => ("join-token-invalid", 401),
            Self::PayloadTooLarge => ("payload-too-large", 413),
            Self::TooManyAttempts => ("too-many-attempts", 429),
            Self::ProviderUnavailable => ("provider-unavailable", 503),
            Self::Internal => ("internal", 500),
        }
    }
}
