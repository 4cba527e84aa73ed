//! Small questions about nodes that several loops ask.

use bellwether_model::{Node, NodeId};

use crate::world::World;

/// The node's name, or its id when it is gone.
pub(crate) fn name(world: &World, node: &NodeId) -> String {
    world
        .store
        .find::<Node>(node.as_str())
        .map_or_else(|| node.to_string(), |node| node.object.name)
}
