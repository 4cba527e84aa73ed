//! A resync: which replicas it is about, what it takes, and what refuses it.

use bellwether_model::mutation::{Mutation, mutated};
use bellwether_model::node::{NodePhase, disk_kept_free};
use bellwether_model::operation::NewOperation;
use bellwether_model::plan::{Plan, PlannedStep};
use bellwether_model::resync::{Resync, ResyncedNode};
use bellwether_model::{Bytes, OperationKind};

use crate::allowed::refuse_busy;
use crate::election::{self, Verdict};
use crate::plan::is_copy;
use crate::view::{NodeFacts, View};

/// Bytes a second by which the length of a copy is guessed.
const COPY_RATE: u64 = 50_000_000;

/// Milliseconds that leaving the votes, starting and catching up take beside the copy.
const COPY_MS_MIN: u64 = 10_000;

/// A copy of all data to every replica.
#[must_use]
pub fn of_all(view: &View) -> Resync {
    let primary = view.cluster.status.primary.as_ref();
    let replicas = view.nodes.iter().filter(|facts| Some(&facts.node.id) != primary);
    made(view, replicas, true)
}

/// A copy of all data to that node.
#[must_use]
pub fn of_one(view: &View, facts: &NodeFacts) -> Resync {
    made(view, std::iter::once(facts), true)
}

fn made<'a>(view: &View, nodes: impl Iterator<Item = &'a NodeFacts>, copy: bool) -> Resync {
    let nodes: Vec<ResyncedNode> = nodes
        .map(|facts| {
            let (id, name) = (facts.node.id.clone(), facts.node.name.clone());
            ResyncedNode { id, name, end: None }
        })
        .collect();
    let copies = |facts: &NodeFacts| is_copy(view, facts);
    let total = view.replicas().filter(|facts| copies(facts)).count() as u32;
    let is_touched = nodes.iter().any(|node| view.node(&node.id).is_some_and(copies));
    let redundancy_min = total.saturating_sub(u32::from(copy && is_touched));
    Resync { nodes, copy, allow_waiting: false, redundancy_min }
}

/// What was asked for: the named replicas, or all.
///
/// # Errors
/// When a name is nobody's, with those there are.
pub fn resolve(view: &View, request: &NewOperation) -> Result<Resync, String> {
    let named = |text: &String| {
        view.node_named(text).ok_or_else(|| {
            let names: Vec<_> = view.nodes.iter().map(|facts| facts.node.name.as_str()).collect();
            format!("there is no node `{text}` here; there are {}", names.join(", "))
        })
    };
    let mut named: Vec<&NodeFacts> = request.nodes.iter().map(named).collect::<Result<_, _>>()?;
    named.sort_by_key(|facts| facts.node.ordinal);
    named.dedup_by_key(|facts| facts.node.ordinal);
    let all = of_all(view);
    let mut resync = if named.is_empty() {
        let all = all.nodes.iter().filter_map(|node| view.node(&node.id));
        made(view, all, request.copy)
    } else {
        made(view, named.into_iter(), request.copy)
    };
    resync.allow_waiting = request.allow_waiting;
    Ok(resync)
}

/// Why it cannot begin now.
#[must_use]
pub fn refuse(view: &View, resync: &Resync) -> Option<String> {
    if let Some(refusal) = refuse_busy(view) {
        return Some(refusal);
    }
    let name = &view.cluster.spec.name;
    if view.nodes.len() < 2 {
        return Some(format!("{name} has one node only: there is no replica to copy to"));
    }
    let Some(primary) = view.primary().filter(|_| election::judge(view) == Verdict::Healthy) else {
        return Some("the primary is not healthy; replicas are copied from it".to_owned());
    };
    let nodes: Vec<&NodeFacts> = resync.nodes.iter().filter_map(|n| view.node(&n.id)).collect();
    if let Some(refusal) = nodes.iter().find_map(|facts| refuse_node(view, facts, primary)) {
        return Some(refusal);
    }
    let follows = |facts: &&NodeFacts| facts.streams_from(&primary.node.id);
    if !resync.copy && nodes.iter().all(follows) {
        return Some(
            "every replica follows the primary: there is nothing to align; ask for a copy of all \
             data (`--copy`) where what a replica holds is in doubt"
                .to_owned(),
        );
    }
    if !resync.copy {
        return None;
    }
    nodes.iter().find_map(|facts| {
        let waits = refuse_waiting(view, facts).filter(|_| !resync.allow_waiting);
        waits.or_else(|| refuse_room(view, facts, primary))
    })
}

fn refuse_node(view: &View, facts: &NodeFacts, primary: &NodeFacts) -> Option<String> {
    let name = &facts.node.name;
    if facts.node.id == primary.node.id {
        return Some(format!("{name} is the primary: its data is what replicas are copied from"));
    }
    if facts.node.phase != NodePhase::Active {
        return Some(format!("{name} is not a full member now; wait until it is"));
    }
    (!facts.is_fresh(view.timers().suspect_ms.max(2_000)))
        .then(|| format!("{name} is not heard from; wait until it is, or name the others"))
}

/// Why writes would wait while this replica is copied: too few others confirm them.
#[must_use]
pub fn refuse_waiting(view: &View, facts: &NodeFacts) -> Option<String> {
    let mode = view.cluster.spec.replication;
    let acks = mode.acks() as usize;
    let voters = &view.cluster.status.config.current.voters;
    let others = voters.iter().filter(|voter| **voter != facts.node.id).count();
    (mode.is_strict() && voters.contains(&facts.node.id) && others < acks).then(|| {
        format!(
            "replication {mode} needs {acks} replicas to confirm a write and {others} would be \
             left while {} is copied: writes would wait; add a node first, change the replication \
             mode, or allow waiting",
            facts.node.name
        )
    })
}

/// Why there is no room for the copy, with the old data gone where it may go first.
fn refuse_room(view: &View, facts: &NodeFacts, primary: &NodeFacts) -> Option<String> {
    let name = &facts.node.name;
    let (needed, free) = (bytes_needed(primary)?, bytes_free(facts)?);
    if free >= needed {
        return None;
    }
    let own = facts.worker().and_then(|worker| worker.engine.data_bytes).unwrap_or(0);
    if free.saturating_add(own) < needed {
        let (needed, free) = (Bytes(needed), Bytes(free));
        return Some(format!("the disk of {name} is too small: {free} free of {needed} needed"));
    }
    (!may_erase_first(view, facts)).then(|| {
        format!(
            "the disk of {name} has no room for its data and the copy at once, and too few other \
             copies are there to delete its data first"
        )
    })
}

/// Whether the node's data has to go before the copy begins: its disk has no room for both.
#[must_use]
pub fn erases_first(view: &View, facts: &NodeFacts) -> bool {
    let needed = view.primary().and_then(bytes_needed);
    needed.zip(bytes_free(facts)).is_some_and(|(needed, free)| free < needed)
}

/// Whether enough healthy copies are elsewhere to delete this one before the new one is there.
#[must_use]
pub fn may_erase_first(view: &View, facts: &NodeFacts) -> bool {
    let mode = view.cluster.spec.replication;
    let needed = if mode.is_strict() { mode.acks() as usize } else { 0 };
    let others = view.replicas().filter(|other| other.node.id != facts.node.id);
    let is_held = election::judge(view) == Verdict::Healthy
        && others.filter(|other| is_copy(view, other)).count() >= needed;
    is_held || mutated(Mutation::LastCopyErased)
}

/// The size of a copy, with some of the log that comes meanwhile.
fn bytes_needed(primary: &NodeFacts) -> Option<u64> {
    let bytes = primary.worker()?.engine.data_bytes?;
    Some(bytes + bytes / 10 + (128 << 20))
}

fn bytes_free(facts: &NodeFacts) -> Option<u64> {
    let host = &facts.worker()?.host;
    let (used, size) = (host.disk_used?, host.disk_size?);
    Some(size.saturating_sub(used).saturating_sub(disk_kept_free(size)))
}

/// The steps of each replica, after the check: stored name and title.
#[must_use]
pub fn steps(resync: &Resync) -> Vec<(String, String)> {
    let of_node = |node: &ResyncedNode| {
        let name = &node.name;
        let copy = if resync.copy {
            format!("Copy the data to {name} anew")
        } else {
            format!("Make the data of {name} fit to follow")
        };
        [
            ("withdraw", format!("Withdraw {name} from votes and endpoints")),
            ("copy", copy),
            ("await_catch_up", format!("Wait until {name} has caught up")),
            ("admit", format!("Give {name} its vote back")),
            ("drop_former", format!("Remove the former data of {name}")),
        ]
        .map(|(part, title)| (format!("{part}/{name}"), title))
    };
    resync
        .nodes
        .iter()
        .flat_map(of_node)
        .filter(|(part, _)| resync.copy || !part.starts_with("drop_former/"))
        .collect()
}

/// The plan of a resync.
#[must_use]
pub fn plan(view: &View, request: &NewOperation) -> Plan {
    let (resync, refusal) = match resolve(view, request) {
        Ok(resync) => {
            let refusal = refuse(view, &resync);
            (resync, refusal)
        }
        Err(refusal) => (Resync::default(), Some(refusal)),
    };
    let check = crate::steps::steps(OperationKind::Resync);
    let check = check.iter().map(|(name, title)| ((*name).to_owned(), (*title).to_owned()));
    let all = check.chain(steps(&resync));
    let nodes: Vec<&NodeFacts> = resync.nodes.iter().filter_map(|n| view.node(&n.id)).collect();
    let data = view.primary().and_then(NodeFacts::worker).and_then(|w| w.engine.data_bytes);
    let copied: Vec<&&NodeFacts> =
        nodes.iter().filter(|facts| resync.copy || !is_copy(view, facts)).collect();
    let waits = resync.copy && nodes.iter().any(|facts| refuse_waiting(view, facts).is_some());
    let copy_ms = COPY_MS_MIN + data.unwrap_or(0).saturating_mul(1_000) / COPY_RATE;
    Plan {
        kind: OperationKind::Resync,
        summary: summary(view, &resync, waits),
        steps: all.map(|(name, title)| PlannedStep { name, title }).collect(),
        write_pause_ms: if waits { copy_ms } else { 0 },
        pauses: None,
        bytes_copied: data.unwrap_or(0).saturating_mul(copied.len() as u64),
        redundancy_min: resync.redundancy_min,
        erases: if resync.copy {
            nodes.iter().map(|f| erased(view, f)).collect()
        } else {
            Vec::new()
        },
        changes: Vec::new(),
        restarts: Vec::new(),
        refusals: refusal.into_iter().collect(),
    }
}

fn summary(view: &View, resync: &Resync, waits: bool) -> String {
    let cluster = &view.cluster.spec.name;
    let primary = view.primary().map_or("the primary", |facts| facts.node.name.as_str());
    let names: Vec<_> = resync.nodes.iter().map(|node| node.name.as_str()).collect();
    let names = names.join(", then to ");
    let what = if resync.copy {
        format!("Copies all data of {cluster} anew from {primary} to {names}")
    } else {
        format!(
            "Aligns the replicas of {cluster} with {primary} by the least that is right (catch \
             up, rewind, or a full copy), in this order: {}",
            names.replace(", then to ", ", ")
        )
    };
    let waiting = if waits {
        " Writes wait while too few others confirm them."
    } else if resync.copy && resync.redundancy_min == 0 {
        " Meanwhile there is no other copy: should the primary be lost then, nothing takes over."
    } else {
        ""
    };
    format!("{what}. Each is out of votes and endpoints until its new data follows.{waiting}")
}

fn erased(view: &View, facts: &NodeFacts) -> String {
    let name = &facts.node.name;
    let bytes = facts.worker().and_then(|worker| worker.engine.data_bytes);
    let bytes = bytes.map_or(String::new(), |bytes| format!(" ({})", Bytes(bytes)));
    if erases_first(view, facts) {
        format!(
            "{name}: all of its data{bytes}, before the copy begins, for its disk has no room for \
             both"
        )
    } else {
        format!("{name}: all of its data{bytes}, once the new copy follows")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allowed::check_operation;
    use crate::view::tests::{Sketch, sketch};
    use bellwether_model::ReplicationMode;

    fn request(nodes: &[&str], copy: bool) -> NewOperation {
        let nodes = nodes.iter().map(|name| (*name).to_owned()).collect();
        NewOperation { nodes, copy, ..NewOperation::of(OperationKind::Resync, None) }
    }

    fn refusal(sketch: &Sketch, request: &NewOperation) -> String {
        check_operation(&sketch.view(), request).err().unwrap_or_default()
    }

    #[test]
    fn what_cannot_be_resynced_is_refused_with_the_reason() {
        type Row = (&'static str, u32, &'static [&'static str], bool, fn(&mut Sketch));
        let table: &[Row] = &[
            ("", 3, &[], true, |_| {}),
            ("", 3, &["demo-3"], true, |_| {}),
            ("one node only", 1, &[], true, |_| {}),
            ("no node `demo-9`", 3, &["demo-9"], true, |_| {}),
            ("is the primary", 3, &["demo-1"], true, |_| {}),
            ("primary is not healthy", 3, &[], true, |s| s.surrender(1, 1)),
            ("demo-3 is not heard", 3, &[], true, |s| s.silence(3, 9_000)),
            ("", 3, &["demo-2"], true, |s| s.silence(3, 9_000)),
            ("nothing to align", 3, &[], false, |_| {}),
            ("", 3, &[], false, |s| s.stall(3, 60_000)),
            ("not a full member", 3, &[], true, |s| s.node(2).phase = NodePhase::Rejoining),
            ("too small", 3, &[], true, |s| room(s, 3, 1 << 30, 0)),
            ("", 3, &[], true, |s| room(s, 3, 1 << 30, 9 << 30)),
        ];
        for (words, count, nodes, copy, change) in table {
            let mut sketch = sketch(*count);
            change(&mut sketch);
            let refusal = refusal(&sketch, &request(nodes, *copy));
            assert!(refusal.contains(words), "{words}: {refusal}");
            assert_eq!(refusal.is_empty(), words.is_empty(), "{nodes:?}: {refusal}");
        }
    }

    /// A primary of 8 GiB, and so much free and used by that node's own data.
    fn room(sketch: &mut Sketch, ordinal: u32, free: u64, own: u64) {
        sketch.worker(1).engine.data_bytes = Some(8 << 30);
        let worker = sketch.worker(ordinal);
        worker.engine.data_bytes = Some(own);
        (worker.host.disk_size, worker.host.disk_used) = (Some(20 << 30), Some((20 << 30) - free));
    }

    #[test]
    fn writes_wait_only_where_that_was_allowed() {
        let mut sketch = sketch(2);
        sketch.cluster.spec.replication = ReplicationMode::Strict;
        let mut request = request(&[], true);
        assert!(refusal(&sketch, &request).contains("writes would wait"));
        request.allow_waiting = true;
        assert_eq!(refusal(&sketch, &request), "");
        assert!(plan(&sketch.view(), &request).write_pause_ms > 0);
    }

    #[test]
    fn a_plan_says_what_goes_where_and_how_many_copies_stay() {
        let mut sketch = sketch(3);
        room(&mut sketch, 3, 2 << 30, 9 << 30);
        let made = plan(&sketch.view(), &request(&[], true));
        assert_eq!((made.bytes_copied, made.redundancy_min), (16 << 30, 1));
        assert!(made.erases[0].starts_with("demo-2") && made.erases[0].contains("once the new"));
        assert!(made.erases[1].starts_with("demo-3") && made.erases[1].contains("before the copy"));
        assert_eq!(made.steps.len(), 11);
        assert_eq!(made.steps[6].name, "withdraw/demo-3");
        let one = plan(&sketch.view(), &request(&["demo-2"], true));
        assert_eq!((one.erases.len(), one.steps.len()), (1, 6));
    }
}
