//! Store the data of a cluster in a repository: choose the node that can do it best, have its agent
//! do it, and write down what was stored. Whatever a person asks for goes before it; the agent goes
//! on meanwhile.

use std::sync::Arc;

use bellwether_model::backup::{
    BackupEnd, BackupOrder, BackupReport, BackupResult, BackupRun, BackupStatus,
};
use bellwether_model::{Backup, Bytes, NodeId, Operation};
use bellwether_planner::{NodeFacts, backups};
use bellwether_store::{Stored, backups as stored};

use super::{read_state, unknown_step, write_state};
use crate::logs;
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Attempts before it has failed.
const ATTEMPTS_MAX: u32 = 3;

/// Milliseconds in which there has to be a node that it can be taken from.
const SOURCE_MS_MAX: u64 = 10 * 60_000;

/// Milliseconds after which a replica is waited for no longer, and the primary is taken.
const REPLICA_MS_MAX: u64 = 60_000;

/// Milliseconds a node's agent may be silent before another is taken.
const SILENT_MS_MAX: u64 = 60_000;

pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    let mut run: BackupRun = read_state(op);
    let Some(mut backup) = run.backup.as_ref().and_then(|id| world.store.find(id.as_str())) else {
        return Outcome::fail("the backup was removed from the list");
    };
    let outcome = match name {
        "choose_source" => choose_source(pass, op, &mut run),
        "take" => take(world, pass, op, &mut run, &mut backup),
        "expire" => expire(world, pass, &backup),
        _ => unknown_step(name),
    };
    if let Outcome::Fail(why) | Outcome::Cancel(why) = &outcome {
        withdraw(pass);
        fail(pass, &mut backup, why);
    }
    write_state(op, &run);
    outcome
}

pub(super) fn fail(pass: &mut Pass, backup: &mut Stored<Backup>, why: &str) {
    let object = &mut backup.object;
    (object.status, object.ended_at) = (BackupStatus::Failed, Some(pass.now));
    why.clone_into(&mut object.message);
    pass.cluster.object.status.backup.failure = Some(why.to_owned());
    save(pass, backup);
}

fn save(pass: &mut Pass, backup: &Stored<Backup>) {
    let backup = backup.clone();
    pass.extra.push(Box::new(move |txn| txn.update(&backup)));
}

/// No order outlives the operation.
fn withdraw(pass: &mut Pass) {
    for node in &mut pass.nodes {
        node.object.backup = None;
    }
}

fn choose_source(pass: &mut Pass, op: &mut Operation, run: &mut BackupRun) -> Outcome {
    let (id, name) = match backups::source(&pass.view) {
        Ok(facts) => (facts.node.id.clone(), facts.node.name.clone()),
        Err(why) if pass.step_age_ms > SOURCE_MS_MAX => return Outcome::Fail(why),
        Err(why) => return Outcome::Wait(why),
    };
    let is_primary = pass.cluster.object.status.primary.as_ref() == Some(&id);
    let has_others = pass.cluster.object.spec.nodes > 1;
    if is_primary && has_others && pass.step_age_ms < REPLICA_MS_MAX {
        return Outcome::wait("waiting for a replica that can be backed up");
    }
    order(pass, op, run, id, name);
    Outcome::Next
}

fn order(pass: &mut Pass, op: &mut Operation, run: &mut BackupRun, id: NodeId, name: String) {
    let (Some(backup), Some(repository)) = (run.backup.clone(), run.repository.clone()) else {
        return;
    };
    withdraw(pass);
    run.attempts += 1;
    run.ordered_at = Some(pass.now);
    run.node = Some(id.clone());
    op.node_name = Some(name);
    let token = token(op, run);
    if let Some(node) = pass.node_mut(&id) {
        node.backup = Some(BackupOrder { token, backup, repository, rate_kib: run.rate_kib });
    }
}

fn token(op: &Operation, run: &BackupRun) -> String {
    format!("{}/{}", op.id, run.attempts)
}

fn take(
    world: &World,
    pass: &mut Pass,
    op: &mut Operation,
    run: &mut BackupRun,
    backup: &mut Stored<Backup>,
) -> Outcome {
    let facts = run.node.as_ref().and_then(|id| pass.view.node(id)).cloned();
    let Some(facts) = facts else { return again(pass, op, run, "its node is gone") };
    if facts.age_ms() > SILENT_MS_MAX && pass.step_age_ms > SILENT_MS_MAX {
        let why = format!("{} is not heard from", facts.node.name);
        return again(pass, op, run, &why);
    }
    let token = token(op, run);
    let report = facts.worker().and_then(|worker| worker.backup.as_ref());
    let Some(report) = report.filter(|report| report.token == token) else {
        return Outcome::wait(format!("waiting for {} to begin", facts.node.name));
    };
    match &report.end {
        None => Outcome::Wait(progress(pass, run, &facts, report)),
        Some(BackupEnd::Failed { why, may_help: false }) => Outcome::fail(why),
        Some(BackupEnd::Failed { why, .. }) => {
            // Whatever it was may pass.
            let pause = world.backup_timers.pause(run.attempts).as_millis();
            let failed_ms = world.stopwatch.age_ms(&op.id, &format!("failed/{}", run.attempts));
            if run.attempts < ATTEMPTS_MAX && u128::from(failed_ms) < pause {
                return Outcome::wait(format!("{why}; it is tried again in a while"));
            }
            again(pass, op, run, why)
        }
        Some(BackupEnd::Complete(result)) => {
            withdraw(pass);
            complete(world, pass, op, backup, result);
            Outcome::Next
        }
    }
}

/// Tries once more, on whichever node can do it best now.
fn again(pass: &mut Pass, op: &mut Operation, run: &mut BackupRun, why: &str) -> Outcome {
    if run.attempts >= ATTEMPTS_MAX {
        return Outcome::fail(why);
    }
    match backups::source(&pass.view) {
        Ok(facts) => {
            let (id, name) = (facts.node.id.clone(), facts.node.name.clone());
            order(pass, op, run, id, name);
            Outcome::wait(format!("{why}; trying again"))
        }
        Err(other) if pass.step_age_ms > SOURCE_MS_MAX => {
            Outcome::fail(format!("{why}; and {other}"))
        }
        Err(other) => Outcome::wait(format!("{why}; {other}")),
    }
}

fn progress(pass: &Pass, run: &BackupRun, facts: &NodeFacts, report: &BackupReport) -> String {
    let name = &facts.node.name;
    let (done, all) = (report.done, report.all);
    if all == 0 || done == 0 {
        return format!("{name} is storing its data");
    }
    let ms = run.ordered_at.map_or(0, |at| pass.now.millis_since(at)).max(1);
    let speed = done.saturating_mul(1_000) / ms;
    let left = all.saturating_sub(done) / speed.max(1);
    let (done, all, speed) = (Bytes(done), Bytes(all), Bytes(speed));
    format!("{name}: {done} of {all}, {speed} a second, {left} s left")
}

fn complete(
    world: &World,
    pass: &mut Pass,
    op: &mut Operation,
    backup: &mut Stored<Backup>,
    result: &BackupResult,
) {
    let (facts, seconds) = (&result.facts, result.took_ms as f64 / 1_000.0);
    let (size, stored) = (Bytes(facts.size), Bytes(result.stored));
    op.message = format!(
        "{size} of {} stored in {} within {seconds:.1} s, {stored} of them new",
        facts.node_name, backup.object.repository_name
    );
    let object = &mut backup.object;
    object.status = BackupStatus::Complete;
    object.ended_at = Some(pass.now);
    object.facts = Some(facts.clone());
    object.stored = Some(result.stored);
    object.took_ms = Some(result.took_ms);
    object.archives.clone_from(&result.archives);
    object.message.clear();
    let standing = &mut pass.cluster.object.status.backup;
    standing.recoverable_to = standing.recoverable_to.max(Some(facts.taken_at));
    standing.succeeded_at = Some(pass.now);
    standing.failure = None;
    if let Some(log) = standing.log.as_mut().filter(|log| logs::is_base(world, object, log)) {
        (log.has_base, log.gap) = (true, None);
    }
    let verify = pass.cluster.object.spec.backup.as_ref().is_some_and(|wanted| wanted.verify);
    if verify && object.due_at.is_some() {
        let (cluster, claim, operation) =
            stored::begin_proof(object, facts, "bellwether", pass.now);
        pass.extra
            .push(Box::new(move |txn| txn.insert(&cluster).insert(&claim).insert(&operation)));
    }
    let id = backup.object.repository.clone();
    if let Some(mut known) = bellwether_store::repositories::find(&world.store, id.as_str()) {
        known.object.repository.checked_at = Some(pass.now);
        known.object.repository.checked_by.clone_from(&facts.node_name);
        pass.extra.push(Box::new(move |txn| txn.update(&known)));
    }
    save(pass, backup);
}

/// Lets go of what the schedule no longer keeps: whoever looks after repositories removes it.
fn expire(world: &World, pass: &mut Pass, backup: &Stored<Backup>) -> Outcome {
    let keep = pass.cluster.object.spec.backup.as_ref().map(|wanted| wanted.keep);
    let Some(keep) = keep.filter(|_| backup.object.due_at.is_some()) else { return Outcome::Next };
    let all = stored::newest(&world.store, Some(&pass.cluster.object.id));
    // What a person asked for stays until a person removes it.
    let due: Vec<_> = all.into_iter().filter(|known| known.object.due_at.is_some()).collect();
    let objects: Vec<Backup> = due.iter().map(|known| known.object.clone()).collect();
    let gone = backups::expired(&objects, &keep);
    for mut known in due.into_iter().filter(|known| gone.contains(&known.object.id)) {
        known.object.status = BackupStatus::Deleting;
        "no longer kept".clone_into(&mut known.object.message);
        save(pass, &known);
    }
    Outcome::Next
}
