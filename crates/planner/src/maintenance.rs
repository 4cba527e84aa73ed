//! Taking a node out of service and back: who may go, and what the rest can do without it.

use bellwether_model::OperationKind;
use bellwether_model::node::NodePhase;

use crate::allowed::refuse_busy;
use crate::drills;
use crate::election::{self, Verdict};
use crate::members;
use crate::view::{NodeFacts, View};

/// Why this node cannot be drained, rebooted or taken back into service now.
#[must_use]
pub fn refuse(
    view: &View,
    facts: &NodeFacts,
    kind: OperationKind,
    allow_waiting: bool,
) -> Option<String> {
    refuse_busy(view).or_else(|| refuse_now(view, facts, kind, allow_waiting))
}

/// The same for one whose turn has come.
#[must_use]
pub fn refuse_now(
    view: &View,
    facts: &NodeFacts,
    kind: OperationKind,
    allow_waiting: bool,
) -> Option<String> {
    let name = &facts.node.name;
    let is_drained = facts.node.phase == NodePhase::Maintenance;
    if let Some(refusal) = refuse_phase(facts, kind) {
        return Some(refusal);
    }
    if kind == OperationKind::Undrain {
        return None;
    }
    if view.is_multi_primary() {
        return members::allowed::refuse_now(view, kind, Some(facts));
    }
    if view.nodes.len() == 1 {
        return refuse_only(facts, kind, allow_waiting);
    }
    if election::judge(view) != Verdict::Healthy {
        return Some(format!("the primary is not healthy; {name} may be needed"));
    }
    let is_primary = view.cluster.status.primary.as_ref() == Some(&facts.node.id);
    if is_primary && let Err(why) = drills::candidate(view) {
        return Some(format!("{name} is the primary and nobody can take over: {why}"));
    }
    if is_drained || allow_waiting {
        return None;
    }
    refuse_waiting(view, facts, is_primary)
}

/// Why this is not asked of a node that is where it is.
#[must_use]
pub fn refuse_phase(facts: &NodeFacts, kind: OperationKind) -> Option<String> {
    let name = &facts.node.name;
    match (kind, facts.node.phase) {
        (OperationKind::Undrain, NodePhase::Maintenance) => None,
        (OperationKind::Undrain, _) => Some(format!("{name} is in service already")),
        (OperationKind::Drain, NodePhase::Maintenance) => {
            Some(format!("{name} is in maintenance already"))
        }
        (OperationKind::Reboot | OperationKind::Resize, NodePhase::Maintenance)
        | (_, NodePhase::Active) => None,
        (OperationKind::Drain | OperationKind::Reboot | OperationKind::Resize, _) => {
            Some(format!("{name} is not a full member; wait until it is one"))
        }
        _ => None,
    }
}

/// Why this node is not rebooted before a person says that writes may wait meanwhile.
#[must_use]
pub fn refuse_without_consent(view: &View, facts: &NodeFacts) -> Option<String> {
    if view.nodes.len() == 1 {
        return refuse_only(facts, OperationKind::Reboot, false);
    }
    let is_primary = view.cluster.status.primary.as_ref() == Some(&facts.node.id);
    let is_drained = facts.node.phase == NodePhase::Maintenance;
    refuse_waiting(view, facts, is_primary).filter(|_| !is_drained)
}

/// There is nobody to go on without it.
fn refuse_only(facts: &NodeFacts, kind: OperationKind, allow_waiting: bool) -> Option<String> {
    let name = &facts.node.name;
    if kind == OperationKind::Drain {
        return Some(format!("{name} is the only node; add one first"));
    }
    (!allow_waiting).then(|| {
        format!(
            "{name} is the only node: everything waits while it is started again; allow waiting, \
             or add a node first"
        )
    })
}

/// Whether writes would wait for it.
fn refuse_waiting(view: &View, facts: &NodeFacts, is_primary: bool) -> Option<String> {
    let mode = view.cluster.spec.replication;
    let acks = mode.acks() as usize;
    let voters = &view.cluster.status.config.current.voters;
    // One of them becomes the primary.
    let left = match is_primary {
        true => voters.len().saturating_sub(1),
        false => voters.iter().filter(|id| **id != facts.node.id).count(),
    };
    (mode.is_strict() && left < acks).then(|| {
        format!(
            "replication {mode} needs {acks} replicas to confirm a write and {left} would be left: \
             writes would wait for {}; add a node first, or allow waiting",
            facts.node.name
        )
    })
}

#[cfg(test)]
mod tests {
    use bellwether_model::ReplicationMode;

    use super::*;
    use crate::view::tests::{Sketch, node_id, sketch};

    fn reason(sketch: &Sketch, node: u32, kind: OperationKind, allow_waiting: bool) -> String {
        let view = sketch.view();
        let facts = view.node(&node_id(node)).expect("a node");
        refuse(&view, facts, kind, allow_waiting).unwrap_or_default()
    }

    #[test]
    fn a_replica_and_a_primary_with_an_heir_may_go() {
        let sketch = sketch(3);
        for (node, kind) in [(1, OperationKind::Drain), (2, OperationKind::Reboot)] {
            assert_eq!(reason(&sketch, node, kind, false), "");
        }
        assert!(reason(&sketch, 2, OperationKind::Undrain, false).contains("in service already"));
    }

    #[test]
    fn who_is_needed_stays() {
        let mut two = sketch(2);
        two.cluster.spec.replication = ReplicationMode::Strict;
        for node in [1, 2] {
            let why = reason(&two, node, OperationKind::Drain, false);
            assert!(why.contains("0 would be left"), "{why}");
            assert_eq!(reason(&two, node, OperationKind::Reboot, true), "");
        }
        two.silence(2, 9_000);
        assert!(reason(&two, 1, OperationKind::Reboot, true).contains("nobody can take over"));
        let one = sketch(1);
        assert!(reason(&one, 1, OperationKind::Drain, true).contains("add one first"));
        assert!(reason(&one, 1, OperationKind::Reboot, false).contains("allow waiting"));
        assert_eq!(reason(&one, 1, OperationKind::Reboot, true), "");
    }

    #[test]
    fn a_drained_node_may_be_rebooted_and_returned() {
        let mut sketch = sketch(3);
        sketch.node(3).phase = NodePhase::Maintenance;
        for kind in [OperationKind::Reboot, OperationKind::Undrain] {
            assert_eq!(reason(&sketch, 3, kind, false), "");
        }
        assert!(reason(&sketch, 3, OperationKind::Drain, false).contains("already"));
    }
}
