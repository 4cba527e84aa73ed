//! Refusals as problem details.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bellwether_model::problem::{Code, FieldProblem, Problem};

use crate::{document, request};

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

    /// A parameter of the query is wrong.
    #[must_use]
    pub fn parameter(name: &str, message: impl Into<String>) -> Self {
        Self { code: Code::BadRequest, ..Self::field(name, message) }
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

    fn log(&self, id: &str, status: u16) {
        match status {
            500 => tracing::error!(request = %id, "{}", self.detail),
            501.. => tracing::warn!(request = %id, "{}: {}", self.detail, self.hint),
            _ => tracing::debug!(request = %id, "refused: {}", self.detail),
        }
    }
}

impl From<bellwether_store::Error> for ApiError {
    fn from(error: bellwether_store::Error) -> Self {
        use bellwether_store::Error as Store;
        match error {
            Store::NotFound { kind, key } => Self::not_found(&kind, &key),
            Store::Conflict { kind, .. } => {
                let words = format!("the {kind} was changed at the same moment");
                Self::new(Code::OperationRefused, words).hint("try again")
            }
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
        let request_id = request::id();
        self.log(&request_id, status);
        let problem = Problem {
            kind: format!("/docs/errors/{word}"),
            status,
            code: self.code,
            title: word.replace('-', " "),
            detail: self.detail,
            hint: self.hint,
            fields: self.fields,
            request_id,
        };
        let body = serde_json::to_string(&problem).expect("plain data");
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(header::CONTENT_TYPE, document::PROBLEM)];
        let mut response = (status, kind, body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
