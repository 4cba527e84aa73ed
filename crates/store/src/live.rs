//! What agents reported last: in memory, never stored. Written by the sessions and by whoever asks
//! providers about machines; read by everybody.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use bellwether_model::{Actual, NodeId};
use bellwether_protocol::Report;
use tokio::sync::broadcast;
use tokio::time::Instant;

/// An agent's last word.
#[derive(Clone)]
pub struct Seen {
    pub at: Instant,
    /// When the session it came over began.
    pub since: Instant,
    /// Whether the session it came over still stands.
    pub connected: bool,
    pub agent_version: String,
    /// Names the run of the sentry that sent it.
    pub incarnation: String,
    pub report: Option<Arc<Report>>,
}

/// What is known of one agent.
struct Known {
    last: Seen,
    /// When it last said that it streams from its upstream.
    streamed_at: Option<Instant>,
}

/// The board.
pub struct Live {
    started: Instant,
    known: RwLock<HashMap<NodeId, Known>>,
    /// Nodes whose machines do not run, and when the provider was asked that said so last.
    stopped: RwLock<HashMap<NodeId, Instant>>,
    changes: broadcast::Sender<NodeId>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            known: RwLock::default(),
            stopped: RwLock::default(),
            changes: broadcast::channel(1024).0,
        }
    }
}

impl Live {
    /// When this server began to listen.
    pub fn started(&self) -> Instant {
        self.started
    }

    pub fn publish(&self, node: &NodeId, seen: Seen) {
        let worker = seen.report.as_ref().and_then(|report| report.worker.as_ref());
        let is_streaming =
            worker.is_some_and(|w| matches!(w.actual, Actual::Replica { streaming: true, .. }));
        let mut known = self.known.write().expect("nothing panics while it is held");
        let streamed_at = match is_streaming {
            true => Some(seen.at),
            false => known.get(node).and_then(|known| known.streamed_at),
        };
        known.insert(node.clone(), Known { last: seen, streamed_at });
        drop(known);
        self.tell(node);
    }

    /// The session has ended; the last report stays, with its age.
    pub fn disconnected(&self, node: &NodeId) {
        if let Some(known) =
            self.known.write().expect("nothing panics while it is held").get_mut(node)
        {
            known.last.connected = false;
        }
        self.tell(node);
    }

    pub fn get(&self, node: &NodeId) -> Option<Seen> {
        let known = self.known.read().expect("nothing panics while it is held");
        known.get(node).map(|known| known.last.clone())
    }

    pub fn streamed_at(&self, node: &NodeId) -> Option<Instant> {
        self.known.read().expect("nothing panics while it is held").get(node)?.streamed_at
    }

    pub fn forget(&self, node: &NodeId) {
        self.known.write().expect("nothing panics while it is held").remove(node);
        self.stopped.write().expect("nothing panics while it is held").remove(node);
        self.tell(node);
    }

    /// The nodes about which something changed, from now on.
    pub fn watch(&self) -> broadcast::Receiver<NodeId> {
        self.changes.subscribe()
    }

    /// The provider's word that the node's machine certainly does not run, with the moment it was
    /// asked; none when it says otherwise, or nothing.
    pub fn set_machine_stopped(&self, node: &NodeId, asked_at: Option<Instant>) {
        let mut stopped = self.stopped.write().expect("nothing panics while it is held");
        let before = match asked_at {
            Some(asked_at) => stopped.insert(node.clone(), asked_at),
            None => stopped.remove(node),
        };
        drop(stopped);
        if before.is_some() != asked_at.is_some() {
            self.tell(node);
        }
    }

    pub fn machine_stopped(&self, node: &NodeId) -> bool {
        self.machine_stopped_at(node).is_some()
    }

    /// A moment after which the machine was certainly off: it may have been started since.
    pub fn machine_stopped_at(&self, node: &NodeId) -> Option<Instant> {
        self.stopped.read().expect("nothing panics while it is held").get(node).copied()
    }

    fn tell(&self, node: &NodeId) {
        // Nobody watches: nobody needs to know.
        let _ = self.changes.send(node.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seen() -> Seen {
        Seen {
            at: Instant::now(),
            since: Instant::now(),
            connected: true,
            agent_version: "1".to_owned(),
            incarnation: "a".to_owned(),
            report: None,
        }
    }

    #[test]
    fn every_report_and_every_end_of_a_session_is_told() {
        let (live, node) = (Live::default(), NodeId::from("n"));
        let mut changes = live.watch();
        live.publish(&node, seen());
        live.disconnected(&node);
        assert!(live.get(&node).is_some_and(|seen| !seen.connected));
        live.forget(&node);
        assert!(live.get(&node).is_none());
        for _ in 0..3 {
            assert_eq!(changes.try_recv(), Ok(node.clone()));
        }
        assert!(changes.try_recv().is_err());
    }

    #[test]
    fn a_stopped_machine_is_told_once() {
        let (live, node) = (Live::default(), NodeId::from("n"));
        let mut changes = live.watch();
        live.set_machine_stopped(&node, None);
        assert!(changes.try_recv().is_err());
        let asked_at = Instant::now();
        live.set_machine_stopped(&node, Some(asked_at));
        live.set_machine_stopped(&node, Some(asked_at + Duration::from_secs(1)));
        assert_eq!(live.machine_stopped_at(&node), Some(asked_at + Duration::from_secs(1)));
        assert!(changes.try_recv().is_ok());
        assert!(changes.try_recv().is_err());
        live.set_machine_stopped(&node, None);
        assert!(!live.machine_stopped(&node));
        assert!(changes.try_recv().is_ok());
    }
}
