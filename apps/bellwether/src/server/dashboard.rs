//! The dashboard, built into the program: hashed files are kept by browsers, the page is asked for
//! anew each time. Every path that is no file and no API is the page itself.

use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};
use rust_embed::{EmbeddedFile, RustEmbed};
use tower_http::compression::CompressionLayer;

#[derive(RustEmbed)]
#[folder = "../../dashboard/dist"]
#[allow_missing = true]
struct Files;

/// What the page may do: nothing from elsewhere, in no frame.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// The page and its files, sent compressed to browsers that ask for it.
pub(super) fn service() -> MethodRouter {
    any(serve).layer(CompressionLayer::new())
}

async fn serve(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("v1/") {
        // The API answers its own unknown paths; this one came past it.
        return StatusCode::NOT_FOUND.into_response();
    }
    if let Some(file) = Files::get(path).filter(|_| !path.is_empty()) {
        let is_hashed = path.starts_with("assets/");
        return answer(path, &file, is_hashed, &headers);
    }
    match Files::get("index.html") {
        Some(page) if !path.contains('.') => answer("index.html", &page, false, &headers),
        Some(_) => StatusCode::NOT_FOUND.into_response(),
        None => {
            let words = "This program was built without the dashboard: run `make dashboard` and \
                         build it again. The API is under /v1.";
            (StatusCode::NOT_FOUND, words).into_response()
        }
    }
}

fn answer(path: &str, file: &EmbeddedFile, is_hashed: bool, headers: &HeaderMap) -> Response {
    let etag: String = file.metadata.sha256_hash().iter().map(|b| format!("{b:02x}")).collect();
    let etag = format!("\"{etag}\"");
    let caching = if is_hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    let common = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, caching.to_owned()),
        (header::CONTENT_TYPE, content_type(path).to_owned()),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "same-origin".to_owned()),
    ];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, file.data.clone().into_owned()).into_response()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" | "map" => "application/json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
