//! Refusals as problem details, and extractors that refuse in the same form.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bellwether_model::problem::{Code, FieldProblem, Problem};
use serde::de::DeserializeOwned;

/// A refusal.
#[derive(Debug)]
pub struct ApiError {
    code: Code,
    detail: String,
    hint: String,
    fields: Vec<FieldProblem>,
    retry_after_seconds: Option<u64>,
}

pub(crate) type Result<T> = std::result::Result<T, ApiError>;

impl ApiError {
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            hint: String::new(),
            fields: Vec::new(),
            retry_after_seconds: None,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// One field is wrong.
    #[must_use]
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldProblem { field: field.to_owned(), message: message.into() }])
    }

    /// These fields are wrong.
    #[must_use]
    pub fn fields(fields: Vec<FieldProblem>) -> Self {
        let list = fields.iter().map(|f| format!("{}: {}", f.field, f.message));
        let detail = list.collect::<Vec<_>>().join("; ");
        Self { fields, ..Self::new(Code::InvalidField, detail) }
    }

    #[must_use]
    pub fn not_found(what: &str, name: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no {what} `{name}`"))
    }

    #[must_use]
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(Code::Internal, detail).hint("the server's log has more")
    }

    #[must_use]
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

impl From<bellwether_store::Error> for ApiError {
    fn from(error: bellwether_store::Error) -> Self {
        match error {
            bellwether_store::Error::NotFound { kind, key } => Self::not_found(&kind, &key),
            other => {
                tracing::error!("the store refused: {other}");
                Self::internal("the store refused")
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (word, status) = self.code.facts();
        let title = word.replace('-', " ");
        let problem = Problem {
            kind: format!("/docs/errors/{word}"),
            status,
            code: self.code,
            title,
            detail: self.detail,
            hint: self.hint,
            fields: self.fields,
            request_id: format!("{:016x}", rand::random::<u64>()),
        };
        if status >= 500 {
            tracing::error!(request = %problem.request_id, "{}", problem.detail);
        }
        let body = serde_json::to_string(&problem).expect("plain data");
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, kind, body).into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A JSON body; what is wrong with it is said in the API's own form.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        use axum::extract::rejection::JsonRejection;
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::JsonDataError(error)) => {
                let text = error.body_text();
                let text = text.split_once(": ").map_or(text.as_str(), |(_, rest)| rest);
                Err(ApiError::new(Code::InvalidField, text.to_owned()))
            }
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(ApiError::new(Code::BadRequest, "the body must be JSON")
                    .hint("send `content-type: application/json`"))
            }
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ApiError::new(Code::PayloadTooLarge, "the body is larger than 256 KiB"))
            }
            Err(error) => Err(ApiError::new(Code::BadRequest, error.body_text())),
        }
    }
}

/// Query parameters, likewise.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(ApiError::new(Code::BadRequest, error.body_text())),
        }
    }
}
