//! Providers, and whether each can be used now.

use axum::Json;
use axum::extract::State as Extract;
use bellwether_model::problem::Problem;
use bellwether_model::provider::ProviderView;

use crate::State;
use crate::auth::Caller;
use crate::extract::{Nothing, Query};

/// Every provider of this server.
#[utoipa::path(get, path = "/v1/providers", tag = "providers", operation_id = "list_providers",
    responses(
    (status = 200, body = Vec<ProviderView>),
    (status = 400, body = Problem), (status = 401, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
) -> Json<Vec<ProviderView>> {
    let mut views = Vec::new();
    for provider in &api.providers {
        let check = crate::check_provider(provider.as_ref()).await;
        views.push(ProviderView {
            name: provider.name().to_owned(),
            title: provider.title().to_owned(),
            available: check.is_ok(),
            reason: check.err().unwrap_or_default(),
            limits: provider.limits(),
        });
    }
    Json(views)
}
