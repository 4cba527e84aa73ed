//! Change settings of the engine: replicas one at a time, then the primary, then what replicas take
//! last; and back again where an engine does not take them.
//!
//! Every pass looks at what is assigned and what is in force, and does the next thing that is
//! missing: it goes on after any interruption, also after a failover in the middle. What is undone
//! goes the same way, towards what was before.

use std::sync::Arc;

use bellwether_model::cluster::Handover;
use bellwether_model::engine::EngineProfile;
use bellwether_model::node::NodePhase;
use bellwether_model::parameter::ParameterText;
use bellwether_model::reconfigure::{Reconfigure, ReconfigureHandover};
use bellwether_model::settings::ParameterChange;
use bellwether_model::{Actual, NodeId, Operation, OperationKind, Parameters};
use bellwether_planner::{NodeFacts, allowed, reconfigure};

use super::{read_state, shards, switchover, unknown_step, write_state};
use crate::pass::{Outcome, Pass};
use crate::world::World;

/// Milliseconds an engine may fail with new settings before they are taken back: once is chance.
const REFUSED_MS: u64 = 1_500;

/// Milliseconds without coming to an end, after which it is undone.
const STEP_MS_MAX: u64 = 10 * 60_000;

/// Milliseconds to put back what was before; what is then missing is told.
const UNDO_MS_MAX: u64 = 5 * 60_000;

/// Attempts to move the primary, and milliseconds between two.
const ATTEMPTS: u64 = 4;
const ATTEMPT_PAUSE_MS: u64 = 15_000;

/// The steps of a switchover.
const PARTS: [&str; 7] = [
    "check_candidate",
    "prepare",
    "hold_writes",
    "surrender",
    "advance_term",
    "await_primary",
    "repoint",
];

/// What is missing, in words.
enum Missing {
    AtReplicas(String),
    AtPrimary(String),
    /// At replicas, once the primary has everything.
    AtTheRest(String),
    Nothing,
}

/// The change as one pass looks at it.
struct Change<'a> {
    world: &'a Arc<World>,
    op: &'a Operation,
    engine: &'a EngineProfile,
    state: &'a mut Reconfigure,
}

pub fn step(world: &Arc<World>, pass: &mut Pass, op: &mut Operation, name: &str) -> Outcome {
    if pass.view.is_sharded() {
        return shards::reconfigure(world, pass, op, name);
    }
    let mut state: Reconfigure = read_state(op);
    let known = world.clone();
    let Some(engine) = known.engine(&pass.cluster.object.spec.engine) else {
        return Outcome::fail("this server does not know the engine");
    };
    let mut change = Change { world, op, engine, state: &mut state };
    let outcome = match name {
        "check" => change.check(pass),
        "replicas" | "primary" | "rest" | "verify" => change.go_on(pass, name),
        _ => unknown_step(name),
    };
    if name == "verify" && outcome == Outcome::Next {
        let absent = pass.nodes.iter().map(|node| &node.object);
        let absent = absent.filter(|node| node.phase != NodePhase::Active);
        let absent: Vec<&str> = absent.map(|node| node.name.as_str()).collect();
        op.message = words(&state, &absent);
    }
    write_state(op, &state);
    outcome
}

/// What was changed, and who takes it later.
fn words(state: &Reconfigure, absent: &[&str]) -> String {
    let changes = state.changes.iter().map(|c| format!("{} {} → {}", c.name, c.from, c.to));
    let changes = changes.collect::<Vec<_>>().join(", ");
    let changes = if changes.is_empty() { "no value differs".to_owned() } else { changes };
    let waited: u64 = state.waited_ms.iter().sum();
    let waited = if waited > 0 { format!("; writes waited {waited} ms") } else { String::new() };
    let later = match absent {
        [] => String::new(),
        names => format!(" but {}, which will have it when it is back", names.join(", ")),
    };
    format!("{changes}; in force on every node{later}{waited}")
}

impl Change<'_> {
    fn check(&mut self, pass: &mut Pass) -> Outcome {
        let mut view = pass.view.clone();
        (view.operation, view.queued) = (None, Vec::new());
        match reconfigure::refuse(&view) {
            None => Outcome::Next,
            Some(why) => {
                self.end(pass, &self.state.before.clone());
                Outcome::Fail(why)
            }
        }
    }

    /// All nodes have these settings for good, and the cluster with them.
    fn end(&self, pass: &mut Pass, values: &Parameters) {
        for node in &mut pass.nodes {
            // One that comes back may run already, and was not waited for.
            let is_awaited = node.object.phase == NodePhase::Active;
            let settings = &mut node.object.settings;
            settings.restart &= !is_awaited;
            if settings.values != *values {
                settings.values.clone_from(values);
                settings.version += 1;
            }
        }
        let cluster = &mut pass.cluster.object;
        if cluster.spec.parameters != *values {
            cluster.spec.parameters.clone_from(values);
            cluster.generation += 1;
        }
    }

    fn go_on(&mut self, pass: &mut Pass, name: &str) -> Outcome {
        if self.state.undo.is_none()
            && let Some((node, why)) = self.refusal(pass)
        {
            let before = self.state.before.clone();
            assign(pass, &node, &before, true);
            self.state.undo = Some(why);
        }
        if let Some(why) = self.state.undo.clone() {
            return self.undo(pass, &why);
        }
        let wanted = self.state.after.clone();
        let missing = self.approach(pass, &wanted);
        let outcome = match (name, missing) {
            ("verify", Missing::Nothing) => {
                self.end(pass, &wanted);
                return Outcome::Next;
            }
            (_, Missing::Nothing) => return Outcome::Next,
            ("replicas", Missing::AtPrimary(_) | Missing::AtTheRest(_))
            | ("primary", Missing::AtTheRest(_)) => return Outcome::Next,
            (
                _,
                Missing::AtReplicas(words) | Missing::AtPrimary(words) | Missing::AtTheRest(words),
            ) => words,
        };
        if pass.step_age_ms > STEP_MS_MAX && self.state.handover.is_none() {
            self.state.undo = Some(format!("{outcome}; given up after 10 minutes"));
        }
        Outcome::Wait(outcome)
    }

    fn undo(&mut self, pass: &mut Pass, why: &str) -> Outcome {
        let before = self.state.before.clone();
        let age = self.world.stopwatch.age_ms(&self.op.id, "undo");
        // A primary among them does not run, and never comes to say what is in force.
        put_back(pass, &before, true);
        match self.approach(pass, &before) {
            Missing::Nothing => {
                self.end(pass, &before);
                Outcome::Fail(format!("{why}; the former settings are in force again"))
            }
            Missing::AtReplicas(words) | Missing::AtPrimary(words) | Missing::AtTheRest(words) => {
                if age > UNDO_MS_MAX && self.state.handover.is_none() {
                    self.end(pass, &before);
                    return Outcome::Fail(format!(
                        "{why}; the former settings are assigned again and not in force \
                         everywhere yet: {words}"
                    ));
                }
                Outcome::wait(format!("{why}; putting the former settings back: {words}"))
            }
        }
    }

    /// A node whose engine refuses what it was given, with the engine's own words.
    fn refusal(&self, pass: &Pass) -> Option<(NodeId, String)> {
        let nodes = pass.view.nodes.iter().filter(|facts| {
            use NodePhase::{Active, Rejoining};
            matches!(facts.node.phase, Active | Rejoining)
                && facts.node.settings.values != self.state.before
                && facts.is_fresh(pass.view.timers().suspect_ms.max(2_000))
        });
        for facts in nodes {
            let (id, name) = (facts.node.id.clone(), &facts.node.name);
            let version = facts.node.settings.version;
            let Some(words) = refused(facts) else { continue };
            let part = format!("refused/{id}/{version}");
            if self.world.stopwatch.age_ms(&self.op.id, &part) > REFUSED_MS {
                return Some((id, format!("{name} does not run with it: {words}")));
            }
        }
        None
    }

    /// Does the next thing towards these settings.
    fn approach(&mut self, pass: &mut Pass, wanted: &Parameters) -> Missing {
        if let Some(handover) = &self.state.handover {
            // Whoever is to serve next must be able to.
            if let (Some(next), true) = (handover.candidate.clone(), self.state.undo.is_some()) {
                assign(pass, &next, wanted, false);
            }
            return Missing::AtPrimary(self.hand_over(pass));
        }
        let Some(primary) = pass.view.primary().cloned() else {
            return Missing::AtPrimary("there is no primary just now".to_owned());
        };
        let name = &primary.node.name;
        let Some(its) = in_force(pass, &primary) else {
            return Missing::AtPrimary(format!("waiting for {name} to say what is in force"));
        };
        if let Some(words) = self.at_replicas(pass, &primary, wanted, &its) {
            let is_at_primary = primary.node.settings.values == *wanted && !differs(&primary);
            return if is_at_primary {
                Missing::AtTheRest(words)
            } else {
                Missing::AtReplicas(words)
            };
        }
        if primary.node.settings.values != *wanted {
            assign(pass, &primary.node.id, wanted, false);
            return Missing::AtPrimary(format!("changing {name}"));
        }
        let drift = drift(&primary);
        if drift.is_empty() {
            return Missing::Nothing;
        }
        if drift.iter().any(|(_, needs_restart)| !needs_restart) {
            return Missing::AtPrimary(format!("waiting for {name} to take the settings"));
        }
        self.begin_handover(pass, &primary)
    }

    /// The first replica that has not what it shall have; none when all have.
    fn at_replicas(
        &self,
        pass: &mut Pass,
        primary: &NodeFacts,
        wanted: &Parameters,
        its: &Parameters,
    ) -> Option<String> {
        let spec = pass.cluster.object.spec.clone();
        let others: Vec<NodeFacts> =
            pass.view.nodes.iter().filter(|f| f.node.id != primary.node.id).cloned().collect();
        let mut first = None;
        for facts in others {
            let size = &facts.node.size;
            let own = reconfigure::for_replica(self.engine, &spec, size, wanted, its);
            let (id, name) = (&facts.node.id, &facts.node.name);
            // One that comes back takes them by itself.
            if facts.node.phase != NodePhase::Active {
                assign(pass, id, &own, true);
                continue;
            }
            if first.is_some() {
                continue;
            }
            if assign(pass, id, &own, true) {
                first = Some(format!("changing {name}"));
            } else {
                first = self.still_missing(pass, &facts, primary);
            }
        }
        first
    }

    /// What a replica has not come to yet.
    fn still_missing(&self, pass: &Pass, facts: &NodeFacts, primary: &NodeFacts) -> Option<String> {
        let name = &facts.node.name;
        if let Actual::Failed { reason } = facts.actual() {
            return Some(format!("{name}: {reason}"));
        }
        if in_force(pass, facts).is_none() {
            return Some(format!("waiting for {name} to say what is in force"));
        }
        if differs(facts) {
            return Some(format!("waiting for {name} to take the settings"));
        }
        allowed::refuse_candidate(&pass.view, facts, primary)
    }

    /// The primary has to be started again: a replica takes over, or it goes on itself.
    fn begin_handover(&mut self, pass: &mut Pass, primary: &NodeFacts) -> Missing {
        let attempts = self.state.attempts;
        let pause = self.world.stopwatch.age_ms(&self.op.id, &format!("attempt/{attempts}"));
        if attempts > 0 && pause < ATTEMPT_PAUSE_MS {
            return Missing::AtPrimary(self.state.last_attempt.clone());
        }
        if attempts >= ATTEMPTS {
            if self.state.undo.is_none() {
                self.state.undo = Some(self.state.last_attempt.clone());
            }
            return Missing::AtPrimary(self.state.last_attempt.clone());
        }
        let pending = primary.worker().and_then(|worker| worker.settings.as_ref());
        let changes: Vec<ParameterChange> = pending
            .map_or(&[][..], |settings| settings.differs.as_slice())
            .iter()
            .map(|drift| ParameterChange {
                name: drift.name.clone(),
                from: drift.in_force.clone(),
                to: drift.wanted.clone(),
                restart: drift.needs_restart,
            })
            .collect();
        let in_place = reconfigure::begins_at_primary(self.engine, &changes);
        let replicas: Vec<&NodeFacts> = pass.view.replicas().collect();
        let fit = replicas
            .iter()
            .find(|facts| allowed::refuse_candidate(&pass.view, facts, primary).is_none());
        let candidate = match fit {
            _ if in_place || replicas.is_empty() => primary.node.id.clone(),
            Some(facts) => facts.node.id.clone(),
            None => return Missing::AtPrimary("waiting for a replica to take over".to_owned()),
        };
        self.state.attempts += 1;
        self.state.handover =
            Some(ReconfigureHandover { candidate: Some(candidate), ..Default::default() });
        Missing::AtPrimary(self.hand_over(pass))
    }

    /// Takes the next step of the change of primary; what it waits for.
    fn hand_over(&mut self, pass: &mut Pass) -> String {
        let Some(handover) = self.state.handover.clone() else { return String::new() };
        let Some(part) = PARTS.get(handover.part) else { return String::new() };
        let mut inner = Operation {
            node: handover.candidate.clone(),
            state: handover.report.clone(),
            ..self.op.clone()
        };
        let (attempts, age) = (self.state.attempts, pass.step_age_ms);
        let watched = format!("handover/{attempts}/{part}");
        pass.step_age_ms = self.world.stopwatch.age_ms(&self.op.id, &watched);
        let outcome = switchover::step(self.world, pass, &mut inner, part);
        pass.step_age_ms = age;
        let next = ReconfigureHandover {
            part: handover.part + usize::from(outcome == Outcome::Next),
            candidate: inner.node,
            report: inner.state,
        };
        let waited = next.report.get("serving_ms").and_then(serde_json::Value::as_u64);
        let is_over = next.part == PARTS.len();
        self.state.handover = Some(next).filter(|_| !is_over);
        match outcome {
            Outcome::Next if is_over => {
                self.state.waited_ms.extend(waited);
                "the primary has changed".to_owned()
            }
            Outcome::Next => "the primary is started again".to_owned(),
            Outcome::Wait(words) => words,
            Outcome::Fail(words) | Outcome::Cancel(words) => {
                pass.cluster.object.status.handover = Handover::None;
                self.state.handover = None;
                self.state.last_attempt.clone_from(&words);
                let part = format!("attempt/{attempts}");
                self.world.stopwatch.begun_at(&self.op.id, &part);
                words
            }
        }
    }
}

/// A failover goes before a change of settings. Who does not start with the new ones gets the
/// former ones: whoever is to serve, and those whose confirmations it then waits for.
pub fn put_back_where_refused(pass: &mut Pass) {
    let has_begun =
        |op: &&Operation| op.kind == OperationKind::Reconfigure && op.started_at.is_some();
    let Some(change) = pass.view.queued.iter().find(has_begun) else { return };
    let before = read_state::<Reconfigure>(change).before;
    put_back(pass, &before, false);
}

/// Gives the former settings to every node that refuses others.
fn put_back(pass: &mut Pass, before: &Parameters, restart: bool) {
    let is_refused =
        |facts: &&NodeFacts| facts.node.settings.values != *before && refused(facts).is_some();
    let all = pass.view.nodes.iter().filter(is_refused);
    let all: Vec<NodeId> = all.map(|facts| facts.node.id.clone()).collect();
    for id in all {
        assign(pass, &id, before, restart);
    }
}

/// The engine's own words on the settings that it has now and does not run with.
fn refused(facts: &NodeFacts) -> Option<&String> {
    let settings = facts.worker()?.settings.as_ref()?;
    settings.refused.as_ref().filter(|_| settings.version == facts.node.settings.version)
}

/// Gives a node these settings; whether that was new.
fn assign(pass: &mut Pass, id: &NodeId, values: &Parameters, restart: bool) -> bool {
    let Some(node) = pass.node_mut(id) else { return false };
    let settings = &mut node.settings;
    let is_new = settings.values != *values || settings.restart != restart;
    if settings.values != *values {
        settings.values.clone_from(values);
        settings.version += 1;
    }
    settings.restart = restart;
    is_new
}

/// The settings a node's engine runs with, as far as they are chosen; none where that is not known.
fn in_force(pass: &Pass, facts: &NodeFacts) -> Option<Parameters> {
    let settings = facts.worker()?.settings.as_ref()?;
    let is_known = settings.version == facts.node.settings.version
        && settings.refused.is_none()
        && facts.is_fresh(pass.view.timers().suspect_ms.max(2_000));
    is_known.then(|| {
        let mut values = facts.node.settings.values.clone();
        let real = settings.differs.iter();
        values.extend(real.map(|d| (d.name.clone(), ParameterText(d.in_force.clone()))));
        values
    })
}

/// What differs on a node, and whether that waits for a start of its engine.
fn drift(facts: &NodeFacts) -> Vec<(String, bool)> {
    let settings = facts.worker().and_then(|worker| worker.settings.as_ref());
    let differs = settings.map_or(&[][..], |settings| settings.differs.as_slice());
    differs.iter().map(|drift| (drift.name.clone(), drift.needs_restart)).collect()
}

fn differs(facts: &NodeFacts) -> bool {
    !drift(facts).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_is_said_with_what_it_cost() {
        let change = ParameterChange {
            name: "max_connections".into(),
            from: "100".into(),
            to: "200".into(),
            restart: true,
        };
        let mut state = Reconfigure { changes: vec![change], ..Reconfigure::default() };
        assert_eq!(words(&state, &[]), "max_connections 100 → 200; in force on every node");
        state.waited_ms = vec![210];
        let said = words(&state, &["demo-3"]);
        assert!(said.ends_with(
            "every node but demo-3, which will have it when it is back; writes waited 210 ms"
        ));
    }
}
