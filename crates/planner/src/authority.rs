//! How far the rotation of the certificate authority is, and what it waits for.

use bellwether_model::NodePhase;
use bellwether_model::authority::{AuthorityState, WaitingNode};

use crate::view::NodeFacts;

/// Names in a sentence, at most.
const NAMES_MAX: usize = 5;

/// Why a node's engine does not show certificates of that issue yet; none: it does.
#[must_use]
pub fn waits_for(facts: &NodeFacts, issue: u64) -> Option<&'static str> {
    let shown = facts.worker().and_then(|worker| worker.certificate);
    if shown.is_some_and(|certificate| certificate.issue == issue) {
        return None;
    }
    Some(match facts.node.phase {
        NodePhase::Provisioning | NodePhase::Joining | NodePhase::Seeding => "it is being made",
        _ if facts.machine_stopped => "its machine does not run",
        _ if !facts.seen.as_ref().is_some_and(|seen| seen.connected) => {
            "its agent is not connected"
        }
        _ => "its engine has not taken the certificates yet",
    })
}

/// The state in a sentence.
#[must_use]
pub fn words(state: AuthorityState, waiting: &[WaitingNode]) -> String {
    let left = names(waiting);
    match state {
        AuthorityState::Settled if waiting.is_empty() => {
            "One authority signs, and no other is trusted.".to_owned()
        }
        AuthorityState::Settled => {
            format!("One authority signs. The former one is still known to {left}.")
        }
        AuthorityState::Introducing if waiting.is_empty() => {
            "Another authority is being made.".to_owned()
        }
        AuthorityState::Introducing => format!("Nodes are told of the new authority: {left}."),
        AuthorityState::Introduced => "Every node trusts both authorities. Give clients the new \
                                       ca.pem, which holds both; then end the rotation."
            .to_owned(),
        AuthorityState::Replacing => {
            format!("The new authority signs. Still to be given its certificate: {left}.")
        }
    }
}

/// Why the new authority may not sign yet; none: it may.
#[must_use]
pub fn refusal(state: AuthorityState, waiting: &[WaitingNode]) -> Option<(String, &'static str)> {
    match state {
        AuthorityState::Settled => Some((
            "no rotation of the authority is under way".to_owned(),
            "begin one first; nodes and clients are told of the new authority before it signs",
        )),
        AuthorityState::Replacing => Some((
            "the new authority signs already".to_owned(),
            "the rotation ends by itself when every node has a certificate of it",
        )),
        AuthorityState::Introducing => Some((
            match waiting.is_empty() {
                true => "the new authority is being made".to_owned(),
                false => format!("not every node trusts the new authority yet: {}", names(waiting)),
            },
            "wait for them; a node that will not come back is removed first",
        )),
        AuthorityState::Introduced => None,
    }
}

fn names(waiting: &[WaitingNode]) -> String {
    let some = waiting.iter().take(NAMES_MAX);
    let some = some.map(|w| format!("{} of {} ({})", w.node, w.cluster, w.reason));
    let rest = waiting.len().saturating_sub(NAMES_MAX);
    let rest = (rest > 0).then(|| format!("{rest} more"));
    some.chain(rest).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use bellwether_model::Timestamp;
    use bellwether_protocol::local::CertificateReport;

    use super::*;
    use crate::view::tests::sketch;

    #[test]
    fn a_node_is_waited_for_until_its_engine_shows_that_issue() {
        let mut sketch = sketch(2);
        let shows = |issue| {
            let ends_at = Timestamp::from_millis(1_000);
            Some(CertificateReport { ends_at, is_late: false, issue })
        };
        sketch.worker(1).certificate = shows(3);
        sketch.worker(2).certificate = shows(2);
        let view = sketch.view();
        let of = |node: usize, issue| waits_for(&view.nodes[node], issue);
        assert_eq!(of(0, 3), None);
        assert_eq!(of(1, 3), Some("its engine has not taken the certificates yet"));
        assert!(of(0, 2).is_some(), "a later one is another one");
        sketch.worker(1).certificate = None;
        assert!(waits_for(&sketch.view().nodes[0], 0).is_some(), "it is not known to have any");
    }

    #[test]
    fn the_new_one_signs_only_when_every_node_trusts_it() {
        let node = |number: u32| WaitingNode {
            cluster: "orders".to_owned(),
            node: format!("n{number}"),
            reason: "its agent is not connected".to_owned(),
        };
        let waiting: Vec<_> = (1..=7).map(node).collect();
        let (why, hint) = refusal(AuthorityState::Introducing, &waiting).expect("refused");
        assert!(why.contains("n1 of orders (its agent is not connected)"), "{why}");
        assert!(why.ends_with("2 more") && hint.contains("removed"), "{why}; {hint}");
        assert!(refusal(AuthorityState::Introducing, &[]).is_some());
        assert!(refusal(AuthorityState::Settled, &[]).is_some());
        assert!(refusal(AuthorityState::Replacing, &waiting).is_some());
        assert_eq!(refusal(AuthorityState::Introduced, &[]), None);
        assert!(words(AuthorityState::Replacing, &waiting[..1]).contains("n1 of orders"));
    }
}
