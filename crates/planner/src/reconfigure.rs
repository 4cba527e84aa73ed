//! Settings of an engine: whether they can be had, what a change of them takes, and how they are
//! shown.

use bellwether_model::engine::EngineProfile;
use bellwether_model::node::NodePhase;
use bellwether_model::parameter::{ParameterOrder, ParameterText};
use bellwether_model::plan::Plan;
use bellwether_model::problem::FieldProblem;
use bellwether_model::settings::{NodeDrift, ParameterChange, ParameterView};
use bellwether_model::{ClusterSpec, NodeSize, OperationKind, Parameter, Parameters};

use crate::allowed::refuse_busy;
use crate::election::{self, Verdict};
use crate::plan::{planned_steps, switchover_pause};
use crate::resync;
use crate::view::{NodeFacts, View};

/// Milliseconds for which writes wait while an engine is started again where it is.
const RESTART_PAUSE_MS: u64 = 1_500;

/// The chosen settings, each written in the one way.
///
/// # Errors
/// Each that cannot be had, with what can.
pub fn canonical(
    engine: &EngineProfile,
    spec: &ClusterSpec,
) -> Result<Parameters, Vec<FieldProblem>> {
    let mut good = Parameters::new();
    let mut problems = Vec::new();
    for (name, text) in &spec.parameters {
        match canonical_one(engine, spec, name, &text.0) {
            Ok(value) => {
                good.insert(name.clone(), ParameterText(value));
            }
            Err(message) => {
                problems.push(FieldProblem { field: format!("parameters.{name}"), message });
            }
        }
    }
    if problems.is_empty() { Ok(good) } else { Err(problems) }
}

fn canonical_one(
    engine: &EngineProfile,
    spec: &ClusterSpec,
    name: &str,
    text: &str,
) -> Result<String, String> {
    if let Some(known) = engine.parameters_of(&spec.version).find(|known| known.name == name) {
        return known.canonical(text, &spec.size);
    }
    if let Some(owned) = engine.owned_parameters.iter().find(|owned| owned.name == name) {
        return Err(format!("it is not a setting to choose: {}", owned.reason));
    }
    let version = &spec.version;
    Err(format!("{} {version} has no setting of that name that can be chosen", engine.title))
}

/// What differs between two choices.
#[must_use]
pub fn changes(
    engine: &EngineProfile,
    spec: &ClusterSpec,
    before: &Parameters,
    after: &Parameters,
) -> Vec<ParameterChange> {
    engine
        .parameters_of(&spec.version)
        .filter_map(|known| {
            let from = known.effective(before, &spec.size);
            let to = known.effective(after, &spec.size);
            let (name, restart) = (known.name.clone(), known.restart);
            (from != to).then_some(ParameterChange { name, from, to, restart })
        })
        .collect()
}

/// What a replica shall run with while the primary runs with `primary`: not below it where its
/// replication would stop.
#[must_use]
pub fn for_replica(
    engine: &EngineProfile,
    spec: &ClusterSpec,
    size: &NodeSize,
    wanted: &Parameters,
    primary: &Parameters,
) -> Parameters {
    let mut made = wanted.clone();
    for known in ordered(engine, spec) {
        let (own, its) = (known.effective(wanted, size), known.effective(primary, size));
        if known.amount(&own) < known.amount(&its) {
            made.insert(known.name.clone(), ParameterText(its));
        }
    }
    made
}

fn ordered<'a>(
    engine: &'a EngineProfile,
    spec: &'a ClusterSpec,
) -> impl Iterator<Item = &'a Parameter> {
    let known = engine.parameters_of(&spec.version);
    known.filter(|known| known.order == ParameterOrder::ReplicaNotBelowPrimary)
}

/// Whether no replica may take over with these settings from a primary that has the former: one of
/// them is lowered, which the primary has to begin.
#[must_use]
pub fn begins_at_primary(engine: &EngineProfile, changes: &[ParameterChange]) -> bool {
    changes.iter().any(|change| {
        let known = engine.parameters.iter().find(|known| known.name == change.name);
        known.is_some_and(|known| {
            known.order == ParameterOrder::ReplicaNotBelowPrimary
                && known.amount(&change.to) < known.amount(&change.from)
        })
    })
}

/// Why settings cannot be changed now.
#[must_use]
pub fn refuse(view: &View) -> Option<String> {
    if let Some(refusal) = refuse_busy(view) {
        return Some(refusal);
    }
    if view.is_sharded() {
        return view.shards.iter().find_map(|shard| {
            refuse(shard).map(|why| format!("{}: {why}", shard.cluster.spec.name))
        });
    }
    let Some(primary) = view.primary().filter(|_| election::judge(view) == Verdict::Healthy) else {
        return Some("the primary is not healthy; settings are changed once it is".to_owned());
    };
    let waits = view.replicas().find(|facts| !facts.streams_from(&primary.node.id))?;
    let name = &waits.node.name;
    Some(format!("{name} does not follow the primary; wait until it does, or remove it"))
}

/// The plan of a change to these settings.
#[must_use]
pub fn plan(view: &View, engine: &EngineProfile, after: &Parameters) -> Plan {
    if view.is_sharded() {
        plan_of_shards(view, engine, after)
    } else {
        plan_of(view, engine, after)
    }
}

/// One shard after the other.
fn plan_of_shards(view: &View, engine: &EngineProfile, after: &Parameters) -> Plan {
    let spec = &view.cluster.spec;
    let changes = changes(engine, spec, &spec.parameters, after);
    let plans: Vec<Plan> = view.shards.iter().map(|shard| plan_of(shard, engine, after)).collect();
    let restarts: Vec<String> = plans.iter().flat_map(|plan| plan.restarts.clone()).collect();
    let how = match restarts.as_slice() {
        [] => "No engine is started again: every node takes it while it runs.".to_owned(),
        names => format!(
            "One shard after the other starts its engines again, one at a time: {}.",
            names.join(", ")
        ),
    };
    let longest = plans.iter().max_by_key(|plan| plan.write_pause_ms);
    Plan {
        kind: OperationKind::Reconfigure,
        summary: format!("Changes settings of {}: {}. {how}", spec.name, said(&changes)),
        steps: planned_steps(OperationKind::Reconfigure),
        write_pause_ms: longest.map_or(0, |plan| plan.write_pause_ms),
        pauses: longest.and_then(|plan| plan.pauses),
        bytes_copied: 0,
        redundancy_min: plans.iter().map(|plan| plan.redundancy_min).min().unwrap_or(0),
        erases: Vec::new(),
        changes,
        restarts,
        refusals: refuse(view).into_iter().collect(),
    }
}

/// What differs, in words.
fn said(changes: &[ParameterChange]) -> String {
    let said = changes.iter().map(|c| format!("{} {} → {}", c.name, c.from, c.to));
    let said = said.collect::<Vec<_>>().join(", ");
    if said.is_empty() { "no value differs".to_owned() } else { said }
}

fn plan_of(view: &View, engine: &EngineProfile, after: &Parameters) -> Plan {
    let spec = &view.cluster.spec;
    let changes = changes(engine, spec, &spec.parameters, after);
    let needs_restart = changes.iter().any(|change| change.restart);
    let primary = view.primary().map(|facts| facts.node.name.clone()).unwrap_or_default();
    let replicas: Vec<&NodeFacts> = view.replicas().collect();
    let in_place = replicas.is_empty() || begins_at_primary(engine, &changes);
    let names: Vec<String> = replicas.iter().map(|facts| facts.node.name.clone()).collect();
    let restarts =
        if needs_restart { restarts(engine, &changes, &names, &primary) } else { vec![] };
    let waiting = replicas.iter().filter(|facts| resync::refuse_waiting(view, facts).is_some());
    let waiting = waiting.count() as u64;
    let (change_ms, past) = switchover_pause(view);
    let pauses = (needs_restart && !in_place).then_some(past);
    let write_pause_ms = match (needs_restart, in_place) {
        (false, _) => 0,
        (true, true) => RESTART_PAUSE_MS * (1 + waiting),
        (true, false) => change_ms + RESTART_PAUSE_MS * waiting,
    };
    Plan {
        kind: OperationKind::Reconfigure,
        summary: summary(view, &changes, &restarts, in_place, &primary),
        steps: planned_steps(OperationKind::Reconfigure),
        write_pause_ms,
        pauses,
        bytes_copied: 0,
        redundancy_min: (replicas.len() as u32).saturating_sub(u32::from(needs_restart)),
        erases: Vec::new(),
        changes,
        restarts,
        refusals: refuse(view).into_iter().collect(),
    }
}

/// Whose engine is started again, in order.
fn restarts(
    engine: &EngineProfile,
    changes: &[ParameterChange],
    replicas: &[String],
    primary: &str,
) -> Vec<String> {
    let lowered = |change: &&ParameterChange| {
        begins_at_primary(engine, std::slice::from_ref(change)) && change.restart
    };
    let has_lowered = changes.iter().any(|change| lowered(&change));
    let has_other = changes.iter().any(|change| change.restart && !lowered(&change));
    let first = replicas.iter().filter(|_| has_other).cloned();
    let last = replicas.iter().filter(|_| has_lowered).cloned();
    first.chain(std::iter::once(primary.to_owned())).chain(last).collect()
}

fn summary(
    view: &View,
    changes: &[ParameterChange],
    restarts: &[String],
    in_place: bool,
    primary: &str,
) -> String {
    let name = &view.cluster.spec.name;
    let said = said(changes);
    let how = if restarts.is_empty() {
        "No engine is started again: every node takes it while it runs.".to_owned()
    } else if in_place {
        format!(
            "Engines are started again, one at a time: {}. Clients at the read-write endpoint wait \
             while {primary} is, and go on.",
            restarts.join(", ")
        )
    } else {
        format!(
            "Engines are started again, one at a time: {}. Before {primary} is, a replica becomes \
             the primary; clients at the read-write endpoint wait meanwhile and go on.",
            restarts.join(", ")
        )
    };
    format!("Changes settings of {name}: {said}. {how}")
}

/// Every setting, as it is for a cluster of this spec with these nodes.
#[must_use]
pub fn shown(
    engine: &EngineProfile,
    spec: &ClusterSpec,
    view: Option<&View>,
) -> Vec<ParameterView> {
    engine
        .parameters_of(&spec.version)
        .map(|known| ParameterView {
            name: known.name.clone(),
            title: known.title.clone(),
            summary: known.summary.clone(),
            group: known.group.clone(),
            kind: known.kind,
            range: known.range(&spec.size),
            choices: known.choices.clone(),
            default: known.default_on(&spec.size),
            value: known.effective(&spec.parameters, &spec.size),
            chosen: spec.parameters.contains_key(&known.name),
            restart: known.restart,
            differs: view.map(|view| drift(view, &known.name)).unwrap_or_default(),
        })
        .collect()
}

fn drift(view: &View, name: &str) -> Vec<NodeDrift> {
    let settings = |facts: &NodeFacts| facts.worker().and_then(|worker| worker.settings.clone());
    let of_node = |facts: &NodeFacts| {
        let settings = settings(facts)?;
        let found = settings.differs.into_iter().find(|drift| drift.name == name)?;
        Some(NodeDrift {
            node: facts.node.name.clone(),
            in_force: found.in_force,
            needs_restart: found.needs_restart,
        })
    };
    view.every_node().filter(|f| f.node.phase != NodePhase::Removing).filter_map(of_node).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::SWITCHOVER_PAUSE_MS;
    use crate::view::tests::{Sketch, sketch};
    use bellwether_model::ReplicationMode;
    use bellwether_model::parameter::{
        Amount, OwnedParameter, ParameterDefault, ParameterKind, ParameterText,
    };

    fn parameter(name: &str, restart: bool, order: ParameterOrder) -> Parameter {
        Parameter {
            name: name.into(),
            title: String::new(),
            summary: String::new(),
            group: String::new(),
            kind: ParameterKind::Integer,
            min: Some(Amount::Fixed { value: 1.0 }),
            max: Some(Amount::Fixed { value: 1_000.0 }),
            step: 1.0,
            choices: Vec::new(),
            special: Vec::new(),
            default: ParameterDefault::Amount(Amount::Fixed { value: 100.0 }),
            restart,
            order,
            versions: Vec::new(),
        }
    }

    pub(crate) fn engine() -> EngineProfile {
        EngineProfile {
            parameters: vec![
                parameter("connections", true, ParameterOrder::ReplicaNotBelowPrimary),
                parameter("buffers", true, ParameterOrder::Any),
                parameter("work", false, ParameterOrder::Any),
            ],
            owned_parameters: vec![OwnedParameter {
                name: "port".into(),
                reason: "endpoints rely on it".into(),
            }],
            ..crate::check::tests::engine()
        }
    }

    fn chosen(values: &[(&str, &str)]) -> Parameters {
        values.iter().map(|(name, value)| ((*name).into(), ParameterText::from(*value))).collect()
    }

    #[test]
    fn what_cannot_be_chosen_is_named_with_the_reason() {
        let mut spec = sketch(1).cluster.spec;
        for (name, value, words) in [
            ("connections", "0", "choose 1 to 1000"),
            ("connections", "many", "no whole number"),
            ("port", "1", "endpoints rely on it"),
            ("nothing", "1", "no setting of that name"),
        ] {
            spec.parameters = chosen(&[(name, value), ("work", "7")]);
            let problems = canonical(&engine(), &spec).expect_err(name);
            assert_eq!(problems.len(), 1);
            assert_eq!(problems[0].field, format!("parameters.{name}"));
            assert!(problems[0].message.contains(words), "{}", problems[0].message);
        }
        spec.parameters = chosen(&[("work", " 7 ")]);
        assert_eq!(canonical(&engine(), &spec), Ok(chosen(&[("work", "7")])));
    }

    #[test]
    fn a_plan_tells_who_is_started_again_in_which_order_and_how_long_writes_wait() {
        type Row = (&'static [(&'static str, &'static str)], &'static [&'static str], u64);
        let table: &[Row] = &[
            (&[("work", "7")], &[], 0),
            (&[("buffers", "200")], &["demo-2", "demo-3", "demo-1"], SWITCHOVER_PAUSE_MS),
            (&[("connections", "200")], &["demo-2", "demo-3", "demo-1"], SWITCHOVER_PAUSE_MS),
            (&[("connections", "50")], &["demo-1", "demo-2", "demo-3"], RESTART_PAUSE_MS),
            (
                &[("connections", "50"), ("buffers", "7")],
                &["demo-2", "demo-3", "demo-1", "demo-2", "demo-3"],
                RESTART_PAUSE_MS,
            ),
        ];
        for (values, restarts, pause) in table {
            let made = plan(&sketch(3).view(), &engine(), &chosen(values));
            assert_eq!(made.restarts, *restarts, "{values:?}");
            assert_eq!(made.write_pause_ms, *pause, "{values:?}");
            assert_eq!(made.changes.len(), values.len());
            assert_eq!(made.refusals, Vec::<String>::new());
        }
        let single = plan(&sketch(1).view(), &engine(), &chosen(&[("buffers", "7")]));
        assert_eq!((single.restarts.len(), single.write_pause_ms), (1, RESTART_PAUSE_MS));
        let mut strict = sketch(2);
        strict.cluster.spec.replication = ReplicationMode::Strict;
        let made = plan(&strict.view(), &engine(), &chosen(&[("buffers", "7")]));
        assert!(made.write_pause_ms > SWITCHOVER_PAUSE_MS, "writes wait for the only replica");
    }

    #[test]
    fn replicas_are_never_below_their_primary() {
        let (engine, sketch) = (engine(), sketch(2));
        let spec = &sketch.cluster.spec;
        let own = |wanted: &[(&str, &str)], its: &[(&str, &str)]| {
            for_replica(&engine, spec, &spec.size, &chosen(wanted), &chosen(its))
        };
        let raised = [("connections", "200")];
        assert_eq!(own(&raised, &[]), chosen(&raised));
        let lowered = own(&[("connections", "50"), ("work", "7")], &[]);
        assert_eq!(lowered, chosen(&[("connections", "100"), ("work", "7")]));
        assert_eq!(own(&[], &raised), chosen(&raised), "the default is lower");
    }

    #[test]
    fn settings_wait_until_every_replica_follows() {
        let refusal = |change: fn(&mut Sketch)| {
            let mut sketch = sketch(3);
            change(&mut sketch);
            refuse(&sketch.view()).unwrap_or_default()
        };
        assert_eq!(refusal(|_| {}), "");
        assert!(refusal(|s| s.stall(3, 60_000)).contains("demo-3 does not follow"));
        assert!(refusal(|s| s.surrender(1, 1)).contains("not healthy"));
        assert_eq!(refusal(Sketch::rejoining), "", "one that returns takes them when it is back");
    }
}
