//! Clusters that are several groups: what is asked of each, and how they are shown as one.

use bellwether_model::operation::NewOperation;
use bellwether_model::plan::Plan;
use bellwether_model::shard::{
    SLOTS, ShardView, SlotRange, count, next_move, shard_name, with, without,
};
use bellwether_model::{ClusterPhase, ClusterSpec, OperationKind};

use crate::plan::{is_copy, planned_steps};
use crate::show::phase;
use crate::view::{NodeFacts, View};

/// Slots that go at once, at most; the primary that they leave sends fewer where they are full.
pub const SLOTS_AT_ONCE: u32 = 1_024;

/// Milliseconds writes to a shard wait each time that slots have left it or come to it.
const MOVE_PAUSE_MS: u64 = 150;

/// What a shard shall be asked for, where that is something else than it is.
#[must_use]
pub fn aligned(whole: &View, shard: &ClusterSpec) -> Option<ClusterSpec> {
    let spec = &whole.cluster.spec;
    let (nodes, size, timers) = (spec.nodes, spec.size, spec.timers);
    let wanted = ClusterSpec { nodes, size, timers, ..shard.clone() };
    (wanted != *shard).then_some(wanted)
}

/// The groups of a cluster as they are shown with it.
#[must_use]
pub fn shard_views(view: &View) -> Vec<ShardView> {
    let shown = |group: &View| {
        let (phase, sentence) = phase(group);
        ShardView {
            id: group.cluster.id.clone(),
            name: group.cluster.spec.name.clone(),
            phase,
            sentence,
            slots: group.cluster.shard.as_ref().map_or_else(Vec::new, |shard| shard.slots.clone()),
            primary_name: group.primary().map(|facts| facts.node.name.clone()),
        }
    };
    view.shards.iter().map(shown).collect()
}

/// The worse, the later.
fn rank(phase: ClusterPhase) -> u8 {
    match phase {
        ClusterPhase::Healthy => 0,
        ClusterPhase::Degraded => 1,
        ClusterPhase::Creating => 2,
        ClusterPhase::FailingOver => 3,
        ClusterPhase::Unknown => 4,
        ClusterPhase::Unavailable => 5,
        ClusterPhase::Failed => 6,
        ClusterPhase::Deleting => 7,
    }
}

/// As well as the shard that is worst, of which the sentence tells.
#[must_use]
pub fn whole_phase(view: &View) -> (ClusterPhase, String) {
    let all = shard_views(view);
    let assigned: u32 = all.iter().map(|shard| count(&shard.slots)).sum();
    // One that has no keys, for it comes or goes, is nobody's concern.
    let shards: Vec<&ShardView> = all.iter().filter(|shard| !shard.slots.is_empty()).collect();
    let total = shards.len();
    let Some(worst) = shards.iter().max_by_key(|shard| rank(shard.phase)) else {
        return (ClusterPhase::Unavailable, "it has no shards".to_owned());
    };
    if assigned < u32::from(SLOTS) {
        let words = format!("{total} shards are there; some keys have none");
        return (ClusterPhase::Unavailable, words);
    }
    let healthy = shards.iter().filter(|shard| shard.phase == ClusterPhase::Healthy).count();
    let sentence = if worst.phase == ClusterPhase::Healthy {
        let replicas = match view.cluster.spec.nodes.saturating_sub(1) {
            0 => "there is no replica".to_owned(),
            1 => "1 replica follows in each".to_owned(),
            many => format!("{many} replicas follow in each"),
        };
        format!("{total} shards accept writes, {replicas}")
    } else {
        format!("{healthy} of {total} shards are healthy; {}: {}", worst.name, worst.sentence)
    };
    (worst.phase, sentence)
}

/// What each shard has, in their order.
#[must_use]
pub fn held(view: &View) -> Vec<Vec<SlotRange>> {
    let slots = |group: &View| group.cluster.shard.as_ref().map(|shard| shard.slots.clone());
    view.shards.iter().map(|group| slots(group).unwrap_or_default()).collect()
}

/// Whether shards have to be made or deleted, or slots moved, until it is as asked for.
#[must_use]
pub fn needs_division(view: &View) -> bool {
    let wanted = view.cluster.spec.shards;
    let moves = |group: &View| group.cluster.shard.as_ref().is_some_and(|s| s.leaving.is_some());
    view.is_sharded()
        && (view.shards.len() != wanted as usize
            || view.shards.iter().any(moves)
            || next_move(&held(view), wanted, SLOTS_AT_ONCE).is_some())
}

/// How many slots have another shard afterwards.
#[must_use]
pub fn slots_moved(held: &[Vec<SlotRange>], shards: u32) -> u32 {
    let mut held = held.to_vec();
    held.resize(held.len().max(shards as usize), Vec::new());
    let mut moved = 0;
    while let Some((from, to, slots)) = next_move(&held, shards, u32::from(SLOTS)) {
        held[from] = without(&held[from], &slots);
        held[to] = with(&held[to], &slots);
        moved += count(&slots);
    }
    moved
}

/// The plan of dividing its keys over another number of shards; none where it stays.
#[must_use]
pub fn plan_division(view: &View, shards: u32) -> Option<Plan> {
    let now = view.shards.len();
    if !view.is_sharded() || now == shards as usize {
        return None;
    }
    let (name, nodes) = (&view.cluster.spec.name, view.cluster.spec.nodes);
    let moved = slots_moved(&held(view), shards);
    let gone = || view.shards.iter().skip(shards as usize);
    let summary = if now < shards as usize {
        let new: Vec<String> = (now as u32..shards).map(|index| shard_name(name, index)).collect();
        let nodes = if nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") };
        format!("Makes {}, each of {nodes}, and moves", new.join(", "))
    } else {
        let gone: Vec<&str> = gone().map(|shard| shard.cluster.spec.name.as_str()).collect();
        format!("Deletes {}, once their keys have gone, and moves", gone.join(", "))
    };
    let data = |shard: &View| shard.primary().and_then(NodeFacts::worker)?.engine.data_bytes;
    let data: u64 = view.shards.iter().filter_map(data).sum();
    let copies = |shard: &View| shard.replicas().filter(|facts| is_copy(shard, facts)).count();
    let disk = |facts: &NodeFacts| format!("{}: its machine and its disk", facts.node.name);
    Some(Plan {
        kind: OperationKind::Reshard,
        summary: format!(
            "{summary} {moved} of {SLOTS} slots with their keys, some at a time. Clients go on; \
             each time, writes to the shard that they leave wait a moment."
        ),
        steps: planned_steps(OperationKind::Reshard),
        write_pause_ms: MOVE_PAUSE_MS,
        pauses: None,
        bytes_copied: data / u64::from(SLOTS) * u64::from(moved),
        redundancy_min: view.shards.iter().map(copies).min().unwrap_or(0) as u32,
        erases: gone().flat_map(|shard| shard.nodes.iter().map(disk)).collect(),
        changes: Vec::new(),
        restarts: Vec::new(),
        refusals: Vec::new(),
    })
}

/// Why an operation cannot be asked of this cluster, for it is a shard or has shards.
#[must_use]
pub fn refuse(view: &View, kind: OperationKind) -> Option<String> {
    use OperationKind::{DeleteCluster, Reconfigure, Reshard};
    if view.is_sharded() && !matches!(kind, DeleteCluster | Reconfigure | Reshard) {
        let names: Vec<&str> = view.shards.iter().map(|s| s.cluster.spec.name.as_str()).collect();
        return Some(format!("ask it of one of its shards: {}", names.join(", ")));
    }
    let whole = view.shard_of.as_ref()?;
    match kind {
        OperationKind::DeleteCluster => {
            Some(format!("it is a shard of {whole}; only all of that can be deleted"))
        }
        OperationKind::Reconfigure => {
            Some(format!("it is a shard of {whole}, where settings are changed for all shards"))
        }
        OperationKind::AddNode | OperationKind::RemoveNode => Some(format!(
            "it is a shard of {whole}, whose shards all have as many nodes; ask for \
                          another number of nodes there"
        )),
        _ => None,
    }
}

/// Why its spec cannot be changed so, for it is a shard or has shards.
#[must_use]
pub fn refuse_change(view: &View, after: &ClusterSpec) -> Option<String> {
    let before = &view.cluster.spec;
    let is_being_created = || {
        let mut operations = view.operation.iter().chain(&view.queued);
        operations.any(|operation| operation.kind == OperationKind::CreateCluster)
    };
    if after.shards != before.shards && is_being_created() {
        return Some("it is being created; wait until that has ended".to_owned());
    }
    if view.is_sharded() != (after.shards > 0) && view.shard_of.is_none() {
        return Some(
            "whether its keys are divided over shards is chosen when a cluster is created"
                .to_owned(),
        );
    }
    let whole = view.shard_of.as_ref()?;
    (after != before)
        .then(|| format!("it is a shard of {whole}, where this is changed for all shards"))
}

/// The group that a request is about: the one that has the node which it names.
#[must_use]
pub fn group_asked<'a>(view: &'a View, request: &NewOperation) -> &'a View {
    let named = request.node.iter().chain(&request.nodes).next();
    named.map_or(view, |text| view.group_of(text))
}

#[cfg(test)]
mod tests {
    use bellwether_model::shard::{Shard, divide, shard_name};
    use bellwether_model::{Operation, Timestamp};

    use super::*;
    use crate::rules::{Act, decide};
    use crate::view::tests::sketch;

    /// A cluster of two shards, each of three nodes.
    fn whole() -> View {
        let parts = divide(2);
        let shard = |index: u32| {
            let mut group = sketch(3).view();
            group.shard_of = Some("demo".into());
            group.cluster.spec.name = shard_name("demo", index);
            group.cluster.id = group.cluster.spec.name.as_str().into();
            let slots = vec![parts[index as usize]];
            let (of, leaving, coming) = ("demo".into(), None, None);
            group.cluster.shard = Some(Shard { of, index, slots, leaving, coming });
            for facts in &mut group.nodes {
                facts.node.name = facts.node.name.replace("demo", &group.cluster.spec.name);
            }
            group
        };
        let mut view = sketch(3).view();
        (view.cluster.spec.shards, view.cluster.status.primary) = (2, None);
        (view.nodes, view.shards) = (Vec::new(), vec![shard(0), shard(1)]);
        view
    }

    #[test]
    fn a_cluster_is_as_well_as_its_worst_shard() {
        let mut view = whole();
        let (phase, sentence) = whole_phase(&view);
        assert_eq!(phase, ClusterPhase::Healthy, "{sentence}");
        assert_eq!(sentence, "2 shards accept writes, 2 replicas follow in each");
        view.shards[1].nodes[2].seen = None;
        let (phase, sentence) = whole_phase(&view);
        assert_eq!(phase, ClusterPhase::Degraded);
        assert!(sentence.starts_with("1 of 2 shards are healthy; demo-s2: demo-s2-1 accepts"));
        view.shards.pop();
        assert_eq!(whole_phase(&view).0, ClusterPhase::Unavailable, "keys that nobody has");
    }

    #[test]
    fn the_whole_decides_nothing_and_asks_of_its_shards_what_it_is_asked_for() {
        let mut view = whole();
        assert_eq!(decide(&view).rule, 110);
        view.cluster.spec.nodes = 2;
        let decision = decide(&view);
        assert_eq!((decision.rule, decision.act), (108, Act::Align("demo-s1".into())));
    }

    #[test]
    fn shards_are_made_and_deleted_and_slots_moved_as_asked_for() {
        let mut view = whole();
        assert!(plan_division(&view, 2).is_none());
        view.cluster.spec.shards = 3;
        let start = Act::Start { kind: OperationKind::Reshard, node: None };
        assert_eq!((decide(&view).rule, decide(&view).act), (109, start));
        let plan = plan_division(&view, 3).expect("a plan");
        assert!(plan.summary.starts_with("Makes demo-s3, each of 3 nodes, and moves 546"));
        assert!(plan.erases.is_empty());
        let plan = plan_division(&view, 1).expect("a plan");
        assert!(plan.summary.contains("demo-s2") && plan.summary.contains("8192 of 16384"));
        assert_eq!(plan.erases.len(), 3);
        view.cluster.spec.shards = 2;
        let shard = view.shards[1].cluster.shard.as_mut().expect("a shard");
        shard.slots[0].first += 2;
        assert!(needs_division(&view), "what was begun is gone on with");
    }

    #[test]
    fn a_shard_without_keys_is_nobodys_concern() {
        let mut view = whole();
        let mut coming = view.shards[1].clone();
        coming.cluster.shard.as_mut().expect("a shard").slots.clear();
        coming.nodes[0].seen = None;
        view.shards.push(coming);
        let (phase, sentence) = whole_phase(&view);
        assert_eq!(phase, ClusterPhase::Healthy, "{sentence}");
        assert!(sentence.starts_with("2 shards accept writes"), "{sentence}");
    }

    #[test]
    fn requests_find_the_shard_of_the_node_that_they_name() {
        let view = whole();
        let request = |node: &str| NewOperation {
            node: Some(node.into()),
            ..NewOperation::of(OperationKind::Switchover, None)
        };
        let asked = group_asked(&view, &request("demo-s2-3"));
        assert_eq!(asked.cluster.spec.name, "demo-s2");
        assert_eq!(group_asked(&view, &request("other")).cluster.id, view.cluster.id);
        let words = refuse(&view, OperationKind::Resync).expect("refused");
        assert!(words.ends_with("demo-s1, demo-s2"), "{words}");
        assert_eq!(refuse(&view, OperationKind::DeleteCluster), None);
        assert!(refuse(asked, OperationKind::DeleteCluster).is_some());
        assert_eq!(refuse(asked, OperationKind::Switchover), None);
    }

    #[test]
    fn the_whole_is_changed_and_no_shard_alone() {
        let view = whole();
        let refused = |view: &View, nodes: bool| {
            let mut after = view.cluster.spec.clone();
            if nodes {
                after.nodes += 1;
                after.shards += 1;
            } else {
                after.parameters.insert("some".into(), "value".into());
            }
            refuse_change(view, &after).is_some()
        };
        assert_eq!((refused(&view, true), refused(&view, false)), (false, false));
        let shard = &view.shards[0];
        assert_eq!((refused(shard, true), refused(shard, false)), (true, true));
    }

    #[test]
    fn settings_of_all_shards_are_changed_by_one_operation_before_slots_move() {
        let mut view = whole();
        let asked = |kind| Operation::queued(&view.cluster, kind, "someone", Timestamp::now());
        let (settings, division) =
            (asked(OperationKind::Reconfigure), asked(OperationKind::Reshard));
        view.queued = vec![settings.clone()];
        assert_eq!((decide(&view).rule, decide(&view).act), (110, Act::StartQueued));
        (view.operation, view.queued) = (Some(settings), vec![division]);
        assert_eq!((decide(&view).rule, decide(&view).act), (110, Act::Continue));
    }
}
