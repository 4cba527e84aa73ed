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
    let wanted = ClusterSpec { nodes: spec.nodes, timers: spec.timers, ..shard.clone() };
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
        OperationKind::AddNode | OperationKind::RemoveNode => {
            Some(format!("it is a shard of {whole}, whose shards all have as many nodes; ask for \
                          another number of nodes there"))
        }
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
