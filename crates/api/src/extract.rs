//! What a request brings: its body, query and path. What is wrong with them is said in the API's
//! own form, with the field where there is one.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use bellwether_model::problem::Code;
use serde::de::DeserializeOwned;

use crate::error::{ApiError, Result};

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        if !is_json(request.headers()) {
            return Err(ApiError::new(Code::BadRequest, "the body must be JSON")
                .hint("send `content-type: application/json`"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|error| {
            if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
                ApiError::new(Code::PayloadTooLarge, "the body is larger than 256 KiB")
            } else {
                ApiError::new(Code::BadRequest, "the body could not be read to its end")
            }
        })?;
        read(&bytes).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // A list would be read as the fields in the order they happen to be declared in.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(ApiError::field("body", "send a JSON object, not a list"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        match error.classify() {
            serde_json::error::Category::Data => wrong_field(&path, &error.to_string()),
            _ => not_json(&error),
        }
    })?;
    reader.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

fn not_json(error: &serde_json::Error) -> ApiError {
    ApiError::new(Code::BadRequest, format!("the body is no valid JSON: {error}"))
}

/// The path names what was being read; a field that is missing or unknown is named by the message.
fn wrong_field(path: &str, message: &str) -> ApiError {
    let message = message.split(" at line ").next().unwrap_or(message);
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start))
        .and_then(|rest| rest.split('`').next());
    let field = match (path, named) {
        ("." | "?", None) => "body".to_owned(),
        ("." | "?", Some(name)) => name.to_owned(),
        (path, Some(name)) if path.rsplit('.').next() != Some(name) => format!("{path}.{name}"),
        (path, _) => path.to_owned(),
    };
    ApiError::field(&field, message)
}

/// The parameters of the query.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        use axum::extract::Query as Read;
        match Read::<T>::try_from_uri(&parts.uri) {
            Ok(Read(value)) => Ok(Self(value)),
            Err(error) => {
                let text = error.body_text();
                let text = text.strip_prefix("Failed to deserialize query string: ");
                Err(wrong_parameter(text.unwrap_or("the query cannot be read")))
            }
        }
    }
}

fn wrong_parameter(text: &str) -> ApiError {
    let twice = text.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`'));
    match (twice, text.split_once(": ")) {
        (Some(name), _) => ApiError::parameter(name, "it is there twice"),
        (None, Some((name, message))) => ApiError::parameter(name, message),
        (None, None) => ApiError::new(Code::BadRequest, text),
    }
}

/// The query where no parameter is known: one that is given was meant for another request, and a
/// `plan=true` must not be passed over.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// The variable parts of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        use axum::extract::Path as Read;
        match Read::<T>::from_request_parts(parts, state).await {
            Ok(Read(value)) => Ok(Self(value)),
            Err(error) => Err(ApiError::new(Code::BadRequest, error.body_text())
                .hint("names in the path are UTF-8, percent-encoded")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_model::ClusterSpec;

    fn problem(body: &str) -> String {
        format!("{:?}", read::<ClusterSpec>(body.as_bytes()).expect_err(body))
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        for (body, field) in [
            ("{}", "name"),
            ("[]", "body"),
            (r#"{"name": 7}"#, "name"),
            (r#"{"name":"a","colour":1}"#, "colour"),
            (r#"{"name":"a","name":"b"}"#, "name"),
            (r#"{"size":{"cpus":"many"}}"#, "size.cpus"),
            (r#"{"size":{"cpus":1,"memory":"lots","disk":1}}"#, "size.memory"),
            (r#"{"size":{"cpus":1,"shape":1}}"#, "size.shape"),
            (r#"{"size":{"cpus":1}}"#, "size.memory"),
            (r#"{"nodes":-1}"#, "nodes"),
            (r#"{"replication":"sometimes"}"#, "replication"),
        ] {
            let problem = problem(body);
            assert!(problem.contains(&format!("field: \"{field}\"")), "{body}: {problem}");
            assert!(!problem.contains("at line"), "{body}: {problem}");
        }
        for body in ["", "{", "nonsense", "\u{1}"] {
            assert!(problem(body).contains("BadRequest"), "{body}");
        }
        assert!(read::<serde_json::Value>(b"{} {}").is_err());
    }
}
