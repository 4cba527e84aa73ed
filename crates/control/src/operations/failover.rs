//! Replace a lost primary by its most advanced replica.
//!
//! The next term is durable before anybody is asked to promise it; promises are durable before a
//! candidate is chosen; the former primary's authority is over before the term begins. What was
//! seen, decided and measured stays in the operation as its report.

use std::collections::BTreeSet;
use std::sync::Arc;

use bellwether_model::mutation::{Mutation, mutated};
use bellwether_model::node::NodePhase;
use bellwether_model::report::Failover as Report;
use bellwether_model::{Actual, NodeId, Operation, OperationKind, Target, Term};
use bellwether_planner::election::{self, Verdict};
use bellwether_planner::{NodeFacts, report};

use super::{age_ms, gaps, read_state, reconfigure, term, unknown_step, write_state};
use crate::machines::start_machine;
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Milliseconds to wait for further promises once there are enough: more voters, less loss.
const MORE_PROMISES_MS: u64 = 300;

/// Milliseconds without enough promises after which the former primary, if it is heard, is taken.
const RECONFIRM_AFTER_MS: u64 = 3_000;

/// Milliseconds the agent of a dead engine may take to find where its log ends.
const MEASURE_MS_MAX: u64 = 200;

/// Milliseconds the candidate may take to get what it lacks from the former primary's log. A busy
/// machine takes more than one second; acknowledged writes are worth another.
const RESCUE_MS_MAX: u64 = 2_000;

/// Milliseconds a step may take before the failover is begun anew.
const STEP_MS_MAX: u64 = 15_000;

pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    let mut report: Report = read_state(op);
    let outcome = match name {
        "confirm_loss" => confirm_loss(world, pass, op, &mut report),
        "collect_promises" => collect_promises(pass, op, &mut report),
        "await_fence" => await_fence(world, pass, op, &mut report),
        "choose_candidate" => choose_candidate(pass, op, &mut report),
        "rescue_tail" => rescue_tail(world, pass, op, &mut report),
        "advance_term" => advance_term(pass, op, &mut report),
        "await_primary" => await_primary(pass, op, &mut report),
        "repoint" => repoint(pass, &report),
        "write_report" => write_report(pass, op, &mut report),
        _ => unknown_step(name),
    };
    write_state(op, &report);
    match outcome {
        Outcome::Wait(words) if is_too_long(pass) => Outcome::Fail(words),
        other => other,
    }
}

fn is_too_long(pass: &Pass) -> bool {
    pass.step_age_ms > STEP_MS_MAX && !mutated(Mutation::StepWithoutDeadline)
}

fn confirm_loss(
    world: &Arc<World>,
    pass: &mut Pass,
    op: &mut Operation,
    report: &mut Report,
) -> Outcome {
    let status = &pass.cluster.object.status;
    let is_unfinished = status.promised > status.term || status.primary.is_none();
    let verdict = election::judge(&pass.view);
    let is_unconfirmed = verdict == Verdict::Healthy && election::is_unconfirmed(&pass.view);
    if !is_unfinished && !is_unconfirmed {
        match verdict {
            Verdict::Healthy | Verdict::LinkLost => {
                return Outcome::Cancel("the primary is heard again".to_owned());
            }
            Verdict::Blind => return Outcome::wait("no voter is heard"),
            // Silence is asked about once more; a death certificate is not.
            Verdict::NodeLost | Verdict::AgentLost if !is_probed(world, pass, op, report) => {
                return Outcome::wait("asking the voters once more");
            }
            _ => {}
        }
    }
    report.evidence = match is_unconfirmed {
        true => "none of those who have to confirm its writes heard it".to_owned(),
        false => words(verdict).to_owned(),
    };
    report.unit = pass.view.log.unit;
    report.seen = election::evidence(&pass.view, pass.now);
    report.confirmed_ms = Some(age_ms(pass, op));
    // One that was never confirmed may have served all the same.
    let former = pass.view.primary_or_candidate();
    let former = former.map(|facts| (facts.node.clone(), facts.position()));
    if let Some((node, position)) = former {
        report.former = Some(node.id.clone());
        report.former_name = Some(node.name.clone());
        report.former_position = position;
        let term = pass.cluster.object.status.term;
        pass.assign(&node.id, Target::Demoted { term });
    }
    // A person, or the rule that found nobody else, named the node to take.
    report.candidate.clone_from(&op.node);
    report.term = term::call_election(pass);
    Outcome::Next
}

fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NoPrimary => "there was no primary",
        Verdict::Healthy => "the primary was heard again after an election had begun",
        Verdict::EngineDead => "its agent said that the engine had died",
        Verdict::MachineStopped => "the provider said that its machine did not run",
        Verdict::NodeLost => {
            "the server heard nothing of it, nor did the voters of its lease requests, nor the \
             replicas of its engine"
        }
        Verdict::AgentLost => "its agent was silent; its engine still spoke to replicas",
        Verdict::LinkLost => "only the server could not hear it",
        Verdict::Blind => "nobody could be heard",
    }
}

/// Asks every voter for a fresh report; whether all that can answer have.
fn is_probed(world: &Arc<World>, pass: &Pass, op: &Operation, report: &mut Report) -> bool {
    let voters = pass.cluster.object.status.config.voters();
    let since = world.stopwatch.age_ms(&op.id, "probe");
    if report.probed_at.is_none() {
        report.probed_at = Some(pass.now);
        voters.iter().for_each(|node| world.probe(node));
        return false;
    }
    let answered: BTreeSet<NodeId> = pass
        .view
        .nodes
        .iter()
        .filter(|facts| facts.age_ms() < since)
        .map(|facts| facts.node.id.clone())
        .collect();
    pass.cluster.object.status.config.elects(&answered) || since > pass.view.timers().heartbeat_ms
}

fn collect_promises(pass: &mut Pass, op: &Operation, report: &mut Report) -> Outcome {
    let promised = election::promised(&pass.view, report.term);
    let config = &pass.cluster.object.status.config;
    let timers = pass.view.timers();
    let heard = pass.view.active().filter(|facts| facts.is_fresh(timers.suspect_ms));
    let is_everybody = heard
        .filter(|facts| Some(&facts.node.id) != report.former.as_ref())
        .all(|facts| promised.contains(&facts.node.id));
    if config.elects(&promised) && (is_everybody || pass.step_age_ms > MORE_PROMISES_MS) {
        report.promised_names = names(pass, &promised);
        report.promised = promised;
        report.candidate = None;
        report.promised_ms = Some(age_ms(pass, op));
        return Outcome::Next;
    }
    let is_named = report.candidate.is_some() && report.candidate == report.former;
    if may_return(pass, report) && (is_named || pass.step_age_ms > RECONFIRM_AFTER_MS) {
        report.candidate.clone_from(&report.former);
        report.promised_names = names(pass, &promised);
        report.promised = promised;
        return Outcome::Next;
    }
    let needed = config.iter().map(|config| config.promise_quorum()).max().unwrap_or(1);
    Outcome::wait(format!("{} of {needed} promises", promised.len()))
}

/// Whether the former primary is heard and could go on. Its data is complete, whoever is missing:
/// the server has given the role to nobody else since.
fn may_return(pass: &Pass, report: &Report) -> bool {
    let former = report.former.as_ref().and_then(|id| pass.view.node(id));
    former.is_some_and(|facts| {
        facts.is_fresh(pass.view.timers().suspect_ms)
            && facts.promised() >= report.term
            && match facts.actual() {
                Actual::Stopped { was_primary: true } | Actual::Primary { .. } => true,
                // It was elected and never took the role, or it lent its log to a candidate that
                // was lost before the term began.
                Actual::Replica { .. } => election::has_promised(facts, report.term),
                _ => false,
            }
    })
}

fn names(pass: &Pass, ids: &BTreeSet<NodeId>) -> Vec<String> {
    let nodes = pass.view.nodes.iter().filter(|facts| ids.contains(&facts.node.id));
    nodes.map(|facts| facts.node.name.clone()).collect()
}

fn await_fence(
    world: &Arc<World>,
    pass: &mut Pass,
    op: &Operation,
    report: &mut Report,
) -> Outcome {
    let former = report.former.as_ref().and_then(|id| pass.view.node(id));
    let term = pass.cluster.object.status.term;
    if report.candidate.is_some() && report.candidate == report.former {
        report.fence = "the former primary itself goes on".to_owned();
        return Outcome::Next;
    }
    let fence = if former.is_some_and(|facts| facts.surrender(term).is_some()) {
        "it surrendered its term"
    } else if former.is_some_and(|facts| is_certainly_off(world, op, facts)) {
        "its machine does not run"
    } else {
        let timers = pass.view.timers();
        let age = authority_age_ms(world, pass, report);
        let needed = timers.lease_ms + timers.drift_ms;
        if age <= needed && !mutated(Mutation::FenceSkipped) {
            if former.is_some_and(|facts| facts.machine_stopped) {
                world.machines_asked.notify_one();
            }
            return Outcome::wait(format!("its lease ends within {} ms", needed - age));
        }
        "its lease has ended"
    };
    let log_end = former.and_then(NodeFacts::worker).and_then(|worker| worker.log_end);
    if let Some(known) = log_end.or_else(|| former.and_then(NodeFacts::position)) {
        report.former_position = Some(known);
    }
    report.unseen_ms = former.and_then(|facts| unseen_ms(facts, term));
    report.fence = fence.to_owned();
    report.fenced_ms = Some(age_ms(pass, op));
    Outcome::Next
}

/// Whether its machine was off at a moment after the promises: started again since, it gets no
/// lease from anybody. One that was off before may have been started and got one.
fn is_certainly_off(world: &Arc<World>, op: &Operation, former: &NodeFacts) -> bool {
    let since = world.stopwatch.begun_at(&op.id, "await_fence");
    let off_at = world.store.live().machine_stopped_at(&former.node.id);
    off_at.is_some_and(|at| at >= since || mutated(Mutation::MachineStoppedBefore))
}

/// How long a fenced primary may have written after its last word on its log.
fn unseen_ms(former: &NodeFacts, term: Term) -> Option<u64> {
    let worker = former.worker().filter(|worker| worker.position.is_some())?;
    // A sentry gives up on a worker that it has not heard for long.
    let silence_ms = former.report().and_then(|report| report.worker_age_ms).unwrap_or(0);
    match former.surrender(term) {
        Some(given) if given.clean || worker.log_end.is_some() => Some(0),
        Some(_) => Some(worker.position_age_ms.saturating_add(silence_ms)),
        None => Some(worker.position_age_ms.saturating_add(former.age_ms())),
    }
}

/// Milliseconds since anybody that counts last acknowledged a lease; a lower bound.
fn authority_age_ms(world: &Arc<World>, pass: &Pass, report: &Report) -> u64 {
    let forgets = mutated(Mutation::RestartForgetsLease);
    let least = if forgets { u64::MAX } else { pass.view.server_age_ms };
    let last = world.leases.last_age(&pass.cluster.object.id);
    let server = last.map_or(least, |age| age.as_millis() as u64);
    let voter = |id: &NodeId| {
        let facts = pass.view.node(id)?;
        let age = facts.report()?.last_ack_age_ms?;
        Some(age.saturating_add(facts.age_ms()))
    };
    report.promised.iter().filter_map(voter).fold(server, u64::min)
}

fn choose_candidate(pass: &mut Pass, op: &Operation, report: &mut Report) -> Outcome {
    if report.candidate.is_some() && report.candidate == report.former {
        report.candidate_name.clone_from(&report.former_name);
        (report.missing_bytes, report.unseen_ms) = (Some(0), Some(0));
        return Outcome::Next;
    }
    // Whose engine was started again since looks for the end of its log: without it another might
    // be taken for the most advanced.
    let is_ready = |id: &&NodeId| {
        pass.view.node(id).is_some_and(|facts| election::has_promised(facts, report.term))
    };
    let ready: BTreeSet<_> = report.promised.iter().filter(is_ready).cloned().collect();
    if !pass.cluster.object.status.config.elects(&ready) {
        return Outcome::wait("a replica that promised looks for the end of its log");
    }
    let Some((candidate, position)) = election::choose_candidate(&pass.view, &ready) else {
        return Outcome::wait("no replica that promised can be promoted");
    };
    let loss = election::loss(report.former_position, position);
    report.candidate_name = pass.view.node(&candidate).map(|facts| facts.node.name.clone());
    report.candidate = Some(candidate);
    report.candidate_position = Some(position);
    report.chosen_ms = Some(age_ms(pass, op));
    if is_async(pass) {
        report.missing_bytes = report.former_position.map(|_| loss);
    } else {
        (report.missing_bytes, report.unseen_ms) = (Some(0), Some(0));
    }
    Outcome::Next
}

/// Every acknowledged write is with somebody who promised, unless nobody had to confirm it.
fn is_async(pass: &Pass) -> bool {
    pass.cluster.object.status.config.iter().any(|config| config.acks == 0)
}

/// When only the engine died, what it wrote last is still on its disk: it is started in recovery,
/// and the candidate follows it until it holds everything. Where writes wait for confirmations
/// there is nothing to take.
fn rescue_tail(
    world: &Arc<World>,
    pass: &mut Pass,
    op: &Operation,
    report: &mut Report,
) -> Outcome {
    let is_left = mutated(Mutation::TailNotRescued);
    if !is_async(pass) || report.candidate == report.former || is_left {
        return Outcome::Next;
    }
    match take_tail(pass, report) {
        Outcome::Next => {}
        other => return other,
    }
    report.rescued_ms = report.rescued_bytes.map(|_| age_ms(pass, op));
    guard_loss(world, pass, report)
}

/// Automation loses no more than the engine's profile lets it: the former primary, which lacks
/// nothing, is waited for, unless a person has said that what the others lack may go.
fn guard_loss(world: &Arc<World>, pass: &Pass, report: &mut Report) -> Outcome {
    let (loss, log) = (report.missing_bytes.unwrap_or(0), pass.view.log);
    if loss <= log.loss_max || report.allows_loss {
        return Outcome::Next;
    }
    if may_return(pass, report) {
        report.candidate.clone_from(&report.former);
        report.candidate_name.clone_from(&report.former_name);
        report.candidate_position = report.former_position;
        (report.missing_bytes, report.unseen_ms) = (Some(0), Some(0));
        return Outcome::Next;
    }
    if pass.view.queued.iter().any(|operation| operation.kind == OperationKind::Failover) {
        return Outcome::fail("a person has said that what the replicas lack may be lost");
    }
    // Its authority is over: it does no harm when it is back.
    if let Some(former) = report.former.as_ref().and_then(|id| pass.view.node(id))
        && former.machine_stopped
    {
        start_machine(world, &pass.cluster.object, &former.node.id);
    }
    let name = report.former_name.as_deref().unwrap_or("the former primary");
    Outcome::wait(format!(
        "the most advanced replica lacks {} that {name} had, more than the {} that may be lost \
         without a person's word; waiting for {name}, or for a failover that allows the loss",
        log.unit.words(loss),
        log.unit.words(log.loss_max),
    ))
}

/// `Next` once the candidate holds what can be had.
fn take_tail(pass: &mut Pass, report: &mut Report) -> Outcome {
    let (status, timers) = (&pass.cluster.object.status, pass.view.timers());
    let node = |id: &Option<NodeId>| id.as_ref().and_then(|id| pass.view.node(id)).cloned();
    let (Some(former), Some(candidate)) = (node(&report.former), node(&report.candidate)) else {
        return Outcome::Next;
    };
    let has_died = former.surrender(status.term).is_some_and(|given| !given.clean);
    if !pass.view.log.keeps_tail || !has_died || !former.is_fresh(timers.suspect_ms) {
        return Outcome::Next;
    }
    if !candidate.is_fresh(timers.suspect_ms) {
        return Outcome::fail("the candidate was lost before it took over");
    }
    let Some(end) = former.worker().and_then(|worker| worker.log_end) else {
        if pass.step_age_ms <= MEASURE_MS_MAX {
            let name = &former.node.name;
            return Outcome::wait(format!("looking where the log of {name} ends"));
        }
        return Outcome::Next;
    };
    let Some(position) = candidate.position() else { return Outcome::Next };
    let (loss, before) =
        (election::loss(Some(end), position), report.candidate_position.unwrap_or(position));
    report.rescued_bytes = Some(position.offset.saturating_sub(before.offset));
    (report.former_position, report.missing_bytes, report.unseen_ms) =
        (Some(end), Some(loss), Some(0));
    if loss == 0 || pass.step_age_ms > RESCUE_MS_MAX {
        report.candidate_position = Some(position);
        return Outcome::Next;
    }
    let term = report.term;
    pass.assign(&former.node.id, Target::Source { term });
    let upstream = former.node.id.clone();
    pass.assign(&candidate.node.id, Target::Replica { upstream, term });
    let (from, name) = (&former.node.name, &candidate.node.name);
    let words = pass.view.log.unit.words(loss);
    Outcome::wait(format!("{name} takes {words} from {from}"))
}

fn advance_term(pass: &mut Pass, op: &mut Operation, report: &mut Report) -> Outcome {
    let Some(candidate) = report.candidate.clone() else {
        return Outcome::fail("there is no candidate");
    };
    if pass.cluster.object.status.term < report.term {
        term::begin(pass, report.term, &candidate, report.former.as_ref());
    }
    op.node = Some(candidate);
    op.node_name.clone_from(&report.candidate_name);
    Outcome::Next
}

fn await_primary(pass: &mut Pass, op: &Operation, report: &mut Report) -> Outcome {
    if term::candidate_serves(pass) {
        term::confirm(pass);
        pass.cluster.object.status.last_failover_at = Some(pass.now);
        report.serving_ms = Some(age_ms(pass, op));
        return Outcome::Next;
    }
    let may_give_up = pass.step_age_ms > 1_000 && !mutated(Mutation::StepWithoutDeadline);
    if may_give_up && term::candidate_is_lost(pass) {
        return Outcome::fail("the candidate was lost before it served; another is elected");
    }
    reconfigure::put_back_where_refused(pass);
    let name = report.candidate_name.as_deref().unwrap_or("the candidate");
    Outcome::wait(format!("waiting for {name} to serve"))
}

/// The others follow since the term began. The former primary comes back by an operation of its
/// own, unless it was the only candidate, or is back already.
fn repoint(pass: &mut Pass, report: &Report) -> Outcome {
    let primary = pass.cluster.object.status.primary.clone();
    let former = report.former.clone().filter(|former| Some(former) != primary.as_ref());
    if let (Some(former), Some(primary)) = (former, primary) {
        let is_missed = pass.view.node(&former).is_some_and(|facts| {
            facts.node.phase == NodePhase::Active && !facts.streams_from(&primary)
        });
        if is_missed {
            pass.set_phase(&former, NodePhase::Rejoining);
        }
    }
    Outcome::Next
}

fn write_report(pass: &mut Pass, op: &mut Operation, report: &mut Report) -> Outcome {
    let lost = gaps::lost(report).cloned();
    let outcome = gaps::await_gaps(pass, op, report.term, lost.as_ref(), &mut report.gaps);
    if outcome != Outcome::Next {
        return outcome;
    }
    let name = report.candidate_name.as_deref().unwrap_or("a replica");
    let loss = report::loss_sentence(report);
    let rescued = match report.rescued_bytes {
        Some(more @ 1..) => format!(", {} were taken from its disk", report.unit.words(more)),
        _ => String::new(),
    };
    op.message = format!(
        "{name} took over under term {} in {} ms: {}{rescued}{}; {loss}",
        report.term,
        report.serving_ms.unwrap_or_default(),
        report.fence,
        gaps::words(&report.gaps),
    );
    Outcome::Next
}
