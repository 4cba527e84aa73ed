//! The REST API: authenticate, authorise, validate, write intent, audit, answer. It decides
//! nothing: what is allowed, what a plan is and how things are shown comes from the planner.

mod access;
mod allowlist;
mod audit;
mod auth;
mod authority;
mod backups;
mod clusters;
mod connection;
mod database_users;
mod databases;
mod document;
mod drills;
mod engines;
mod error;
mod events;
mod extract;
mod idempotency;
mod identity;
mod nodes;
mod operations;
mod paging;
mod parameters;
mod passwords;
mod projects;
mod providers;
mod reports;
mod repositories;
mod request;
mod restore;
mod second_factor;
mod sessions;
mod ssh_key;
mod tokens;
mod users;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use bellwether_contracts::{IdentityProvider, OpenRepository, Provider};
use bellwether_model::engine::EngineProfile;
use bellwether_model::problem::Code;
use bellwether_store::Store;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use access::decisions;
pub use auth::OverTls;
pub use error::ApiError;
pub use identity::apply_rules;
pub use passwords::{ensure_first_administrator, is_first_password_in_use};

/// The largest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// What the API works on.
pub struct Api {
    pub store: Store,
    pub engines: Vec<EngineProfile>,
    pub providers: Vec<Arc<dyn Provider>>,
    /// Opens repositories of backups.
    pub repositories: OpenRepository,
    /// Where people may sign in beside passwords.
    pub identity: Option<Arc<dyn IdentityProvider>>,
    pub version: String,
}

impl Api {
    fn engine(&self, name: &str) -> Option<&EngineProfile> {
        self.engines.iter().find(|engine| engine.name == name)
    }

    fn provider(&self, name: &str) -> Option<&Arc<dyn Provider>> {
        self.providers.iter().find(|provider| provider.name() == name)
    }
}

pub(crate) struct Inner {
    api: Api,
    throttle: auth::Throttle,
    pending: identity::Pending,
    hashing: tokio::sync::Semaphore,
}

impl std::ops::Deref for Inner {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

pub(crate) type State = axum::extract::State<Arc<Inner>>;

/// A provider that does not answer by then cannot be used.
const PROVIDER_ANSWER_MAX: Duration = Duration::from_secs(5);

/// Whether the provider can make machines now; why not and what to do, otherwise.
pub(crate) async fn check_provider(provider: &dyn Provider) -> Result<(), String> {
    match tokio::time::timeout(PROVIDER_ANSWER_MAX, provider.check()).await {
        Ok(check) => check.map_err(|failure| failure.text),
        Err(_) => {
            let seconds = PROVIDER_ANSWER_MAX.as_secs();
            Err(format!("{} did not answer within {seconds} s", provider.title()))
        }
    }
}

fn routes() -> OpenApiRouter<Arc<Inner>> {
    OpenApiRouter::with_openapi(document::Document::openapi())
        .routes(routes!(health))
        .routes(routes!(sessions::create, sessions::list))
        .routes(routes!(sessions::delete))
        .routes(routes!(sessions::end))
        .routes(routes!(sessions::me))
        .routes(routes!(sessions::change_password))
        .routes(routes!(identity::show))
        .routes(routes!(identity::begin))
        .routes(routes!(identity::end))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::delete))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::show, users::change, users::delete))
        .routes(routes!(users::reset_password))
        .routes(routes!(second_factor::begin, second_factor::confirm))
        .routes(routes!(second_factor::end))
        .routes(routes!(second_factor::remove))
        .routes(routes!(projects::list, projects::create))
        .routes(routes!(projects::delete))
        .routes(routes!(projects::set_member, projects::remove_member))
        .routes(routes!(authority::show))
        .routes(routes!(authority::rotate))
        .routes(routes!(authority::cancel))
        .routes(routes!(authority::end))
        .routes(routes!(engines::list))
        .routes(routes!(engines::show))
        .routes(routes!(providers::list))
        .routes(routes!(clusters::list, clusters::create))
        .routes(routes!(clusters::show, clusters::change, clusters::delete))
        .routes(routes!(connection::show))
        .routes(routes!(databases::list, databases::create))
        .routes(routes!(databases::drop))
        .routes(routes!(database_users::list, database_users::create))
        .routes(routes!(database_users::show, database_users::alter, database_users::drop))
        .routes(routes!(database_users::rotate))
        .routes(routes!(database_users::cancel_rotation))
        .routes(routes!(database_users::end_rotation))
        .routes(routes!(allowlist::show, allowlist::change))
        .routes(routes!(allowlist::decide))
        .routes(routes!(parameters::of_cluster))
        .routes(routes!(parameters::of_engine))
        .routes(routes!(nodes::list))
        .routes(routes!(nodes::show))
        .routes(routes!(operations::create))
        .routes(routes!(operations::list))
        .routes(routes!(operations::show, operations::cancel))
        .routes(routes!(reports::list))
        .routes(routes!(reports::show))
        .routes(routes!(drills::list))
        .routes(routes!(repositories::list, repositories::create))
        .routes(routes!(repositories::show, repositories::delete))
        .routes(routes!(repositories::key))
        .routes(routes!(backups::list))
        .routes(routes!(backups::show, backups::delete))
        .routes(routes!(backups::verify))
        .routes(routes!(events::watch))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
        .routes(routes!(audit::export))
}

/// The document of the API, generated from its code.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = routes().split_for_parts().1;
    document::finish(&mut document);
    document
}

/// Everything under `/v1`, and `/openapi/v1.json`.
pub fn router(api: Api) -> Router {
    let text = openapi().to_pretty_json().expect("the document is plain data");
    let inner = Arc::new(Inner {
        api,
        throttle: auth::Throttle::default(),
        pending: identity::Pending::default(),
        // Each hashing takes 19 MiB: a crowd of sign-ins must not take everything.
        hashing: tokio::sync::Semaphore::new(2),
    });
    let (router, _) = routes().split_for_parts();
    router
        .route(
            "/openapi/v1.json",
            axum::routing::get(|| async move {
                ([(axum::http::header::CONTENT_TYPE, "application/json")], text)
            }),
        )
        .route("/v1", axum::routing::any(unknown_path))
        .route("/v1/", axum::routing::any(unknown_path))
        .route("/v1/{*rest}", axum::routing::any(unknown_path))
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(
            |_: Box<dyn std::any::Any + Send>| {
                tracing::error!("a request broke its handler");
                ApiError::internal("the request broke its handler").into_response()
            },
        ))
        .layer(axum::middleware::from_fn(request::around))
        .with_state(inner)
}

async fn unknown_path(uri: axum::http::Uri) -> Response {
    ApiError::new(Code::NotFound, format!("there is no `{}` here", uri.path()))
        .hint("`/openapi/v1.json` lists every path")
        .into_response()
}

async fn unknown_method(method: axum::http::Method, uri: axum::http::Uri) -> Response {
    ApiError::new(Code::MethodNotAllowed, format!("`{}` does not answer to {method}", uri.path()))
        .hint("`/openapi/v1.json` lists the methods of every path")
        .into_response()
}

/// What a health check is told.
#[derive(serde::Serialize, utoipa::ToSchema)]
struct Health {
    /// `ok`.
    status: &'static str,
    version: String,
}

/// Whether the server answers. Needs no authentication.
#[utoipa::path(get, path = "/v1/health", tag = "server", operation_id = "show_health",
    responses((status = 200, body = Health)), security(()))]
async fn health(axum::extract::State(api): State) -> axum::Json<Health> {
    axum::Json(Health { status: "ok", version: api.version.clone() })
}
