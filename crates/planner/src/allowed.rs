//! Which operations may be asked for now and, for the rest, why not and what to do about it. The
//! API refuses by it, the CLI and the dashboard show it; nobody repeats it.

use bellwether_model::drill::DrillKind;
use bellwether_model::operation::{Allowed, NewOperation};
use bellwether_model::{ClusterPhase, NodeId, OperationKind};

use crate::election::{self, Verdict};
use crate::view::{NodeFacts, View};
use crate::{backups, drills, maintenance, members, reconfigure, replace, restore, resync, shards};

/// The operations on the cluster as a whole.
#[must_use]
pub fn allowed_on_cluster(view: &View) -> Vec<Allowed> {
    let on_cluster = |kind| allowed(kind, refuse_on_cluster(view, kind));
    if view.is_sharded() {
        return vec![
            on_cluster(OperationKind::AddNode),
            allowed(OperationKind::Reconfigure, reconfigure::refuse(view)),
            on_cluster(OperationKind::DeleteCluster),
        ];
    }
    if view.is_multi_primary() {
        return members::allowed::on_cluster(view);
    }
    let failover = refuse_failover(view);
    let resync = resync::refuse(view, &resync::of_all(view));
    vec![
        on_cluster(OperationKind::AddNode),
        allowed(OperationKind::Resync, resync),
        allowed(
            OperationKind::Reconfigure,
            shards::refuse(view, OperationKind::Reconfigure).or_else(|| reconfigure::refuse(view)),
        ),
        allowed(OperationKind::Drill, drills::refuse(view, DrillKind::Switchover, false)),
        allowed(OperationKind::Backup, backups::refuse(view)),
        allowed(OperationKind::Restore, restore::refuse(view, true)),
        allowed(OperationKind::UndoRestore, restore::refuse_undo(view, true)),
        allowed(OperationKind::KeepRestored, restore::refuse_keep(view)),
        allowed(OperationKind::Failover, failover),
        on_cluster(OperationKind::DeleteCluster),
    ]
}

/// The operations on one node.
#[must_use]
pub fn allowed_on_node(view: &View, node: &NodeId) -> Vec<Allowed> {
    let Some(facts) = view.node(node) else { return Vec::new() };
    if view.is_multi_primary() {
        return members::allowed::on_node(view, facts);
    }
    // What only a person's word is missing for can be asked for.
    let leave = |kind| allowed(kind, maintenance::refuse(view, facts, kind, true));
    vec![
        allowed(OperationKind::Switchover, refuse_switchover(view, facts)),
        allowed(OperationKind::Resync, resync::refuse(view, &resync::of_one(view, facts))),
        allowed(OperationKind::RemoveNode, refuse_removal(view, facts)),
        allowed(OperationKind::ReplaceNode, replace::refuse(view, facts)),
        leave(OperationKind::Drain),
        leave(OperationKind::Undrain),
        leave(OperationKind::Reboot),
    ]
}

/// Whether this request may begin now.
///
/// # Errors
/// The reason why not, with what to do about it.
pub fn check_operation(view: &View, request: &NewOperation) -> Result<(), String> {
    let named = || named(view, request);
    if let Some(refusal) = shards::refuse(view, request.kind) {
        return Err(refusal);
    }
    if view.is_multi_primary() {
        return members::allowed::check(view, request);
    }
    let refusal = match request.kind {
        OperationKind::Switchover => refuse_switchover(view, named()?),
        OperationKind::RemoveNode => refuse_removal(view, named()?),
        OperationKind::ReplaceNode => replace::refuse(view, named()?),
        OperationKind::AddNode => refuse_on_cluster(view, request.kind),
        OperationKind::DeleteCluster => refuse_on_cluster(view, request.kind)
            .or_else(|| request.repository.as_ref().and_then(|_| refuse_last_backup(view))),
        OperationKind::Resync => resync::refuse(view, &resync::resolve(view, request)?),
        OperationKind::Drain | OperationKind::Undrain | OperationKind::Reboot => {
            maintenance::refuse(view, named()?, request.kind, request.allow_waiting)
        }
        OperationKind::Drill => {
            drills::refuse(view, request.drill.unwrap_or_default(), request.allow_loss)
        }
        OperationKind::Backup => backups::refuse(view),
        OperationKind::Restore => restore::refuse(view, request.allow_waiting)
            .or_else(|| restore::refuse_safety(view, request)),
        OperationKind::UndoRestore => restore::refuse_undo(view, request.allow_waiting),
        OperationKind::KeepRestored => restore::refuse_keep(view),
        OperationKind::Prove => {
            Some("a backup is verified by its own request; name the backup".to_owned())
        }
        OperationKind::Resize => {
            Some("the size is asked for of the cluster; change `size` of its spec".to_owned())
        }
        OperationKind::Reshard => Some(
            "the number of shards is asked for of the cluster; change `shards` of its spec"
                .to_owned(),
        ),
        OperationKind::CreateCluster => Some("the cluster exists already".to_owned()),
        OperationKind::Reconfigure => {
            Some("settings are changed by changing the cluster's `parameters`".to_owned())
        }
        OperationKind::Failover => refuse_failover(view),
        OperationKind::Rejoin => Some(
            "a former primary rejoins by itself as soon as it is heard; if it never is, remove it"
                .to_owned(),
        ),
    };
    refusal.map_or(Ok(()), Err)
}

/// The node that the request names.
pub(crate) fn named<'a>(view: &'a View, request: &NewOperation) -> Result<&'a NodeFacts, String> {
    let text = request.node.as_deref().filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| "`node` is missing: name the node".to_owned())?;
    view.node_named(text).ok_or_else(|| {
        let names: Vec<_> = view.nodes.iter().map(|facts| facts.node.name.as_str()).collect();
        format!("there is no node `{text}` here; there are {}", names.join(", "))
    })
}

pub(crate) fn allowed(kind: OperationKind, refusal: Option<String>) -> Allowed {
    Allowed { kind, allowed: refusal.is_none(), reason: refusal.unwrap_or_default() }
}

pub(crate) fn refuse_busy(view: &View) -> Option<String> {
    if view.cluster.status.phase == ClusterPhase::Failed {
        return Some("the creation of the cluster failed; it can only be deleted".to_owned());
    }
    // Whoever returns may take its time, as does a backup; nothing waits for that.
    let operation =
        view.operation.iter().chain(&view.queued).find(|operation| !steps_aside(operation.kind))?;
    let title = operation.kind.title().to_lowercase();
    Some(format!("`{title}` is under way; wait until it has ended"))
}

/// Whether whatever a person asks for goes before such an operation, which goes on afterwards.
pub(crate) fn steps_aside(kind: OperationKind) -> bool {
    matches!(kind, OperationKind::Rejoin | OperationKind::Backup)
}

fn refuse_last_backup(view: &View) -> Option<String> {
    let why = shards::refuse(view, OperationKind::Backup).or_else(|| backups::refuse(view))?;
    Some(format!("the last backup cannot be taken: {why}"))
}

fn refuse_on_cluster(view: &View, kind: OperationKind) -> Option<String> {
    if let Some(refusal) = shards::refuse(view, kind) {
        return Some(refusal);
    }
    if kind == OperationKind::DeleteCluster {
        return refuse_deletion(view);
    }
    refuse_busy(view).or_else(|| match election::judge(view) {
        Verdict::Healthy => None,
        _ => Some("the primary is not healthy; a new node is copied from it".to_owned()),
    })
}

pub(crate) fn refuse_deletion(view: &View) -> Option<String> {
    if view.is_being_deleted() {
        return Some("the cluster is being deleted already".to_owned());
    }
    let words = || "it is protected from deletion; take the protection off first".to_owned();
    view.cluster.spec.protected.then(words)
}

/// A person is asked only where automation may not decide: the primary is lost, writes had to be
/// confirmed by nobody, and an election waits for the former primary.
fn refuse_failover(view: &View) -> Option<String> {
    let status = &view.cluster.status;
    let is_under_way = status.term > 0 && status.promised > status.term;
    if !is_under_way {
        return Some(
            "a failover begins by itself when the primary is lost; promote a replica to move the \
             primary now"
                .to_owned(),
        );
    }
    let is_async = status.config.iter().any(|config| config.acks == 0);
    if !is_async {
        return Some(
            "writes had to be confirmed here: an election waits only for replicas that hold all of \
             them"
                .to_owned(),
        );
    }
    let is_asked = view.queued.iter().any(|operation| operation.kind == OperationKind::Failover);
    if is_asked {
        return Some("a failover that allows the loss is asked for already".to_owned());
    }
    (!election::can_elect(view))
        .then(|| "fewer replicas answer than an election needs; start their machines".to_owned())
}

fn refuse_switchover(view: &View, facts: &NodeFacts) -> Option<String> {
    let name = &facts.node.name;
    let status = &view.cluster.status;
    if status.primary.as_ref() == Some(&facts.node.id) {
        return Some(format!("{name} is the primary already"));
    }
    if let Some(refusal) = refuse_busy(view) {
        return Some(refusal);
    }
    let Some(primary) = view.primary() else {
        return Some("there is no primary to hand over; a failover is needed first".to_owned());
    };
    if election::judge(view) != Verdict::Healthy {
        return Some(format!("{} is not healthy and cannot hand over", primary.node.name));
    }
    refuse_candidate(view, facts, primary)
}

/// Why this replica cannot take over from that primary now.
#[must_use]
pub fn refuse_candidate(view: &View, facts: &NodeFacts, primary: &NodeFacts) -> Option<String> {
    let name = &facts.node.name;
    if !facts.is_fresh(view.timers().suspect_ms) {
        return Some(format!("{name} is not heard from"));
    }
    if let Some(refusal) = facts.other_library(primary) {
        return Some(refusal);
    }
    if let Some(fault) = facts.worker().and_then(|worker| worker.engine.fault.as_deref()) {
        return Some(format!("{name} is no fit copy: {fault}; resynchronise it first"));
    }
    if !facts.streams_from(&primary.node.id) {
        return Some(format!("{name} does not stream from the primary; wait until it does"));
    }
    if !view.cluster.status.config.current.voters.contains(&facts.node.id) {
        return Some(format!("{name} is not a full member yet; wait a moment"));
    }
    let words = match lag(primary, facts) {
        Some(lag) if lag <= view.log.lag_max => return None,
        Some(lag) => format!("{name} is {} behind", view.log.unit.words(lag)),
        None => format!("it is not known how far {name} is behind"),
    };
    Some(format!("{words}; wait until it has caught up"))
}

fn refuse_removal(view: &View, facts: &NodeFacts) -> Option<String> {
    let name = &facts.node.name;
    let refusal = shards::refuse(view, OperationKind::RemoveNode).or_else(|| refuse_busy(view));
    if refusal.is_some() {
        return refusal;
    }
    // Only a person can say that it is lost for good; it goes when there is a primary again.
    if view.cluster.status.unheard.contains(&facts.node.id) && view.nodes.len() > 1 {
        return None;
    }
    if view.cluster.status.primary.as_ref() == Some(&facts.node.id) {
        return Some(if view.nodes.len() == 1 {
            format!("{name} is the only node; delete the cluster instead")
        } else {
            format!("{name} is the primary; promote another node first")
        });
    }
    if election::judge(view) != Verdict::Healthy {
        return Some(format!("the primary is not healthy; {name} may hold the only good copy"));
    }
    let acks = view.cluster.spec.replication.acks() as usize;
    let is_strict = view.cluster.spec.replication.is_strict();
    let others = view
        .replicas()
        .filter(|other| other.node.id != facts.node.id)
        .filter(|other| view.cluster.status.config.current.voters.contains(&other.node.id))
        .count();
    (is_strict && others < acks).then(|| {
        format!(
            "replication {} needs {acks} replicas to confirm a write and {others} would be left; \
             add a node first, or change the replication mode",
            view.cluster.spec.replication
        )
    })
}

/// How much of the primary's log this node does not have, by whatever says that it has the most:
/// its own report may be older than the primary's, which says what the replica had then.
#[must_use]
pub fn lag(primary: &NodeFacts, facts: &NodeFacts) -> Option<u64> {
    let (ahead, own) = (primary.position()?, facts.position()?);
    let mut followers = primary.worker()?.followers.iter();
    let confirmed = followers.find(|follower| follower.node == facts.node.id);
    let behind = confirmed.map_or(own.offset, |follower| own.offset.max(follower.flushed.offset));
    Some(ahead.offset.saturating_sub(behind))
}

#[cfg(test)]
mod tests {
    use bellwether_model::replication::Position;

    use super::*;
    use crate::view::tests::sketch;

    fn reason(view: &View, node: u32, kind: OperationKind) -> String {
        let id = crate::view::tests::node_id(node);
        let all = allowed_on_node(view, &id);
        all.into_iter().find(|a| a.kind == kind).map(|a| a.reason).expect("listed")
    }

    #[test]
    fn a_healthy_replica_can_be_promoted_and_removed_the_primary_cannot() {
        let view = sketch(3).view();
        for kind in [OperationKind::Switchover, OperationKind::RemoveNode] {
            assert_eq!(reason(&view, 2, kind), "");
        }
        assert!(reason(&view, 1, OperationKind::Switchover).contains("primary already"));
        assert!(reason(&view, 1, OperationKind::RemoveNode).contains("promote another"));
    }

    #[test]
    fn the_last_confirming_replica_cannot_be_removed() {
        let mut sketch = sketch(2);
        sketch.cluster.spec.replication = bellwether_model::ReplicationMode::Strict;
        assert!(reason(&sketch.view(), 2, OperationKind::RemoveNode).contains("add a node first"));
    }

    #[test]
    fn a_replica_that_lags_or_is_silent_is_refused_with_the_reason() {
        let mut sketch = sketch(3);
        sketch.silence(3, 9_000);
        sketch.position(1, 1, 1 << 30);
        let view = sketch.view();
        assert!(reason(&view, 3, OperationKind::Switchover).contains("not heard from"));
        assert!(reason(&view, 2, OperationKind::Switchover).contains("behind"));
    }

    #[test]
    fn a_person_is_asked_for_a_failover_only_where_automation_may_not_decide() {
        let mut sketch = sketch(3);
        let refusal = |view: &View| refuse_failover(view).unwrap_or_default();
        assert!(refusal(&sketch.view()).contains("begins by itself"));
        sketch.cluster.status.promised = 2;
        let mut view = sketch.view();
        assert_eq!(refusal(&view), "");
        view.queued.push(sketch.operation(OperationKind::Failover));
        assert!(refusal(&view).contains("asked for already"));
        sketch.silence(2, 9_000);
        assert!(refusal(&sketch.view()).contains("start their machines"));
        sketch.cluster.status.config.current.acks = 1;
        assert!(refusal(&sketch.view()).contains("had to be confirmed"));
    }

    #[test]
    fn a_replica_with_another_library_does_not_vote_and_cannot_take_over() {
        let mut sketch = sketch(3);
        for (ordinal, version) in [(1, "2.19.3"), (2, "2.19.3"), (3, "2.18.0")] {
            sketch.worker(ordinal).engine.library = Some(format!("timescaledb {version}"));
        }
        let view = sketch.view();
        assert_eq!(reason(&view, 2, OperationKind::Switchover), "");
        let why = reason(&view, 3, OperationKind::Switchover);
        assert!(why.contains("demo-3 has timescaledb 2.18.0"), "{why}");
        let next = crate::voters::next_config(&view).expect("a change").next.expect("begun");
        assert!(!next.voters.contains(&sketch.id(3)) && next.voters.contains(&sketch.id(2)));
    }

    #[test]
    fn a_replica_whose_own_report_is_older_than_the_primarys_is_not_called_late() {
        let mut sketch = sketch(2);
        sketch.position(1, 1, 1 << 30);
        let flushed = Position { timeline: 1, offset: (1 << 30) - 8 };
        sketch.worker(1).followers[0].flushed = flushed;
        let view = sketch.view();
        assert_eq!(lag(&view.nodes[0], &view.nodes[1]), Some(8));
        assert_eq!(reason(&view, 2, OperationKind::Switchover), "");
    }

    #[test]
    fn an_unknown_node_is_named_with_those_there_are() {
        let request = NewOperation::of(OperationKind::RemoveNode, Some("demo-9".into()));
        let refusal = check_operation(&sketch(2).view(), &request).expect_err("refused");
        assert!(refusal.contains("demo-9") && refusal.contains("demo-1, demo-2"), "{refusal}");
    }
}
