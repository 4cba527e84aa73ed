//! From what a node is to what it shall be: one total table, one step at a time.

use bellwether_model::mutation::{Mutation, mutated};
use bellwether_model::{Actual, NodeId, Target, Term};

/// What the table looks at beside the two states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Durable promise.
    pub(crate) promised: Term,
    /// The latest term this node was primary of, or began to be.
    pub(crate) led: Term,
    /// The latest term given up for ever.
    pub(crate) surrendered: Term,
    /// The term this node has been overtaken in.
    pub(crate) fenced: Option<Term>,
    /// A failed attempt may be made again now.
    pub(crate) may_retry: bool,
    /// The replica has not streamed for long although its upstream is there: how often it was
    /// repaired since it last did.
    pub(crate) stalled: Option<u32>,
    /// A replica's data shall be copied anew.
    pub(crate) copy: bool,
    /// A new database begins with a backup's data.
    pub(crate) restore: bool,
    /// What is aside shall take the place of the data, under the term that the target is of.
    pub(crate) replace: bool,
    /// A replica's engine shall be started again, for settings that need it.
    pub(crate) restart: bool,
    /// The engine's process lives and does not answer, and waiting is over.
    pub(crate) mute: Option<Mute>,
    /// The engine runs as primary of a term that was given up, and takes no writes.
    pub(crate) handed_over: bool,
    /// Others could be elected.
    pub(crate) has_others: bool,
    /// A primary that was down may not be started again for the term that it had.
    pub(crate) needs_new_term: bool,
    /// Whether its engine belongs to the majority of a group of equals; none: it is of none.
    pub(crate) in_quorum: Option<bool>,
    /// A group was looked for a moment ago and not found.
    pub(crate) is_alone: bool,
}

/// What an engine that does not answer was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mute {
    /// It served as primary, and hangs.
    Serving,
    /// It starts, or follows, and never comes to answer as it is.
    Other,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Bootstrap,
    /// Bring a backup's data here.
    Restore,
    Seed(NodeId),
    StartPrimary(Term),
    StartReplica(Option<NodeId>),
    Follow(Option<NodeId>),
    Promote(Term),
    /// Begin a group of equals.
    Found(Term),
    /// Become a member of the group that is there.
    Join,
    /// The same primary, a new term: nothing to do for the engine.
    AdoptTerm(Term),
    /// Hand the role over in an orderly way and give the term up.
    Demote,
    /// The term is given up: the engine, which is down, lost its data or its place in history.
    GiveUp(Term),
    Stop,
    /// Kill at once; the term is given up.
    Kill,
    /// Make a former primary's, or a stalled replica's, data fit to follow.
    Repair(NodeId),
    /// Kill an engine that holds no role, to start it anew.
    Reset,
    Erase,
    /// Put what is aside in the place of the data, which is aside then.
    Exchange,
    /// Look again after a failure.
    Retry,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Done,
    Act(Act),
    Wait(&'static str),
}

/// The step from `actual` towards `target`.
pub(crate) fn plan(actual: &Actual, target: &Target, facts: &Facts) -> Plan {
    match actual {
        Actual::Unknown => match facts.mute {
            None => Plan::Wait("looking at the engine"),
            Some(Mute::Serving) => Plan::Act(Act::Kill),
            Some(Mute::Other) => Plan::Act(Act::Reset),
        },
        Actual::Seeding { .. } => Plan::Wait("copying"),
        Actual::Failed { .. } => {
            if facts.may_retry {
                Plan::Act(Act::Retry)
            } else {
                Plan::Wait("trying again soon")
            }
        }
        Actual::Absent => from_absent(target, facts),
        Actual::Stopped { was_primary } => from_stopped(*was_primary, target, facts),
        Actual::Replica { upstream, .. } => from_replica(upstream.as_ref(), target, facts),
        Actual::Primary { term } => from_primary(*term, target, facts),
    }
}

fn from_absent(target: &Target, facts: &Facts) -> Plan {
    match target {
        Target::Demoted { .. } if facts.replace => Plan::Act(Act::Exchange),
        // What it led with is gone: others have it, and are to lead.
        Target::Primary { term, .. }
            if facts.led == *term && facts.surrendered < *term && facts.has_others =>
        {
            Plan::Act(Act::GiveUp(*term))
        }
        // These are old orders: the data was removed to be copied anew.
        Target::Primary { term, create: true }
            if facts.led >= *term || facts.surrendered >= *term || facts.promised > *term =>
        {
            Plan::Wait("the database that was made here is gone; waiting for newer orders")
        }
        Target::Primary { create: true, .. } if facts.restore => Plan::Act(Act::Restore),
        Target::Primary { create: true, .. } => Plan::Act(Act::Bootstrap),
        Target::Primary { create: false, .. } => {
            Plan::Wait("there is no data here; an empty node is never made primary of a cluster")
        }
        Target::Replica { upstream, .. } => Plan::Act(Act::Seed(upstream.clone())),
        // What it had begun is gone: others may have it.
        Target::Member { term, from: None, .. } if facts.led >= *term => {
            Plan::Wait("the database that was made here is gone; waiting for newer orders")
        }
        Target::Member { from: None, .. } => Plan::Act(Act::Bootstrap),
        Target::Member { from: Some(from), .. } => Plan::Act(Act::Seed(from.clone())),
        Target::Demoted { .. } | Target::Source { .. } => Plan::Done,
        Target::Stopped | Target::Gone { .. } => Plan::Done,
    }
}

fn from_stopped(was_primary: bool, target: &Target, facts: &Facts) -> Plan {
    match target {
        Target::Primary { term, .. } if facts.surrendered >= *term => {
            Plan::Wait("this term was given up; a new one is needed")
        }
        // One that was never promoted can promise and be chosen again once its engine runs.
        Target::Primary { term, .. } if facts.promised > *term && was_primary => {
            Plan::Wait("a later term was promised")
        }
        Target::Primary { term, .. } if was_primary && is_lost(*term, facts) => {
            Plan::Act(Act::GiveUp(*term))
        }
        Target::Primary { term, .. } if was_primary => Plan::Act(Act::StartPrimary(*term)),
        // A replica's data becomes a primary's by promotion only, which begins a new timeline.
        Target::Primary { .. } => Plan::Act(Act::StartReplica(None)),
        Target::Replica { upstream, .. } if was_primary => Plan::Act(Act::Repair(upstream.clone())),
        Target::Replica { upstream, term } if facts.copy && facts.promised <= *term => {
            Plan::Act(Act::Seed(upstream.clone()))
        }
        Target::Replica { upstream, term } => {
            let upstream = (facts.promised <= *term).then(|| upstream.clone());
            Plan::Act(Act::StartReplica(upstream))
        }
        // The role was given up before, with everything.
        Target::Demoted { term } if facts.replace && facts.surrendered >= *term => {
            Plan::Act(Act::Exchange)
        }
        Target::Demoted { .. } if !was_primary => Plan::Act(Act::StartReplica(None)),
        // Nobody has to wait for the end of its lease.
        Target::Demoted { term } if is_lost(*term, facts) && facts.surrendered < *term => {
            Plan::Act(Act::GiveUp(*term))
        }
        // Who may still serve its own term keeps its data a primary's.
        Target::Source { term } if facts.promised < *term => {
            Plan::Wait("the new term is not promised yet")
        }
        Target::Source { .. } => Plan::Act(Act::StartReplica(None)),
        Target::Member { term, from: None, .. } if facts.led < *term => {
            Plan::Act(Act::Found(*term))
        }
        Target::Member { .. } => join(facts),
        Target::Demoted { .. } | Target::Stopped => Plan::Done,
        Target::Gone { .. } => Plan::Act(Act::Erase),
    }
}

/// Nobody begins a group by itself: two would.
fn join(facts: &Facts) -> Plan {
    if facts.is_alone {
        return Plan::Wait("no member of a majority is found; waiting for one");
    }
    Plan::Act(Act::Join)
}

/// Whether others may hold more of that term than an engine that was down can go on with.
fn is_lost(term: Term, facts: &Facts) -> bool {
    facts.needs_new_term && facts.has_others && facts.led == term
}

fn from_replica(upstream: Option<&NodeId>, target: &Target, facts: &Facts) -> Plan {
    match target {
        Target::Primary { term, .. } if facts.promised > *term => let_go(upstream),
        Target::Demoted { .. } if facts.replace => Plan::Act(Act::Stop),
        // It never took the role that it shall give up.
        Target::Demoted { .. } | Target::Source { .. } => let_go(upstream),
        Target::Primary { term, .. } => Plan::Act(Act::Promote(*term)),
        // The promise: nothing more is taken from primaries of earlier terms.
        Target::Replica { term, .. } if facts.promised > *term => let_go(upstream),
        Target::Replica { upstream: wanted, .. } if facts.copy => {
            Plan::Act(Act::Seed(wanted.clone()))
        }
        Target::Replica { upstream: wanted, .. } if upstream != Some(wanted) => {
            Plan::Act(Act::Follow(Some(wanted.clone())))
        }
        Target::Replica { .. } if facts.restart => Plan::Act(Act::Stop),
        Target::Replica { upstream: wanted, .. } => match facts.stalled {
            None => Plan::Done,
            Some(0) => Plan::Act(Act::Repair(wanted.clone())),
            Some(_) => Plan::Act(Act::Seed(wanted.clone())),
        },
        Target::Member { .. } | Target::Stopped | Target::Gone { .. } => Plan::Act(Act::Stop),
    }
}

fn let_go(upstream: Option<&NodeId>) -> Plan {
    match upstream {
        Some(_) if mutated(Mutation::ReplicationNotCut) => Plan::Wait("made a mistake"),
        Some(_) => Plan::Act(Act::Follow(None)),
        None => Plan::Wait("promised a later term; waiting for its primary"),
    }
}

fn from_primary(term: Term, target: &Target, facts: &Facts) -> Plan {
    if facts.fenced.is_some_and(|fenced| fenced >= term) {
        return Plan::Act(Act::Kill);
    }
    if facts.handed_over {
        return from_handed_over(term, target, facts);
    }
    if let Some(in_quorum) = facts.in_quorum {
        return from_member(term, in_quorum, target, facts);
    }
    match target {
        Target::Primary { term: wanted, .. } if *wanted == term => Plan::Done,
        Target::Primary { term: wanted, .. } if *wanted > term => {
            Plan::Act(Act::AdoptTerm(*wanted))
        }
        Target::Primary { .. } => Plan::Wait("an earlier term is not gone back to"),
        Target::Replica { .. } | Target::Demoted { .. } => Plan::Act(Act::Demote),
        Target::Source { .. } | Target::Stopped => Plan::Act(Act::Demote),
        Target::Member { .. } => Plan::Act(Act::Stop),
        Target::Gone { .. } => Plan::Act(Act::Kill),
    }
}

/// From a member of a group of equals, whose engine runs.
fn from_member(term: Term, in_quorum: bool, target: &Target, facts: &Facts) -> Plan {
    match target {
        Target::Member { begun, .. } if !in_quorum && term < *begun => {
            // The group is begun anew, and by an engine that nobody joins unasked.
            Plan::Act(Act::Stop)
        }
        Target::Member { term: wanted, .. } if term < *wanted => Plan::Act(Act::AdoptTerm(*wanted)),
        Target::Member { .. } if !in_quorum => {
            Plan::Wait("it has lost touch with the majority, and takes no writes")
        }
        Target::Member { .. } if facts.restart => Plan::Act(Act::Stop),
        Target::Member { .. } => Plan::Done,
        // The others are told that it leaves, and count without it.
        Target::Stopped | Target::Gone { .. } => Plan::Act(Act::Stop),
        Target::Primary { .. } | Target::Replica { .. } => {
            Plan::Wait("a member of a group of equals is nobody's primary or replica")
        }
        Target::Demoted { .. } | Target::Source { .. } => {
            Plan::Wait("a member of a group of equals has no role to give up")
        }
    }
}

/// From a primary that has given its term up and still runs.
fn from_handed_over(term: Term, target: &Target, facts: &Facts) -> Plan {
    match target {
        Target::Primary { term: wanted, .. } if *wanted > term && facts.promised <= *wanted => {
            Plan::Act(Act::AdoptTerm(*wanted))
        }
        Target::Primary { .. } => Plan::Wait("this term was given up; a new one is needed"),
        Target::Replica { upstream, term: wanted } => {
            let upstream = (facts.promised <= *wanted).then(|| upstream.clone());
            Plan::Act(Act::Follow(upstream))
        }
        Target::Demoted { .. } if facts.replace => Plan::Act(Act::Stop),
        Target::Demoted { .. } => Plan::Done,
        Target::Source { .. } | Target::Member { .. } => Plan::Act(Act::Stop),
        Target::Stopped | Target::Gone { .. } => Plan::Act(Act::Stop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no() -> Facts {
        Facts::default()
    }

    fn other() -> NodeId {
        NodeId::from("other")
    }

    fn actuals() -> Vec<Actual> {
        vec![
            Actual::Unknown,
            Actual::Absent,
            Actual::Stopped { was_primary: true },
            Actual::Stopped { was_primary: false },
            Actual::Replica { upstream: None, streaming: false },
            Actual::Replica { upstream: Some(other()), streaming: true },
            Actual::Replica { upstream: Some("third".into()), streaming: true },
            Actual::Primary { term: 1 },
            Actual::Primary { term: 2 },
            Actual::Seeding { upstream: other() },
            Actual::Failed { reason: "x".into() },
        ]
    }

    fn targets() -> Vec<Target> {
        vec![
            Target::Primary { term: 2, create: false },
            Target::Primary { term: 2, create: true },
            Target::Replica { upstream: other(), term: 2 },
            Target::Demoted { term: 2 },
            Target::Source { term: 2 },
            Target::Member { term: 2, begun: 2, from: None },
            Target::Member { term: 2, begun: 2, from: Some(other()) },
            Target::Stopped,
            Target::Gone { token: "t".into() },
        ]
    }

    /// What a step makes of a node when it succeeds.
    fn done(act: &Act) -> Actual {
        match act {
            Act::Bootstrap => Actual::Stopped { was_primary: true },
            Act::StartPrimary(term) | Act::Promote(term) | Act::AdoptTerm(term) => {
                Actual::Primary { term: *term }
            }
            Act::Restore | Act::Seed(_) | Act::Repair(_) | Act::Retry => {
                Actual::Stopped { was_primary: false }
            }
            Act::StartReplica(upstream) | Act::Follow(upstream) => {
                let streaming = upstream.is_some();
                Actual::Replica { upstream: upstream.clone(), streaming }
            }
            Act::Demote | Act::Kill | Act::GiveUp(_) => Actual::Stopped { was_primary: true },
            Act::Stop | Act::Reset | Act::Exchange => Actual::Stopped { was_primary: false },
            Act::Erase => Actual::Absent,
            Act::Found(term) => Actual::Primary { term: *term },
            Act::Join => Actual::Primary { term: 1 },
        }
    }

    #[test]
    fn every_pair_converges_or_says_what_it_waits_for() {
        let pairs = actuals()
            .into_iter()
            .flat_map(|start| targets().into_iter().map(move |target| (start.clone(), target)));
        for (start, target) in pairs {
            for restore in [false, true] {
                let is_member = matches!(target, Target::Member { .. });
                let in_quorum = is_member.then_some(true);
                let facts = Facts { promised: 2, may_retry: true, restore, in_quorum, ..no() };
                let mut actual = start.clone();
                let mut steps = 0;
                loop {
                    match plan(&actual, &target, &facts) {
                        Plan::Done => break,
                        Plan::Wait(words) => {
                            assert!(!words.is_empty());
                            break;
                        }
                        Plan::Act(act) => actual = done(&act),
                    }
                    steps += 1;
                    assert!(steps < 6, "{start:?} to {target:?} goes in circles at {actual:?}");
                }
            }
        }
    }

    #[test]
    fn a_group_is_begun_once_and_by_orders_alone() {
        let founds = Target::Member { term: 2, begun: 2, from: None };
        let joins = Target::Member { term: 2, begun: 2, from: Some(other()) };
        let stopped = Actual::Stopped { was_primary: true };
        let act = |actual: &Actual, target: &Target, led, in_quorum| {
            plan(actual, target, &Facts { led, in_quorum, ..no() })
        };
        assert_eq!(act(&stopped, &founds, 1, None), Plan::Act(Act::Found(2)));
        assert_eq!(act(&stopped, &founds, 2, None), Plan::Act(Act::Join), "not a second time");
        assert!(matches!(act(&Actual::Absent, &founds, 2, None), Plan::Wait(_)));
        assert_eq!(act(&Actual::Absent, &joins, 0, None), Plan::Act(Act::Seed(other())));
        assert_eq!(act(&stopped, &joins, 0, None), Plan::Act(Act::Join));
        let alone = Facts { is_alone: true, ..no() };
        assert!(matches!(plan(&stopped, &joins, &alone), Plan::Wait(_)));
        // Whoever runs without the majority ends before the group is begun anew, and not otherwise.
        let (former, present) = (Actual::Primary { term: 1 }, Actual::Primary { term: 2 });
        for target in [&founds, &joins] {
            assert_eq!(act(&former, target, 1, Some(false)), Plan::Act(Act::Stop));
            assert_eq!(act(&former, target, 1, Some(true)), Plan::Act(Act::AdoptTerm(2)));
            assert!(matches!(act(&present, target, 2, Some(false)), Plan::Wait(_)));
        }
        // Clients are led elsewhere: nobody has to stop for that.
        let led = Target::Member { term: 2, begun: 1, from: Some(other()) };
        assert_eq!(act(&former, &led, 1, Some(false)), Plan::Act(Act::AdoptTerm(2)));
        assert_eq!(act(&present, &Target::Stopped, 2, Some(true)), Plan::Act(Act::Stop));
    }

    #[test]
    fn an_engine_that_never_answers_is_ended_and_a_primary_gives_its_term_up() {
        let target = Target::Replica { upstream: other(), term: 2 };
        let facts = |mute| Facts { mute, ..Facts::default() };
        assert!(matches!(plan(&Actual::Unknown, &target, &facts(None)), Plan::Wait(_)));
        for (mute, act) in [(Mute::Serving, Act::Kill), (Mute::Other, Act::Reset)] {
            assert_eq!(plan(&Actual::Unknown, &target, &facts(Some(mute))), Plan::Act(act));
        }
    }

    #[test]
    fn a_replica_is_copied_anew_but_neither_a_primary_nor_one_that_promised_a_later_term() {
        let target = Target::Replica { upstream: other(), term: 2 };
        let act = |actual: &Actual, promised| {
            plan(actual, &target, &Facts { promised, copy: true, ..Facts::default() })
        };
        let replica = Actual::Replica { upstream: Some(other()), streaming: true };
        let stopped = Actual::Stopped { was_primary: false };
        for actual in [&replica, &stopped] {
            assert_eq!(act(actual, 2), Plan::Act(Act::Seed(other())));
            assert_ne!(act(actual, 3), Plan::Act(Act::Seed(other())));
        }
        let former = act(&Actual::Stopped { was_primary: true }, 2);
        assert_eq!(former, Plan::Act(Act::Repair(other())), "what only it holds is kept first");
        assert_eq!(act(&Actual::Primary { term: 1 }, 2), Plan::Act(Act::Demote));
    }

    #[test]
    fn data_is_exchanged_only_by_one_that_has_given_its_role_up() {
        let target = Target::Demoted { term: 2 };
        let act = |actual: &Actual, surrendered| {
            let facts = Facts { promised: 2, surrendered, replace: true, ..Facts::default() };
            plan(actual, &target, &facts)
        };
        assert_eq!(act(&Actual::Primary { term: 2 }, 0), Plan::Act(Act::Demote));
        let stopped = Actual::Stopped { was_primary: true };
        assert_eq!(act(&stopped, 2), Plan::Act(Act::Exchange));
        assert_eq!(act(&stopped, 1), Plan::Done, "it may serve its term yet");
        let replica = Actual::Replica { upstream: None, streaming: false };
        assert_eq!(act(&replica, 2), Plan::Act(Act::Stop), "it is exchanged once more");
        let primary = Target::Primary { term: 2, create: false };
        let facts = Facts { promised: 2, replace: true, ..Facts::default() };
        assert_eq!(plan(&stopped, &primary, &facts), Plan::Act(Act::StartPrimary(2)));
    }

    #[test]
    fn a_replica_is_started_again_for_its_settings_and_a_primary_is_not() {
        let facts = Facts { promised: 2, restart: true, ..Facts::default() };
        let target = Target::Replica { upstream: other(), term: 2 };
        let replica = Actual::Replica { upstream: Some(other()), streaming: true };
        assert_eq!(plan(&replica, &target, &facts), Plan::Act(Act::Stop));
        let stopped = Actual::Stopped { was_primary: false };
        let again = Plan::Act(Act::StartReplica(Some(other())));
        assert_eq!(plan(&stopped, &target, &facts), again);
        let target = Target::Primary { term: 2, create: false };
        assert_eq!(plan(&Actual::Primary { term: 2 }, &target, &facts), Plan::Done);
        let promised = Facts { promised: 3, ..facts };
        let target = Target::Replica { upstream: other(), term: 2 };
        let cut = plan(&replica, &target, &promised);
        assert_eq!(cut, Plan::Act(Act::Follow(None)), "a promise goes before");
    }

    #[test]
    fn an_empty_node_becomes_primary_only_of_a_new_cluster() {
        let facts = Facts::default();
        let old = Target::Primary { term: 2, create: false };
        assert!(matches!(plan(&Actual::Absent, &old, &facts), Plan::Wait(_)));
    }

    #[test]
    fn a_new_database_is_made_once() {
        let target = Target::Primary { term: 1, create: true };
        let new = Facts { promised: 1, ..Facts::default() };
        assert_eq!(plan(&Actual::Absent, &target, &new), Plan::Act(Act::Bootstrap));
        for old in [
            Facts { led: 1, ..new.clone() },
            Facts { surrendered: 1, ..new.clone() },
            Facts { promised: 2, ..new.clone() },
        ] {
            assert!(matches!(plan(&Actual::Absent, &target, &old), Plan::Wait(_)), "{old:?}");
        }
    }

    #[test]
    fn what_was_given_up_or_overtaken_is_not_served_again() {
        let target = Target::Primary { term: 2, create: false };
        let given_up = Facts { surrendered: 2, ..Facts::default() };
        let stopped = Actual::Stopped { was_primary: true };
        assert!(matches!(plan(&stopped, &target, &given_up), Plan::Wait(_)));
        let promised = Facts { promised: 3, ..Facts::default() };
        for actual in [stopped, Actual::Replica { upstream: None, streaming: false }] {
            assert!(matches!(plan(&actual, &target, &promised), Plan::Wait(_)));
        }
        let fenced = Facts { fenced: Some(2), ..Facts::default() };
        let plan = plan(&Actual::Primary { term: 2 }, &target, &fenced);
        assert_eq!(plan, Plan::Act(Act::Kill));
    }

    #[test]
    fn a_primary_that_handed_over_follows_without_a_stop_and_serves_only_a_later_term() {
        let facts =
            |promised| Facts { promised, surrendered: 2, handed_over: true, ..Facts::default() };
        let act = |target: Target, promised| {
            plan(&Actual::Primary { term: 2 }, &target, &facts(promised))
        };
        let follow = Target::Replica { upstream: other(), term: 3 };
        assert_eq!(act(Target::Demoted { term: 2 }, 2), Plan::Done);
        assert_eq!(act(follow.clone(), 3), Plan::Act(Act::Follow(Some(other()))));
        assert_eq!(act(follow, 4), Plan::Act(Act::Follow(None)), "the promise");
        let primary = |term| Target::Primary { term, create: false };
        assert!(matches!(act(primary(2), 2), Plan::Wait(_)));
        assert_eq!(act(primary(3), 3), Plan::Act(Act::AdoptTerm(3)));
        assert!(matches!(act(primary(3), 4), Plan::Wait(_)));
        assert_eq!(act(Target::Stopped, 2), Plan::Act(Act::Stop));
    }

    #[test]
    fn an_engine_that_lost_its_place_with_a_stop_is_started_for_a_later_term_only() {
        let stopped = Actual::Stopped { was_primary: true };
        let facts = |led| Facts { led, needs_new_term: true, has_others: true, ..Facts::default() };
        let target = Target::Primary { term: 2, create: false };
        assert_eq!(plan(&stopped, &target, &facts(2)), Plan::Act(Act::GiveUp(2)));
        assert_eq!(plan(&stopped, &target, &facts(1)), Plan::Act(Act::StartPrimary(2)));
        let given_up = Facts { surrendered: 2, ..facts(2) };
        assert!(matches!(plan(&stopped, &target, &given_up), Plan::Wait(_)));
        let demoted = Target::Demoted { term: 2 };
        assert_eq!(plan(&stopped, &demoted, &facts(2)), Plan::Act(Act::GiveUp(2)));
        let given_up = Facts { surrendered: 2, ..facts(2) };
        assert_eq!(plan(&stopped, &demoted, &given_up), Plan::Done);
        let alone = Facts { has_others: false, ..facts(2) };
        assert_eq!(plan(&stopped, &target, &alone), Plan::Act(Act::StartPrimary(2)));
    }

    #[test]
    fn a_primary_whose_data_is_gone_lets_others_lead() {
        let target = Target::Primary { term: 2, create: false };
        let facts = |led, has_others| Facts { led, has_others, ..Facts::default() };
        let first = Target::Primary { term: 2, create: true };
        for target in [&target, &first] {
            let plan = plan(&Actual::Absent, target, &facts(2, true));
            assert_eq!(plan, Plan::Act(Act::GiveUp(2)));
        }
        for waits in [facts(1, true), facts(2, false), Facts { surrendered: 2, ..facts(2, true) }] {
            assert!(matches!(plan(&Actual::Absent, &target, &waits), Plan::Wait(_)));
        }
    }

    #[test]
    fn a_dead_primary_lends_its_log_only_once_it_has_promised() {
        let stopped = Actual::Stopped { was_primary: true };
        let target = Target::Source { term: 3 };
        let before = Facts { promised: 2, surrendered: 2, ..Facts::default() };
        assert!(matches!(plan(&stopped, &target, &before), Plan::Wait(_)));
        let after = Facts { promised: 3, ..before };
        assert_eq!(plan(&stopped, &target, &after), Plan::Act(Act::StartReplica(None)));
    }

    #[test]
    fn a_promise_cuts_replication_until_the_new_term_is_known() {
        let facts = Facts { promised: 3, ..Facts::default() };
        let target = Target::Replica { upstream: other(), term: 2 };
        let follows = Actual::Replica { upstream: Some(other()), streaming: true };
        assert_eq!(plan(&follows, &target, &facts), Plan::Act(Act::Follow(None)));
        let cut = Actual::Replica { upstream: None, streaming: false };
        assert!(matches!(plan(&cut, &target, &facts), Plan::Wait(_)));
        let next = Target::Replica { upstream: "third".into(), term: 3 };
        assert_eq!(plan(&cut, &next, &facts), Plan::Act(Act::Follow(Some("third".into()))));
    }
}
