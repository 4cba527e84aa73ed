//! How a new agent becomes a node.
