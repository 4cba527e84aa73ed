//! Which operations may be asked of a group of equals and, for the rest, why not and what to do
//! instead. None of the other rules apply to it.

use bellwether_model::member::{MEMBERS_MIN, MemberReport};
use bellwether_model::node::NodePhase;
use bellwether_model::operation::{Allowed, NewOperation};
use bellwether_model::{ClusterSpec, OperationKind};

use super::founder::histories;
use super::{heard, in_quorum, others, serves};
use crate::allowed::{allowed, named, refuse_busy, refuse_deletion};
use crate::maintenance;
use crate::view::{NodeFacts, View};

/// The data of one node is all there is to store, but no backup of it was ever proven.
pub(crate) const NO_BACKUPS: &str = "a multi-primary cluster cannot be backed up yet; until it \
                                     can, dump it with `mariadb-dump --single-transaction`";

const NO_CHANGES: &str = "settings and the size of a multi-primary cluster are chosen when it is \
                          created; make another cluster with those, and move the data there";

/// The operations on the cluster as a whole.
pub(crate) fn on_cluster(view: &View) -> Vec<Allowed> {
    use OperationKind::{
        AddNode, Backup, DeleteCluster, Drill, Failover, KeepRestored, Reconfigure, Restore,
        Resync, UndoRestore,
    };
    let kinds = [
        AddNode,
        Resync,
        Reconfigure,
        Drill,
        Backup,
        Restore,
        UndoRestore,
        KeepRestored,
        Failover,
        DeleteCluster,
    ];
    kinds.map(|kind| allowed(kind, refuse(view, kind, None))).into()
}

/// The operations on one node.
pub(crate) fn on_node(view: &View, facts: &NodeFacts) -> Vec<Allowed> {
    use OperationKind::{Drain, Reboot, RemoveNode, ReplaceNode, Resync, Switchover, Undrain};
    let kinds = [Switchover, Resync, RemoveNode, ReplaceNode, Drain, Undrain, Reboot];
    kinds.map(|kind| allowed(kind, refuse(view, kind, Some(facts)))).into()
}

/// Whether this request may begin now.
pub(crate) fn check(view: &View, request: &NewOperation) -> Result<(), String> {
    use OperationKind::{Drain, Reboot, RemoveNode, ReplaceNode, Undrain};
    let kind = request.kind;
    let is_of_node = matches!(kind, RemoveNode | ReplaceNode | Drain | Undrain | Reboot);
    let node = if is_of_node { Some(named(view, request)?) } else { None };
    let last = || {
        let words = format!("the last backup cannot be taken: {NO_BACKUPS}");
        request.repository.as_ref().map(|_| words)
    };
    refuse(view, kind, node).or_else(last).map_or(Ok(()), Err)
}

fn refuse(view: &View, kind: OperationKind, node: Option<&NodeFacts>) -> Option<String> {
    if let Some(words) = never(kind) {
        return Some(words.to_owned());
    }
    if kind == OperationKind::DeleteCluster {
        return refuse_deletion(view);
    }
    refuse_busy(view).or_else(|| refuse_now(view, kind, node))
}

/// What is never asked of such a cluster, and what is instead.
fn never(kind: OperationKind) -> Option<&'static str> {
    Some(match kind {
        OperationKind::AddNode
        | OperationKind::RemoveNode
        | OperationKind::ReplaceNode
        | OperationKind::Drain
        | OperationKind::Undrain
        | OperationKind::Reboot
        | OperationKind::DeleteCluster => return None,
        OperationKind::CreateCluster => "the cluster exists already",
        OperationKind::Switchover => {
            "every node accepts writes: there is nothing to promote; drain a node to have clients \
             led to another"
        }
        OperationKind::Failover => {
            "the engines' own majority decides who may write; there is no failover. Remove the \
             nodes that are lost for good where the rest waits for them"
        }
        OperationKind::Rejoin => {
            "a node joins again by itself as soon as it is heard; if it never is, replace or \
             remove it"
        }
        OperationKind::Resync => {
            "every node holds what the majority has agreed on; replace a node whose data is in \
             doubt"
        }
        OperationKind::Drill => {
            "there is no primary to move or to kill; drain a node to see clients led to another"
        }
        OperationKind::Backup => NO_BACKUPS,
        OperationKind::Prove => "a backup is verified by its own request; name the backup",
        OperationKind::Reconfigure | OperationKind::Resize => NO_CHANGES,
        OperationKind::Reshard => "its keys are not divided; every node holds all of them",
        OperationKind::Restore => {
            "the data of a multi-primary cluster cannot be replaced where it is yet; restore the \
             backup into a new cluster of a primary with replicas"
        }
        OperationKind::UndoRestore | OperationKind::KeepRestored => "nothing is set aside",
    })
}

/// The same for one whose turn has come.
pub(crate) fn refuse_now(
    view: &View,
    kind: OperationKind,
    node: Option<&NodeFacts>,
) -> Option<String> {
    let phase = || node.and_then(|facts| maintenance::refuse_phase(facts, kind));
    let now = || match kind {
        OperationKind::AddNode => refuse_donor(view, None),
        OperationKind::RemoveNode => node.and_then(|facts| refuse_less(view, facts)),
        OperationKind::ReplaceNode => node.and_then(|facts| refuse_other(view, facts)),
        OperationKind::Drain | OperationKind::Reboot => {
            node.and_then(|facts| refuse_leaving(view, facts))
        }
        _ => None,
    };
    never(kind).map(str::to_owned).or_else(phase).or_else(now)
}

/// Whether there is one to copy from.
fn refuse_donor(view: &View, but: Option<&NodeFacts>) -> Option<String> {
    let is_other = |facts: &&NodeFacts| but.is_none_or(|but| but.node.id != facts.node.id);
    let has_donor = view.active().filter(is_other).any(|facts| serves(view, facts));
    let which = if but.is_some() { "no other node" } else { "no node" };
    (!has_donor).then(|| format!("{which} accepts writes; a new one is copied from one that does"))
}

fn refuse_other(view: &View, facts: &NodeFacts) -> Option<String> {
    let name = &facts.node.name;
    if view.cluster.status.unheard.contains(&facts.node.id) {
        return Some(format!(
            "what {name} knows is not known to the server; remove it if it is lost for good"
        ));
    }
    if !matches!(facts.node.phase, NodePhase::Active | NodePhase::Maintenance) {
        return Some(format!("{name} is not a full member; wait until it is one"));
    }
    refuse_donor(view, Some(facts))
}

fn refuse_less(view: &View, facts: &NodeFacts) -> Option<String> {
    let (name, total) = (&facts.node.name, view.nodes.len());
    if total == 1 {
        return Some(format!("{name} is the only node; delete the cluster instead"));
    }
    let has_majority = view.nodes.iter().any(|facts| in_quorum(view, facts));
    if !has_majority {
        return refuse_heard(view, facts);
    }
    if total <= MEMBERS_MIN as usize {
        return Some(format!(
            "with fewer than {MEMBERS_MIN} nodes no majority is left when one is lost; replace \
             {name}, or add a node first"
        ));
    }
    refuse_leaving(view, facts)
}

/// Only a person can say that one is lost for good, and whose data is wanted of several histories.
fn refuse_heard(view: &View, facts: &NodeFacts) -> Option<String> {
    let reports: Vec<&MemberReport> =
        view.nodes.iter().filter_map(|facts| heard(view, facts)).collect();
    let is_needed = heard(view, facts).is_some() && histories(&reports).len() < 2;
    is_needed.then(|| {
        let name = &facts.node.name;
        format!(
            "the majority is lost and {name} is heard: its data may be the most there is; remove \
             those that are lost for good, and the rest goes on by itself"
        )
    })
}

/// Why the rest cannot do without it now.
#[must_use]
pub fn refuse_leaving(view: &View, facts: &NodeFacts) -> Option<String> {
    let left = others(view, &facts.node.id).count();
    // Of those that count: the rest has to be the greater part without it.
    (left * 2 < view.nodes.len()).then(|| {
        format!(
            "{left} of {} nodes would accept writes without {}; wait until the others are well",
            view.nodes.len(),
            facts.node.name
        )
    })
}

/// Why its spec cannot be changed so.
#[must_use]
pub fn refuse_change(view: &View, after: &ClusterSpec) -> Option<String> {
    let before = &view.cluster.spec;
    if after.multi_primary != before.multi_primary {
        return Some("whether every node accepts writes is chosen when it is created".to_owned());
    }
    let is_changed = (&after.parameters, after.size) != (&before.parameters, before.size);
    (view.is_multi_primary() && is_changed).then(|| NO_CHANGES.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allowed::{allowed_on_cluster, allowed_on_node};
    use crate::view::tests::{Sketch, node_id, refusal, sketch};

    /// Of each what it answers while everything is well; empty: it may begin.
    #[test]
    fn every_operation_is_possible_or_refused_with_a_way_out() {
        let view = sketch(3).equals().view();
        for kind in OperationKind::ALL {
            let words = match kind {
                OperationKind::AddNode
                | OperationKind::ReplaceNode
                | OperationKind::Drain
                | OperationKind::Reboot
                | OperationKind::DeleteCluster => "",
                OperationKind::RemoveNode => "replace demo-2, or add a node first",
                OperationKind::Undrain => "demo-2 is in service already",
                OperationKind::CreateCluster => "exists already",
                OperationKind::Switchover => "drain a node",
                OperationKind::Failover => "Remove the nodes that are lost",
                OperationKind::Rejoin => "joins again by itself",
                OperationKind::Resync => "replace a node",
                OperationKind::Drill => "drain a node",
                OperationKind::Backup => "mariadb-dump",
                OperationKind::Prove => "name the backup",
                OperationKind::Reconfigure | OperationKind::Resize => "make another cluster",
                OperationKind::Reshard => "every node holds all",
                OperationKind::Restore => "into a new cluster",
                OperationKind::UndoRestore | OperationKind::KeepRestored => "nothing is set aside",
            };
            let refusal = refusal(&view, kind, "demo-2");
            assert!(refusal.contains(words), "{kind}: {refusal}");
            assert_eq!(refusal.is_empty(), words.is_empty(), "{kind}: {refusal}");
        }
    }

    /// What is shown is what would be answered.
    #[test]
    fn lists_say_the_same_as_requests() {
        let mut sketch = sketch(4).equals();
        sketch.out(3, None);
        sketch.node(4).phase = NodePhase::Maintenance;
        let view = sketch.view();
        for one in allowed_on_cluster(&view) {
            assert_eq!(one.reason, refusal(&view, one.kind, ""), "{}", one.kind);
        }
        for ordinal in 1..=4 {
            let name = format!("demo-{ordinal}");
            for one in allowed_on_node(&view, &node_id(ordinal)) {
                assert_eq!(one.reason, refusal(&view, one.kind, &name), "{name} {}", one.kind);
            }
        }
    }

    #[test]
    fn who_may_leave_depends_on_the_rest() {
        use OperationKind::{AddNode, Drain, RemoveNode, ReplaceNode, Undrain};
        type Row = (&'static str, u32, OperationKind, fn(&mut Sketch));
        let table: &[Row] = &[
            ("", 4, RemoveNode, |_| {}),
            ("", 4, RemoveNode, |s| s.silence(2, 60_000)),
            ("1 of 4 nodes would", 4, RemoveNode, |s| {
                s.out(3, None);
                s.out(4, None);
            }),
            ("replace demo-2", 3, RemoveNode, |s| s.silence(2, 60_000)),
            ("", 3, ReplaceNode, |s| s.silence(2, 60_000)),
            ("", 3, ReplaceNode, |s| s.node(2).phase = NodePhase::Maintenance),
            ("not a full member", 3, ReplaceNode, |s| s.node(2).phase = NodePhase::Seeding),
            ("no other node accepts writes", 3, ReplaceNode, |s| {
                s.out(1, None);
                s.out(3, None);
            }),
            ("remove it if it is lost", 3, ReplaceNode, |s| {
                s.cluster.status.unheard = [s.id(2)].into();
            }),
            ("no node accepts writes", 3, AddNode, lose_majority),
            ("", 3, RemoveNode, |s| {
                lose_majority(s);
                s.silence(2, 60_000);
            }),
            ("remove those that are lost for good", 3, RemoveNode, lose_majority),
            ("", 3, RemoveNode, |s| {
                lose_majority(s);
                s.member(2).standing.history = "other".into();
            }),
            ("1 of 3", 3, Drain, |s| s.out(3, None)),
            ("", 3, Undrain, |s| s.node(2).phase = NodePhase::Maintenance),
        ];
        for (words, count, kind, change) in table {
            let mut sketch = sketch(*count).equals();
            change(&mut sketch);
            let refusal = refusal(&sketch.view(), *kind, "demo-2");
            assert!(refusal.contains(words), "{words}: {refusal}");
            assert_eq!(refusal.is_empty(), words.is_empty(), "{kind}: {refusal}");
        }
    }

    fn lose_majority(sketch: &mut Sketch) {
        (1..=3).for_each(|ordinal| sketch.out(ordinal, None));
    }
}
