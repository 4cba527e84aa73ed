//! What an operation would do: its steps, its cost, and what would refuse it.

use bellwether_model::drill::DrillKind;
use bellwether_model::operation::NewOperation;
use bellwether_model::plan::{PastPauses, Plan, PlannedStep};
use bellwether_model::provider::ProviderLimits;
use bellwether_model::{ClusterSpec, OperationKind};

use crate::allowed::check_operation;
use crate::steps::steps;
use crate::view::{NodeFacts, View};
use crate::{backups, members, restore, resync};

/// Milliseconds writes wait in a planned switchover, before this cluster has figures of its own.
pub(crate) const SWITCHOVER_PAUSE_MS: u64 = 300;

/// Milliseconds everything waits when the only machine is started again, likewise.
const RESTART_PAUSE_MS: u64 = 10_000;

/// Milliseconds writes wait when the primary's engine dies, likewise.
const FAILOVER_PAUSE_MS: u64 = 1_000;

/// How long writes wait in a planned change of primary, by what this cluster has seen.
pub(crate) fn switchover_pause(view: &View) -> (u64, PastPauses) {
    usual(&view.planned_pauses, SWITCHOVER_PAUSE_MS)
}

fn usual(pauses: &[u64], elsewhere: u64) -> (u64, PastPauses) {
    let past = PastPauses::of(pauses);
    (if past.count > 0 { past.median_ms } else { elsewhere }, past)
}

pub(crate) fn planned_steps(kind: OperationKind) -> Vec<PlannedStep> {
    let step = |(name, title): &(&str, &str)| PlannedStep {
        name: (*name).to_owned(),
        title: (*title).to_owned(),
    };
    steps(kind).iter().map(step).collect()
}

/// The plan of creating a cluster that passed `check_spec`.
#[must_use]
pub fn plan_creation(spec: &ClusterSpec, limits: &ProviderLimits) -> Plan {
    let has_several = spec.nodes > 1 || spec.shards > 1;
    let together = match limits.one_host && has_several {
        true => " All nodes are on one machine: what takes that takes every copy.",
        false => "",
    };
    let nodes = if spec.nodes == 1 { "1 node".to_owned() } else { format!("{} nodes", spec.nodes) };
    let nodes = match spec.shards {
        0 => nodes,
        shards => format!("{shards} shards, each of {nodes},"),
    };
    let replication = match spec.multi_primary {
        true => "every node accepts writes, each agreed on by all members".to_owned(),
        false => format!("replication {}", spec.replication),
    };
    Plan {
        kind: OperationKind::CreateCluster,
        summary: format!(
            "Creates {} with {nodes} of {} {} on {}, each with {}, {} of memory and a disk \
             of {}; {replication}.{together}",
            spec.name,
            spec.engine,
            spec.version,
            spec.provider,
            spec.size.cores(),
            spec.size.memory,
            spec.size.disk,
        ),
        steps: planned_steps(OperationKind::CreateCluster),
        write_pause_ms: 0,
        pauses: None,
        bytes_copied: 0,
        redundancy_min: 0,
        erases: Vec::new(),
        changes: Vec::new(),
        restarts: Vec::new(),
        refusals: Vec::new(),
    }
}

/// The plan of an operation on a cluster that exists.
#[must_use]
pub fn plan(view: &View, request: &NewOperation) -> Plan {
    if request.kind == OperationKind::Resync {
        return resync::plan(view, request);
    }
    let node = request.node.as_deref().and_then(|text| view.node_named(text));
    let copies = view.replicas().filter(|facts| is_copy(view, facts)).count() as u32;
    let data_bytes = view
        .primary()
        .and_then(NodeFacts::worker)
        .and_then(|worker| worker.engine.data_bytes)
        .unwrap_or(0);
    let (write_pause_ms, pauses) = pause(view, request, node);
    let (bytes_copied, redundancy_min) = match request.kind {
        OperationKind::CreateCluster
        | OperationKind::DeleteCluster
        | OperationKind::Resync
        | OperationKind::Reconfigure
        | OperationKind::Reshard
        | OperationKind::Prove => (0, 0),
        OperationKind::Backup
        | OperationKind::Switchover
        | OperationKind::Undrain
        | OperationKind::KeepRestored => (0, copies),
        OperationKind::Restore | OperationKind::UndoRestore => {
            (data_bytes.saturating_mul(u64::from(copies)), 0)
        }
        // Who is replaced stays until the new one has everything and a vote.
        OperationKind::AddNode | OperationKind::Rejoin | OperationKind::ReplaceNode => {
            (data_bytes, copies)
        }
        OperationKind::RemoveNode => {
            let is_copy = node.is_some_and(|facts| is_copy(view, facts));
            (0, copies.saturating_sub(u32::from(is_copy)))
        }
        OperationKind::Drill if request.drill.unwrap_or_default() == DrillKind::Switchover => {
            (0, copies)
        }
        OperationKind::Drain
        | OperationKind::Reboot
        | OperationKind::Resize
        | OperationKind::Drill
        | OperationKind::Failover => (0, copies.saturating_sub(1)),
    };
    Plan {
        kind: request.kind,
        summary: match request.kind {
            OperationKind::Drill => drill_summary(view, request),
            OperationKind::Restore | OperationKind::UndoRestore | OperationKind::KeepRestored => {
                restore::summary(view, request)
            }
            kind => summary(view, kind, node),
        },
        steps: planned_steps(request.kind),
        write_pause_ms,
        pauses,
        bytes_copied,
        redundancy_min,
        erases: match request.kind {
            OperationKind::Restore | OperationKind::UndoRestore | OperationKind::KeepRestored => {
                restore::erases(view, request.kind)
            }
            kind => erases(view, kind, node),
        },
        changes: Vec::new(),
        restarts: Vec::new(),
        refusals: check_operation(view, request).err().into_iter().collect(),
    }
}

/// How long writes would wait, and how long they did before where the primary changes.
fn pause(
    view: &View,
    request: &NewOperation,
    node: Option<&NodeFacts>,
) -> (u64, Option<PastPauses>) {
    let planned = || {
        let (ms, past) = switchover_pause(view);
        (ms, Some(past))
    };
    let is_primary =
        node.is_some_and(|facts| view.cluster.status.primary.as_ref() == Some(&facts.node.id));
    match request.kind {
        // The others take writes all the while.
        _ if view.is_multi_primary() => (0, None),
        OperationKind::Switchover => planned(),
        OperationKind::ReplaceNode if is_primary => planned(),
        OperationKind::Drain | OperationKind::Reboot | OperationKind::Resize if is_primary => {
            if view.nodes.len() == 1 {
                (RESTART_PAUSE_MS, None)
            } else {
                planned()
            }
        }
        OperationKind::Drill => match request.drill.unwrap_or_default() {
            DrillKind::Switchover => planned(),
            DrillKind::Failover => {
                let (ms, past) = usual(&view.unplanned_pauses, FAILOVER_PAUSE_MS);
                (ms, Some(past))
            }
        },
        OperationKind::Failover => (view.timers().lease_ms, None),
        OperationKind::Restore | OperationKind::UndoRestore => (restore::PAUSE_MS, None),
        _ => (0, None),
    }
}

fn summary(view: &View, kind: OperationKind, node: Option<&NodeFacts>) -> String {
    let name = &view.cluster.spec.name;
    let node = node.map_or("a node", |facts| facts.node.name.as_str());
    let primary = view.primary().map_or("the primary", |facts| facts.node.name.as_str());
    if view.is_multi_primary()
        && let Some(words) = members::summary(view, kind, node)
    {
        return words;
    }
    match kind {
        OperationKind::CreateCluster => format!("Creates {name}."),
        OperationKind::AddNode => format!("Adds a replica to {name}, copied from {primary}."),
        OperationKind::RemoveNode => {
            format!("Removes {node} from {name} with its machine and its disk.")
        }
        OperationKind::ReplaceNode => format!(
            "Makes a new node, copied from {primary}, that takes the place of {node}: when it has \
             everything, a vote and clients, {node} goes with its machine and its disk. A primary \
             hands over first."
        ),
        OperationKind::Switchover => format!(
            "Makes {node} the primary of {name}; {primary} follows it. Clients at the read-write \
             endpoint wait meanwhile and go on; connections made directly to {primary} are closed."
        ),
        OperationKind::Failover => format!(
            "Replaces the lost primary of {name} by its most advanced replica. What {primary} had \
             and no replica has is lost, unless it comes back: then it is kept aside there."
        ),
        OperationKind::Rejoin => {
            format!("Lets {node} follow {primary}, by the least that makes its data fit.")
        }
        OperationKind::Drain => format!(
            "Takes {node} out of service: a primary hands over first, new clients are led past it, \
             it has no vote; its data is kept current. `undrain` takes it back."
        ),
        OperationKind::Undrain => format!("Gives {node} its vote and its clients back."),
        OperationKind::Reboot => format!(
            "Stops the machine of {node} and starts it again; a primary hands over first. \
             Connections made to {node} are closed."
        ),
        OperationKind::Resize => format!("Gives {node} the size asked for."),
        OperationKind::Reshard => format!("Divides the keys of {name} over its shards anew."),
        OperationKind::Restore => format!("Replaces the data of {name} by a backup."),
        OperationKind::UndoRestore => format!("Brings the former data of {name} back."),
        OperationKind::KeepRestored => format!("Removes the former data of {name}."),
        OperationKind::Reconfigure => format!("Changes settings of {name}."),
        OperationKind::Resync => format!("Copies the data of {name} anew."),
        OperationKind::Backup => {
            let from = backups::source(view).map_or("a replica", |facts| facts.node.name.as_str());
            format!("Stores the data of {name} in a repository, taken from {from} as it runs.")
        }
        OperationKind::Prove => format!("Restores a backup of {name} in a scratch node."),
        OperationKind::Drill => format!("Tries the change of primary of {name}."),
        OperationKind::DeleteCluster => {
            format!("Deletes {name}: every node with all of its data. Its backups stay.")
        }
    }
}

fn drill_summary(view: &View, request: &NewOperation) -> String {
    let name = &view.cluster.spec.name;
    let primary = view.primary().map_or("the primary", |facts| facts.node.name.as_str());
    match request.drill.unwrap_or_default() {
        DrillKind::Switchover => format!(
            "Moves the primary of {name} from {primary} to a replica as planned, and measures how \
             long writes wait."
        ),
        DrillKind::Failover => {
            let loss = match request.allow_loss {
                true => " What it acknowledged last may be lost.",
                false => "",
            };
            format!(
                "Kills the engine of {primary}, lets a replica of {name} take over as in earnest, \
                 and measures how long writes wait. Sessions of clients end as in earnest.{loss}"
            )
        }
    }
}

fn erases(view: &View, kind: OperationKind, node: Option<&NodeFacts>) -> Vec<String> {
    let disk = |name: &str| format!("{name}: its machine and its disk");
    match kind {
        OperationKind::RemoveNode | OperationKind::ReplaceNode => {
            vec![disk(node.map_or("a node", |facts| facts.node.name.as_str()))]
        }
        OperationKind::DeleteCluster => {
            view.nodes.iter().map(|facts| disk(&facts.node.name)).collect()
        }
        _ => Vec::new(),
    }
}

/// The plans of the operations that a new number of nodes brings about, in their order.
#[must_use]
pub fn plan_change(view: &View, nodes: u32) -> Vec<Plan> {
    let count = view.nodes.len() as u32;
    let request = |kind, node| NewOperation::of(kind, node);
    let added = (count..nodes).map(|_| request(OperationKind::AddNode, None));
    // The last replica goes first, as the rule has it.
    let replicas: Vec<_> = view.replicas().map(|facts| facts.node.name.clone()).collect();
    let surplus = count.saturating_sub(nodes) as usize;
    let removed = replicas.into_iter().rev().take(surplus);
    let removed = removed.map(|name| request(OperationKind::RemoveNode, Some(name)));
    added.chain(removed).map(|request| plan(view, &request)).collect()
}

pub(crate) fn is_copy(view: &View, facts: &NodeFacts) -> bool {
    let status = &view.cluster.status;
    if view.is_multi_primary() {
        return members::serves(view, facts);
    }
    status.primary.as_ref().is_some_and(|primary| facts.streams_from(primary))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::sketch;

    #[test]
    fn a_pause_is_told_by_what_this_cluster_has_seen() {
        let mut view = sketch(3).view();
        let ask =
            |view: &View, kind, node: &str| plan(view, &NewOperation::of(kind, Some(node.into())));
        let made = ask(&view, OperationKind::Switchover, "demo-2");
        assert_eq!((made.write_pause_ms, made.pauses), (300, Some(PastPauses::default())));
        assert_eq!(ask(&view, OperationKind::Reboot, "demo-2").pauses, None);
        view.planned_pauses = vec![90, 400, 120, 80];
        let known = PastPauses { count: 4, median_ms: 90, max_ms: 400 };
        for kind in [OperationKind::Reboot, OperationKind::Drain, OperationKind::ReplaceNode] {
            let made = ask(&view, kind, "demo-1");
            assert_eq!((made.write_pause_ms, made.pauses), (90, Some(known)), "{kind}");
        }
        let made = ask(&view, OperationKind::ReplaceNode, "demo-3");
        assert_eq!((made.write_pause_ms, made.pauses, made.redundancy_min), (0, None, 2));
    }

    #[test]
    fn a_plan_says_when_one_machine_takes_every_copy() {
        let spec = sketch(3).cluster.spec;
        let limits = crate::check::tests::limits();
        assert!(plan_creation(&spec, &limits).summary.contains("takes every copy"));
        let alone = ClusterSpec { nodes: 1, ..spec.clone() };
        assert!(!plan_creation(&alone, &limits).summary.contains("takes every copy"));
        let elsewhere = ProviderLimits { one_host: false, ..limits };
        assert!(!plan_creation(&spec, &elsewhere).summary.contains("takes every copy"));
    }

    #[test]
    fn a_change_of_the_number_of_nodes_is_planned_as_the_rules_will_do_it() {
        let view = sketch(3).view();
        assert!(plan_change(&view, 3).is_empty());
        let more = plan_change(&view, 5);
        assert!(more.len() == 2 && more.iter().all(|p| p.kind == OperationKind::AddNode));
        let fewer = plan_change(&view, 1);
        let erased: Vec<_> = fewer.iter().flat_map(|plan| plan.erases.clone()).collect();
        assert!(erased[0].starts_with("demo-3") && erased[1].starts_with("demo-2"), "{erased:?}");
        assert_eq!(fewer[0].kind, OperationKind::RemoveNode);
    }
}
