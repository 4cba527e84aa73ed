//! Who is suspected, on what evidence, and what follows.

use bellwether_model::OperationKind;
use bellwether_model::report::Suspicion;

use crate::election::{self, Verdict};
use crate::view::View;

/// Who is suspected and why, as long as nobody has begun to replace it.
#[must_use]
pub fn suspicion(view: &View) -> Option<Suspicion> {
    use OperationKind::{Failover, Switchover};
    // Whoever is lost of a group of equals is replaced by nobody.
    let primary = view.primary().filter(|_| !view.is_multi_primary())?;
    let is_replaced =
        view.operation.as_ref().is_some_and(|o| [Failover, Switchover].contains(&o.kind));
    if is_replaced || view.is_being_deleted() {
        return None;
    }
    let verdict = election::judge(view);
    // One heartbeat may be lost.
    let is_late = primary.age_ms() > view.timers().heartbeat_ms * 2;
    if verdict == Verdict::Healthy && !is_late {
        return None;
    }
    let name = &primary.node.name;
    let sentence = match verdict {
        Verdict::NoPrimary => return None,
        Verdict::Healthy => {
            format!("{name} is late: a report of it should have come by now")
        }
        Verdict::EngineDead => format!("the agent of {name} says that its engine has died"),
        Verdict::MachineStopped => format!("the provider says that the machine of {name} is off"),
        Verdict::NodeLost => format!(
            "{name} is silent: the server hears nothing of it, the voters hear no lease requests, \
             and the replicas hear nothing of its engine"
        ),
        Verdict::AgentLost => {
            format!("the agent of {name} is silent; its engine still speaks to replicas")
        }
        Verdict::LinkLost => {
            format!("only the server cannot hear {name}; the voters can, so it keeps its role")
        }
        Verdict::Blind => format!(
            "neither {name} nor any voter is heard: the server itself may be cut off, and does \
             nothing"
        ),
    };
    let is_lost = !matches!(verdict, Verdict::Healthy | Verdict::LinkLost | Verdict::Blind);
    Some(Suspicion {
        node: primary.node.id.clone(),
        node_name: name.clone(),
        sentence,
        will_fail_over: is_lost && election::can_elect(view),
        evidence: election::evidence(view, view.now)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::sketch;

    #[test]
    fn whoever_falls_silent_is_suspected_until_somebody_takes_its_place() {
        let mut sketch = sketch(3);
        assert_eq!(suspicion(&sketch.view()), None);
        sketch.silence(1, 1_200);
        let late = suspicion(&sketch.view()).expect("it is late");
        assert!(!late.will_fail_over && late.sentence.contains("is late"), "{late:?}");
        sketch.age_evidence(5_000);
        sketch.silence(1, 4_000);
        let lost = suspicion(&sketch.view()).expect("it is lost");
        assert!(lost.will_fail_over && lost.sentence.contains("is silent"), "{lost:?}");
        let evidence = &lost.evidence;
        assert_eq!((evidence.report_age_ms, evidence.witnesses.len()), (Some(4_000), 2));
        assert!(evidence.witnesses.iter().all(|w| w.lease_request_age_ms >= Some(5_000)));
        let mut view = sketch.view();
        view.operation = Some(sketch.operation(OperationKind::Failover));
        assert_eq!(suspicion(&view), None, "it is being replaced");
    }
}
