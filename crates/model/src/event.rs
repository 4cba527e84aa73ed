//! What changed, pushed to whoever watches (server-sent events).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cluster::ClusterView;
use crate::id::{ClusterId, NodeId, OperationId};
use crate::node::NodeView;
use crate::operation::Operation;

/// One message of `GET /v1/events`. The name of the server-sent event is `kind`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The first message, and again when messages were missed: read the lists anew.
    Hello {
        version: String,
    },
    Cluster {
        cluster: Box<ClusterView>,
    },
    ClusterGone {
        id: ClusterId,
    },
    /// At most a few times a second for each node.
    Node {
        node: Box<NodeView>,
    },
    NodeGone {
        id: NodeId,
        cluster: ClusterId,
    },
    Operation {
        operation: Box<Operation>,
    },
    OperationGone {
        id: OperationId,
    },
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Give it as `after` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
