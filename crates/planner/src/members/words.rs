//! What an operation does to a group of equals, in words, where that is other than to a primary
//! with replicas.

use bellwether_model::OperationKind;

use crate::view::View;

/// What is done to that node; none: what is done to any.
#[must_use]
pub(crate) fn summary(view: &View, kind: OperationKind, node: &str) -> Option<String> {
    let name = &view.cluster.spec.name;
    let from = view.primary().map_or("a node", |facts| facts.node.name.as_str());
    let led = "sessions that came to it through endpoints end, and find another";
    Some(match kind {
        OperationKind::AddNode => format!(
            "Adds a node to {name}, copied from {from}, that accepts writes like the others."
        ),
        OperationKind::ReplaceNode => format!(
            "Makes a new node, copied from {from}, that takes the place of {node}: when it accepts \
             writes, {node} leaves the group and goes with its machine and its disk; {led}."
        ),
        OperationKind::Drain => format!(
            "Takes {node} out of service: clients are led past it, and {led}; its data is kept \
             current. `undrain` takes it back."
        ),
        OperationKind::Undrain => format!("Leads clients to {node} again."),
        OperationKind::Reboot => format!(
            "Stops the machine of {node} and starts it again; clients are led past it first, and \
             {led}. Connections made to {node} are closed."
        ),
        _ => return None,
    })
}
