//! Everything the loops and their steps may touch.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bellwether_contracts::{Failure, OpenRepository, Provider};
use bellwether_model::engine::EngineProfile;
use bellwether_model::{ClusterId, NodeId, Timestamp};
use bellwether_protocol::repository::answer_seconds;
use bellwether_store::Store;
use tokio::sync::Notify;

use crate::authority::Authority;
use crate::background::Background;
use crate::leases::Leases;
use crate::stopwatch::Stopwatch;

/// Handed to every step; the mains and the tests put their own things in.
pub struct World {
    pub store: Store,
    pub providers: BTreeMap<String, Arc<dyn Provider>>,
    pub engines: Vec<EngineProfile>,
    /// Opens repositories of backups.
    pub repositories: OpenRepository,
    pub authority: Authority,
    pub leases: Leases,
    pub background: Background,
    pub stopwatch: Stopwatch,
    /// The port agents dial, on the address of their network's gateway.
    pub agent_port: u16,
    /// Names this start of the server (`lineage`).
    pub epoch: String,
    pub backup_timers: BackupTimers,
    /// Somebody waits for the provider's word on machines that are silent.
    pub(crate) machines_asked: Notify,
    wakers: Mutex<HashMap<ClusterId, Arc<Notify>>>,
    probes: tokio::sync::broadcast::Sender<NodeId>,
}

/// How patient backups are.
#[derive(Clone, Copy, Debug)]
pub struct BackupTimers {
    /// Seconds that a repository may take to answer.
    pub answer_seconds: u32,
    /// Seconds between two looks for log to store.
    pub log_every_seconds: u32,
    /// Before the second attempt; before each later one four times as long as before the last.
    pub retry: Duration,
}

impl Default for BackupTimers {
    fn default() -> Self {
        Self {
            answer_seconds: answer_seconds(),
            log_every_seconds: 60,
            retry: Duration::from_secs(30),
        }
    }
}

impl BackupTimers {
    /// Before the attempt that follows so many.
    pub(crate) fn pause(self, attempts: u32) -> Duration {
        self.retry * 4_u32.saturating_pow(attempts.saturating_sub(1))
    }
}

impl World {
    #[must_use]
    pub fn new(
        store: Store,
        providers: Vec<Arc<dyn Provider>>,
        engines: Vec<EngineProfile>,
        repositories: OpenRepository,
        authority: Authority,
        (epoch, agent_port): (String, u16),
        backup_timers: BackupTimers,
    ) -> Arc<Self> {
        store.know_engines(&engines);
        let providers = providers.into_iter().map(|p| (p.name().to_owned(), p)).collect();
        Arc::new(Self {
            store,
            providers,
            engines,
            repositories,
            authority,
            leases: Leases::default(),
            background: Background::default(),
            stopwatch: Stopwatch::default(),
            agent_port,
            epoch,
            backup_timers,
            machines_asked: Notify::new(),
            wakers: Mutex::default(),
            probes: tokio::sync::broadcast::channel(256).0,
        })
    }

    /// The provider of that name.
    ///
    /// # Errors
    /// A failure a person has to mend: this server was started without it.
    pub fn provider(&self, name: &str) -> Result<Arc<dyn Provider>, Failure> {
        self.providers
            .get(name)
            .cloned()
            .ok_or_else(|| Failure::needs_person(format!("this server has no provider `{name}`")))
    }

    #[must_use]
    pub fn engine(&self, name: &str) -> Option<&EngineProfile> {
        self.engines.iter().find(|profile| profile.name == name)
    }

    /// The wall clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// What wakes the loop of that cluster.
    pub fn waker(&self, cluster: &ClusterId) -> Arc<Notify> {
        let mut wakers = self.wakers.lock().expect("nothing panics while it is held");
        wakers.entry(cluster.clone()).or_default().clone()
    }

    pub(crate) fn forget_waker(&self, cluster: &ClusterId) {
        self.wakers.lock().expect("nothing panics while it is held").remove(cluster);
    }

    /// Asks the agent of that node for a report now.
    pub fn probe(&self, node: &NodeId) {
        // Nobody listens when no agent is connected: there is nobody to ask.
        let _ = self.probes.send(node.clone());
    }

    pub(crate) fn listen_for_probes(&self) -> tokio::sync::broadcast::Receiver<NodeId> {
        self.probes.subscribe()
    }

    /// Runs provider work beside the loop; its result once it has ended.
    pub fn in_background<F>(
        &self,
        cluster: &ClusterId,
        key: &str,
        work: impl FnOnce() -> F,
    ) -> Option<Result<String, Failure>>
    where
        F: Future<Output = Result<String, Failure>> + Send + 'static,
    {
        let waker = self.waker(cluster);
        self.background.run(&format!("{cluster}/{key}"), move || waker.notify_one(), work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_tried_again_ever_later() {
        let timers = BackupTimers { retry: Duration::from_secs(30), ..BackupTimers::default() };
        let pauses = [1, 2, 3].map(|attempts| timers.pause(attempts).as_secs());
        assert_eq!(pauses, [30, 120, 480]);
    }
}
