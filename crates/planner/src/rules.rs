//! The rules: ordered and numbered; the first that holds decides. The number is stored with what it
//! started. 1xx hold still, 2xx safety, 3xx requests, 4xx shape, 6xx care; gaps are for
//! later.

use bellwether_model::cluster::Handover;
use bellwether_model::node::NodePhase;
use bellwether_model::{
    ClusterId, JointConfig, NodeId, Operation, OperationId, OperationKind, Target,
};

use crate::allowed::steps_aside;
use crate::backups;
use crate::drills::{self, Due};
use crate::election::{self, Verdict};
use crate::members;
use crate::resize;
use crate::restore;
use crate::scheduled;
use crate::shards;
use crate::view::{NodeFacts, View};
use crate::voters;

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Nothing can be done now.
    Hold,
    /// Nothing needs to be done.
    Nothing,
    /// Go on with the operation that runs.
    Continue,
    /// Start the oldest operation that waits.
    StartQueued,
    /// Start an operation; a running one that is less urgent steps back.
    Start { kind: OperationKind, node: Option<NodeId> },
    /// Save this configuration of the group.
    Configure(JointConfig),
    /// Assign this to that node.
    Assign { node: NodeId, target: Target },
    /// No longer wait for what these nodes know that the server's store does not.
    StopWaiting(Vec<NodeId>),
    /// Begin a group of equals anew: with that node's data, or let every engine stop first that is
    /// without the majority.
    Regroup { founder: Option<NodeId> },
    /// Lead clients to that node of a group of equals.
    Lead { node: NodeId },
    /// Start the node's machine, which is off.
    StartMachine { node: NodeId },
    /// Do this about the schedule of drills.
    Drill(Due),
    /// Do this about the schedule of backups.
    BackUp(backups::Due),
    /// Do this about an operation that was asked for later.
    Due(OperationId, scheduled::Due),
    /// Ask of that shard what is asked of the cluster that it is part of.
    Align(ClusterId),
}

/// What was decided, by which rule, and why, in a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub rule: u32,
    pub why: &'static str,
    pub act: Act,
}

/// One row of the table.
pub struct Rule {
    pub number: u32,
    pub why: &'static str,
    /// What to do when the rule holds.
    pub then: fn(&View) -> Option<Act>,
}

/// Milliseconds automation waits after an operation of its own has failed.
const RETRY_AFTER_MS: u64 = 30_000;

/// Milliseconds an agent whose engine is alive may be silent: its supervisor restarts it.
const AGENT_GRACE_MS: u64 = 5_000;

/// Milliseconds after a failover during which only the plainest evidence starts another: ten
/// leases, and the more there were in the last hour, the longer.
fn stable_min_ms(view: &View) -> u64 {
    let ten_leases = view.timers().lease_ms * 10;
    match view.failovers_lately {
        0..3 => ten_leases,
        3 => ten_leases.max(120_000),
        _ => 600_000,
    }
}

macro_rules! rules {
    ($($number:literal $why:literal $then:path;)*) => {
        /// Every rule, in order.
        pub static RULES: &[Rule] = &[$(Rule { number: $number, why: $why, then: $then }),*];
    };
}

rules! {
    101 "the cluster is being deleted" is_being_deleted;
    103 "the cluster is being created" is_being_created;
    105 "its creation failed; it can only be deleted" has_failed;
    106 "the server's store is an older copy; it hears what its agents know" is_learning;
    107 "the server has just started and listens before it judges" is_settling;
    108 "its shards are not asked for what it is asked for" has_other_shards;
    109 "its keys are not divided as it is asked for" has_other_division;
    110 "each of its shards decides for itself" is_sharded;
    201 "a change of primary is under way" is_changing_primary;
    202 "the group of equals has lost its majority, and every node is heard" has_no_majority;
    203 "the node that clients are led to is not well, and another is" has_other_writer;
    205 "the primary is lost, or nobody hears it who has to confirm its writes, and a replica can \
         take over" can_fail_over;
    207 "an election was begun and not finished" has_unfinished_election;
    209 "the primary is lost and fewer replicas answer than an election needs" is_headless;
    211 "the voters or the writes they must confirm have changed" needs_configuration;
    301 "an operation is under way" has_operation;
    303 "an operation was asked for" has_request;
    305 "a former primary has to follow the new one" has_returning;
    401 "a node is not assigned what the group needs" needs_assignment;
    403 "there are fewer nodes than asked for" has_too_few;
    405 "there are more nodes than asked for" has_too_many;
    407 "a node has another size than asked for" has_other_size;
    601 "a drill is due" has_due_drill;
    603 "a backup is due" has_due_backup;
    605 "what was asked for later is due" has_due_request;
    999 "the cluster is as it was asked for" is_as_wanted;
}

/// Decides. Some rule always holds.
#[must_use]
pub fn decide(view: &View) -> Decision {
    RULES
        .iter()
        .find_map(|rule| {
            let act = (rule.then)(view)?;
            Some(Decision { rule: rule.number, why: rule.why, act })
        })
        .expect("the last rule always holds")
}

/// The machines that are off and should be on, whatever else was decided. None while the role of
/// the primary is in question: that a machine does not run is what proves it harmless.
#[must_use]
pub fn machines_to_start(view: &View, decision: &Decision) -> Vec<NodeId> {
    if decision.rule < 210 {
        return Vec::new();
    }
    let is_off = |facts: &&crate::view::NodeFacts| {
        // In maintenance it may be off for a reason.
        let is_left_alone =
            matches!(facts.node.phase, NodePhase::Removing | NodePhase::Maintenance);
        facts.machine_stopped && !is_left_alone
    };
    view.nodes.iter().filter(is_off).map(|facts| facts.node.id.clone()).collect()
}

fn running(view: &View, kinds: &[OperationKind]) -> bool {
    view.operation.as_ref().is_some_and(|operation| kinds.contains(&operation.kind))
}

fn queued(view: &View, kind: OperationKind) -> bool {
    view.queued.iter().any(|operation| operation.kind == kind)
}

fn is_being_deleted(view: &View) -> Option<Act> {
    if running(view, &[OperationKind::DeleteCluster]) {
        return Some(Act::Continue);
    }
    queued(view, OperationKind::DeleteCluster)
        .then_some(Act::Start { kind: OperationKind::DeleteCluster, node: None })
}

fn is_being_created(view: &View) -> Option<Act> {
    if running(view, &[OperationKind::CreateCluster, OperationKind::Prove]) {
        if view.is_sharded() {
            return Some(Act::Continue);
        }
        // Its last step waits for the replicas' votes.
        return needs_configuration(view).or(Some(Act::Continue));
    }
    let is_new = |kind| queued(view, kind);
    (is_new(OperationKind::CreateCluster) || is_new(OperationKind::Prove))
        .then_some(Act::StartQueued)
}

fn has_failed(view: &View) -> Option<Act> {
    (view.cluster.status.phase == bellwether_model::ClusterPhase::Failed).then_some(Act::Hold)
}

fn has_other_shards(view: &View) -> Option<Act> {
    let other = view.shards.iter().find(|shard| {
        !shard.is_being_deleted() && shards::aligned(view, &shard.cluster.spec).is_some()
    })?;
    Some(Act::Align(other.cluster.id.clone()))
}

fn has_other_division(view: &View) -> Option<Act> {
    if running(view, &[OperationKind::Reshard]) {
        return Some(Act::Continue);
    }
    if running(view, &[OperationKind::Reconfigure]) {
        return None;
    }
    if queued(view, OperationKind::Reshard) {
        return Some(Act::StartQueued);
    }
    (shards::needs_division(view) && may_start_own(view))
        .then_some(Act::Start { kind: OperationKind::Reshard, node: None })
}

fn is_sharded(view: &View) -> Option<Act> {
    if !view.is_sharded() {
        return None;
    }
    // It has each of them change its settings.
    if running(view, &[OperationKind::Reconfigure]) {
        return Some(Act::Continue);
    }
    let is_asked = queued(view, OperationKind::Reconfigure);
    Some(if is_asked { Act::StartQueued } else { Act::Nothing })
}

fn is_changing_primary(view: &View) -> Option<Act> {
    // A change of settings may move the primary, too.
    let hands_over = running(view, &[OperationKind::Reconfigure])
        && view.cluster.status.handover != Handover::None;
    let is_replaced = restore::is_near(view);
    let changes = running(view, &[OperationKind::Failover, OperationKind::Switchover]);
    if !changes && !hands_over && !is_replaced {
        return None;
    }
    // A candidate that waits for voters to hold what it holds is given them.
    let has_begun = view.cluster.status.candidate.is_some();
    needs_configuration(view).filter(|_| has_begun).or(Some(Act::Continue))
}

/// Holds until every node has said what it was told. Not once the primary that was learned of
/// serves: then nobody can have been elected since. And not for one whose removal a person asks
/// for: it may be lost for good.
fn is_learning(view: &View) -> Option<Act> {
    let status = &view.cluster.status;
    if status.unheard.is_empty() {
        return None;
    }
    let serves = view.primary().is_some_and(|primary| {
        primary.is_fresh(view.timers().suspect_ms)
            && primary.serves(status.term)
            && primary.report().is_some_and(|report| report.gate.open)
    });
    let removed = view.queued.iter().filter(|asked| asked.kind == OperationKind::RemoveNode);
    let given_up: Vec<NodeId> = match serves {
        true => status.unheard.iter().cloned().collect(),
        false => removed
            .filter_map(|asked| asked.node.clone())
            .filter(|node| status.unheard.contains(node))
            .collect(),
    };
    Some(if given_up.is_empty() { Act::Hold } else { Act::StopWaiting(given_up) })
}

/// Holds until everybody who counts was heard by this server, or has had the time to be.
fn is_settling(view: &View) -> Option<Act> {
    let suspect = view.timers().suspect_ms;
    let is_heard = view.primary().is_some_and(|primary| primary.is_fresh(suspect))
        && view.active().all(|facts| facts.is_fresh(suspect));
    (!view.is_settled() && !is_heard).then_some(Act::Hold)
}

fn has_no_majority(view: &View) -> Option<Act> {
    members::regroup(view)
}

fn has_other_writer(view: &View) -> Option<Act> {
    members::lead(view)
}

/// Whether the role of a primary is ours to give: not where the engines' own majority decides who
/// may write.
fn elects(view: &View) -> bool {
    !view.is_multi_primary()
}

fn can_fail_over(view: &View) -> Option<Act> {
    if !elects(view) {
        return None;
    }
    let is_recent = view.last_failover_age_ms.is_some_and(|age| age < stable_min_ms(view));
    let is_lost = match election::judge(view) {
        Verdict::EngineDead | Verdict::MachineStopped | Verdict::NodeLost => true,
        Verdict::AgentLost => {
            !is_recent && view.primary().is_some_and(|p| p.age_ms() > AGENT_GRACE_MS)
        }
        Verdict::Healthy => !is_recent && election::is_unconfirmed(view),
        Verdict::LinkLost | Verdict::Blind | Verdict::NoPrimary => false,
    };
    (is_lost && election::can_elect(view))
        .then_some(Act::Start { kind: OperationKind::Failover, node: None })
}

fn has_unfinished_election(view: &View) -> Option<Act> {
    let status = &view.cluster.status;
    let is_unfinished = elects(view)
        && status.term > 0
        && (status.promised > status.term || status.primary.is_none());
    let may_try = view.last_failure_age_ms.is_none_or(|age| age > 2_000);
    let start = Act::Start { kind: OperationKind::Failover, node: None };
    is_unfinished.then_some(if may_try { start } else { Act::Hold })
}

fn is_headless(view: &View) -> Option<Act> {
    let is_lost = matches!(
        election::judge(view),
        Verdict::EngineDead | Verdict::MachineStopped | Verdict::NodeLost
    );
    let primary = view.primary()?;
    let node = primary.node.id.clone();
    if !is_lost || !elects(view) {
        return None;
    }
    // Its engine died and nobody can be elected: it is still the best copy, under a new term.
    let has_surrendered = primary.surrender(view.cluster.status.term).is_some();
    if has_surrendered && primary.is_fresh(view.timers().suspect_ms) {
        return Some(Act::Start { kind: OperationKind::Failover, node: Some(node) });
    }
    if view.cluster.status.config.is_solo() {
        return None;
    }
    Some(if primary.machine_stopped { Act::StartMachine { node } } else { Act::Hold })
}

fn needs_configuration(view: &View) -> Option<Act> {
    voters::next_config(view).filter(|_| elects(view)).map(Act::Configure)
}

fn has_operation(view: &View) -> Option<Act> {
    let operation = view.operation.as_ref()?;
    if operation.kind.may_hand_over() {
        // It waits for the switchover that it has asked for.
        let switchover = view.queued.iter().find(|queued| queued.kind == OperationKind::Switchover);
        if let Some(asked) = switchover {
            return Some(Act::Start { kind: asked.kind, node: asked.node.clone() });
        }
    }
    if operation.kind == OperationKind::Drill {
        // And for the former primary's return.
        return has_returning(view).or(Some(Act::Continue));
    }
    // A node that returns may take its time, as may a backup; what a person asked for does not wait
    // for it, and neither does a node for a backup.
    let is_backup = operation.kind == OperationKind::Backup;
    if is_backup && let Some(returning) = has_returning(view) {
        return Some(returning);
    }
    let asked =
        view.queued.iter().find(|queued| !steps_aside(queued.kind) && !is_drill_under_way(queued));
    Some(match asked.filter(|_| steps_aside(operation.kind)) {
        Some(asked) => Act::Start { kind: asked.kind, node: asked.node.clone() },
        None => Act::Continue,
    })
}

/// It has struck and waits for what others do.
fn is_drill_under_way(operation: &Operation) -> bool {
    operation.kind == OperationKind::Drill && operation.started_at.is_some()
}

fn has_request(view: &View) -> Option<Act> {
    let only_drills = view.queued.iter().all(is_drill_under_way);
    if only_drills && let Some(returning) = has_returning(view) {
        return (!view.queued.is_empty()).then_some(returning);
    }
    (!view.queued.is_empty()).then_some(Act::StartQueued)
}

/// One that streams already goes first, then the one that was heard last: another may never be
/// back.
fn has_returning(view: &View) -> Option<Act> {
    let primary = view.primary()?;
    let returning = view.nodes.iter().filter(|facts| facts.node.phase == NodePhase::Rejoining);
    let first = returning.min_by_key(|facts| {
        (!facts.streams_from(&primary.node.id), facts.machine_stopped, facts.age_ms())
    })?;
    may_start_own(view)
        .then(|| Act::Start { kind: OperationKind::Rejoin, node: Some(first.node.id.clone()) })
}

fn needs_assignment(view: &View) -> Option<Act> {
    let status = &view.cluster.status;
    let primary = status.primary.as_ref()?;
    let follows =
        |facts: &&NodeFacts| matches!(facts.node.phase, NodePhase::Active | NodePhase::Maintenance);
    view.nodes.iter().filter(follows).find_map(|facts| {
        let wanted = if view.is_multi_primary() {
            let is_founding = matches!(facts.node.target, Target::Member { from: None, .. });
            if is_founding && !members::serves(view, facts) {
                return None;
            }
            members::target(view, &facts.node.id)
        } else if facts.node.id == *primary {
            match facts.node.target {
                Target::Primary { term, .. } if term == status.term => return None,
                _ => Target::Primary { term: status.term, create: false },
            }
        } else {
            Target::Replica { upstream: primary.clone(), term: status.term }
        };
        (facts.node.target != wanted)
            .then(|| Act::Assign { node: facts.node.id.clone(), target: wanted })
    })
}

fn may_start_own(view: &View) -> bool {
    view.last_failure_age_ms.is_none_or(|age| age > RETRY_AFTER_MS)
}

fn has_too_few(view: &View) -> Option<Act> {
    let is_short = (view.nodes.len() as u32) < view.cluster.spec.nodes;
    let has_donor = view.primary().is_some_and(|f| elects(view) || members::serves(view, f));
    (is_short && may_start_own(view) && has_donor)
        .then_some(Act::Start { kind: OperationKind::AddNode, node: None })
}

fn has_too_many(view: &View) -> Option<Act> {
    let has_more = view.nodes.len() as u32 > view.cluster.spec.nodes;
    let last = view.replicas().last().map(|facts| facts.node.id.clone())?;
    (has_more && may_start_own(view))
        .then_some(Act::Start { kind: OperationKind::RemoveNode, node: Some(last) })
}

fn has_other_size(view: &View) -> Option<Act> {
    let (facts, refusal) = resize::next(view)?;
    let kind = resize::how(&facts.node.size, &view.cluster.spec.size);
    (refusal.is_none() && may_start_own(view))
        .then(|| Act::Start { kind, node: Some(facts.node.id.clone()) })
}

fn has_due_drill(view: &View) -> Option<Act> {
    drills::due(view).map(Act::Drill)
}

fn has_due_backup(view: &View) -> Option<Act> {
    backups::due(view).map(Act::BackUp)
}

fn has_due_request(view: &View) -> Option<Act> {
    scheduled::due(view).map(|(operation, due)| Act::Due(operation, due))
}

fn is_as_wanted(_: &View) -> Option<Act> {
    Some(Act::Nothing)
}

#[cfg(test)]
mod tests {
    use bellwether_model::OperationStatus;

    use super::*;
    use crate::view::tests::{Sketch, sketch};

    type Change = fn(&mut Sketch);

    #[test]
    fn rules_are_numbered_upwards() {
        assert!(RULES.windows(2).all(|pair| pair[0].number < pair[1].number));
    }

    #[test]
    fn every_rule_that_a_view_alone_can_show() {
        let lose_primary: Change = |s| {
            s.age_evidence(5_000);
            s.silence(1, 4_000);
        };
        let table: &[(u32, &str, Change)] = &[
            (999, "all well", |_| {}),
            (205, "primary silent", lose_primary),
            (205, "engine dead", |s| s.surrender(1, 1)),
            (205, "machine off", |s| s.machine_stopped(1)),
            (207, "promised and nobody promoted", |s| s.cluster.status.promised = 2),
            (209, "primary silent, one of two voters too", |s| {
                s.age_evidence(5_000);
                s.silence(1, 4_000);
                s.silence(3, 4_000);
            }),
            (205, "nobody who has to confirm hears the primary", |s| {
                s.strict();
                s.deafen(9_000);
            }),
            (999, "they have not heard it for a moment", |s| {
                s.strict();
                s.deafen(3_000);
            }),
            (106, "the store is an older copy", |s| {
                s.cluster.status.unheard = [s.id(2)].into();
                s.silence(1, 9_000);
            }),
            (211, "a voter is gone", |s| s.silence(3, 9_000)),
            (305, "a former primary is back", Sketch::rejoining),
            (401, "a replica follows an earlier term", |s| {
                s.node(3).target = Target::Replica { upstream: s.id(2), term: 1 };
            }),
            (403, "fewer nodes", |s| s.cluster.spec.nodes = 4),
            (405, "more nodes", |s| s.cluster.spec.nodes = 2),
            (407, "larger nodes", |s| s.cluster.spec.size.cpus = 2.0),
        ];
        for (rule, words, change) in table {
            let mut sketch = sketch(3);
            change(&mut sketch);
            assert_eq!(decide(&sketch.view()).rule, *rule, "{words}");
        }
    }

    /// A drill waits for what others do; nothing waits for it meanwhile.
    #[test]
    fn a_drill_steps_back_before_what_it_waits_for() {
        let mut sketch = sketch(3);
        let drill = |sketch: &Sketch, status| Operation {
            status,
            started_at: Some(sketch.cluster.created_at),
            ..sketch.operation(OperationKind::Drill)
        };
        let mut view = sketch.view();
        view.operation = Some(drill(&sketch, OperationStatus::Running));
        assert_eq!(decide(&view).act, Act::Continue);
        view.queued = vec![sketch.operation(OperationKind::Switchover)];
        assert!(matches!(decide(&view).act, Act::Start { kind: OperationKind::Switchover, .. }));

        sketch.rejoining();
        let mut view = sketch.view();
        view.operation = Some(drill(&sketch, OperationStatus::Running));
        assert!(matches!(decide(&view).act, Act::Start { kind: OperationKind::Rejoin, .. }));
        view.queued = vec![drill(&sketch, OperationStatus::Queued)];
        view.operation = Some(sketch.operation(OperationKind::Rejoin));
        assert_eq!(decide(&view).act, Act::Continue, "the return goes first");
        view.operation = None;
        assert!(matches!(decide(&view).act, Act::Start { kind: OperationKind::Rejoin, .. }));
        let waits = sketch.operation(OperationKind::Drill);
        view.queued = vec![waits];
        assert_eq!(decide(&view).act, Act::StartQueued, "it has not begun");
    }

    #[test]
    fn a_server_that_has_just_started_fails_nobody_over() {
        let mut sketch = sketch(3);
        sketch.silence(1, u64::MAX);
        sketch.age_evidence(9_000);
        let mut view = sketch.view();
        view.server_age_ms = 100;
        assert_eq!(decide(&view).rule, 107);
    }

    #[test]
    fn an_older_copy_waits_for_nobody_once_the_primary_serves_or_who_is_missing_is_given_up() {
        let mut sketch = sketch(3);
        sketch.cluster.status.unheard = [sketch.id(2), sketch.id(3)].into();
        let all = vec![sketch.id(2), sketch.id(3)];
        assert_eq!(decide(&sketch.view()).act, Act::StopWaiting(all));
        sketch.silence(1, 9_000);
        let mut view = sketch.view();
        assert_eq!(decide(&view).act, Act::Hold);
        let asked = sketch.operation(OperationKind::RemoveNode);
        view.queued.push(Operation { node: Some(sketch.id(3)), ..asked });
        assert_eq!(decide(&view).act, Act::StopWaiting(vec![sketch.id(3)]));
    }

    #[test]
    fn after_many_failovers_in_an_hour_only_the_plainest_evidence_counts_for_longer() {
        let mut sketch = sketch(3);
        sketch.strict();
        sketch.deafen(9_000);
        for (lately, age_ms, rule) in [
            (1, 20_000, 211),
            (1, 31_000, 205),
            (3, 31_000, 211),
            (3, 121_000, 205),
            (4, 121_000, 211),
            (4, 601_000, 205),
        ] {
            let mut view = sketch.view();
            (view.failovers_lately, view.last_failover_age_ms) = (lately, Some(age_ms));
            let is_205 = decide(&view).rule == 205;
            assert_eq!(is_205, rule == 205, "{lately} failovers, the last {age_ms} ms ago");
        }
        sketch.surrender(1, 1);
        let mut view = sketch.view();
        (view.failovers_lately, view.last_failover_age_ms) = (9, Some(1_000));
        assert_eq!(decide(&view).rule, 205, "an engine that is dead is replaced at once");
    }

    #[test]
    fn a_server_that_was_cut_off_hears_everybody_out_before_it_judges() {
        let mut sketch = sketch(3);
        sketch.silence(1, 9_000);
        sketch.age_evidence(9_000);
        let mut view = sketch.view();
        for facts in &mut view.nodes {
            facts.seen.as_mut().expect("seen").session_age_ms = 100;
        }
        assert_eq!(decide(&view).rule, 107);
    }

    #[test]
    fn a_primary_cut_from_the_server_only_keeps_its_role() {
        let mut sketch = sketch(3);
        sketch.silence(1, 60_000);
        let act = decide(&sketch.view()).act;
        assert!(matches!(act, Act::Nothing), "{act:?}");
    }

    #[test]
    fn a_single_node_is_never_failed_over() {
        let mut sketch = sketch(1);
        sketch.silence(1, 60_000);
        assert_eq!(decide(&sketch.view()).rule, 999);
        sketch.machine_stopped(1);
        let view = sketch.view();
        assert_eq!(machines_to_start(&view, &decide(&view)), [sketch.id(1)]);
    }

    #[test]
    fn a_machine_that_is_off_is_started_but_not_amid_a_change_of_primary() {
        let mut sketch = sketch(3);
        sketch.machine_stopped(3);
        let view = sketch.view();
        assert_eq!(machines_to_start(&view, &decide(&view)), [sketch.id(3)]);
        sketch.machine_stopped(1);
        let view = sketch.view();
        let decision = decide(&view);
        assert_eq!(decision.rule, 205);
        assert_eq!(machines_to_start(&view, &decision), Vec::<NodeId>::new());
    }

    #[test]
    fn what_a_person_asks_for_does_not_wait_for_a_node_that_returns() {
        let mut sketch = sketch(3);
        sketch.rejoining();
        let mut view = sketch.view();
        view.operation = Some(sketch.operation(OperationKind::Rejoin));
        assert_eq!(decide(&view).act, Act::Continue);
        let asked = sketch.operation(OperationKind::RemoveNode);
        view.queued = vec![sketch.operation(OperationKind::Rejoin), asked.clone()];
        let act = Act::Start { kind: OperationKind::RemoveNode, node: asked.node };
        assert_eq!(decide(&view).act, act);
    }

    #[test]
    fn a_change_of_settings_is_interrupted_but_not_amid_its_change_of_primary() {
        let mut sketch = sketch(3);
        sketch.surrender(1, 1);
        let mut view = sketch.view();
        view.operation = Some(sketch.operation(OperationKind::Reconfigure));
        assert_eq!(decide(&view).rule, 205, "the primary died");
        view.cluster.status.handover = Handover::Hold;
        assert_eq!((decide(&view).rule, decide(&view).act), (201, Act::Continue));
    }

    #[test]
    fn a_primary_without_voters_that_gave_its_term_up_gets_another() {
        let mut sketch = sketch(1);
        sketch.surrender(1, 1);
        let id = sketch.id(1);
        let again = Act::Start { kind: OperationKind::Failover, node: Some(id) };
        assert_eq!(decide(&sketch.view()).act, again);
    }

    #[test]
    fn an_engine_that_died_alone_is_promoted_again_under_a_new_term() {
        let mut sketch = sketch(3);
        sketch.surrender(1, 1);
        sketch.silence(2, 9_000);
        sketch.silence(3, 9_000);
        let id = sketch.id(1);
        let decision = decide(&sketch.view());
        assert_eq!(decision.rule, 209);
        let again = Act::Start { kind: OperationKind::Failover, node: Some(id) };
        assert_eq!(decision.act, again);
    }
}
