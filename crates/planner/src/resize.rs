//! Another size for the nodes: who gets it next, what that takes, and what stands in the way.

use bellwether_model::cluster::NodeSize;
use bellwether_model::node::NodePhase;
use bellwether_model::operation::NewOperation;
use bellwether_model::plan::Plan;
use bellwether_model::problem::FieldProblem;
use bellwether_model::{Cluster, ClusterSpec, OperationKind};

use crate::plan::plan;
use crate::view::{NodeFacts, View};
use crate::{maintenance, replace};

/// Whether the machine has to be stopped for it: some providers make a disk larger while it runs.
#[must_use]
pub fn restarts(cluster: &Cluster, has: &NodeSize, asked: &NodeSize) -> bool {
    let grows = has.disk < asked.disk && !cluster.disks_grow_in_use;
    !shrinks(has, asked) && ((has.cpus, has.memory) != (asked.cpus, asked.memory) || grows)
}

/// Whether the disk gets smaller, for which a new node has to take the place of this one.
#[must_use]
pub fn shrinks(has: &NodeSize, asked: &NodeSize) -> bool {
    has.disk > asked.disk
}

/// What gives a node its size.
#[must_use]
pub fn how(has: &NodeSize, asked: &NodeSize) -> OperationKind {
    match shrinks(has, asked) {
        true => OperationKind::ReplaceNode,
        false => OperationKind::Resize,
    }
}

/// The members that have another size than asked for, in their order: replicas first.
fn waiting<'a>(view: &'a View, asked: &NodeSize) -> Vec<&'a NodeFacts> {
    let is_member =
        |facts: &&NodeFacts| matches!(facts.node.phase, NodePhase::Active | NodePhase::Maintenance);
    let members = view.nodes.iter().filter(is_member);
    let mut all: Vec<_> = members.filter(|facts| facts.node.size != *asked).collect();
    all.sort_by_key(|facts| view.cluster.status.primary.as_ref() == Some(&facts.node.id));
    all
}

/// The next node to change, and why it is not changed now.
#[must_use]
pub fn next(view: &View) -> Option<(&NodeFacts, Option<String>)> {
    let cluster = &view.cluster;
    let asked = &cluster.spec.size;
    let facts = waiting(view, asked).into_iter().next()?;
    let name = &facts.node.name;
    let refused = cluster.status.size_refused.as_ref();
    if let Some(refused) = refused.filter(|refused| refused.generation == cluster.generation) {
        let why = format!("{name} has not the size asked for: {}", refused.reason);
        return Some((facts, Some(why)));
    }
    if shrinks(&facts.node.size, asked) {
        return Some((facts, replace::refuse_now(view, facts)));
    }
    if !restarts(cluster, &facts.node.size, asked) {
        return Some((facts, None));
    }
    let refusal =
        maintenance::refuse_now(view, facts, OperationKind::Resize, cluster.size_may_wait);
    Some((facts, refusal))
}

/// What is wrong with a size for nodes that are there.
#[must_use]
pub fn check(view: &View, asked: &NodeSize) -> Option<FieldProblem> {
    let message = replace::refuse_disk(view, asked)?;
    Some(FieldProblem { field: "size.disk".to_owned(), message })
}

/// Why a person has to say first that writes may wait.
#[must_use]
pub fn refuse_without_consent(view: &View, asked: &NodeSize) -> Option<String> {
    let waiting = waiting(view, asked);
    let mut stopped =
        waiting.iter().filter(|facts| restarts(&view.cluster, &facts.node.size, asked));
    stopped.find_map(|facts| maintenance::refuse_without_consent(view, facts))
}

/// The plans of the operations that another size brings about, in their order.
#[must_use]
pub fn plans(view: &View, spec: &ClusterSpec) -> Vec<Plan> {
    let asked = &spec.size;
    let one = |facts: &&NodeFacts| {
        let (name, has) = (&facts.node.name, &facts.node.size);
        let kind = how(has, asked);
        let planned = plan(view, &NewOperation::of(kind, Some(name.clone())));
        if kind == OperationKind::ReplaceNode {
            let summary = format!(
                "Changes {name} from {has} to {asked}: a new node takes its place, and {name} goes."
            );
            return Plan { summary, ..planned };
        }
        let is_stopped = restarts(&view.cluster, has, asked);
        let how = match (is_stopped, planned.write_pause_ms) {
            (false, _) => "its disk grows while it serves",
            (true, 0) => "its machine is started again",
            (true, _) if view.nodes.len() == 1 => {
                "its machine is started again, and everything waits meanwhile"
            }
            (true, _) => "a replica takes over, and its machine is started again",
        };
        let copies = planned.redundancy_min + u32::from(!is_stopped);
        Plan {
            summary: format!("Changes {name} from {has} to {asked}: {how}."),
            write_pause_ms: if is_stopped { planned.write_pause_ms } else { 0 },
            pauses: planned.pauses.filter(|_| is_stopped),
            redundancy_min: copies,
            refusals: Vec::new(),
            ..planned
        }
    };
    waiting(view, asked).iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use bellwether_model::Bytes;
    use bellwether_model::cluster::SizeRefused;

    use super::*;
    use crate::view::tests::{Sketch, sketch};

    fn larger(sketch: &mut Sketch) {
        sketch.cluster.spec.size.memory = Bytes::gib(7);
    }

    #[test]
    fn replicas_go_first_and_the_primary_last() {
        let mut sketch = sketch(3);
        assert!(next(&sketch.view()).is_none());
        larger(&mut sketch);
        let spec = sketch.cluster.spec.clone();
        let names: Vec<_> =
            plans(&sketch.view(), &spec).into_iter().map(|plan| plan.summary).collect();
        assert!(names[0].contains("demo-2") && names[2].contains("demo-1"), "{names:?}");
        assert!(names[2].contains("a replica takes over"), "{names:?}");
        sketch.node(2).size = spec.size;
        let view = sketch.view();
        let (facts, refusal) = next(&view).expect("one");
        assert_eq!((facts.node.name.as_str(), refusal), ("demo-3", None));
    }

    #[test]
    fn a_disk_grows_in_place_and_shrinks_by_new_nodes() {
        let mut sketch = sketch(2);
        sketch.strict();
        sketch.cluster.spec.size.disk = Bytes::gib(500);
        let view = sketch.view();
        assert_eq!(next(&view).expect("one").1, None, "nothing is stopped for it");
        assert_eq!(refuse_without_consent(&view, &view.cluster.spec.size), None);
        assert!(plans(&view, &view.cluster.spec)[0].summary.contains("while it serves"));
        let mut elsewhere = sketch.view();
        elsewhere.cluster.disks_grow_in_use = false;
        assert!(next(&elsewhere).expect("one").1.expect("a reason").contains("would wait"));

        sketch.cluster.spec.size.disk = Bytes::gib(2);
        let asked = sketch.cluster.spec.size;
        assert!(check(&sketch.view(), &asked).expect("refused").message.contains("not known"));
        sketch.worker(1).host.disk_used = Some(1 << 20);
        let view = sketch.view();
        assert_eq!((check(&view, &asked), refuse_without_consent(&view, &asked)), (None, None));
        let (facts, refusal) = next(&view).expect("one");
        assert_eq!((facts.node.name.as_str(), refusal), ("demo-2", None));
        assert_eq!(how(&facts.node.size, &asked), OperationKind::ReplaceNode);
        let plans = plans(&view, &view.cluster.spec);
        assert!(plans[0].summary.contains("takes its place") && plans[0].redundancy_min == 1);
        assert!(plans[0].erases[0].starts_with("demo-2"), "{plans:?}");
    }

    #[test]
    fn writes_wait_only_where_a_person_said_so() {
        let mut sketch = sketch(2);
        sketch.strict();
        larger(&mut sketch);
        let size = sketch.cluster.spec.size;
        assert!(refuse_without_consent(&sketch.view(), &size).is_some());
        assert!(next(&sketch.view()).expect("one").1.expect("a reason").contains("would wait"));
        sketch.cluster.size_may_wait = true;
        assert_eq!(next(&sketch.view()).expect("one").1, None);
        let reason = "no such machine".to_owned();
        let generation = sketch.cluster.generation;
        sketch.cluster.status.size_refused = Some(SizeRefused { generation, reason });
        assert!(next(&sketch.view()).expect("one").1.expect("why").ends_with("no such machine"));
        sketch.cluster.generation += 1;
        assert_eq!(next(&sketch.view()).expect("one").1, None, "it was asked for again");
    }
}
