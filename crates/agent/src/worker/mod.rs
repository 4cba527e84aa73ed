//! The worker: looks at the engine, takes one step towards what is assigned, and reports.
//!
//! Steps run beside the loop, which goes on looking and reporting; one step runs at a time.

mod clients;
mod converge;
mod pulse;
mod role;
mod settings;
mod state;
mod step;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bellwether_contracts::{Driver, OpenRepository};
use bellwether_protocol::Assignment;
use bellwether_protocol::local::{FromSentry, Orders, ToSentry};
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::lines;

pub use role::{Place, Role};
pub use state::Worker;

/// Finds the driver of the assigned engine.
pub type DriverFactory = Box<dyn Fn(&Assignment) -> Option<Arc<dyn Driver>> + Send>;

/// Between two looks at the engine.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The same while writes wait for what is seen next.
const LOOK_EVERY_AWAITED: Duration = Duration::from_millis(10);

/// In which the sentry hears that the role was given up, and in which it passes that on.
const LAST_WORDS_MAX: Duration = Duration::from_secs(2);
const PASSED_ON: Duration = Duration::from_millis(300);

/// Runs until told to stop; the engine is then stopped in an orderly way.
///
/// # Errors
/// When the worker's own files are damaged.
pub async fn run(
    drivers: DriverFactory,
    repositories: OpenRepository,
    socket: &Path,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let place = Box::new(role::Host::default());
    let mut worker =
        Worker::new(drivers, repositories, place).context("read the worker's state")?;
    loop {
        tokio::select! {
            result = connect_and_serve(&mut worker, socket) => {
                if let Err(error) = result {
                    info!("the sentry: {error:#}");
                }
                // The engine goes on; the sentry is back in a moment.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            _ = terminate.recv() => break,
        }
    }
    if worker.stop_for_shutdown().await {
        let said = tokio::time::timeout(LAST_WORDS_MAX, say_last(&mut worker, socket)).await;
        if !matches!(said, Ok(Ok(()))) {
            info!("the sentry does not hear that the role was given up");
        }
    }
    Ok(())
}

/// Tells the sentry that the role was given up and stays until that is passed on: it ends next.
async fn say_last(worker: &mut Worker, socket: &Path) -> anyhow::Result<()> {
    let mut link = UnixStream::connect(socket).await?;
    lines::send(&mut link, &ToSentry::IamWorker).await?;
    if let Some(report) = worker.report() {
        lines::send(&mut link, &ToSentry::Worker(Box::new(report))).await?;
    }
    worker.save_role();
    tokio::time::sleep(PASSED_ON).await;
    Ok(())
}

async fn connect_and_serve(worker: &mut Worker, socket: &Path) -> anyhow::Result<()> {
    let (read, write) = UnixStream::connect(socket).await?.into_split();
    let link = Socket { read: BufReader::new(read), write, line: Vec::new() };
    serve(worker, link).await
}

/// The way to the sentry.
pub trait Link: Send {
    /// What it says next; may be given up and called again.
    fn receive(&mut self) -> impl Future<Output = anyhow::Result<FromSentry>> + Send;

    fn send(&mut self, message: ToSentry) -> impl Future<Output = anyhow::Result<()>> + Send;
}

struct Socket {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    line: Vec<u8>,
}

impl Link for Socket {
    async fn receive(&mut self) -> anyhow::Result<FromSentry> {
        lines::receive(&mut self.read, &mut self.line).await?.context("it has ended")
    }

    async fn send(&mut self, message: ToSentry) -> anyhow::Result<()> {
        Ok(lines::send(&mut self.write, &message).await?)
    }
}

/// Looks, acts and reports until the sentry is gone.
///
/// # Errors
/// When the link to the sentry breaks.
pub async fn serve(worker: &mut Worker, mut link: impl Link) -> anyhow::Result<()> {
    link.send(ToSentry::IamWorker).await?;
    loop {
        let pause = if worker.is_awaited() { LOOK_EVERY_AWAITED } else { LOOK_EVERY };
        let (waker, engine_end) = (worker.waker(), worker.engine_end());
        tokio::select! {
            biased;
            message = link.receive() => match message? {
                FromSentry::Orders(orders) => take(worker, *orders).await,
                FromSentry::Routes(_) | FromSentry::Status { .. } => {}
            },
            () = waker.notified() => tokio::task::yield_now().await,
            () = engine_end => {}
            () = tokio::time::sleep(pause) => {}
        }
        // Steps that take no time follow each other at once.
        let began = Instant::now();
        while worker.look_and_act().await && began.elapsed() < Duration::from_secs(1) {}
        if let Some(report) = worker.report() {
            link.send(ToSentry::Worker(Box::new(report))).await?;
        }
        worker.save_role();
    }
}

async fn take(worker: &mut Worker, orders: Orders) {
    if let Err(error) = worker.take(orders).await {
        warn!("the orders cannot be followed: {error:#}");
    }
}
