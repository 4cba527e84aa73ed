//! Add and remove shards, and move slots between them, while clients go on.
//!
//! Slots go some at a time. A move is written down with both shards, between the primaries that
//! they have then; the source's copies the keys, and says when the target holds all of them and no
//! more writes are taken (`MoveState::Sealed`). Then one transaction makes the slots the target's,
//! and holds only while neither shard has changed (`planner::moves`). Whatever happens before it,
//! they are the source's with all of their keys; whatever happens afterwards, they are the
//! target's. With another primary of either, or after a failure, the move begins anew under another
//! token, and what was said under the former is void.

use std::sync::Arc;

use bellwether_model::shard::{
    MoveEnd, MoveReport, SlotMove, SlotRange, count, next_move, with, without,
};
use bellwether_model::{Cluster, ClusterId, Operation, OperationKind, OperationStatus};
use bellwether_planner::View;
use bellwether_planner::moves::{Verdict, judge, move_end};
use bellwether_planner::shards::{SLOTS_AT_ONCE, held, slots_moved};
use bellwether_store::{Stored, clusters};
use serde::{Deserialize, Serialize};

use super::nodes::random_hex;
use super::{read_state, shards, unknown_step, write_state};
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Milliseconds for which a shard without slots stays: clients that still know it as the one that
/// has their keys are sent on, and learn.
const REDIRECTS_MS: u64 = 5_000;

#[derive(Default, Serialize, Deserialize)]
struct State {
    /// What was asked for when it began.
    shards: u32,
    /// Slots that have another shard afterwards, and those that have it already.
    #[serde(default)]
    of: u32,
    #[serde(default)]
    moved: u32,
    /// Keys that have gone with them.
    #[serde(default)]
    keys: u64,
}

pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    let mut state: State = read_state(op);
    let wanted = pass.cluster.object.spec.shards;
    if state.shards == 0 {
        (state.shards, state.of) = (wanted, slots_moved(&held(&pass.view), wanted));
        write_state(op, &state);
    }
    // What was begun comes first, whatever is asked for: its slots wait for a decision.
    if pass.view.shards.iter().any(|shard| is_left(&shard.cluster)) {
        let outcome = move_slots(world, pass, &mut state);
        write_state(op, &state);
        return match outcome {
            Outcome::Next => Outcome::wait("looking again"),
            other => other,
        };
    }
    if state.shards != wanted {
        return Outcome::Cancel(format!("{wanted} shards are asked for meanwhile"));
    }
    match name {
        "add_shards" => add_shards(world, pass, op, wanted),
        "move_slots" => {
            let outcome = move_slots(world, pass, &mut state);
            write_state(op, &state);
            outcome
        }
        "remove_shards" => remove_shards(world, pass, wanted),
        _ => unknown_step(name),
    }
}

fn index(shard: &Cluster) -> u32 {
    shard.shard.as_ref().map_or(0, |shard| shard.index)
}

fn slots(shard: &Cluster) -> &[SlotRange] {
    shard.shard.as_ref().map_or(&[], |shard| &shard.slots)
}

/// Whether slots are on their way from it.
fn is_left(shard: &Cluster) -> bool {
    shard.shard.as_ref().is_some_and(|shard| shard.leaving.is_some())
}

/// Makes those that are missing, without keys, and waits for them.
fn add_shards(world: &World, pass: &mut Pass, op: &Operation, wanted: u32) -> Outcome {
    for number in 0..wanted {
        let known = pass.view.shards.iter().find(|shard| index(&shard.cluster) == number);
        let Some(known) = known else {
            if let Err(why) = shards::write_down(world, pass, op, number, Vec::new()) {
                return Outcome::Fail(why);
            }
            continue;
        };
        let name = &known.cluster.spec.name;
        if known.is_being_deleted() {
            return Outcome::wait(format!("{name} is being deleted first"));
        }
        let Some(creation) = shards::creation(world, &known.cluster.id) else { continue };
        match creation.status {
            OperationStatus::Succeeded => {}
            OperationStatus::Failed | OperationStatus::Cancelled => {
                let why = format!("{name}: {}", creation.message);
                let shard = known.cluster.clone();
                if slots(&shard).is_empty() {
                    delete(pass, &shard);
                }
                return Outcome::Fail(why);
            }
            _ => {
                let words = creation.steps.iter().find(|step| !step.message.is_empty());
                let words = words.map_or("it is being made", |step| step.message.as_str());
                return Outcome::wait(format!("{name}: {words}"));
            }
        }
    }
    let is_there = pass.view.shards.len() >= wanted as usize;
    if is_there { Outcome::Next } else { Outcome::wait("writing the new shards down") }
}

fn delete(pass: &mut Pass, shard: &Cluster) {
    let deletion = Operation::queued(shard, OperationKind::DeleteCluster, "bellwether", pass.now);
    pass.extra.push(Box::new(move |txn| txn.insert(&deletion)));
}

fn move_slots(world: &World, pass: &mut Pass, state: &mut State) -> Outcome {
    // Read now, and saved only if nobody has changed them since.
    let all = clusters::shards(&world.store, &pass.cluster.object.id);
    let order = |shard: &Stored<Cluster>| shard.object.shard.as_ref()?.leaving.clone();
    if let Some((source, order)) = all.iter().find_map(|shard| Some((shard, order(shard)?))) {
        let target = all.iter().find(|shard| shard.object.id == order.to.shard);
        return match target {
            Some(target) => go_on(world, pass, state, (source, target), &order),
            None => {
                // Nothing was decided; under no token, the source takes them again.
                let mut source = source.clone();
                if let Some(shard) = &mut source.object.shard {
                    shard.leaving = None;
                }
                pass.extra.push(Box::new(move |txn| txn.update(&source)));
                Outcome::wait("the shard that slots were to go to is gone")
            }
        };
    }
    let held: Vec<Vec<SlotRange>> = all.iter().map(|shard| slots(&shard.object).to_vec()).collect();
    match next_move(&held, state.shards, SLOTS_AT_ONCE) {
        Some((from, to, slots)) => {
            let words = begin(pass, (&all[from], &all[to]), slots);
            Outcome::Wait(progress(state, &words))
        }
        None => Outcome::Next,
    }
}

fn progress(state: &State, words: &str) -> String {
    let State { of, moved, keys, .. } = state;
    let left = format!("{moved} of {} slots have moved, with {keys} keys", of.max(moved));
    format!("{left}; {words}")
}

fn end(view: &View, shard: &ClusterId) -> Option<MoveEnd> {
    move_end(view.shards.iter().find(|known| known.cluster.id == *shard)?)
}

/// Writes a move down, under a token of its own, once both shards have a primary that serves; what
/// it waits for, in words.
fn begin(
    pass: &mut Pass,
    (source, target): (&Stored<Cluster>, &Stored<Cluster>),
    slots: Vec<SlotRange>,
) -> String {
    let (from, to) = (end(&pass.view, &source.object.id), end(&pass.view, &target.object.id));
    let name = |shard: &Stored<Cluster>| shard.object.spec.name.clone();
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) => (from, to),
        (None, _) => return format!("waiting for the primary of {}", name(source)),
        (_, None) => return format!("waiting for the primary of {}", name(target)),
    };
    let words = format!("{} slots go from {} to {}", count(&slots), name(source), name(target));
    let order = SlotMove { token: random_hex(16), slots, from, to };
    let (mut source, mut target) = (source.clone(), target.clone());
    if let Some(shard) = &mut source.object.shard {
        shard.leaving = Some(order.clone());
    }
    if let Some(shard) = &mut target.object.shard {
        shard.coming = Some(order);
    }
    pass.extra.push(Box::new(move |txn| txn.update(&source).update(&target)));
    words
}

fn go_on(
    world: &World,
    pass: &mut Pass,
    state: &mut State,
    (source, target): (&Stored<Cluster>, &Stored<Cluster>),
    order: &SlotMove,
) -> Outcome {
    let said = report(world, order);
    let (from, to) = (&source.object.spec.name, &target.object.spec.name);
    let words = match judge(order, (&source.object, &target.object), said.as_ref()) {
        Verdict::Made { slots, keys } => {
            decide(pass, (source, target), &slots);
            (state.moved, state.keys) = (state.moved + count(&slots), state.keys + keys);
            format!("the last from {from} to {to}")
        }
        Verdict::Anew(why) => {
            let held = slots(&source.object);
            let kept = without(&order.slots, &without(&order.slots, held));
            format!("{why}; {}", begin(pass, (source, target), kept))
        }
        Verdict::GoesOn(Some(keys)) => format!("{from} copies to {to}: {keys} keys"),
        Verdict::GoesOn(None) => format!("waiting for the primary of {from} to begin"),
    };
    Outcome::Wait(progress(state, &words))
}

/// What the source's primary says.
fn report(world: &World, order: &SlotMove) -> Option<MoveReport> {
    let seen = world.store.live().get(&order.from.primary)?;
    seen.report?.worker.as_ref()?.moving.clone()
}

/// From here on the slots are the target's.
fn decide(
    pass: &mut Pass,
    (source, target): (&Stored<Cluster>, &Stored<Cluster>),
    sealed: &[SlotRange],
) {
    let (mut source, mut target) = (source.clone(), target.clone());
    if let Some(shard) = &mut source.object.shard {
        (shard.slots, shard.leaving) = (without(&shard.slots, sealed), None);
    }
    if let Some(shard) = &mut target.object.shard {
        (shard.slots, shard.coming) = (with(&shard.slots, sealed), None);
    }
    pass.extra.push(Box::new(move |txn| txn.update(&source).update(&target)));
}

/// Deletes those that are beyond what was asked for, each once it has no keys.
fn remove_shards(world: &World, pass: &mut Pass, wanted: u32) -> Outcome {
    let all = clusters::shards(&world.store, &pass.cluster.object.id);
    let beyond: Vec<&Cluster> =
        all.iter().map(|shard| &shard.object).filter(|shard| index(shard) >= wanted).collect();
    for shard in &beyond {
        let name = &shard.spec.name;
        if is_left(shard) || !slots(shard).is_empty() {
            return Outcome::fail(format!("{name} still has slots"));
        }
        let known = pass.view.shards.iter().find(|known| known.cluster.id == shard.id);
        if known.is_some_and(|known| !known.is_being_deleted()) {
            if pass.step_age_ms < REDIRECTS_MS {
                return Outcome::wait(format!(
                    "{name} sends clients on to the others for a moment"
                ));
            }
            delete(pass, shard);
        }
    }
    match beyond.first() {
        None => Outcome::Next,
        Some(shard) => Outcome::wait(format!("{} is being deleted", shard.spec.name)),
    }
}
