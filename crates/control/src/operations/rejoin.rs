//! Let a former primary follow the new one: its machine is awaited, which the loop starts where it
//! is off, its data is made fit (the agent catches up, rewinds or copies, whichever is the least
//! that is right), and it gets its vote back. Every other operation goes first; this one goes on
//! afterwards where it was.

use std::sync::Arc;

use bellwether_model::divergence::Divergence;
use bellwether_model::node::NodePhase;
use bellwether_model::report::Failover;
use bellwether_model::{NodeId, Operation, OperationKind, Term};
use bellwether_planner::NodeFacts;
use bellwether_store::operations;
use serde::{Deserialize, Serialize};

use super::{age_ms, nodes, read_state, unknown_step, write_state};
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Milliseconds a step may take before it fails and, after a while, another attempt begins: of two
/// nodes that are awaited, the one that is back is taken first then.
const STEP_MS_MAX: u64 = 15 * 60_000;

/// The report of a return.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The term in force when it began: what was found under it, or later, belongs to this return.
    pub since: Term,
    /// What only this node held: transactions, bytes of log, and where it is kept on its disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_transactions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_in: Option<String>,
}

pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    let Some(id) = op.node.clone().filter(|id| pass.view.node(id).is_some()) else {
        return Outcome::Cancel("the node is gone".to_owned());
    };
    if pass.cluster.object.status.primary.as_ref() == Some(&id) {
        pass.set_phase(&id, NodePhase::Active);
        return Outcome::Cancel("it is the primary again".to_owned());
    }
    let mut report: Report = read_state(op);
    if report.since == 0 {
        report.since = pass.cluster.object.status.term;
        write_state(op, &report);
    }
    let outcome = match name {
        "start_machine" => await_machine(pass, &id),
        "await_agent" => await_agent(pass, &id),
        "align" => nodes::follow(pass, &id),
        "await_catch_up" => nodes::await_catch_up(pass, &id),
        "admit" => admit(world, pass, op, &id, report),
        _ => unknown_step(name),
    };
    match outcome {
        Outcome::Wait(_) if let Some(other) = who_is_back_already(pass, &id) => {
            Outcome::Cancel(format!("{other} is back already and goes first"))
        }
        Outcome::Wait(words) if pass.step_age_ms > STEP_MS_MAX => {
            Outcome::Fail(format!("{words}; given up after {} minutes", STEP_MS_MAX / 60_000))
        }
        other => other,
    }
}

/// Another that only waits to get its vote back, while this one does not even stream yet: without
/// voters writes may wait, or be confirmed by nobody.
fn who_is_back_already(pass: &Pass, id: &NodeId) -> Option<String> {
    let primary = pass.cluster.object.status.primary.as_ref()?;
    let streams = |facts: &NodeFacts| facts.streams_from(primary);
    if pass.view.node(id).is_some_and(streams) {
        return None;
    }
    let mut others = pass.view.nodes.iter().filter(|facts| facts.node.id != *id);
    let other = others.find(|facts| facts.node.phase == NodePhase::Rejoining && streams(facts))?;
    Some(other.node.name.to_string())
}

fn await_machine(pass: &Pass, id: &NodeId) -> Outcome {
    if pass.view.node(id).is_some_and(|facts| facts.machine_stopped) {
        return Outcome::wait("starting its machine");
    }
    Outcome::Next
}

fn await_agent(pass: &Pass, id: &NodeId) -> Outcome {
    let limit = pass.view.timers().suspect_ms;
    if pass.view.node(id).is_some_and(|facts| facts.is_fresh(limit)) {
        return Outcome::Next;
    }
    Outcome::wait("it is not heard from")
}

fn admit(
    world: &Arc<World>,
    pass: &mut Pass,
    op: &mut Operation,
    id: &NodeId,
    mut report: Report,
) -> Outcome {
    let outcome = nodes::admit(pass, id);
    if outcome != Outcome::Next {
        return outcome;
    }
    if let Some(node) = pass.node_mut(id) {
        // Where its data was of another history, it was copied anew.
        node.copy = None;
    }
    let name = op.node_name.clone().unwrap_or_else(|| "the node".to_owned());
    let primary = pass.view.primary().map_or("the primary", |p| p.node.name.as_str());
    op.message = format!("{name} follows {primary} after {} ms", age_ms(pass, op));
    let found = pass.view.node(id).and_then(NodeFacts::worker).and_then(|worker| {
        worker.diverged.iter().find(|found| found.term >= report.since).cloned()
    });
    if let Some(found) = found {
        if found.transactions == Some(0) {
            op.message += "; it held no transaction that the others lack";
        } else {
            let (what, place) = (found.words(), &found.directory);
            op.message += &format!("; {what} that only it held are kept on it in {place}");
            report.found_in = Some(found.directory.clone());
        }
        report.found_transactions = found.transactions;
        report.found_bytes = Some(found.bytes);
        write_state(op, &report);
        tell_failover(world, pass, id, &name, &found);
    }
    outcome
}

/// Adds to the report of the failover that replaced it what that has lost, now that it is known.
fn tell_failover(world: &World, pass: &mut Pass, id: &NodeId, name: &str, found: &Divergence) {
    let all = operations::newest(&world.store, Some(&pass.cluster.object.id));
    let replaced = all.into_iter().find(|stored| {
        let of = &stored.object;
        let report = || read_state::<Failover>(of);
        of.kind == OperationKind::Failover
            && of.status.is_ended()
            && Some(report()).is_some_and(|r| r.former.as_ref() == Some(id) && r.term <= found.term)
    });
    let Some(mut stored) = replaced else { return };
    let mut report: Failover = read_state(&stored.object);
    if report.found_bytes.is_some() {
        return;
    }
    (report.found_transactions, report.found_bytes) = (found.transactions, Some(found.bytes));
    write_state(&mut stored.object, &report);
    stored.object.message += &found_words(&report, name, found);
    pass.extra.push(Box::new(move |txn| txn.update(&stored)));
}

/// What the return of the former primary adds to what was known of the loss.
fn found_words(report: &Failover, name: &str, found: &Divergence) -> String {
    let what = found.words();
    // Whatever was acknowledged is with the others, where they had to confirm it.
    let is_safe = (report.missing_bytes, report.unseen_ms) == (Some(0), Some(0));
    match found.transactions {
        Some(0) => format!("; {name} came back and held no transaction that the others lack"),
        _ if is_safe => {
            format!("; {name} came back with {what} that nobody was told of, kept on it")
        }
        _ => format!("; {name} came back with {what} that the others lack: lost, and kept on it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_model::Timestamp;

    #[test]
    fn what_was_not_acknowledged_is_not_called_lost() {
        let found = |transactions| Divergence {
            term: 2,
            found_at: Timestamp::from_millis(0),
            from: Default::default(),
            to: Default::default(),
            bytes: 512,
            transactions,
            first_commit: None,
            last_commit: None,
            records: Default::default(),
            directory: String::new(),
            segments: 0,
            is_cut: false,
        };
        let report =
            |missing_bytes, unseen_ms| Failover { missing_bytes, unseen_ms, ..Failover::default() };
        let words = |report, transactions| found_words(&report, "a-1", &found(transactions));
        assert!(words(report(Some(0), Some(0)), Some(2)).contains("nobody was told of"));
        assert!(words(report(Some(0), Some(90)), Some(2)).contains("2 transactions"));
        assert!(words(report(Some(0), Some(90)), Some(2)).contains("lost"));
        assert!(words(report(None, None), None).contains("lost"));
        assert!(words(report(Some(0), Some(90)), Some(0)).contains("no transaction"));
    }
}
