//! Try the change of primary while it need not work: check that nothing else can go wrong, strike,
//! let the same operation do its work that would do it in earnest, wait until everybody follows
//! again, and write down what was measured.
//!
//! Before the strike every doubt ends the drill. After it there is nothing to end: the change of
//! primary is an operation of its own, before which this one steps back.

use std::sync::Arc;

use bellwether_model::drill::{Drill, DrillKind, DrillOrder, DrillView};
use bellwether_model::report::{Loss, Report};
use bellwether_model::{
    ClusterPhase, NodeId, Operation, OperationId, OperationKind, OperationStatus,
};
use bellwether_planner::election::{self, Verdict};
use bellwether_planner::{drills, report, show};
use bellwether_store::{Stored, Txn, operations};

use super::{read_state, unknown_step, write_state};
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Milliseconds the primary's agent may take to carry the order out.
const STRIKE_MS_MAX: u64 = 15_000;

/// Milliseconds until there must be another primary.
const CHANGE_MS_MAX: u64 = 10 * 60_000;

/// Milliseconds until everybody must follow again.
const WHOLE_MS_MAX: u64 = 15 * 60_000;

/// Milliseconds the endpoints may take to tell how long writes waited.
const MEASURE_MS_MAX: u64 = 5_000;

pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    let mut drill: Drill = read_state(op);
    let outcome = match name {
        "check" => check(pass, &mut drill),
        "strike" => strike(pass, op, &mut drill),
        "await_change" => await_change(world, pass, op, &mut drill),
        "await_whole" => await_whole(pass, &mut drill),
        "write_result" => write_result(world, pass, op, &mut drill),
        _ => unknown_step(name),
    };
    if matches!(outcome, Outcome::Fail(_) | Outcome::Cancel(_)) {
        withdraw(pass);
    }
    write_state(op, &drill);
    outcome
}

/// Looks once more: what was asked for then may be unwise by now.
fn check(pass: &mut Pass, drill: &mut Drill) -> Outcome {
    if let Some(why) = drills::refuse_now(&pass.view, drill.kind, drill.allow_loss) {
        return Outcome::Cancel(format!("not run: {why}"));
    }
    drill.term = pass.cluster.object.status.term;
    drill.former_name = pass.view.primary().map(|facts| facts.node.name.clone());
    Outcome::Next
}

fn strike(pass: &mut Pass, op: &Operation, drill: &mut Drill) -> Outcome {
    match drill.kind {
        DrillKind::Switchover => ask_for_switchover(pass, op, drill),
        DrillKind::Failover => order_kill(pass, op, drill),
    }
}

/// A switchover like any other, which goes before this operation.
fn ask_for_switchover(pass: &mut Pass, op: &Operation, drill: &mut Drill) -> Outcome {
    let (id, name) = match drills::candidate(&pass.view) {
        Ok(facts) => (facts.node.id.clone(), facts.node.name.clone()),
        Err(why) => return Outcome::Cancel(format!("not run: {why}")),
    };
    let switchover = Operation {
        node: Some(id),
        node_name: Some(name),
        reason: "a drill".to_owned(),
        ..Operation::queued(
            &pass.cluster.object,
            OperationKind::Switchover,
            &op.started_by,
            pass.now,
        )
    };
    drill.change = Some(switchover.id.clone());
    drill.struck_at = Some(pass.now);
    pass.extra.push(Box::new(move |txn: Txn| txn.insert(&switchover)));
    Outcome::Next
}

/// Orders the primary's agent to kill its engine, until it has.
fn order_kill(pass: &mut Pass, op: &Operation, drill: &mut Drill) -> Outcome {
    let status = &pass.cluster.object.status;
    let primary = status.primary.clone();
    let is_struck = status.promised > drill.term
        || pass.view.primary().is_none_or(|facts| facts.surrender(drill.term).is_some());
    if is_struck {
        return Outcome::Next;
    }
    let Some(primary) = primary else { return Outcome::Next };
    let is_first = drill.struck_at.is_none();
    if is_first && let Some(why) = drills::refuse_now(&pass.view, drill.kind, drill.allow_loss) {
        return Outcome::Cancel(format!("not run: {why}"));
    }
    drill.struck_at.get_or_insert(pass.now);
    if pass.step_age_ms > STRIKE_MS_MAX {
        return Outcome::fail("the primary's agent did not kill its engine; nothing was changed");
    }
    let order = DrillOrder { token: op.id.to_string(), term: drill.term };
    if let Some(node) = pass.node_mut(&primary) {
        node.drill = Some(order);
    }
    Outcome::wait("the primary's engine is being killed")
}

/// No order outlives the drill.
fn withdraw(pass: &mut Pass) {
    let ordered = pass.nodes.iter().filter(|node| node.object.drill.is_some());
    let ordered: Vec<NodeId> = ordered.map(|node| node.object.id.clone()).collect();
    for id in ordered {
        if let Some(node) = pass.node_mut(&id) {
            node.drill = None;
        }
    }
}

fn await_change(world: &World, pass: &mut Pass, op: &Operation, drill: &mut Drill) -> Outcome {
    withdraw(pass);
    let is_over = pass.step_age_ms > CHANGE_MS_MAX;
    let changed = match &drill.change {
        Some(id) => world.store.find::<Operation>(id.as_str()),
        None => first_failover(world, pass, op),
    };
    let Some(changed) = changed.map(|stored| stored.object) else {
        return match is_over {
            true => Outcome::fail("nobody has replaced the primary"),
            false => Outcome::wait("waiting for the failover to begin"),
        };
    };
    match changed.status {
        OperationStatus::Succeeded => {
            drill.candidate_name.clone_from(&changed.node_name);
            drill.change = Some(changed.id);
            Outcome::Next
        }
        // Another failover follows one that failed; a switchover is asked for once.
        OperationStatus::Failed | OperationStatus::Cancelled
            if drill.kind == DrillKind::Switchover =>
        {
            Outcome::Fail(format!("the switchover did not succeed: {}", changed.message))
        }
        _ if is_over => Outcome::fail("the change of primary does not come to an end"),
        _ => Outcome::wait("waiting for the change of primary"),
    }
}

/// The failover that replaced the primary which was killed: the first that did. Later ones had
/// other reasons, and found perhaps that there was none.
fn first_failover(world: &World, pass: &Pass, op: &Operation) -> Option<Stored<Operation>> {
    let all = operations::newest(&world.store, Some(&pass.cluster.object.id));
    let mut since: Vec<_> = all
        .into_iter()
        .filter(|stored| stored.object.kind == OperationKind::Failover)
        .filter(|stored| stored.object.created_at >= op.created_at)
        .collect();
    let first = since.iter().rposition(|o| o.object.status == OperationStatus::Succeeded);
    (!since.is_empty()).then(|| since.swap_remove(first.unwrap_or(0)))
}

fn await_whole(pass: &mut Pass, drill: &mut Drill) -> Outcome {
    let (phase, sentence) = show::phase(&pass.view);
    let config = &pass.cluster.object.status.config;
    let votes = config.current.voters.len();
    let has_votes = config.next.is_none() && votes + 1 >= pass.view.nodes.len();
    let is_whole = phase == ClusterPhase::Healthy
        && election::judge(&pass.view) == Verdict::Healthy
        && has_votes;
    if is_whole {
        drill.whole_ms = drill.struck_at.map(|struck| pass.now.millis_since(struck));
        return Outcome::Next;
    }
    if pass.step_age_ms > WHOLE_MS_MAX {
        let minutes = WHOLE_MS_MAX / 60_000;
        return Outcome::Fail(format!("not whole again within {minutes} minutes: {sentence}"));
    }
    Outcome::wait(format!("waiting until everybody follows: {sentence}"))
}

fn write_result(world: &World, pass: &Pass, op: &mut Operation, drill: &mut Drill) -> Outcome {
    let changed = drill.change.as_ref().and_then(|id| find_report(world, id));
    let Some(changed) = changed else { return Outcome::fail("the report is gone") };
    if changed.write_gap_ms.is_none() && pass.step_age_ms < MEASURE_MS_MAX {
        return Outcome::wait("waiting for how long writes waited");
    }
    drill.write_gap_ms = changed.write_gap_ms;
    drill.loss = Some(changed.loss);
    drill.gap_before_ms = gap_before(world, pass, op, drill.kind);
    let words = words(drill, &changed, pass.view.nodes.len());
    // What is allowed to lose something has not failed when it did.
    if changed.loss != Loss::Nothing && !drill.allow_loss {
        return Outcome::Fail(words);
    }
    op.message = words;
    Outcome::Next
}

fn find_report(world: &World, id: &OperationId) -> Option<Report> {
    report::report(&world.store.find::<Operation>(id.as_str())?.object)
}

/// How long writes waited in the drill of this kind before.
fn gap_before(world: &World, pass: &Pass, op: &Operation, kind: DrillKind) -> Option<u64> {
    let all = operations::newest(&world.store, Some(&pass.cluster.object.id));
    let drills = all.iter().filter(|stored| stored.object.kind == OperationKind::Drill);
    let mut drills = drills.map(|stored| DrillView::of(&stored.object));
    let is_such = |drill: &DrillView| drill.kind == kind && drill.write_gap_ms.is_some();
    drills.find(|drill| drill.id != op.id && is_such(drill))?.write_gap_ms
}

fn words(drill: &Drill, changed: &Report, nodes: usize) -> String {
    let name = drill.candidate_name.as_deref().unwrap_or("a replica");
    let waited = match (drill.write_gap_ms, drill.gap_before_ms) {
        (Some(ms), Some(before)) => {
            format!("writes waited {ms} ms ({before} ms in the drill before)")
        }
        (Some(ms), None) => format!("writes waited {ms} ms"),
        (None, _) => "how long writes waited was not measured".to_owned(),
    };
    let whole = drill.whole_ms.unwrap_or_default();
    format!(
        "{name} took over; {waited}; {}; all {nodes} nodes again after {whole} ms",
        changed.loss_sentence
    )
}
