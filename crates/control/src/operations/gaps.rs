//! How long writes waited at a change of primary, as the endpoints tell it. They may tell it late:
//! then it is added to the report that has ended.

use std::sync::Arc;

use bellwether_model::report::{Failover, MeasuredGap, Switchover, longest};
use bellwether_model::{NodeId, Operation, OperationKind, Term};
use bellwether_planner::View;
use bellwether_planner::election::{self, Verdict};
use bellwether_store::{Stored, Txn};

use super::{read_state, write_state};
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Milliseconds an operation waits for what the endpoints have measured.
const AWAIT_MS_MAX: u64 = 1_000;

/// What the nodes that stayed have measured. The node that was lost had no clients to wait.
fn measured(view: &View, term: Term, lost: Option<&NodeId>) -> Vec<MeasuredGap> {
    let stayed = view.nodes.iter().filter(|facts| Some(&facts.node.id) != lost);
    let told = stayed.filter_map(|facts| {
        let gap = facts.report()?.gaps.iter().find(|gap| gap.term == term)?;
        Some(MeasuredGap {
            node: facts.node.id.clone(),
            node_name: facts.node.name.clone(),
            ms: gap.ms,
            slack_ms: gap.slack_ms,
        })
    });
    told.collect()
}

/// Waits until every endpoint that is heard has told it, or for a moment: another may be needed
/// more than the figure. What is not known by then may be told later.
pub(super) fn await_gaps(
    pass: &mut Pass,
    op: &Operation,
    term: Term,
    lost: Option<&NodeId>,
    gaps: &mut Vec<MeasuredGap>,
) -> Outcome {
    *gaps = measured(&pass.view, term, lost);
    let suspect = pass.view.timers().suspect_ms;
    let heard = pass.view.active().filter(|facts| facts.is_fresh(suspect));
    let is_told = |id: &NodeId| gaps.iter().any(|gap| gap.node == *id);
    let is_complete =
        heard.filter(|facts| Some(&facts.node.id) != lost).all(|facts| is_told(&facts.node.id));
    let is_well = election::judge(&pass.view) == Verdict::Healthy;
    if !is_complete && is_well && pass.step_age_ms < AWAIT_MS_MAX {
        return Outcome::wait("waiting for how long writes waited");
    }
    pass.cluster.object.status.unmeasured = gaps.is_empty().then(|| op.id.clone());
    Outcome::Next
}

/// What is said of them at the end of a report.
pub(super) fn words(gaps: &[MeasuredGap]) -> String {
    match longest(gaps) {
        Some(gap) => format!("; writes waited {} ms", gap.ms),
        None => String::new(),
    }
}

/// Whether somebody tells only now how long writes waited at the last change of primary.
pub(crate) fn are_late(view: &View) -> bool {
    let status = &view.cluster.status;
    let is_told = |term: Term| {
        let mut reports = view.nodes.iter().filter_map(|facts| facts.report());
        reports.any(|report| report.gaps.iter().any(|gap| gap.term == term))
    };
    status.unmeasured.is_some() && is_told(status.term)
}

/// Adds it to the report, which has ended without it.
pub(crate) fn late(world: &Arc<World>, pass: &mut Pass) {
    let Some(id) = pass.cluster.object.status.unmeasured.take() else { return };
    let Some(mut stored) = world.store.find::<Operation>(id.as_str()) else { return };
    let Some((term, lost)) = subject(&stored.object) else { return };
    let gaps = measured(&pass.view, term, lost.as_ref());
    // Whoever measures now may measure the one after it.
    if !gaps.is_empty() {
        add(&mut stored, gaps);
        pass.extra.push(Box::new(move |txn: Txn| txn.update(&stored)));
    }
}

/// The term that a report is of, and who was lost in it.
fn subject(of: &Operation) -> Option<(Term, Option<NodeId>)> {
    match of.kind {
        OperationKind::Failover => {
            let report: Failover = read_state(of);
            Some((report.term, lost(&report).cloned()))
        }
        OperationKind::Switchover => Some((read_state::<Switchover>(of).term, None)),
        _ => None,
    }
}

/// Who was lost: nobody where the former primary itself goes on.
pub(super) fn lost(report: &Failover) -> Option<&NodeId> {
    report.former.as_ref().filter(|former| Some(*former) != report.candidate.as_ref())
}

fn add(stored: &mut Stored<Operation>, gaps: Vec<MeasuredGap>) {
    let object = &mut stored.object;
    object.message += &words(&gaps);
    if object.kind == OperationKind::Failover {
        let report: Failover = read_state(object);
        write_state(object, &Failover { gaps, ..report });
    } else {
        let report: Switchover = read_state(object);
        write_state(object, &Switchover { gaps, ..report });
    }
}
