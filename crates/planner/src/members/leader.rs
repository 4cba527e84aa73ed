//! The node that clients are led to, as long as it is well: transactions that meet on two nodes end
//! with an error on one.

use bellwether_model::node::NodePhase;

use super::{heard, others, serves};
use crate::rules::Act;
use crate::view::{NodeFacts, View};

/// Milliseconds after which one that is silent is not led to, whatever its engine's peers say.
const SILENT_MS: u64 = 5_000;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::{Sketch, node_id, sketch};

    #[test]
    fn clients_are_led_to_another_as_soon_as_it_is_plain() {
        let lead = |sketch: &Sketch| lead(&sketch.view());
        let second = Some(Act::Lead { node: node_id(2) });
        let mut killed = sketch(3).equals();
        assert_eq!(lead(&killed), None);
        killed.silence(1, 2_500);
        assert_eq!(lead(&killed), None, "the engines of the others are in touch with its own");
        for other in [2, 3] {
            killed.member(other).standing.peers.remove(&node_id(1));
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
}
