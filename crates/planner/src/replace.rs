//! A new node in the place of one: when that may be asked for, and whether the data fits on it.

use bellwether_model::cluster::NodeSize;
use bellwether_model::node::{NodePhase, disk_kept_free};
use bellwether_model::shard::NODES_OF_SHARD_MAX;
use bellwether_model::{Bytes, OperationKind};

use crate::allowed::refuse_busy;
use crate::drills;
use crate::election::{self, Verdict};
use crate::view::{NodeFacts, View};
use crate::{members, resize, shards};

/// Why no other node can take the place of this one now.
#[must_use]
pub fn refuse(view: &View, facts: &NodeFacts) -> Option<String> {
    shards::refuse(view, OperationKind::ReplaceNode)
        .or_else(|| refuse_busy(view))
        .or_else(|| refuse_now(view, facts))
}

/// The same for one whose turn has come.
#[must_use]
pub fn refuse_now(view: &View, facts: &NodeFacts) -> Option<String> {
    if view.is_multi_primary() {
        return members::allowed::refuse_now(view, OperationKind::ReplaceNode, Some(facts));
    }
    let name = &facts.node.name;
    if view.cluster.status.unheard.contains(&facts.node.id) {
        return Some(format!(
            "what {name} knows is not known to the server; remove it if it is lost for good"
        ));
    }
    let is_member = matches!(
        facts.node.phase,
        NodePhase::Active | NodePhase::Maintenance | NodePhase::Rejoining
    );
    if !is_member {
        return Some(format!("{name} is not a full member; wait until it is one"));
    }
    if view.cluster.shard.is_some() && view.nodes.len() >= NODES_OF_SHARD_MAX {
        return Some(format!(
            "a shard has {NODES_OF_SHARD_MAX} nodes at most, and none to spare for a replacement"
        ));
    }
    if election::judge(view) != Verdict::Healthy {
        return Some("the primary is not healthy; a new node is copied from it".to_owned());
    }
    let is_primary = view.cluster.status.primary.as_ref() == Some(&facts.node.id);
    // The only node hands over to the new one.
    if is_primary
        && view.nodes.len() > 1
        && let Err(why) = drills::candidate(view)
    {
        return Some(format!("{name} is the primary and nobody can take over: {why}"));
    }
    refuse_disk(view, &view.cluster.spec.size)
}

/// Why the data does not fit on nodes of that size, where their disks would be smaller.
#[must_use]
pub fn refuse_disk(view: &View, size: &NodeSize) -> Option<String> {
    let primary = view.primary()?;
    if !resize::shrinks(&primary.node.size, size) {
        return None;
    }
    let name = &primary.node.name;
    let Some(used) = primary.worker().and_then(|worker| worker.host.disk_used) else {
        return Some(format!("it is not known how much data {name} has; wait until it says so"));
    };
    let needed = disk_needed(used);
    (needed > size.disk).then(|| {
        format!(
            "{name} has {} on its disk, which needs {needed} with room to work; a disk of {} is \
             too small",
            Bytes(used),
            size.disk
        )
    })
}

/// The smallest disk for so much: a tenth more while it is copied, what an engine is kept from
/// using, and what the file system takes for itself.
fn disk_needed(used: u64) -> Bytes {
    let data = used.saturating_add(used / 10);
    // What is kept free depends on the disk's size, a little.
    let disk = |of: u64| data.saturating_add(disk_kept_free(of)).saturating_mul(20) / 19;
    let disk = disk(disk(data));
    Bytes(disk.next_multiple_of(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::{Sketch, node_id, sketch};

    fn reason(sketch: &Sketch, node: u32) -> String {
        let view = sketch.view();
        refuse(&view, view.node(&node_id(node)).expect("a node")).unwrap_or_default()
    }

    #[test]
    fn whoever_is_not_the_last_that_serves_may_be_replaced() {
        let mut three = sketch(3);
        assert_eq!((reason(&three, 1), reason(&three, 2)), (String::new(), String::new()));
        three.silence(3, 600_000);
        assert_eq!(reason(&three, 3), "", "it may be lost for good");
        three.rejoining();
        assert_eq!(reason(&three, 3), "", "also as a former primary");
        three.silence(2, 9_000);
        assert!(reason(&three, 1).contains("nobody can take over"));
        assert_eq!(reason(&sketch(1), 1), "", "the only one hands over to the new one");
        three.node(3).phase = NodePhase::Seeding;
        assert!(reason(&three, 3).contains("not a full member"));
        three.cluster.status.unheard = [three.id(2)].into();
        assert!(reason(&three, 2).contains("remove it"));
        three.surrender(1, 1);
        assert!(reason(&three, 1).contains("not healthy"));
    }

    #[test]
    fn a_smaller_disk_is_refused_with_what_is_needed() {
        let mut sketch = sketch(2);
        let mut size = sketch.cluster.spec.size;
        assert_eq!(refuse_disk(&sketch.view(), &size), None, "nothing shrinks");
        size.disk = Bytes::gib(2);
        assert!(refuse_disk(&sketch.view(), &size).expect("a reason").contains("not known"));
        sketch.worker(1).host.disk_used = Some(1 << 30);
        assert_eq!(refuse_disk(&sketch.view(), &size), None);
        sketch.worker(1).host.disk_used = Some(2 << 30);
        let why = refuse_disk(&sketch.view(), &size).expect("a reason");
        assert!(why.contains("has 2 GiB on its disk, which needs"), "{why}");
        for used in [0, 1 << 20, 3 << 30, 900 << 30] {
            let disk = disk_needed(used).0;
            assert!(used + used / 10 + disk_kept_free(disk) <= disk - disk / 20 + (1 << 20));
        }
    }
}
