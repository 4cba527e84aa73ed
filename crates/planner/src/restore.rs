//! A restore over what a cluster has: when it may begin, and what it does to which node.

use bellwether_model::node::NodePhase;
use bellwether_model::operation::NewOperation;
use bellwether_model::{Bytes, OperationKind};

use crate::allowed::refuse_busy;
use crate::backups;
use crate::election::{self, Verdict};
use crate::view::{NodeFacts, View};

/// Milliseconds in which the engine is stopped, started and promoted, before this cluster has
/// figures of its own; log that leads to a moment takes its time beside that.
pub(crate) const PAUSE_MS: u64 = 5_000;

/// The steps in which there is no primary, or soon none.
const NEAR: [&str; 4] = ["stop", "exchange", "begin_term", "await_primary"];

/// Whether the primary is about to have other data, or has it and does not serve yet.
#[must_use]
pub fn is_near(view: &View) -> bool {
    view.operation.as_ref().is_some_and(|operation| {
        let kind = operation.kind;
        let step = operation.step_at().and_then(|at| operation.steps.get(at));
        matches!(kind, OperationKind::Restore | OperationKind::UndoRestore)
            && step.is_some_and(|step| NEAR.contains(&step.name.as_str()))
    })
}

/// Why no backup can take the place of this cluster's data now.
#[must_use]
pub fn refuse(view: &View, allow_waiting: bool) -> Option<String> {
    let engine = &view.cluster.spec.engine;
    if !view.can_replace || view.is_sharded() || view.cluster.shard.is_some() {
        let what = if view.can_replace { "a sharded cluster" } else { engine };
        return Some(format!(
            "the data of {what} cannot be replaced where it is yet; restore the backup into a new \
             cluster"
        ));
    }
    if let Some(before) = &view.cluster.status.replaced {
        let node = &before.node_name;
        return Some(format!(
            "what an earlier restore replaced is still set aside on {node}; keep the restored \
             data, or undo the restore first"
        ));
    }
    refuse_group(view, allow_waiting)
}

/// Why the data that a restore replaced cannot come back now.
#[must_use]
pub fn refuse_undo(view: &View, allow_waiting: bool) -> Option<String> {
    let Some(before) = &view.cluster.status.replaced else {
        return Some("nothing is set aside that could come back".to_owned());
    };
    let name = &before.node_name;
    if view.node(&before.node).is_none() {
        let words = format!("{name}, which had the data that was replaced, is gone");
        return Some(format!("{words}; restore the backup that was taken before"));
    }
    if let Some(refusal) = refuse_group(view, allow_waiting) {
        return Some(refusal);
    }
    (view.cluster.status.primary.as_ref() != Some(&before.node))
        .then(|| format!("the data that was replaced lies on {name}; promote {name} first"))
}

/// Why the data that a restore replaced cannot be let go of now.
#[must_use]
pub fn refuse_keep(view: &View) -> Option<String> {
    match view.cluster.status.replaced {
        None => Some("nothing is set aside".to_owned()),
        Some(_) => refuse_busy(view),
    }
}

/// Why what is there now cannot be stored first, where it shall be.
#[must_use]
pub fn refuse_safety(view: &View, request: &NewOperation) -> Option<String> {
    let why = backups::refuse(view).filter(|_| !request.without_backup)?;
    Some(format!("what is there now cannot be stored first: {why}"))
}

/// Why there is no room for so many bytes beside the data.
#[must_use]
pub fn refuse_room(view: &View, bytes: u64) -> Option<String> {
    let primary = view.primary()?;
    let host = &primary.worker()?.host;
    let free = host.disk_size?.saturating_sub(host.disk_used?);
    let needed = bytes + bytes / 10 + (128 << 20);
    (free < needed).then(|| {
        let (name, free, needed) = (&primary.node.name, Bytes(free), Bytes(needed));
        format!(
            "the disk of {name} has no room for the backup beside its data: {free} free of \
                 {needed} needed; make it larger, or restore into a new cluster"
        )
    })
}

fn refuse_group(view: &View, allow_waiting: bool) -> Option<String> {
    if let Some(refusal) = refuse_busy(view) {
        return Some(refusal);
    }
    let term = view.cluster.status.term;
    let healthy = election::judge(view) == Verdict::Healthy;
    if !view.primary().is_some_and(|primary| healthy && primary.serves(term)) {
        let words = "the primary is not healthy; wait until it is, or restore into a new cluster";
        return Some(words.to_owned());
    }
    let is_out = |facts: &&NodeFacts| facts.node.phase == NodePhase::Maintenance;
    if let Some(out) = view.nodes.iter().find(is_out) {
        return Some(format!("{} is in maintenance; undrain it first", out.node.name));
    }
    let mode = view.cluster.spec.replication;
    (mode.is_strict() && !allow_waiting).then(|| {
        format!(
            "replication {mode} needs replicas to confirm a write: writes would wait until enough \
             of them are copied anew; change the replication mode, or allow it (`--allow-waiting`)"
        )
    })
}

pub(crate) fn summary(view: &View, request: &NewOperation) -> String {
    let name = &view.cluster.spec.name;
    let primary = view.primary().map_or("the primary", |facts| facts.node.name.as_str());
    let what = match (request.kind, &request.source) {
        (OperationKind::KeepRestored, _) => {
            return format!(
                "Keeps the data that {name} has now for good, and removes what the restore \
                 replaced. There is no way back then but the backups."
            );
        }
        (OperationKind::Restore, Some(source)) => {
            let at = source.at.map_or(String::new(), |at| format!(", as of {at}"));
            format!("the backup {}{at}", source.backup)
        }
        (OperationKind::Restore, None) => "a backup".to_owned(),
        _ => "the data that the restore replaced".to_owned(),
    };
    let first = match request.kind {
        OperationKind::Restore if !request.without_backup => {
            "What is there now is stored in a backup first. "
        }
        _ => "",
    };
    let others = match view.nodes.len() {
        0 | 1 => "",
        _ => {
            " The replicas are copied anew, one after the other, while it serves; until then \
              nothing takes over from it."
        }
    };
    format!(
        "Replaces all data of {name} by {what}: whatever was written otherwise is not in it. \
         {first}{primary} goes on until everything has come, stops, and serves again with the \
         other data, under the same addresses and passwords; sessions of clients end. The data of \
         today is set aside on {primary} until you keep or undo this.{others}"
    )
}

/// What is replaced on which node.
pub(crate) fn erases(view: &View, kind: OperationKind) -> Vec<String> {
    let bytes = |facts: &NodeFacts| {
        let bytes = facts.worker().and_then(|worker| worker.engine.data_bytes);
        bytes.map_or(String::new(), |bytes| format!(" ({})", Bytes(bytes)))
    };
    if kind == OperationKind::KeepRestored {
        let before = view.cluster.status.replaced.as_ref();
        let words = |name: &String| format!("{name}: the data that was set aside");
        return before.map(|before| words(&before.node_name)).into_iter().collect();
    }
    let primary = view.cluster.status.primary.as_ref();
    let of = |facts: &NodeFacts| {
        let (name, bytes) = (&facts.node.name, bytes(facts));
        match primary == Some(&facts.node.id) {
            true => format!("{name}: its data{bytes} is set aside until you keep or undo this"),
            false => format!("{name}: all of its data{bytes}, once a new copy follows"),
        }
    };
    view.nodes.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use bellwether_model::ReplicationMode;
    use bellwether_model::restore::Replaced;

    use super::*;
    use crate::allowed::check_operation;
    use crate::plan::plan;
    use crate::rules::{Act, decide};
    use crate::view::tests::{Sketch, sketch};

    fn refusal(sketch: &Sketch, kind: OperationKind) -> String {
        let request = NewOperation { without_backup: true, ..NewOperation::of(kind, None) };
        check_operation(&sketch.view(), &request).err().unwrap_or_default()
    }

    fn replaced(sketch: &mut Sketch, ordinal: u32) {
        let node = sketch.node(ordinal).clone();
        sketch.cluster.status.replaced = Some(Replaced {
            at: bellwether_model::Timestamp::from_millis(0),
            source: None,
            node: node.id,
            node_name: node.name,
            safety: None,
        });
    }

    #[test]
    fn what_cannot_be_replaced_is_refused_with_the_reason() {
        use OperationKind::{KeepRestored, Restore, UndoRestore};
        type Row = (&'static str, OperationKind, fn(&mut Sketch));
        let table: &[Row] = &[
            ("", Restore, |_| {}),
            ("not healthy", Restore, |s| s.surrender(1, 1)),
            ("in maintenance", Restore, |s| s.node(2).phase = NodePhase::Maintenance),
            ("writes would wait", Restore, |s| {
                s.cluster.spec.replication = ReplicationMode::Strict;
            }),
            ("still set aside on demo-1", Restore, |s| replaced(s, 1)),
            ("nothing is set aside", UndoRestore, |_| {}),
            ("", UndoRestore, |s| replaced(s, 1)),
            ("promote demo-2", UndoRestore, |s| replaced(s, 2)),
            ("nothing is set aside", KeepRestored, |_| {}),
            ("", KeepRestored, |s| replaced(s, 2)),
        ];
        for (words, kind, change) in table {
            let mut sketch = sketch(3);
            change(&mut sketch);
            let refusal = refusal(&sketch, *kind);
            assert!(refusal.contains(words), "{words}: {refusal}");
            assert_eq!(refusal.is_empty(), words.is_empty(), "{refusal}");
        }
    }

    #[test]
    fn nobody_is_elected_while_the_data_is_exchanged() {
        let mut sketch = sketch(3);
        let mut view = sketch.view();
        let mut operation = sketch.operation(OperationKind::Restore);
        let step = |name: &str| bellwether_model::operation::Step {
            name: name.to_owned(),
            title: String::new(),
            state: bellwether_model::StepState::Running,
            message: String::new(),
            started_at: None,
            ended_at: None,
        };
        operation.steps = vec![step("bring")];
        view.operation = Some(operation.clone());
        assert!(!is_near(&view));
        sketch.surrender(1, 1);
        view = sketch.view();
        operation.steps = vec![step("exchange")];
        view.operation = Some(operation);
        let decision = decide(&view);
        assert_eq!((decision.rule, decision.act), (201, Act::Continue));
    }

    #[test]
    fn a_plan_says_what_is_replaced_where() {
        let request = NewOperation::of(OperationKind::Restore, None);
        let plan = plan(&sketch(3).view(), &request);
        assert!(plan.erases[0].contains("demo-1") && plan.erases[0].contains("set aside"));
        assert!(plan.erases[2].contains("demo-3: all of its data"));
        assert!(plan.summary.contains("stored in a backup first"), "{}", plan.summary);
        assert!(plan.write_pause_ms > 0 && plan.redundancy_min == 0);
    }
}
