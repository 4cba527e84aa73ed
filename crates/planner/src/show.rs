//! Clusters and nodes as people see them: one word, one sentence, never more certain than what is
//! known.

use bellwether_model::cluster::Handover;
use bellwether_model::engine::LogUnit;
use bellwether_model::node::{NodeHealth, NodePhase, NodeRole, disk_kept_free};
use bellwether_model::{
    Actual, ClusterPhase, ClusterView, NodeId, NodeView, OperationKind, Target, Timestamp,
};

use bellwether_protocol::local::{CertificateReport, WorkerReport};

use crate::allowed::{allowed_on_cluster, allowed_on_node, lag};
use crate::backups;
use crate::capacity::{self, disk};
use crate::check::check_timers;
use crate::election::{self, Verdict};
use crate::members;
use crate::resize;
use crate::restore;
use crate::schedule;
use crate::scheduled;
use crate::shards;
use crate::suspicion::suspicion;
use crate::view::{NodeFacts, View};

/// Milliseconds without a report after which figures are not shown as if they were of now.
const STALE_MS: u64 = 5_000;

/// The cluster as the API shows it.
#[must_use]
pub fn cluster_view(view: &View) -> ClusterView {
    let cluster = &view.cluster;
    let (phase, sentence) = phase(view);
    let groups = view.groups();
    let is_well = |group: &View, facts: &NodeFacts| health(group, facts) == NodeHealth::Healthy;
    let healthy = |group: &View| group.nodes.iter().filter(|n| is_well(group, n)).count();
    ClusterView {
        id: cluster.id.clone(),
        name: cluster.spec.name.clone(),
        generation: cluster.generation,
        created_at: cluster.created_at,
        spec: cluster.spec.clone(),
        phase,
        sentence,
        term: cluster.status.term,
        primary: cluster.status.primary.clone(),
        primary_name: view.primary().map(|facts| facts.node.name.clone()),
        nodes_total: groups.iter().map(|group| group.nodes.len() as u32).sum(),
        nodes_healthy: groups.iter().map(|group| healthy(group) as u32).sum(),
        operation: view.operation.as_ref().or(view.queued.first()).map(|o| o.id.clone()),
        suspicion: suspicion(view),
        next_drill_at: next_drill_at(view),
        backup: backups::summary(view),
        capacity: capacity::capacity(view),
        replaced: cluster.status.replaced.clone(),
        shards: shards::shard_views(view),
        shard_of: view.shard_of.clone(),
        operations: allowed_on_cluster(view),
    }
}

fn next_drill_at(view: &View) -> Option<Timestamp> {
    schedule::next_after(&view.cluster.spec.drill.as_ref()?.schedule, view.now)
}

/// The state of the cluster in one word and one sentence.
#[must_use]
pub fn phase(view: &View) -> (ClusterPhase, String) {
    let status = &view.cluster.status;
    let running = view.operation.as_ref().or(view.queued.first()).map(|o| o.kind);
    match (status.phase, running) {
        (_, Some(OperationKind::DeleteCluster)) => {
            return (ClusterPhase::Deleting, "being deleted".to_owned());
        }
        (ClusterPhase::Failed, _) => return (ClusterPhase::Failed, status.sentence.clone()),
        (_, Some(OperationKind::CreateCluster)) => {
            return (ClusterPhase::Creating, "being created".to_owned());
        }
        (_, Some(OperationKind::Failover)) => {
            return (ClusterPhase::FailingOver, "the primary is being replaced".to_owned());
        }
        (_, Some(OperationKind::Restore | OperationKind::UndoRestore))
            if restore::is_near(view) =>
        {
            let words = "its data is being replaced".to_owned();
            return (ClusterPhase::Unavailable, words);
        }
        (_, Some(OperationKind::Switchover)) => {
            return (ClusterPhase::FailingOver, "the primary is being moved".to_owned());
        }
        (_, Some(OperationKind::Reconfigure)) if status.handover != Handover::None => {
            return (ClusterPhase::FailingOver, "the primary is being started again".to_owned());
        }
        _ => {}
    }
    if view.is_sharded() {
        return shards::whole_phase(view);
    }
    if let Some(sentence) = is_learning(view) {
        return (ClusterPhase::Unknown, sentence);
    }
    if view.is_multi_primary() {
        return members::phase(view);
    }
    let name = view.primary().map_or("the primary", |facts| facts.node.name.as_str());
    match election::judge(view) {
        Verdict::NoPrimary => {
            (ClusterPhase::Unavailable, "there is no primary; an election is needed".to_owned())
        }
        Verdict::Healthy => serving_phase(view),
        Verdict::LinkLost => (
            ClusterPhase::Degraded,
            format!("{name} serves, but the server cannot hear it; replicas can"),
        ),
        Verdict::Blind => {
            (ClusterPhase::Unknown, format!("nothing is heard of {name}; it may well serve"))
        }
        Verdict::EngineDead | Verdict::MachineStopped | Verdict::NodeLost | Verdict::AgentLost => {
            (ClusterPhase::Unavailable, format!("{name} is lost"))
        }
    }
}

/// What a server waits for whose store is an older copy.
fn is_learning(view: &View) -> Option<String> {
    let unheard = &view.cluster.status.unheard;
    let missing = view.nodes.iter().filter(|facts| unheard.contains(&facts.node.id));
    let names: Vec<&str> = missing.map(|facts| facts.node.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "the server's data was replaced by an older copy, and it waits to hear what was \
             decided since from {}; remove whoever is lost for good",
            names.join(", ")
        )
    })
}

fn serving_phase(view: &View) -> (ClusterPhase, String) {
    let status = &view.cluster.status;
    let Some(primary) = view.primary() else {
        return (ClusterPhase::Unavailable, "there is no primary".to_owned());
    };
    let name = &primary.node.name;
    let is_open = primary.report().is_some_and(|report| report.gate.open);
    if !primary.serves(status.term) || !is_open {
        let doing = primary.worker().map_or("", |worker| worker.doing.as_str());
        let doing = if doing.is_empty() { "its gate is closed" } else { doing };
        return (ClusterPhase::Unavailable, format!("{name} does not accept writes: {doing}"));
    }
    if let Some(why) = primary.worker().and_then(|worker| worker.engine.refuses_writes.as_ref()) {
        let sentence = format!("{name} does not accept writes: {why}");
        return (ClusterPhase::Unavailable, sentence);
    }
    if is_disk_full(primary) {
        let sentence = format!("{name} serves reads and takes no new data: its disk is full");
        return (ClusterPhase::Degraded, sentence);
    }
    if let Some(fault) = fault(primary) {
        let sentence = format!("{name} accepts writes, but {fault}; {}", way_out(view));
        return (ClusterPhase::Degraded, sentence);
    }
    let replicas = view.nodes.len().saturating_sub(1);
    let healthy =
        view.replicas().filter(|facts| health(view, facts) == NodeHealth::Healthy).count();
    let wanted = (view.cluster.spec.nodes as usize).saturating_sub(1).max(replicas);
    if healthy < wanted {
        let mut sentence = format!("{name} accepts writes; {healthy} of {wanted} replicas follow");
        let out = view.nodes.iter().filter(|facts| facts.node.phase == NodePhase::Maintenance);
        let out: Vec<_> = out.map(|facts| facts.node.name.as_str()).collect();
        if !out.is_empty() {
            sentence += &format!("; in maintenance: {}", out.join(", "));
        }
        for (facts, fault) in view.replicas().filter_map(|facts| Some((facts, fault(facts)?))) {
            sentence += &format!("; {}: {fault}", facts.node.name);
        }
        return (ClusterPhase::Degraded, sentence);
    }
    let late = |facts: &NodeFacts| {
        late_certificate(facts).map(|words| format!("{}: {words}", facts.node.name))
    };
    if let Some(words) = view.nodes.iter().find_map(late) {
        return (ClusterPhase::Degraded, format!("{name} accepts writes, but {words}"));
    }
    let sentence = match wanted {
        0 => format!("{name} accepts writes; there is no replica"),
        1 => format!("{name} accepts writes, 1 replica follows"),
        many => format!("{name} accepts writes, {many} replicas follow"),
    };
    let warnings = [
        check_timers(view, view.cluster.spec.timers),
        resize::next(view).and_then(|(_, refusal)| refusal),
        capacity::cluster_warning(view),
    ];
    let sentence = warnings.into_iter().flatten().fold(sentence, |all, one| all + "; " + &one);
    (ClusterPhase::Healthy, sentence)
}

/// A node as the API shows it.
#[must_use]
pub fn node_view(view: &View, id: &NodeId) -> Option<NodeView> {
    let facts = view.node(id)?;
    let node = &facts.node;
    let is_known = facts.age_ms() <= STALE_MS;
    let worker = facts.worker().filter(|_| is_known);
    let primary = view.primary();
    let is_primary = role(view, facts) == NodeRole::Primary;
    let behind =
        primary.filter(|_| is_known && !is_primary).and_then(|primary| lag(primary, facts));
    Some(NodeView {
        id: node.id.clone(),
        cluster: node.cluster.clone(),
        name: node.name.clone(),
        ordinal: node.ordinal,
        size: node.size,
        provider: view.cluster.spec.provider.clone(),
        machine: node.machine.clone(),
        address: node.address.clone(),
        address6: node.address6.clone(),
        created_at: node.created_at,
        phase: node.phase,
        role: role(view, facts),
        health: health(view, facts),
        state: state(view, facts),
        target: node.target.word().to_owned(),
        upstream: upstream(view, facts),
        position: worker.and_then(|worker| worker.position),
        lag_bytes: behind.filter(|_| view.log.unit == LogUnit::Bytes),
        lag_transactions: behind.filter(|_| view.log.unit == LogUnit::Transactions),
        gate_open: facts.report().filter(|_| is_known).map(|report| report.gate.open),
        cpu_percent: worker.and_then(|worker| worker.host.cpu_percent),
        memory_used: worker.and_then(|worker| worker.host.memory_used),
        memory_limit: worker.and_then(|worker| worker.host.memory_limit),
        disk_used: worker.and_then(|worker| worker.host.disk_used),
        disk_size: worker.and_then(|worker| worker.host.disk_size),
        disk_growth: capacity::growth(facts).filter(|_| is_known),
        disk_full_in_days: capacity::full_in_days(facts).filter(|_| is_known),
        connections: worker.and_then(|worker| worker.engine.connections),
        engine_version: facts.worker().and_then(|worker| worker.engine.version.clone()),
        agent_version: facts.seen.as_ref().map(|seen| seen.agent_version.clone()),
        uptime_seconds: worker.and_then(|worker| worker.engine.uptime_seconds),
        certificate_ends_at: certificate(facts).map(|certificate| certificate.ends_at),
        report_age_ms: facts.seen.as_ref().filter(|s| s.report.is_some()).map(|seen| seen.age_ms),
        parameter_drift: worker
            .and_then(|worker| worker.settings.as_ref())
            .map_or_else(Vec::new, |settings| settings.differs.clone()),
        diverged: facts.worker().map_or_else(Vec::new, |worker| worker.diverged.clone()),
        operations: allowed_on_node(view, id),
    })
}

fn role(view: &View, facts: &NodeFacts) -> NodeRole {
    if facts.age_ms() > STALE_MS {
        return NodeRole::None;
    }
    match facts.actual() {
        Actual::Primary { .. } if members::serves(view, facts) => NodeRole::Primary,
        Actual::Primary { term } if *term == view.cluster.status.term => NodeRole::Primary,
        Actual::Replica { .. } => NodeRole::Replica,
        _ => NodeRole::None,
    }
}

fn upstream(view: &View, facts: &NodeFacts) -> Option<String> {
    match facts.actual() {
        Actual::Replica { upstream: Some(from), .. } | Actual::Seeding { upstream: from } => {
            view.node(from).map(|facts| facts.node.name.clone())
        }
        _ => None,
    }
}

/// The health of a node in one word.
#[must_use]
pub fn health(view: &View, facts: &NodeFacts) -> NodeHealth {
    let node = &facts.node;
    let is_fresh = facts.is_fresh(view.timers().suspect_ms.max(2_000));
    match node.phase {
        NodePhase::Provisioning | NodePhase::Joining | NodePhase::Removing => {
            return NodeHealth::Working;
        }
        _ if !is_fresh => return NodeHealth::Silent,
        NodePhase::Seeding | NodePhase::Rejoining | NodePhase::Active | NodePhase::Maintenance => {}
    }
    let status = &view.cluster.status;
    if view.is_multi_primary() {
        let is_well = !is_disk_full(facts) && fault(facts).is_none();
        let health = members::health(view, facts);
        let is_ill = health == NodeHealth::Healthy && !is_well;
        return if is_ill { NodeHealth::Degraded } else { health };
    }
    match (facts.actual(), &node.target) {
        (Actual::Failed { .. }, _) => NodeHealth::Failed,
        (Actual::Primary { term }, Target::Primary { .. }) if *term == status.term => {
            let is_open = facts.report().is_some_and(|report| report.gate.open);
            let refuses = |worker: &WorkerReport| worker.engine.refuses_writes.is_some();
            let takes_writes = !facts.worker().is_some_and(refuses);
            let is_well = is_open && takes_writes && !is_disk_full(facts) && fault(facts).is_none();
            if is_well { NodeHealth::Healthy } else { NodeHealth::Degraded }
        }
        (Actual::Replica { streaming: true, .. }, Target::Replica { upstream, .. })
            if facts.streams_from(upstream) && fault(facts).is_none() =>
        {
            NodeHealth::Healthy
        }
        (Actual::Replica { .. }, Target::Replica { .. }) => NodeHealth::Degraded,
        _ => NodeHealth::Working,
    }
}

/// The state of a node in words.
fn state(view: &View, facts: &NodeFacts) -> String {
    match facts.node.phase {
        NodePhase::Provisioning => return "its machine is being made".to_owned(),
        NodePhase::Joining => return "waiting for its agent".to_owned(),
        NodePhase::Removing => return "being removed".to_owned(),
        NodePhase::Seeding | NodePhase::Rejoining | NodePhase::Active | NodePhase::Maintenance => {}
    }
    if facts.machine_stopped {
        return "its machine is off".to_owned();
    }
    if health(view, facts) == NodeHealth::Silent {
        return match facts.seen.as_ref().filter(|seen| seen.report.is_some()) {
            Some(seen) => format!("not heard from for {} s", seen.age_ms / 1000),
            None => "not heard from".to_owned(),
        };
    }
    let mut activity = activity(view, facts);
    if facts.node.phase == NodePhase::Maintenance {
        activity = format!("in maintenance, without clients and vote; {activity}");
    }
    let other = view.primary().and_then(|primary| facts.other_library(primary));
    if let Some(words) = other {
        activity = format!("{activity}; {words}");
    }
    let waits = facts.worker().and_then(|worker| worker.settings.as_ref());
    if waits.is_some_and(|settings| settings.differs.iter().any(|drift| drift.needs_restart)) {
        activity += "; settings wait for a restart";
    }
    if let Some(words) = late_certificate(facts) {
        activity = format!("{activity}; {words}");
    }
    if let Some(fault) = fault(facts) {
        let is_primary = view.cluster.status.primary.as_ref() == Some(&facts.node.id);
        let way_out = if is_primary { way_out(view) } else { "resynchronise it" };
        activity += &format!("; {fault}; {way_out}");
    }
    if let Some(words) = scheduled::words(view, &facts.node.id) {
        activity = format!("{activity}; {words}");
    }
    match disk_words(facts) {
        Some(words) if !activity.contains("disk is full") => format!("{activity}; {words}"),
        _ => activity,
    }
}

fn certificate(facts: &NodeFacts) -> Option<CertificateReport> {
    facts.worker()?.certificate
}

/// Its certificate, where it should have been renewed long ago.
fn late_certificate(facts: &NodeFacts) -> Option<String> {
    let late = certificate(facts).filter(|certificate| certificate.is_late)?;
    Some(format!(
        "its certificate ends at {} and is not renewed: see its agent's log",
        late.ends_at
    ))
}

/// What is wrong with its data.
fn fault(facts: &NodeFacts) -> Option<&str> {
    facts.worker()?.engine.fault.as_deref()
}

/// Automation replaces no primary for that: what it reads may be damaged everywhere.
fn way_out(view: &View) -> &'static str {
    if view.nodes.len() > 1 {
        "promote another node and resynchronise this one"
    } else {
        "restore a backup"
    }
}

/// What is to be said of the node's disk, if anything.
fn disk_words(facts: &NodeFacts) -> Option<String> {
    if is_disk_full(facts) {
        return Some("its disk is full".to_owned());
    }
    let (used, size) = disk(facts)?;
    let percent = u128::from(used) * 100 / u128::from(size.max(1));
    let is_nearly = (percent >= 95).then(|| format!("its disk is {percent} % full"));
    is_nearly.or_else(|| capacity::warning(facts))
}

/// An engine on it takes no new data, or would not.
fn is_disk_full(facts: &NodeFacts) -> bool {
    let is_low = |(used, size): (u64, u64)| size.saturating_sub(used) < disk_kept_free(size);
    facts.worker().is_some_and(|worker| worker.engine.refuses_data)
        || disk(facts).is_some_and(is_low)
}

/// What the node does.
fn activity(view: &View, facts: &NodeFacts) -> String {
    if let Some(words) = members::activity(view, facts).filter(|_| view.is_multi_primary()) {
        return words;
    }
    let from = upstream(view, facts).unwrap_or_else(|| "nobody".to_owned());
    let doing = facts.worker().map_or("", |worker| worker.doing.as_str());
    let with_doing = |words: &str| match doing {
        "" => words.to_owned(),
        doing => format!("{words}: {doing}"),
    };
    match facts.actual() {
        Actual::Primary { .. } if facts.report().is_some_and(|report| report.gate.open) => {
            match is_disk_full(facts) {
                true => "serves reads and takes no new data: its disk is full".to_owned(),
                false => "accepts writes".to_owned(),
            }
        }
        Actual::Primary { .. } => with_doing("its gate is closed"),
        Actual::Replica { streaming: true, .. } => format!("follows {from}"),
        Actual::Replica { .. } => with_doing("does not stream"),
        Actual::Seeding { .. } => match facts.worker().and_then(|worker| worker.progress) {
            Some((done, all)) if all > 0 => format!("copying from {from}, {} %", done * 100 / all),
            _ => format!("copying from {from}"),
        },
        Actual::Stopped { .. } => with_doing("stopped"),
        Actual::Absent => with_doing("no data yet"),
        Actual::Failed { reason } => format!("failed: {reason}"),
        Actual::Unknown => "looking".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::sketch;

    #[test]
    fn a_cluster_is_called_healthy_only_when_everything_is_known_to_be() {
        let mut sketch = sketch(3);
        assert_eq!(phase(&sketch.view()).0, ClusterPhase::Healthy);
        sketch.silence(3, 9_000);
        assert_eq!(phase(&sketch.view()).0, ClusterPhase::Degraded);
        sketch.age_evidence(9_000);
        sketch.silence(1, 9_000);
        assert_eq!(phase(&sketch.view()).0, ClusterPhase::Unavailable);
        sketch.silence(2, 9_000);
        assert_eq!(phase(&sketch.view()).0, ClusterPhase::Unknown);
    }

    #[test]
    fn a_silent_node_is_shown_without_role_and_figures() {
        let mut sketch = sketch(2);
        sketch.silence(2, 42_000);
        let view = sketch.view();
        let shown = node_view(&view, &sketch.id(2)).expect("there");
        assert_eq!((shown.role, shown.health), (NodeRole::None, NodeHealth::Silent));
        assert_eq!((shown.lag_bytes, shown.state.as_str()), (None, "not heard from for 42 s"));
    }

    #[test]
    fn a_certificate_that_is_not_renewed_is_told_by_node_and_cluster() {
        let mut sketch = sketch(2);
        let report = |is_late| {
            let ends_at = Timestamp::from_millis(1_900_000_000_000);
            Some(CertificateReport { ends_at, is_late, issue: 0 })
        };
        sketch.worker(2).certificate = report(false);
        let id = sketch.id(2);
        assert_eq!(phase(&sketch.view()).0, ClusterPhase::Healthy);
        let shown = node_view(&sketch.view(), &id).expect("there");
        assert_eq!(shown.certificate_ends_at.map(Timestamp::as_millis), Some(1_900_000_000_000));
        assert_eq!(shown.health, NodeHealth::Healthy);

        sketch.worker(2).certificate = report(true);
        let (phase, sentence) = phase(&sketch.view());
        assert_eq!(phase, ClusterPhase::Degraded);
        let words = "its certificate ends at 2030-03-17T17:46:40Z and is not renewed";
        assert!(sentence.contains(words), "{sentence}");
        let shown = node_view(&sketch.view(), &id).expect("there");
        assert!(shown.state.contains(words), "{}", shown.state);
    }

    #[test]
    fn a_full_disk_is_named_whatever_the_node_does() {
        let mut sketch = sketch(2);
        for ordinal in [1, 2] {
            let host = &mut sketch.worker(ordinal).host;
            (host.disk_used, host.disk_size) = (Some(96 << 30), Some(100 << 30));
        }
        let state = |sketch: &crate::view::tests::Sketch, ordinal: u32| {
            let view = sketch.view();
            let shown = node_view(&view, &sketch.id(ordinal)).expect("there");
            (shown.health, shown.state)
        };
        assert_eq!(state(&sketch, 2).0, NodeHealth::Healthy);
        assert!(state(&sketch, 2).1.ends_with("; its disk is 96 % full"));
        sketch.worker(1).engine.refuses_data = true;
        sketch.worker(2).host.disk_used = Some((100 << 30) - 1);
        let (health, words) = state(&sketch, 1);
        assert_eq!(health, NodeHealth::Degraded);
        assert_eq!(words, "serves reads and takes no new data: its disk is full");
        assert!(state(&sketch, 2).1.ends_with("; its disk is full"));
        let (phase, sentence) = phase(&sketch.view());
        assert_eq!(phase, ClusterPhase::Degraded);
        assert!(sentence.ends_with("takes no new data: its disk is full"), "{sentence}");
    }
}
