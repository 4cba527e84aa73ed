//! Changes of primary as people see them: made from what their operations have kept, never more
//! certain than what is known.

use bellwether_model::engine::LogUnit;
use bellwether_model::report::{
    Decision, Failover, Loss, MeasuredGap, Phase, Report, Seen, Switchover, longest,
};
use bellwether_model::{Operation, OperationKind, OperationStatus};
use serde::de::DeserializeOwned;

/// The report of an operation that changes the primary; none of any other, and none before it has
/// begun.
#[must_use]
pub fn report(of: &Operation) -> Option<Report> {
    of.started_at?;
    match of.kind {
        OperationKind::Failover => Some(of_failover(of, read(of))),
        OperationKind::Switchover => Some(of_switchover(of, read(of))),
        _ => None,
    }
}

fn read<T: DeserializeOwned + Default>(of: &Operation) -> T {
    serde_json::from_value(of.state.clone()).unwrap_or_default()
}

/// What both have.
fn draft(of: &Operation, gaps: Vec<MeasuredGap>) -> Report {
    Report {
        id: of.id.clone(),
        cluster: of.cluster.clone(),
        cluster_name: of.cluster_name.clone(),
        kind: of.kind,
        status: of.status,
        started_at: of.started_at,
        ended_at: of.ended_at,
        from: None,
        to: None,
        term: 0,
        seen: Seen { sentence: String::new(), evidence: None },
        decision: Decision {
            rule: of.rule,
            reason: of.reason.clone(),
            by: of.started_by.clone(),
            fence: String::new(),
            promised: Vec::new(),
        },
        timeline: Vec::new(),
        write_gap_ms: longest(&gaps).map(|gap| gap.ms),
        measured_by: gaps,
        loss: Loss::NotKnown,
        loss_sentence: String::new(),
        unit: LogUnit::default(),
        lost: None,
        unseen_ms: None,
        found_transactions: None,
        rescued: None,
        message: of.message.clone(),
    }
}

fn of_failover(of: &Operation, known: Failover) -> Report {
    let parts = [
        ("confirmed", "The loss was confirmed", known.confirmed_ms),
        ("promised", "Enough replicas had promised the new term", known.promised_ms),
        ("fenced", "The former primary could no longer write", known.fenced_ms),
        ("chosen", "The most advanced replica was chosen", known.chosen_ms),
        ("rescued", "The end of the log was taken from its disk", known.rescued_ms),
        ("serving", "The new primary served", known.serving_ms),
    ];
    let mut draft = draft(of, known.gaps.clone());
    draft.seen = Seen { sentence: known.evidence.clone(), evidence: known.seen.clone() };
    // Given up before anything was done.
    let (loss, loss_sentence) = match of.status {
        OperationStatus::Cancelled => (Loss::Nothing, "the primary was left as it was".to_owned()),
        _ => (loss(&known), loss_sentence(&known)),
    };
    draft.decision.fence.clone_from(&known.fence);
    draft.decision.promised.clone_from(&known.promised_names);
    Report {
        from: known.former_name.clone(),
        to: known.candidate_name.clone(),
        term: known.term,
        timeline: timeline(&parts),
        loss,
        loss_sentence,
        unit: known.unit,
        lost: known.missing_bytes,
        unseen_ms: known.unseen_ms,
        found_transactions: known.found_transactions,
        rescued: known.rescued_bytes,
        ..draft
    }
}

fn of_switchover(of: &Operation, known: Switchover) -> Report {
    // From the beginning, as in every report; the steps count from the hold.
    let held = of.started_at.zip(known.held_at).map(|(from, to)| to.millis_since(from));
    let after = |ms: Option<u64>| held.zip(ms).map(|(held, ms)| held + ms);
    let parts = [
        ("held", "The primary was prepared and clients were held back", held),
        ("drained", "No transaction was open", after(known.drained_ms)),
        ("surrendered", "The primary had given up its role", after(known.surrendered_ms)),
        ("serving", "The new primary served", after(known.serving_ms)),
    ];
    let mut draft = draft(of, known.gaps.clone());
    draft.seen.sentence = "the primary was healthy".to_owned();
    if known.surrendered_ms.is_some() {
        draft.decision.fence = "it surrendered its term".to_owned();
    }
    Report {
        from: known.former_name,
        to: known.candidate_name,
        term: known.term,
        timeline: timeline(&parts),
        // The candidate took over once it held everything, or nobody did.
        loss: Loss::Nothing,
        loss_sentence: "no acknowledged write is lost".to_owned(),
        lost: Some(0),
        unseen_ms: Some(0),
        ..draft
    }
}

fn timeline(parts: &[(&str, &str, Option<u64>)]) -> Vec<Phase> {
    let phase = |(name, title, ended_ms): &(&str, &str, Option<u64>)| {
        let (name, title) = ((*name).to_owned(), (*title).to_owned());
        Some(Phase { name, title, ended_ms: (*ended_ms)? })
    };
    parts.iter().filter_map(phase).collect()
}

fn loss(known: &Failover) -> Loss {
    match (known.missing_bytes, known.unseen_ms) {
        (Some(0), Some(0)) => Loss::Nothing,
        (Some(_), Some(_)) => Loss::Range,
        _ => Loss::NotKnown,
    }
}

/// What is known of the loss, and what is not. No write is called safe that may be gone.
#[must_use]
pub fn loss_sentence(known: &Failover) -> String {
    let former = known.former_name.as_deref().unwrap_or("the former primary");
    let are = |missing| {
        format!("{} {}", known.unit.words(missing), if missing == 1 { "is" } else { "are" })
    };
    match (known.missing_bytes, known.unseen_ms) {
        (Some(0), Some(0)) => "no acknowledged write is lost".to_owned(),
        (Some(missing), Some(0)) => format!("{} lost", are(missing)),
        (Some(0), Some(ms)) => format!(
            "of what {former} acknowledged in its last {ms} ms, whatever it had not yet sent is \
             lost"
        ),
        (Some(missing), Some(ms)) => format!(
            "{} lost, and of what {former} acknowledged in its last {ms} ms whatever it had not \
             yet sent",
            are(missing)
        ),
        _ => format!("how much of what {former} acknowledged is lost is not known"),
    }
}

#[cfg(test)]
mod tests {
    use bellwether_model::report::MeasuredGap;
    use bellwether_model::{NodeId, Timestamp};

    use super::*;
    use crate::view::tests::sketch;

    #[test]
    fn no_write_is_called_safe_that_may_be_gone() {
        let known =
            |missing_bytes, unseen_ms| Failover { missing_bytes, unseen_ms, ..Failover::default() };
        let words = |missing, unseen| loss_sentence(&known(missing, unseen));
        assert_eq!(words(Some(0), Some(0)), "no acknowledged write is lost");
        assert!(words(Some(0), Some(420)).contains("in its last 420 ms"));
        assert!(words(Some(9), Some(420)).starts_with("9 bytes of log are lost, and"));
        assert!(words(Some(0), None).contains("not known"));
        assert!(words(None, Some(3)).contains("not known"));
        assert_eq!(loss(&known(Some(0), Some(0))), Loss::Nothing);
        assert_eq!(loss(&known(Some(0), Some(7))), Loss::Range);
        assert_eq!(loss(&known(Some(0), None)), Loss::NotKnown);
    }

    fn operation(kind: OperationKind, state: serde_json::Value) -> Operation {
        let at = Timestamp::from_millis(1_000);
        let queued = Operation::queued(&sketch(3).cluster, kind, "bellwether", at);
        Operation { started_at: Some(at), state, ..queued }
    }

    #[test]
    fn the_client_that_was_worst_off_counts() {
        let gap = |name: &str, ms| MeasuredGap {
            node: NodeId::from(name),
            node_name: name.to_owned(),
            ms,
            slack_ms: 0,
        };
        let known = Failover {
            gaps: vec![gap("a", 300), gap("b", 420)],
            promised_ms: Some(90),
            serving_ms: Some(250),
            ..Failover::default()
        };
        let state = serde_json::to_value(known).expect("plain data");
        let made = report(&operation(OperationKind::Failover, state)).expect("a report");
        assert_eq!((made.write_gap_ms, made.measured_by.len()), (Some(420), 2));
        let ends: Vec<_> = made.timeline.iter().map(|p| (p.name.as_str(), p.ended_ms)).collect();
        assert_eq!(ends, [("promised", 90), ("serving", 250)]);
    }

    #[test]
    fn a_switchover_counts_from_its_beginning() {
        let known = Switchover {
            held_at: Some(Timestamp::from_millis(1_500)),
            serving_ms: Some(140),
            ..Switchover::default()
        };
        let state = serde_json::to_value(known).expect("plain data");
        let made = report(&operation(OperationKind::Switchover, state)).expect("a report");
        let ends: Vec<_> = made.timeline.iter().map(|phase| phase.ended_ms).collect();
        assert_eq!((ends, made.write_gap_ms), (vec![500, 640], None));
    }

    #[test]
    fn other_operations_have_no_report() {
        let of = operation(OperationKind::AddNode, serde_json::Value::Null);
        assert_eq!(report(&of), None);
        let waits = Operation { started_at: None, kind: OperationKind::Failover, ..of };
        assert_eq!(report(&waits), None);
    }
}
