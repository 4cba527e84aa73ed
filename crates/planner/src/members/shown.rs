//! How a group of equals and its members are shown.

use bellwether_model::member::{MEMBERS_MIN, MemberReport};
use bellwether_model::node::NodeHealth;
use bellwether_model::{Actual, ClusterPhase};

use super::founder::histories;
use super::{counts, heard, in_quorum, serves};
use crate::show;
use crate::view::{NodeFacts, View};

/// The state of the cluster in one word and one sentence.
#[must_use]
pub(crate) fn phase(view: &View) -> (ClusterPhase, String) {
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
pub(crate) fn health(view: &View, facts: &NodeFacts) -> NodeHealth {
    match (facts.actual(), heard(view, facts)) {
        (Actual::Failed { .. }, _) => NodeHealth::Failed,
        (_, Some(_)) if serves(view, facts) => NodeHealth::Healthy,
        (_, Some(report)) if report.is_lost => NodeHealth::Degraded,
        _ => NodeHealth::Working,
    }
}

/// What a member does, in words, with its engine's own.
#[must_use]
pub(crate) fn activity(view: &View, facts: &NodeFacts) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::sketch;

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
