//! The document of the API: what is the same for every path is said once, here.

use bellwether_model::problem::Code;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, RefOr, Response};

/// What refusals are, for programs (RFC 9457).
pub(crate) const PROBLEM: &str = "application/problem+json";

/// How callers show who they are.
struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let cookie = ApiKey::Cookie(ApiKeyValue::new("bellwether_session"));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

#[derive(utoipa::OpenApi)]
#[openapi(modifiers(&Security), security(("token" = []), ("session" = [])), info(
    title = "Bellwether",
    description = "Creates and runs clusters of databases. Errors are problem details (RFC 9457) \
                   with a stable `code`. Authenticate with `Authorization: Bearer <token>`, or \
                   with the cookie of a session; requests that change something by cookie need the \
                   header `X-Bellwether: 1`.",
    license(name = "Apache-2.0"),
))]
pub(crate) struct Document;

/// Says of every answer what kind it is: refusals are problem details, with the codes they have.
pub(crate) fn finish(document: &mut OpenApi) {
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        for (status, response) in &mut operation.responses.responses {
            if let RefOr::T(response) = response {
                finish_response(status, response);
            }
        }
    }
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut path.get, &mut path.put, &mut path.post, &mut path.patch, &mut path.delete]
        .into_iter()
        .flatten()
}

fn finish_response(status: &str, response: &mut Response) {
    let code = usual_code(status).map(|code| code.facts().0);
    if response.description.is_empty() {
        response.description = match (code, status) {
            (Some(code), _) => format!("`{code}`"),
            (None, "201") => "made".to_owned(),
            (None, "202") => "accepted: it is done in the background".to_owned(),
            (None, _) => "done".to_owned(),
        };
    }
    if code.is_some() {
        let content = std::mem::take(&mut response.content);
        response.content =
            content.into_iter().map(|(_, content)| (PROBLEM.to_owned(), content)).collect();
    }
}

/// The code of a refusal where its path says nothing else.
fn usual_code(status: &str) -> Option<Code> {
    let code = match status {
        "400" => Code::BadRequest,
        "401" => Code::Unauthenticated,
        "403" => Code::Forbidden,
        "404" => Code::NotFound,
        "409" => Code::OperationRefused,
        "412" => Code::GenerationMismatch,
        "413" => Code::PayloadTooLarge,
        "422" => Code::InvalidField,
        "429" => Code::TooManyAttempts,
        "503" => Code::ProviderUnavailable,
        _ => return None,
    };
    Some(code)
}
