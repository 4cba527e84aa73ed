//! A backup takes the place of a cluster's data, or what it replaced comes back.
//!
//! The other data is brought beside the primary's own while that serves. Then the primary gives its
//! term up, and the two are exchanged at one blow; the engine is started as a replica that follows
//! nobody, and replays what log there is. Until then nothing has happened to the group: the
//! replicas hold everything, and whatever fails ends with the former data, on the same node or, if
//! that is lost, on another. The new term is the point of no return: it begins with nobody's vote,
//! for what the replicas hold is of another history. They are copied anew one after the other, by
//! the operation that lets former primaries return.

use std::sync::Arc;

use bellwether_contracts::Class;
use bellwether_model::backup::BackupRun;
use bellwether_model::node::{CopyOrder, NodePhase};
use bellwether_model::restore::{BringReport, ReplaceOrder, ReplaceRun, ReplaceStage, Replaced};
use bellwether_model::{
    Actual, Backup, Bytes, JointConfig, NodeId, Operation, OperationKind, Target,
};
use bellwether_planner::election::{self, Verdict};
use bellwether_planner::voters::config_for;
use bellwether_planner::{NodeFacts, restore};
use bellwether_store::Stored;

use super::create_cluster::last_timeline;
use super::{backup, read_state, term, unknown_step, write_state};
use crate::machines::start_machine;
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Milliseconds without any news after which a step is given up.
const STUCK_MS_MAX: u64 = 10 * 60_000;

/// Milliseconds the primary may take to stop.
const STOP_MS_MAX: u64 = 60_000;

/// Milliseconds in which a primary that ended before it gave its role up has to serve again.
const RESTART_MS_MAX: u64 = 20_000;

/// Milliseconds a node may be silent, or its machine off, before others go on with what they hold.
const LOST_MS_MAX: u64 = 20_000;

pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    let mut run: ReplaceRun = read_state(op);
    let outcome = match name {
        "check" => check(pass, op, &run),
        "back_up" => back_up(world, pass, op, &mut run),
        "bring" => bring(world, pass, op, &mut run),
        "stop" => stop(pass, op, &mut run),
        "exchange" => exchange(world, pass, op, &mut run),
        "begin_term" => begin_term(world, pass, op, &mut run),
        "await_primary" => await_primary(world, pass, op, &mut run),
        _ => unknown_step(name),
    };
    if let (Outcome::Fail(why), "check", Some(safety)) = (&outcome, name, &run.safety) {
        // It was written down and is not taken.
        let known = safety.backup.as_ref().and_then(|id| world.store.find(id.as_str()));
        if let Some(mut known) = known {
            backup::fail(pass, &mut known, why);
        }
    }
    write_state(op, &run);
    outcome
}

/// What was allowed when it was asked for may not be any more.
fn check(pass: &Pass, op: &Operation, run: &ReplaceRun) -> Outcome {
    let mut view = pass.view.clone();
    (view.operation, view.queued) = (None, Vec::new());
    let refusal = match op.kind {
        OperationKind::Restore => restore::refuse(&view, run.allow_waiting),
        _ => restore::refuse_undo(&view, run.allow_waiting),
    };
    refusal.map_or(Outcome::Next, Outcome::Fail)
}

/// Nothing is replaced before what is there is stored.
fn back_up(
    world: &Arc<World>,
    pass: &mut Pass,
    op: &mut Operation,
    run: &mut ReplaceRun,
) -> Outcome {
    let Some(safety) = &run.safety else { return Outcome::Next };
    let part = if safety.node.is_none() { "choose_source" } else { "take" };
    // It speaks of its own state alone.
    write_state(op, safety);
    let outcome = backup::step(world, pass, op, part);
    run.safety = Some(read_state::<BackupRun>(op));
    match outcome {
        Outcome::Next if part == "choose_source" => Outcome::wait("the node for it is chosen"),
        Outcome::Fail(why) => {
            Outcome::Fail(format!("nothing was replaced, for what is there is not stored: {why}"))
        }
        other => other,
    }
}

fn bring(world: &World, pass: &mut Pass, op: &mut Operation, run: &mut ReplaceRun) -> Outcome {
    let Some(primary) = pass.view.primary().cloned() else {
        return Outcome::wait("there is no primary just now");
    };
    if run.node.as_ref().is_some_and(|node| *node != primary.node.id) {
        withdraw(pass, op, run);
        if run.source.is_none() {
            return Outcome::fail("the primary has changed; what is set aside lies elsewhere");
        }
        run.node = None;
    }
    let token = op.id.to_string();
    let is_ordered = primary.node.replace.as_ref().is_some_and(|order| order.token == token);
    if !is_ordered || run.node.is_none() {
        let keeps = primary.worker().is_none_or(|worker| worker.keeps_former);
        if run.source.is_some() && keeps {
            return Outcome::wait("data of an earlier copy is being removed");
        }
        order(pass, &primary.node.id, &token, run, ReplaceStage::Bring);
        run.node = Some(primary.node.id);
        op.node_name = Some(primary.node.name);
        return Outcome::wait("ordering it");
    }
    let news = match brought(&primary, &token) {
        None => "none".to_owned(),
        Some(report) if report.is_there => return Outcome::Next,
        Some(report) => {
            let done = report.done;
            if let Some(why) = report.failure.filter(|_| report.is_hopeless) {
                withdraw(pass, op, run);
                return Outcome::Fail(format!("nothing was replaced: {why}"));
            }
            (done >> 24).to_string()
        }
    };
    if world.stopwatch.age_ms(&op.id, &format!("bring/{news}")) > STUCK_MS_MAX {
        withdraw(pass, op, run);
        return Outcome::fail("nothing was replaced: no more of the backup came for 10 minutes");
    }
    Outcome::Wait(words(&primary, &token))
}

fn brought(facts: &NodeFacts, token: &str) -> Option<BringReport> {
    let report = facts.worker()?.bring.as_ref()?;
    (report.token == token).then(|| report.clone())
}

fn words(primary: &NodeFacts, token: &str) -> String {
    let name = &primary.node.name;
    match brought(primary, token) {
        Some(BringReport { failure: Some(why), .. }) => format!("{name}: {why}; trying again"),
        Some(report) if report.all > 0 => {
            let (done, all) = (Bytes(report.done), Bytes(report.all));
            format!("{name}, which goes on serving: {done} of {all} have come")
        }
        _ => format!("{name}, which goes on serving, gets it"),
    }
}

fn order(pass: &mut Pass, node: &NodeId, token: &str, run: &ReplaceRun, stage: ReplaceStage) {
    if let Some(node) = pass.node_mut(node) {
        let (token, source) = (token.to_owned(), run.source.clone());
        node.replace = Some(ReplaceOrder { token, source, stage });
    }
}

/// The order goes, and with it what was brought; what is set aside since before stays.
fn withdraw(pass: &mut Pass, op: &Operation, run: &ReplaceRun) {
    let Some(node) = run.node.as_ref().and_then(|node| pass.node_mut(node)) else { return };
    node.replace = match op.kind {
        OperationKind::Restore => None,
        _ => node.replace.take().map(|order| ReplaceOrder { stage: ReplaceStage::Keep, ..order }),
    };
}

fn stop(pass: &mut Pass, op: &Operation, run: &mut ReplaceRun) -> Outcome {
    let facts = run.node.as_ref().and_then(|id| pass.view.node(id)).cloned();
    let Some(facts) = facts else { return Outcome::fail("the node is gone") };
    let is_primary = pass.cluster.object.status.primary.as_ref() == Some(&facts.node.id);
    let is_there = brought(&facts, &op.id.to_string()).is_some_and(|report| report.is_there);
    if run.stopped_at.is_none() {
        let is_well = is_there
            && election::judge(&pass.view) == Verdict::Healthy
            && facts.serves(pass.cluster.object.status.term);
        if !is_primary || (!is_well && pass.step_age_ms > RESTART_MS_MAX) {
            withdraw(pass, op, run);
            return Outcome::fail("the primary is not what it was; nothing was replaced");
        }
        if !is_well || !pass.view.is_settled() {
            return Outcome::wait("waiting for the primary to be well");
        }
        run.former_term = pass.cluster.object.status.term;
        run.stopped_at = Some(pass.now);
        pass.assign(&facts.node.id, Target::Demoted { term: run.former_term });
        return Outcome::wait(format!("{} gives its role up", facts.node.name));
    }
    let term = run.former_term;
    match facts.surrender(term) {
        Some(given) if given.clean => {
            order(pass, &facts.node.id, op.id.as_str(), run, ReplaceStage::Exchange { term });
            return Outcome::Next;
        }
        Some(_) => {
            withdraw(pass, op, run);
            return Outcome::fail("the primary's engine died; nothing was replaced");
        }
        None => {}
    }
    let has_given = facts
        .worker()
        .is_some_and(|worker| worker.surrendered.is_some_and(|given| given.term >= term));
    if !has_given
        && facts.is_fresh(pass.view.timers().suspect_ms)
        && matches!(facts.actual(), Actual::Stopped { was_primary: true })
    {
        // Its agent was ended with the engine, and found that down: it serves again first.
        run.stopped_at = None;
        pass.assign(&facts.node.id, Target::Primary { term, create: false });
        return Outcome::wait("its engine ended otherwise; it is started again first");
    }
    let is_lost = !matches!(election::judge(&pass.view), Verdict::Healthy | Verdict::LinkLost);
    if is_lost || pass.step_age_ms > STOP_MS_MAX {
        // Whatever became of it, the rules see it: healthy it serves on, lost it is replaced.
        withdraw(pass, op, run);
        pass.assign(&facts.node.id, Target::Primary { term, create: false });
        return Outcome::fail("the primary did not give its role up; nothing was replaced");
    }
    Outcome::wait(format!("{} gives its role up", facts.node.name))
}

fn exchange(
    world: &Arc<World>,
    pass: &mut Pass,
    op: &mut Operation,
    run: &mut ReplaceRun,
) -> Outcome {
    let facts = run.node.as_ref().and_then(|id| pass.view.node(id)).cloned();
    let Some(facts) = facts else { return Outcome::fail("the node is gone") };
    let (id, name) = (facts.node.id.clone(), facts.node.name.clone());
    if is_lost(world, pass, op, &facts) {
        // Whoever holds everything takes over; this one gets a copy of that when it is back.
        if let Some(node) = pass.node_mut(&id) {
            let token = format!("{}/lost", op.id);
            (node.replace, node.copy) = (None, Some(CopyOrder { token, erase_first: false }));
        }
        return Outcome::Fail(format!("{name} was lost; the others go on with what there was"));
    }
    let token = match &run.back {
        None => op.id.to_string(),
        Some(_) => back_token(op),
    };
    let worker = facts.worker();
    let is_exchanged = worker.is_some_and(|worker| worker.replaced.as_ref() == Some(&token));
    if is_exchanged && matches!(facts.actual(), Actual::Replica { upstream: None, .. }) {
        return Outcome::Next;
    }
    let term = run.former_term;
    if run.back.is_some() && brought(&facts, &token).is_some_and(|report| report.is_there) {
        order(pass, &id, &token, run, ReplaceStage::Exchange { term });
        return Outcome::wait(format!("{name} goes back to the data that it had"));
    }
    if run.back.is_none()
        && let Some(why) = hopeless(world, op, &facts)
    {
        // Nothing was served of it: back to what there was.
        let back = ReplaceRun { source: None, ..run.clone() };
        order(pass, &id, &back_token(op), &back, ReplaceStage::Bring);
        run.back = Some(why);
    }
    let doing = worker.map_or("", |worker| worker.doing.as_str());
    Outcome::wait(match (facts.actual(), &run.back) {
        (_, Some(why)) => format!("{why}; {name} goes back to the data that it had"),
        (Actual::Failed { reason }, _) => format!("{name}: {reason}; trying again"),
        _ => format!("{name}: {doing}"),
    })
}

fn back_token(op: &Operation) -> String {
    format!("{}/back", op.id)
}

/// Whether the node is not waited for any more, where others hold what it held.
fn is_lost(world: &Arc<World>, pass: &Pass, op: &Operation, facts: &NodeFacts) -> bool {
    if facts.machine_stopped {
        start_machine(world, &pass.cluster.object, &facts.node.id);
    }
    let is_well = facts.is_fresh(pass.view.timers().suspect_ms) && !facts.machine_stopped;
    let silent_ms = world.stopwatch.age_ms(&op.id, &format!("heard/{is_well}"));
    !is_well && silent_ms > LOST_MS_MAX && election::can_elect(&pass.view)
}

/// Why the data that was brought will not come to be served however often it is tried.
fn hopeless(world: &World, op: &Operation, facts: &NodeFacts) -> Option<String> {
    let worker = facts.worker()?;
    let replayed = worker.applied.map_or(0, |place| place.offset);
    let age_ms = world.stopwatch.age_ms(&op.id, &format!("exchange/{}", replayed >> 20));
    let is_hopeless = worker.failed.is_some_and(|class| class != Class::Transient);
    match &worker.actual {
        Actual::Failed { reason } if is_hopeless => Some(reason.clone()),
        _ if age_ms > STUCK_MS_MAX => Some("it took too long".to_owned()),
        _ => None,
    }
}

fn begin_term(
    world: &Arc<World>,
    pass: &mut Pass,
    op: &mut Operation,
    run: &mut ReplaceRun,
) -> Outcome {
    let Some(id) = run.node.clone() else { return Outcome::fail("the node is gone") };
    if run.term != 0 {
        return Outcome::Next;
    }
    let mut next = term::call_election(pass);
    if run.back.is_some() {
        // The others hold what it has: it goes on as it was.
        term::begin(pass, next, &id, None);
        run.term = next;
        return Outcome::Next;
    }
    if let Some(source) = &run.source {
        let backup = world.store.find::<Backup>(source.backup.as_str());
        let last =
            backup.and_then(|Stored { object, .. }| last_timeline(world, &object, source.at).ok());
        // Its history goes on from there, on a timeline that nobody else writes.
        next = next.max(last.unwrap_or(0) + 1);
    }
    term::begin(pass, next, &id, None);
    let status = &mut pass.cluster.object.status;
    // Nobody else holds any of it: no vote of theirs counts, also not one from before.
    let mode = pass.cluster.object.spec.replication;
    let version = status.config.current.version;
    let mut config = config_for(mode, std::collections::BTreeSet::new());
    config.version = version;
    status.config = JointConfig { current: config, next: None, past: Vec::new() };
    run.term = next;
    order(pass, &id, op.id.as_str(), run, ReplaceStage::Keep);
    copy_to_others(pass, op, &id, next);
    crate::logs::begin_anew(world, pass);
    Outcome::Next
}

/// Each waits, following nobody, for its turn to be copied to.
fn copy_to_others(pass: &mut Pass, op: &Operation, primary: &NodeId, term: u64) {
    for node in &mut pass.nodes {
        let node = &mut node.object;
        if node.id == *primary || node.phase == NodePhase::Removing {
            continue;
        }
        let token = format!("{}/{}", op.id, node.id);
        node.phase = NodePhase::Rejoining;
        node.target = Target::Demoted { term };
        node.copy = Some(CopyOrder { token, erase_first: false });
    }
}

fn await_primary(
    world: &Arc<World>,
    pass: &mut Pass,
    op: &mut Operation,
    run: &mut ReplaceRun,
) -> Outcome {
    let facts = run.node.as_ref().and_then(|id| pass.view.node(id)).cloned();
    let Some(facts) = facts else { return Outcome::fail("the node is gone") };
    if facts.machine_stopped {
        start_machine(world, &pass.cluster.object, &facts.node.id);
    }
    if !term::candidate_serves(pass) {
        let name = &facts.node.name;
        return Outcome::wait(match facts.actual() {
            Actual::Failed { reason } => format!("{name}: {reason}; trying again"),
            _ => format!("waiting for {name} to serve"),
        });
    }
    term::confirm(pass);
    let pause = run.stopped_at.map_or(0, |at| pass.now.millis_since(at));
    run.pause_ms = Some(pause);
    if let Some(why) = &run.back {
        withdraw(pass, op, run);
        return Outcome::Fail(format!("{why}; the data is what it was"));
    }
    let name = facts.node.name.clone();
    pass.cluster.object.status.replaced = Some(Replaced {
        at: pass.now,
        source: run.source.clone(),
        node: facts.node.id,
        node_name: name.clone(),
        safety: run.safety.as_ref().and_then(|safety| safety.backup.clone()),
    });
    let others = pass.nodes.len().saturating_sub(1);
    let copied = match others {
        0 => String::new(),
        1 => "; its replica is copied anew".to_owned(),
        _ => format!("; its {others} replicas are copied anew, one after the other"),
    };
    op.message = format!(
        "{name} serves under term {} after {pause} ms; what it had is set aside there{copied}",
        run.term
    );
    Outcome::Next
}

/// Lets go of what a restore replaced.
pub fn keep(pass: &mut Pass) -> Outcome {
    let Some(before) = pass.cluster.object.status.replaced.clone() else { return Outcome::Next };
    if let Some(node) = pass.node_mut(&before.node)
        && node.replace.is_some()
    {
        node.replace = None;
        return Outcome::wait("removing it");
    }
    let facts = pass.view.node(&before.node);
    let is_there = facts.is_some_and(|facts| {
        facts.worker().is_none_or(|worker| worker.keeps_former)
            || !facts.is_fresh(pass.view.timers().suspect_ms)
    });
    if is_there {
        if pass.step_age_ms > STUCK_MS_MAX {
            return Outcome::fail("it is still there; it is removed when the node is well again");
        }
        return Outcome::wait("removing it");
    }
    pass.cluster.object.status.replaced = None;
    Outcome::Next
}
