//! Who begins a group anew that has lost its majority, in two steps, of a term each. First every
//! engine stops that runs without the majority, and says where its data ends. Then one whose data
//! is the most is to begin, while no other engine runs. So there are never two groups, and what
//! anybody was told of is kept: nothing is decided before every node has been heard, or a person
//! has removed it.

use std::collections::BTreeSet;

use bellwether_model::Target;
use bellwether_model::member::MemberReport;
use bellwether_model::node::NodePhase;

use super::{counts, heard};
use crate::rules::Act;
use crate::view::{NodeFacts, View};

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

pub(super) fn histories(reports: &[&MemberReport]) -> BTreeSet<String> {
    let named = reports.iter().map(|report| report.standing.history.clone());
    named.filter(|history| !history.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use bellwether_model::{NodeId, OperationKind};

    use super::*;
    use crate::members::phase;
    use crate::rules::decide;
    use crate::view::tests::{Sketch, node_id, refusal, sketch};

    fn regroups(sketch: &Sketch) -> Option<Option<NodeId>> {
        match decide(&sketch.view()).act {
            Act::Regroup { founder } => Some(founder),
            _ => None,
        }
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
        assert_eq!(regroups(&sketch), Some(Some(node_id(2))));
        sketch.member(1).term = 0;
        assert_eq!(regroups(&sketch), None, "it may still act by earlier orders");
        sketch.member(1).term = 1;
        sketch.member(3).standing.history = "other".into();
        assert_eq!(regroups(&sketch), None);
        assert!(phase(&sketch.view()).1.contains("different histories"));
        sketch.member(3).standing = Default::default();
        assert_eq!(regroups(&sketch), None, "it has not said where its data ends");
        sketch.member(3).standing.end = Some(0);
        assert_eq!(regroups(&sketch), Some(Some(node_id(2))));
        sketch.silence(1, 9_000);
        assert_eq!(regroups(&sketch), None, "it may hold more");
        let words = phase(&sketch.view()).1;
        assert!(words.contains("majority is lost: 2 of 3") && words.contains("demo-1"), "{words}");
        let removal = |node: &str| refusal(&sketch.view(), OperationKind::RemoveNode, node);
        assert_eq!(removal("demo-1"), "", "a person may say that it is lost for good");
        assert!(removal("demo-2").contains("is heard"));
    }

    #[test]
    fn nobody_else_begins_a_group_while_one_may() {
        let mut sketch = sketch(3).equals();
        (1..=3).for_each(|ordinal| sketch.out(ordinal, Some(9)));
        sketch.node(2).target = Target::Member { term: 1, begun: 1, from: None };
        assert_eq!(regroups(&sketch), None);
        sketch.member(2).has_founded = true;
        assert_eq!(regroups(&sketch), Some(None), "its attempt has failed: another term");
        sketch.node(2).target = Target::Member { term: 1, begun: 1, from: Some(node_id(1)) };
        sketch.member(2).has_founded = false;
        sketch.member(2).founds = true;
        assert_eq!(regroups(&sketch), None, "it has not given up yet");
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
}
