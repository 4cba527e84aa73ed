//! Nodes of a cluster.

use axum::Json;
use axum::extract::State as Extract;
use bellwether_model::NodeView;
use bellwether_model::event::Page;
use bellwether_model::problem::Problem;
use bellwether_planner::{View, node_view};

use crate::State;
use crate::auth::Caller;
use crate::clusters::find_view;
use crate::error::{ApiError, Result};
use crate::extract::{Nothing, Path, Query};

/// The nodes of a cluster, by ordinal.
#[utoipa::path(get, path = "/v1/clusters/{cluster}/nodes", tag = "nodes",
    operation_id = "list_nodes",
    params(("cluster" = String, Path, description = "id or name")), responses(
    (status = 200, body = Page<NodeView>),
    (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 404, body = Problem),
))]
pub(crate) async fn list(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
    Path(cluster): Path<String>,
) -> Result<Json<Page<NodeView>>> {
    let view = find_view(&api, &cluster)?;
    let of_group = |group: &View| -> Vec<NodeView> {
        group.nodes.iter().filter_map(|facts| node_view(group, &facts.node.id)).collect()
    };
    let items = view.groups().iter().flat_map(of_group).collect();
    Ok(Json(Page { items, next: None }))
}

/// One node, by id or name.
#[utoipa::path(get, path = "/v1/clusters/{cluster}/nodes/{node}", tag = "nodes",
    operation_id = "show_node", params(
    ("cluster" = String, Path, description = "id or name"),
    ("node" = String, Path, description = "id or name")), responses(
    (status = 200, body = NodeView),
    (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem),
))]
pub(crate) async fn show(
    Extract(api): State,
    _: Caller,
    _: Query<Nothing>,
    Path((cluster, node)): Path<(String, String)>,
) -> Result<Json<NodeView>> {
    let view = find_view(&api, &cluster)?;
    let group = view.group_of(&node);
    let facts = group.node_named(&node);
    facts
        .and_then(|facts| node_view(group, &facts.node.id))
        .map(Json)
        .ok_or_else(|| ApiError::not_found("node", &node))
}
