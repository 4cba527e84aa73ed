//! Move the primary to a replica, as planned: the primary surrenders, the replica takes over with
//! everything, the former primary follows it.
//!
//! Before the surrender every failure leaves the primary as it was. After it there is only forward:
//! to the candidate, to another replica that holds everything, or back to the former primary under
//! the new term.

use std::sync::Arc;

use bellwether_model::cluster::Handover;
use bellwether_model::mutation::{Mutation, mutated};
use bellwether_model::report::Switchover as Report;
use bellwether_model::transaction::Transaction;
use bellwether_model::{NodeId, Operation, OperationId, OperationKind, OperationStatus, Target};
use bellwether_planner::election::{self, Verdict};
use bellwether_planner::{NodeFacts, allowed, drills};

use super::{gaps, read_state, term, unknown_step, write_state};
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Milliseconds the preparation (a checkpoint) may take.
const PREPARE_MS_MAX: u64 = 5 * 60_000;

/// Milliseconds that transactions which are open already may take to end, once prepared.
const TRANSACTIONS_MS_MAX: u64 = 60_000;

/// A transaction that is younger ends by itself while clients are held back.
const TRANSACTION_MS_LONG: u64 = 1_000;

/// Milliseconds the primary may take to stop, after which others decide (a failover).
const SURRENDER_MS_MAX: u64 = 30_000;

/// Milliseconds the candidate has to receive the last of the log.
const CATCH_UP_MS_MAX: u64 = 3_000;

pub fn step(_: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    let mut report: Report = read_state(op);
    let Some(candidate) = op.node.clone() else { return Outcome::fail("no replica was named") };
    let outcome = match name {
        "check_candidate" => check_candidate(pass, op, &candidate, &mut report),
        "prepare" => prepare(pass, &candidate, &mut report),
        "hold_writes" => hold_writes(pass, &mut report),
        "surrender" => surrender(pass, &mut report),
        "advance_term" => advance_term(pass, op, candidate, &mut report),
        "await_primary" => await_primary(pass, &mut report),
        "repoint" => repoint(pass, op, &mut report),
        _ => unknown_step(name),
    };
    if matches!(outcome, Outcome::Fail(_) | Outcome::Cancel(_)) {
        pass.cluster.object.status.handover = Handover::None;
    }
    write_state(op, &report);
    outcome
}

/// Asks for a switchover like any other, as a part of another operation, before which it goes.
pub(super) fn ask(
    pass: &mut Pass,
    of: &Operation,
    candidate: (NodeId, String),
    reason: String,
) -> OperationId {
    let (node, name) = candidate;
    let cluster = &pass.cluster.object;
    let switchover = Operation {
        node: Some(node),
        node_name: Some(name),
        reason,
        ..Operation::queued(cluster, OperationKind::Switchover, &of.started_by, pass.now)
    };
    let id = switchover.id.clone();
    pass.extra.push(Box::new(move |txn| txn.insert(&switchover)));
    id
}

/// Moves the primary away from that node, should it be there, by a switchover of its own. `Next`
/// once it has moved; what has been asked for is in `change`.
pub(super) fn away_from(
    world: &World,
    pass: &mut Pass,
    op: &Operation,
    id: &NodeId,
    change: &mut Option<OperationId>,
) -> Outcome {
    if let Some(change) = change {
        let Some(changed) = world.store.find::<Operation>(change.as_str()) else {
            return Outcome::fail("the switchover is gone");
        };
        return match changed.object.status {
            OperationStatus::Succeeded => Outcome::Next,
            OperationStatus::Failed | OperationStatus::Cancelled => {
                Outcome::Fail(format!("the primary could not be moved: {}", changed.object.message))
            }
            _ => Outcome::wait("the primary is being moved"),
        };
    }
    if pass.cluster.object.status.primary.as_ref() != Some(id) {
        return Outcome::Next;
    }
    let candidate = match drills::candidate(&pass.view) {
        Ok(facts) => (facts.node.id.clone(), facts.node.name.clone()),
        Err(why) => return Outcome::Fail(format!("nobody can take over: {why}")),
    };
    let reason = format!("{} of the primary", op.kind.title().to_lowercase());
    *change = Some(ask(pass, op, candidate, reason));
    Outcome::wait("the primary is being moved")
}

fn check_candidate(
    pass: &mut Pass,
    op: &mut Operation,
    candidate: &NodeId,
    report: &mut Report,
) -> Outcome {
    if let Err(why) = check(pass, candidate) {
        return Outcome::Fail(why);
    }
    report.former.clone_from(&pass.cluster.object.status.primary);
    report.former_name = pass.view.primary().map(|facts| facts.node.name.clone());
    report.candidate_name = pass.view.node(candidate).map(|facts| facts.node.name.clone());
    op.node_name.clone_from(&report.candidate_name);
    pass.cluster.object.status.handover = Handover::Prepare;
    Outcome::Next
}

fn check(pass: &Pass, candidate: &NodeId) -> Result<(), String> {
    let facts = pass.view.node(candidate).ok_or("the replica is gone")?;
    let primary = pass.view.primary().ok_or("there is no primary to hand over")?;
    if election::judge(&pass.view) != Verdict::Healthy {
        return Err(format!("{} is not healthy and cannot hand over", primary.node.name));
    }
    if facts.node.id == primary.node.id {
        // It is started again where it is, under a new term.
        return Ok(());
    }
    allowed::refuse_candidate(&pass.view, facts, primary).map_or(Ok(()), Err)
}

fn prepare(pass: &mut Pass, candidate: &NodeId, report: &mut Report) -> Outcome {
    if let Err(why) = check(pass, candidate) {
        return Outcome::Fail(why);
    }
    let worker = pass.view.primary().and_then(NodeFacts::worker);
    let Some(worker) = worker.filter(|worker| worker.prepared) else {
        if pass.step_age_ms > PREPARE_MS_MAX {
            return Outcome::fail("the primary could not prepare within 5 minutes");
        }
        return Outcome::wait("the primary prepares");
    };
    // Until then nobody is judged, and clients that are held back would wait for that.
    if !pass.view.is_settled() {
        return Outcome::wait("this server has just started and listens first");
    }
    let prepared_at = *report.prepared_at.get_or_insert(pass.now);
    let mut open = worker.transactions.clone().unwrap_or_default();
    open.retain(|transaction| transaction.age_ms >= TRANSACTION_MS_LONG);
    if open.is_empty() || report.end_transactions {
        pass.cluster.object.status.handover = Handover::Hold;
        return Outcome::Next;
    }
    let words = Transaction::list(&open);
    // The second also if the clock was set back.
    let is_over = pass.now.millis_since(prepared_at) > TRANSACTIONS_MS_MAX
        || pass.step_age_ms > PREPARE_MS_MAX + TRANSACTIONS_MS_MAX;
    if is_over {
        return Outcome::Fail(format!("the primary keeps its role: it has {words}; {HOW_TO_END}"));
    }
    Outcome::wait(format!("waiting for {words}"))
}

/// What a person can do about transactions that do not end.
const HOW_TO_END: &str = "end them, or let the promotion end them";

fn hold_writes(pass: &mut Pass, report: &mut Report) -> Outcome {
    let held_at = *report.held_at.get_or_insert(pass.now);
    // The one counts on after a start of the server, the other if the clock was set back.
    let held_ms = pass.now.millis_since(held_at).max(pass.step_age_ms);
    let Some(former) = report.former.clone() else {
        return Outcome::fail("there is no primary to hand over");
    };
    if let Some(words) = still_open(pass, &former) {
        // The rest of the time that clients are held back is for the change itself.
        let is_over = held_ms > pass.view.timers().hold_ms / 2;
        if !is_over {
            return Outcome::wait(format!("clients are held back; waiting for {words}"));
        }
        if !report.end_transactions {
            let words = format!("the primary keeps its role: there were {words}; {HOW_TO_END}");
            return Outcome::Fail(words);
        }
    }
    report.drained_ms = Some(held_ms);
    let term = pass.cluster.object.status.term;
    pass.assign(&former, Target::Demoted { term });
    Outcome::Next
}

/// What clients still say to the primary although they are held back, in words. Nodes that are not
/// heard are not waited for.
fn still_open(pass: &Pass, former: &NodeId) -> Option<String> {
    let within = pass.view.timers().suspect_ms;
    let heard = pass.view.active().filter(|facts| facts.is_fresh(within));
    let reports: Vec<_> = heard.filter_map(|facts| Some((facts, facts.report()?))).collect();
    if let Some((facts, _)) = reports.iter().find(|(_, report)| report.open_sessions.is_none()) {
        return Some(format!("{} to hold its clients back", facts.node.name));
    }
    let sessions: u32 = reports.iter().filter_map(|(_, report)| report.open_sessions).sum();
    let worker = pass.view.node(former).and_then(NodeFacts::worker);
    match worker.and_then(|worker| worker.transactions.as_deref()) {
        _ if worker.is_some_and(|worker| worker.drained) && sessions == 0 => None,
        Some(open) if !open.is_empty() => Some(Transaction::list(open)),
        _ if sessions == 1 => Some("1 session in a transaction".to_owned()),
        _ if sessions > 1 => Some(format!("{sessions} sessions in transactions")),
        _ => Some("the primary to look for open transactions".to_owned()),
    }
}

fn held_ms(pass: &Pass, report: &Report) -> u64 {
    report.held_at.map_or(0, |held| pass.now.millis_since(held))
}

fn surrender(pass: &mut Pass, report: &mut Report) -> Outcome {
    let term = pass.cluster.object.status.term;
    let former = report.former.as_ref().and_then(|id| pass.view.node(id)).cloned();
    let Some(former) = former else { return Outcome::fail("the primary is gone") };
    if let Some(given) = former.surrender(term) {
        if !given.clean {
            return Outcome::fail("the primary's engine died; a failover decides");
        }
        report.final_position = given.position;
        report.surrendered_ms = Some(held_ms(pass, report));
        return Outcome::Next;
    }
    let is_lost = !matches!(election::judge(&pass.view), Verdict::Healthy | Verdict::LinkLost);
    if is_lost || pass.step_age_ms > SURRENDER_MS_MAX {
        // Whatever became of it, the rules see it: healthy it serves on, lost it is replaced.
        pass.assign(&former.node.id, Target::Primary { term, create: false });
        return Outcome::fail("the primary did not surrender; it keeps its role");
    }
    Outcome::wait(format!("{} gives its role up", former.node.name))
}

fn advance_term(
    pass: &mut Pass,
    op: &mut Operation,
    candidate: NodeId,
    report: &mut Report,
) -> Outcome {
    if pass.cluster.object.status.candidate.is_some() {
        return Outcome::Next;
    }
    let holds_everything = |facts: &NodeFacts| {
        let last = report.final_position;
        facts.position().zip(last).is_some_and(|(at, last)| at >= last)
            || mutated(Mutation::SwitchoverWithoutEnd)
    };
    let suspect = pass.view.timers().suspect_ms;
    let is_ready = |facts: &&NodeFacts| facts.is_fresh(suspect) && holds_everything(facts);
    let goes_on = report.former.as_ref() == Some(&candidate);
    let chosen = if goes_on || pass.view.node(&candidate).as_ref().is_some_and(is_ready) {
        candidate
    } else if pass.step_age_ms < CATCH_UP_MS_MAX {
        return Outcome::wait("the replica receives the last of the log");
    } else {
        // Forward only: whoever holds everything; at last the former primary itself.
        let other = pass.view.replicas().find(is_ready).map(|facts| facts.node.id.clone());
        match other.or_else(|| report.former.clone()) {
            Some(other) => other,
            None => return Outcome::fail("nobody holds everything"),
        }
    };
    report.term = term::call_election(pass);
    term::begin(pass, report.term, &chosen, None);
    pass.cluster.object.status.handover = Handover::Begun;
    report.candidate_name = pass.view.node(&chosen).map(|facts| facts.node.name.clone());
    op.node = Some(chosen);
    op.node_name.clone_from(&report.candidate_name);
    Outcome::Next
}

fn await_primary(pass: &mut Pass, report: &mut Report) -> Outcome {
    if term::candidate_serves(pass) {
        term::confirm(pass);
        report.serving_ms = Some(held_ms(pass, report));
        return Outcome::Next;
    }
    if pass.step_age_ms > 1_000 && term::candidate_is_lost(pass) {
        return Outcome::fail("the replica was lost before it served; another is elected");
    }
    let name = report.candidate_name.as_deref().unwrap_or("the replica");
    Outcome::wait(format!("waiting for {name} to serve"))
}

/// Waits until the former primary follows; what keeps it from that is no failure of the switchover.
fn repoint(pass: &mut Pass, op: &mut Operation, report: &mut Report) -> Outcome {
    let primary = pass.cluster.object.status.primary.as_ref();
    let former = report.former.as_ref().and_then(|id| pass.view.node(id));
    let follows = former
        .zip(primary)
        .is_some_and(|(facts, primary)| facts.streams_from(primary) || facts.node.id == *primary);
    if !follows && pass.step_age_ms < 60_000 {
        return Outcome::wait("waiting for the former primary to follow");
    }
    let outcome = gaps::await_gaps(pass, op, report.term, None, &mut report.gaps);
    if outcome != Outcome::Next {
        return outcome;
    }
    let name = report.candidate_name.as_deref().unwrap_or("the replica");
    let held = report.serving_ms.unwrap_or_default();
    op.message = format!(
        "{name} is the primary under term {}; clients were held back for {held} ms{}",
        report.term,
        gaps::words(&report.gaps)
    );
    Outcome::Next
}
