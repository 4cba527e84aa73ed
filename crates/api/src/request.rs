//! Around every request: an id that its answer and the log carry, and headers that all answers
//! have.

use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

tokio::task_local! {
    static ID: String;
}

fn new_id() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// The id of the request that is being served.
pub(crate) fn id() -> String {
    ID.try_with(Clone::clone).unwrap_or_else(|_| new_id())
}

pub(crate) async fn around(request: Request, next: Next) -> Response {
    let id = new_id();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let begun = Instant::now();
    let mut response = ID.scope(id.clone(), next.run(request)).await;
    let status = response.status().as_u16();
    let ms = begun.elapsed().as_millis();
    tracing::debug!(request = %id, %method, path, status, ms, "answered");
    let headers = response.headers_mut();
    let id = HeaderValue::from_str(&id).expect("hexadecimal digits");
    headers.insert(HeaderName::from_static("x-request-id"), id);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Answers are of this moment, and some carry secrets.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
