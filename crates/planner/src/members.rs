//! Clusters in which every node accepts writes. No lease, vote or election of ours is needed: the
//! engines' own majority decides who may write, and an engine without it refuses. What is left to
//! decide: to which node clients are led, and when a group that has lost its majority is begun
//! anew.
//!
//! It is begun anew in two steps, of a term each. First every engine stops that runs without the
//! majority, and says where its data ends. Then one whose data is the most is to begin, while no
//! other engine runs. So there are never two groups, and what anybody was told of is kept: nothing
//! is decided before every node has been heard, or a person has removed it.

use std::collections::BTreeSet;

use bellwether_model::member::{MEMBERS_MIN, MemberReport};
use bellwether_model::node::{NodeHealth, NodePhase};
use bellwether_model::{Actual, ClusterPhase, ClusterSpec, NodeId, OperationKind, Target};

use crate::rules::Act;
use crate::show;
use crate::view::{NodeFacts, View};

/// Milliseconds after which one that is silent is not led to, whatever its engine's peers say.
const SILENT_MS: u64 = 5_000;

/// What a node's worker says of the group, where it is heard.
fn heard<'a>(view: &View, facts: &'a NodeFacts) -> Option<&'a MemberReport> {
    let is_heard = facts.is_fresh(view.timers().suspect_ms.max(2_000));
    facts.worker().filter(|_| is_heard)?.member.as_ref()
}

fn in_quorum(view: &View, facts: &NodeFacts) -> bool {
    heard(view, facts).is_some_and(|report| report.standing.in_quorum)
}

/// Whether it is heard to accept writes.
#[must_use]
pub fn serves(view: &View, facts: &NodeFacts) -> bool {
    let is_serving = facts.worker().is_some_and(|worker| worker.serving.is_some());
    is_serving && in_quorum(view, facts) && facts.report().is_some_and(|report| report.gate.open)
}

/// Whether its engine may hold data of the group.
fn counts(facts: &NodeFacts) -> bool {
    matches!(facts.node.target, Target::Member { .. }) || facts.node.phase == NodePhase::Removing
}

/// Members other than this one that accept writes and are in service.
fn others<'a>(view: &'a View, id: &NodeId) -> impl Iterator<Item = &'a NodeFacts> {
    view.active().filter(|facts| facts.node.id != *id && serves(view, facts))
}

/// What a member shall be under the term in force: it copies from another where it has no data.
#[must_use]
pub fn target(view: &View, id: &NodeId) -> Target {
    let status = &view.cluster.status;
    let others = view.active().map(|facts| &facts.node.id);
    let all = status.primary.iter().chain(others);
    let from = all.into_iter().find(|other| *other != id).unwrap_or(id);
    Target::Member { term: status.term, from: Some(from.clone()) }
}

/// The group has to be begun anew: who shall, or nobody before every engine has stopped.
#[must_use]
pub fn regroup(view: &View) -> Option<Act> {
    if !view.is_multi_primary() || view.cluster.status.term == 0 {
        return None;
    }
    let members: Vec<&NodeFacts> = view.nodes.iter().filter(|facts| counts(facts)).collect();
    let reports: Option<Vec<_>> = members.iter().map(|facts| heard(view, facts)).collect();
    let reports = reports.filter(|reports| !reports.is_empty())?;
    let term = view.cluster.status.term;
    let is_split = reports.iter().any(|report| report.standing.in_quorum || report.term != term);
    if is_split {
        return None;
    }
    let is_begun =
        |facts: &NodeFacts| matches!(facts.node.target, Target::Member { from: None, .. });
    if let Some(at) = members.iter().position(|facts| is_begun(facts)) {
        let has_failed = reports[at].has_founded;
        return has_failed.then_some(Act::Regroup { founder: None });
    }
    if reports.iter().any(|report| report.founds) {
        return None;
    }
    if reports.iter().any(|report| report.is_lost) {
        return Some(Act::Regroup { founder: None });
    }
    let ends: Option<Vec<u64>> = reports.iter().map(|report| report.standing.end).collect();
    if histories(&reports).len() != 1 {
        return None;
    }
    // Of equals the first.
    let most =
        members.iter().zip(ends?).filter(|(facts, _)| facts.node.phase != NodePhase::Removing);
    let (founder, _) = most.min_by_key(|(_, end)| std::cmp::Reverse(*end))?;
    Some(Act::Regroup { founder: Some(founder.node.id.clone()) })
}

fn histories(reports: &[&MemberReport]) -> BTreeSet<String> {
    let named = reports.iter().map(|report| report.standing.history.clone());
    named.filter(|history| !history.is_empty()).collect()
}

/// The node that clients shall be led to instead of the one that they are.
#[must_use]
pub fn lead(view: &View) -> Option<Act> {
    let status = &view.cluster.status;
    if !view.is_multi_primary() || status.term == 0 {
        return None;
    }
    let primary = status.primary.as_ref()?;
    let other = others(view, primary).next()?;
    let is_lost = view.primary().is_none_or(|facts| is_lost(view, facts));
    is_lost.then(|| Act::Lead { node: other.node.id.clone() })
}

/// Whether clients are better led elsewhere: it is out of service, says that it does not serve, its
/// machine is off, or it is silent and out of touch with the others' engines.
fn is_lost(view: &View, facts: &NodeFacts) -> bool {
    if facts.machine_stopped || facts.node.phase != NodePhase::Active {
        return true;
    }
    if heard(view, facts).is_some() {
        return !serves(view, facts);
    }
    let id = &facts.node.id;
    let is_seen = |other: &NodeFacts| {
        heard(view, other).is_some_and(|report| report.standing.peers.contains(id))
    };
    facts.age_ms() > SILENT_MS || !others(view, id).any(is_seen)
}

/// The state of the cluster in one word and one sentence.
#[must_use]
pub fn phase(view: &View) -> (ClusterPhase, String) {
    let serving: Vec<&NodeFacts> = view.nodes.iter().filter(|facts| serves(view, facts)).collect();
    if serving.is_empty() {
        return lost_phase(view);
    }
    let name = view.primary().map_or("nobody", |facts| facts.node.name.as_str());
    let is_led = serving.iter().any(|facts| facts.node.name == name);
    let well = view.active().filter(|f| show::health(view, f) == NodeHealth::Healthy).count();
    let wanted = view.nodes.len().max(view.cluster.spec.nodes as usize);
    let led = match is_led {
        true => format!("clients are led to {name}"),
        false => "clients are about to be led to another node".to_owned(),
    };
    if is_led && well == wanted && wanted >= MEMBERS_MIN as usize {
        return (ClusterPhase::Healthy, format!("{well} nodes accept writes; {led}"));
    }
    let mut sentence = format!("{} of {wanted} nodes accept writes; {led}", serving.len());
    let is_other = |facts: &&NodeFacts| show::health(view, facts) != NodeHealth::Healthy;
    let others: Vec<_> = view.nodes.iter().filter(is_other).map(|f| f.node.name.as_str()).collect();
    if !others.is_empty() {
        sentence += &format!("; look at {}", others.join(", "));
    } else if wanted < MEMBERS_MIN as usize {
        sentence += &format!("; with fewer than {MEMBERS_MIN} a lost one takes the rest along");
    }
    (ClusterPhase::Degraded, sentence)
}

/// Nobody is heard to accept writes.
fn lost_phase(view: &View) -> (ClusterPhase, String) {
    let (heard, silent): (Vec<&NodeFacts>, Vec<&NodeFacts>) =
        view.nodes.iter().filter(|f| counts(f)).partition(|f| heard(view, f).is_some());
    let names = |all: &[&NodeFacts]| {
        let names: Vec<&str> = all.iter().map(|facts| facts.node.name.as_str()).collect();
        names.join(", ")
    };
    if heard.is_empty() {
        let sentence = "nothing is heard of any node; they may well serve".to_owned();
        return (ClusterPhase::Unknown, sentence);
    }
    let total = heard.len() + silent.len();
    if heard.iter().any(|facts| in_quorum(view, facts)) {
        let sentence = "no node accepts writes yet; the group comes together".to_owned();
        return (ClusterPhase::Unavailable, sentence);
    }
    if !silent.is_empty() {
        let sentence = format!(
            "the majority is lost: {} of {total} nodes are heard, and take no writes without the \
             others; they go on by themselves once {} can be heard, or has been removed by you as \
             lost for good",
            heard.len(),
            names(&silent),
        );
        return (ClusterPhase::Unavailable, sentence);
    }
    let reports: Vec<&MemberReport> = heard.iter().filter_map(|f| self::heard(view, f)).collect();
    let sentence = if histories(&reports).len() > 1 {
        "no node accepts writes: their data is of different histories; remove those whose data is \
         not wanted"
    } else {
        "no node accepts writes: the group is begun anew by the node whose data is the most"
    };
    (ClusterPhase::Unavailable, sentence.to_owned())
}

/// The health of a member whose agent is heard.
#[must_use]
pub fn health(view: &View, facts: &NodeFacts) -> NodeHealth {
    match (facts.actual(), heard(view, facts)) {
        (Actual::Failed { .. }, _) => NodeHealth::Failed,
        (_, Some(_)) if serves(view, facts) => NodeHealth::Healthy,
        (_, Some(report)) if report.is_lost => NodeHealth::Degraded,
        _ => NodeHealth::Working,
    }
}

/// What a member does, in words, with its engine's own.
#[must_use]
pub fn activity(view: &View, facts: &NodeFacts) -> Option<String> {
    let report = heard(view, facts)?;
    let state = match report.standing.state.as_str() {
        "" => String::new(),
        state => format!(" ({state})"),
    };
    if serves(view, facts) {
        return Some(format!("accepts writes{state}"));
    }
    if matches!(facts.actual(), Actual::Seeding { .. } | Actual::Failed { .. }) {
        return None;
    }
    let doing = facts.worker().map_or("", |worker| worker.doing.as_str());
    let doing = if doing.is_empty() { "its gate is closed" } else { doing };
    Some(format!("takes no writes{state}: {doing}"))
}

/// Why this operation is not for such a cluster, or not now; none of the other rules apply then.
#[must_use]
pub fn refuse(view: &View, kind: OperationKind, node: Option<&NodeFacts>) -> Option<String> {
    let words = match kind {
        OperationKind::Switchover => {
            "every node accepts writes: there is nothing to promote; drain a node to have clients \
             led to another"
        }
        OperationKind::Failover => {
            "the engines' own majority decides who may write; there is no failover"
        }
        OperationKind::Resync => {
            "every node holds what the majority has agreed on; remove a node whose data is in \
             doubt, and add another"
        }
        OperationKind::Drill => "there is no primary to move or to kill",
        OperationKind::Backup => NO_BACKUPS,
        OperationKind::Reconfigure => NO_CHANGES,
        OperationKind::AddNode => return refuse_more(view),
        OperationKind::RemoveNode => return node.and_then(|facts| refuse_less(view, facts)),
        OperationKind::Drain | OperationKind::Reboot => {
            return node.and_then(|facts| refuse_leaving(view, facts));
        }
        _ => return None,
    };
    Some(words.to_owned())
}

/// The data of one node is all there is to store, but no backup of it was ever proven.
pub(crate) const NO_BACKUPS: &str = "a multi-primary cluster cannot be backed up yet";

const NO_CHANGES: &str = "settings and the size of a multi-primary cluster are chosen when it is \
                          created";

fn refuse_more(view: &View) -> Option<String> {
    let has_donor = view.active().any(|facts| serves(view, facts));
    (!has_donor)
        .then(|| "no node accepts writes; a new one is copied from one that does".to_owned())
}

fn refuse_less(view: &View, facts: &NodeFacts) -> Option<String> {
    let (name, total) = (&facts.node.name, view.nodes.len());
    if total == 1 {
        return Some(format!("{name} is the only node; delete the cluster instead"));
    }
    let has_majority = view.nodes.iter().any(|facts| in_quorum(view, facts));
    if !has_majority {
        // Only a person can say that it is lost for good.
        return heard(view, facts).is_some().then(|| {
            format!("the majority is lost and {name} is heard: its data may be the most there is")
        });
    }
    if total <= MEMBERS_MIN as usize {
        return Some(format!(
            "with fewer than {MEMBERS_MIN} nodes no majority is left when one is lost; add a node \
             first"
        ));
    }
    refuse_leaving(view, facts)
}

fn refuse_leaving(view: &View, facts: &NodeFacts) -> Option<String> {
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
    use crate::allowed::check_operation;
    use crate::rules::decide;
    use crate::view::tests::{Sketch, sketch};
    use bellwether_model::operation::NewOperation;

    fn regroups(sketch: &Sketch) -> Option<Option<NodeId>> {
        match decide(&sketch.view()).act {
            Act::Regroup { founder } => Some(founder),
            _ => None,
        }
    }

    fn refusal(view: &View, kind: OperationKind, node: &str) -> String {
        let request = NewOperation::of(kind, Some(node.into()));
        check_operation(view, &request).err().unwrap_or_default()
    }

    #[test]
    fn nobody_is_elected_in_a_group_of_equals() {
        let election = [205, 207, 209, 211];
        for spoil in 0..64_u32 {
            let mut sketch = sketch(3).equals();
            for ordinal in 1..=3 {
                match spoil >> (2 * (ordinal - 1)) & 3 {
                    0 => {}
                    1 => sketch.silence(ordinal, 60_000),
                    2 => sketch.out(ordinal, None),
                    _ => sketch.machine_stopped(ordinal),
                }
            }
            let decision = decide(&sketch.view());
            assert!(!election.contains(&decision.rule), "{decision:?}");
        }
        let mut sketch = sketch(3).equals();
        sketch.surrender(1, 1);
        assert_eq!(decide(&sketch.view()).rule, 999, "it has no role to give up");
    }

    #[test]
    fn clients_are_led_to_another_as_soon_as_it_is_plain() {
        let lead = |sketch: &Sketch| lead(&sketch.view());
        let second = Some(Act::Lead { node: node(2) });
        let mut killed = sketch(3).equals();
        assert_eq!(lead(&killed), None);
        killed.silence(1, 2_500);
        assert_eq!(lead(&killed), None, "the engines of the others are in touch with its own");
        for other in [2, 3] {
            killed.member(other).standing.peers.remove(&node(1));
        }
        assert_eq!(lead(&killed), second);
        let mut out = sketch(3).equals();
        out.out(1, None);
        assert_eq!(lead(&out), second);
        let mut drained = sketch(3).equals();
        drained.node(1).phase = NodePhase::Maintenance;
        assert_eq!(lead(&drained), second);
        let mut nobody = sketch(3).equals();
        (1..=3).for_each(|ordinal| nobody.out(ordinal, None));
        assert_eq!(lead(&nobody), None);
    }

    fn node(ordinal: u32) -> NodeId {
        crate::view::tests::node_id(ordinal)
    }

    #[test]
    fn a_group_is_begun_anew_by_the_one_with_the_most_once_all_have_stopped() {
        let mut sketch = sketch(3).equals();
        sketch.out(1, Some(7));
        sketch.out(2, Some(9));
        assert_eq!(regroups(&sketch), None, "the third has the majority");
        sketch.out(3, None);
        assert_eq!(regroups(&sketch), Some(None), "its engine stops first");
        sketch.out(3, Some(9));
        assert_eq!(regroups(&sketch), Some(Some(node(2))));
        sketch.member(1).term = 0;
        assert_eq!(regroups(&sketch), None, "it may still act by earlier orders");
        sketch.member(1).term = 1;
        sketch.member(3).standing.history = "other".into();
        assert_eq!(regroups(&sketch), None);
        assert!(phase(&sketch.view()).1.contains("different histories"));
        sketch.member(3).standing = Default::default();
        assert_eq!(regroups(&sketch), None, "it has not said where its data ends");
        sketch.member(3).standing.end = Some(0);
        assert_eq!(regroups(&sketch), Some(Some(node(2))));
        sketch.silence(1, 9_000);
        assert_eq!(regroups(&sketch), None, "it may hold more");
        let words = phase(&sketch.view()).1;
        assert!(words.contains("majority is lost: 2 of 3") && words.contains("demo-1"), "{words}");
        assert_eq!(refusal(&sketch.view(), OperationKind::RemoveNode, "demo-1"), "");
        assert!(refusal(&sketch.view(), OperationKind::RemoveNode, "demo-2").contains("is heard"));
    }

    #[test]
    fn nobody_else_begins_a_group_while_one_may() {
        let mut sketch = sketch(3).equals();
        (1..=3).for_each(|ordinal| sketch.out(ordinal, Some(9)));
        sketch.node(2).target = Target::Member { term: 1, from: None };
        assert_eq!(regroups(&sketch), None);
        sketch.member(2).has_founded = true;
        assert_eq!(regroups(&sketch), Some(None), "its attempt has failed: another term");
        sketch.node(2).target = Target::Member { term: 1, from: Some(node(1)) };
        sketch.member(2).has_founded = false;
        sketch.member(2).founds = true;
        assert_eq!(regroups(&sketch), None, "it has not given up yet");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_reason() {
        let view = sketch(3).equals().view();
        let refused = |kind| refusal(&view, kind, "demo-2");
        assert!(refused(OperationKind::Switchover).contains("nothing to promote"));
        assert!(refused(OperationKind::Failover).contains("no failover"));
        assert!(refused(OperationKind::RemoveNode).contains("add a node first"));
        for kind in [OperationKind::Drain, OperationKind::Reboot, OperationKind::AddNode] {
            assert_eq!(refused(kind), "", "{kind:?}");
        }
        assert_eq!(refusal(&sketch(4).equals().view(), OperationKind::RemoveNode, "demo-2"), "");
        let mut one_out = sketch(3).equals();
        one_out.out(3, None);
        assert!(refusal(&one_out.view(), OperationKind::Drain, "demo-2").contains("1 of 3"));
    }

    #[test]
    fn a_group_is_called_healthy_only_when_every_member_is() {
        let mut sketch = sketch(3).equals();
        let (word, words) = phase(&sketch.view());
        assert_eq!(word, ClusterPhase::Healthy, "{words}");
        assert_eq!(words, "3 nodes accept writes; clients are led to demo-1");
        sketch.out(3, None);
        assert_eq!(phase(&sketch.view()).0, ClusterPhase::Degraded);
        (1..=2).for_each(|ordinal| sketch.out(ordinal, None));
        assert_eq!(phase(&sketch.view()).0, ClusterPhase::Unavailable);
        (1..=3).for_each(|ordinal| sketch.silence(ordinal, 9_000));
        assert_eq!(phase(&sketch.view()).0, ClusterPhase::Unknown);
    }
}
