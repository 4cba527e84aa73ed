//! The first process of a node: joins, then keeps sentry, worker and endpoint alive. Orphans (an
//! engine whose worker died) go to the container's or the system's own first process and live on.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use crate::join;
use crate::paths::Paths;

/// In the order in which they are started.
const PARTS: [&str; 3] = ["sentry", "worker", "endpoint"];

/// Before a part that ended is started again: at first, and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// A part that ran so long is not in a loop of crashes.
const STABLE: Duration = Duration::from_secs(10);

/// The worker stops the engine in this time, or is killed.
const STOP_MAX: Duration = Duration::from_secs(15);

/// Runs until told to stop.
///
/// # Errors
/// When the parts cannot be started at all.
pub async fn run(paths: &Paths) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        () = join::until_joined(paths) => {}
        _ = terminate.recv() => return Ok(()),
    }
    let mut parts = PARTS.map(Part::new);
    loop {
        for part in &mut parts {
            part.start_if_due()?;
        }
        let [sentry, worker, endpoint] = &mut parts;
        tokio::select! {
            status = sentry.wait() => sentry.ended(status),
            status = worker.wait() => worker.ended(status),
            status = endpoint.wait() => endpoint.ended(status),
            _ = terminate.recv() => break,
        }
    }
    info!("stopping: the engine first");
    stop(&mut parts).await;
    Ok(())
}

/// Worker first, so that the engine ends in an orderly way while the sentry can still say so.
async fn stop(parts: &mut [Part; 3]) {
    for name in ["worker", "endpoint", "sentry"] {
        let Some(part) = parts.iter_mut().find(|part| part.name == name) else { continue };
        part.signal();
        let limit = if name == "worker" { STOP_MAX } else { Duration::from_secs(1) };
        if tokio::time::timeout(limit, part.wait()).await.is_err() {
            warn!("{name} did not stop in time");
        }
        part.child = None;
    }
}

struct Part {
    name: &'static str,
    child: Option<Child>,
    started: Instant,
    back_off: Duration,
    due: Instant,
}

impl Part {
    fn new(name: &'static str) -> Self {
        let now = Instant::now();
        Self { name, child: None, started: now, back_off: BACK_OFF.0, due: now }
    }

    fn start_if_due(&mut self) -> anyhow::Result<()> {
        if self.child.is_some() || Instant::now() < self.due {
            return Ok(());
        }
        let child = Command::new("/proc/self/exe")
            .arg(self.name)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", self.name))?;
        self.child = Some(child);
        self.started = Instant::now();
        Ok(())
    }

    /// Waits for the end of the part; for its next start when it does not run.
    async fn wait(&mut self) -> Option<ExitStatus> {
        match &mut self.child {
            Some(child) => child.wait().await.ok(),
            None => {
                tokio::time::sleep_until(self.due.into()).await;
                None
            }
        }
    }

    fn ended(&mut self, status: Option<ExitStatus>) {
        if self.child.take().is_none() {
            return;
        }
        if self.started.elapsed() > STABLE {
            self.back_off = BACK_OFF.0;
        }
        warn!("{} has ended ({status:?}), starting it again", self.name);
        self.due = Instant::now() + self.back_off;
        self.back_off = (self.back_off * 2).min(BACK_OFF.1);
    }

    fn signal(&self) {
        let pid = self.child.as_ref().and_then(Child::id);
        if let Some(pid) = pid.and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}
