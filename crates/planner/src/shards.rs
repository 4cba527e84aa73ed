//! Clusters that are several groups: what is asked of each, and how they are shown as one.

use bellwether_model::operation::NewOperation;
use bellwether_model::shard::{SLOTS, ShardView};
use bellwether_model::{ClusterPhase, ClusterSpec, OperationKind};

use crate::show::phase;
use crate::view::View;

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
    let shards = shard_views(view);
    let total = view.cluster.spec.shards as usize;
    let assigned: u32 = shards
        .iter()
        .flat_map(|shard| &shard.slots)
        .map(|range| u32::from(range.last - range.first) + 1)
        .sum();
    let Some(worst) = shards.iter().max_by_key(|shard| rank(shard.phase)) else {
        return (ClusterPhase::Unavailable, "it has no shards".to_owned());
    };
    if shards.len() < total || assigned < u32::from(SLOTS) {
        let words = format!("{} of {total} shards are there; some keys have none", shards.len());
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

/// Why an operation cannot be asked of this cluster, for it is a shard or has shards.
#[must_use]
pub fn refuse(view: &View, kind: OperationKind) -> Option<String> {
    if view.is_sharded() && kind != OperationKind::DeleteCluster {
        let names: Vec<&str> = view.shards.iter().map(|s| s.cluster.spec.name.as_str()).collect();
        return Some(format!("ask it of one of its shards: {}", names.join(", ")));
    }
    let whole = view.shard_of.as_ref()?;
    match kind {
        OperationKind::DeleteCluster => {
            Some(format!("it is a shard of {whole}; only all of that can be deleted"))
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
    if view.is_sharded() && after.parameters != before.parameters {
        return Some("settings of its engines are changed on each of its shards".to_owned());
    }
    let whole = view.shard_of.as_ref()?;
    let settings_alone = ClusterSpec { parameters: before.parameters.clone(), ..after.clone() };
    (settings_alone != *before)
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
        assert_eq!(decide(&view).rule, 109);
        view.cluster.spec.nodes = 2;
        let decision = decide(&view);
        assert_eq!((decision.rule, decision.act), (108, Act::Align("demo-s1".into())));
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
    fn a_shard_is_changed_in_its_settings_alone_and_the_whole_in_everything_else() {
        let view = whole();
        let changed = |view: &View, nodes: bool| {
            let mut after = view.cluster.spec.clone();
            if nodes {
                after.nodes += 1;
            } else {
                after.parameters.insert("some".into(), "value".into());
            }
            refuse_change(view, &after).is_some()
        };
        assert_eq!((changed(&view, true), changed(&view, false)), (false, true));
        let shard = &view.shards[0];
        assert_eq!((changed(shard, true), changed(shard, false)), (true, false));
    }
}
