//! The worker: looks at the engine, takes one step towards what is assigned, and reports.
//!
//! Steps run beside the loop, which goes on looking and reporting; one step runs at a time.

mod converge;
mod role;
mod state;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bellwether_contracts::Driver;
use bellwether_protocol::Assignment;
use bellwether_protocol::local::{FromSentry, Orders, ToSentry};
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use crate::lines;
use state::Worker;

/// Finds the driver of the assigned engine.
pub type DriverFactory = fn(&Assignment) -> Option<Arc<dyn Driver>>;

/// Between two looks at the engine.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The same while writes wait for what is seen next.
const LOOK_EVERY_AWAITED: Duration = Duration::from_millis(20);

/// Runs until told to stop; the engine is then stopped in an orderly way.
///
/// # Errors
/// When the worker's own files are damaged.
pub async fn run(drivers: DriverFactory, socket: &Path) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut worker = Worker::new(drivers).context("read the worker's state")?;
    loop {
        tokio::select! {
            result = serve(&mut worker, socket) => {
                if let Err(error) = result {
                    info!("the sentry: {error:#}");
                }
                // The engine goes on; the sentry is back in a moment.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            _ = terminate.recv() => break,
        }
    }
    worker.stop_for_shutdown().await;
    Ok(())
}

async fn serve(worker: &mut Worker, socket: &Path) -> anyhow::Result<()> {
    let (read, mut write) = UnixStream::connect(socket).await?.into_split();
    lines::send(&mut write, &ToSentry::IamWorker).await?;
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        let pause = if worker.is_awaited() { LOOK_EVERY_AWAITED } else { LOOK_EVERY };
        let (waker, engine_end) = (worker.waker(), worker.engine_end());
        tokio::select! {
            message = lines::receive::<FromSentry>(&mut read, &mut line) => {
                match message?.context("it has ended")? {
                    FromSentry::Orders(orders) => take(worker, *orders).await,
                    FromSentry::Routes(_) | FromSentry::Status { .. } => {}
                }
            }
            () = waker.notified() => tokio::task::yield_now().await,
            () = engine_end => {}
            () = tokio::time::sleep(pause) => {}
        }
        // Steps that take no time follow each other at once.
        let began = Instant::now();
        while worker.look_and_act().await && began.elapsed() < Duration::from_secs(1) {}
        if let Some(report) = worker.report() {
            lines::send(&mut write, &ToSentry::Worker(Box::new(report))).await?;
        }
    }
}

async fn take(worker: &mut Worker, orders: Orders) {
    if let Err(error) = worker.take(orders).await {
        warn!("the orders cannot be followed: {error:#}");
    }
}
