//! A node's machine: its clock, what is on its disk, its processes, and how they die.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bellwether_agent_core::sentry::core::{Core, Durable};
use bellwether_agent_core::sentry::duty::Sentry;
use bellwether_agent_core::sentry::hands::Event as SentryEvent;
use bellwether_agent_core::worker::{self, Role, Worker};
use bellwether_model::{ClusterId, NodeId};
use rand::Rng as _;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;
use tracing::Instrument as _;

use crate::driver::SimDriver;
use crate::engine::{Engine, Process};
use crate::hands::{SimHands, SimLink, SimPlace};
use crate::hub::{Event, Hub, State};

/// Whether processes are frozen, and who waits for their thaw.
#[derive(Default)]
pub struct Pause {
    state: Mutex<(bool, Vec<Waker>)>,
}

impl Pause {
    pub fn is_on(&self) -> bool {
        self.state.lock().expect("nothing panics while it is held").0
    }

    pub fn set(&self, is_on: bool) {
        let mut state = self.state.lock().expect("nothing panics while it is held");
        state.0 = is_on;
        if !is_on {
            state.1.drain(..).for_each(Waker::wake);
        }
    }

    /// Waits until it is over.
    pub async fn over(&self) {
        std::future::poll_fn(|context| self.poll(context)).await;
    }

    fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock().expect("nothing panics while it is held");
        if state.0 {
            state.1.push(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

/// A process that stands still while it is frozen, wherever it is.
pub struct Freezable<F> {
    work: Pin<Box<F>>,
    pause: Arc<Pause>,
}

impl<F: Future> Freezable<F> {
    pub fn new(work: F, pause: Arc<Pause>) -> Self {
        Self { work: Box::pin(work), pause }
    }
}

impl<F: Future> Future for Freezable<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match self.pause.poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => self.work.as_mut().poll(context),
        }
    }
}

/// One machine.
pub struct Machine {
    pub id: NodeId,
    pub cluster: ClusterId,
    pub name: String,
    pub up: bool,
    pub deleted: bool,
    /// The provider does not know its state.
    pub unclear: bool,
    pub pause: Arc<Pause>,
    /// Counts lives of the machine.
    pub boot: u64,
    pub booted_at: u64,
    pub clock_base: u64,
    pub clock_rate: f64,
    /// On the disk.
    pub durable: Option<Durable>,
    pub role: Role,
    pub disk_full: bool,
    pub disk_slow_ms: u64,
    /// The disk under the data takes no writes: since then.
    pub disk_hangs: Option<u64>,
    /// The kernel's filter: which sentry made it, and until when the gate is open.
    pub filter: Option<u64>,
    pub gate_until: u64,
    /// The running sentry and worker, 0 for none.
    pub sentry: u64,
    pub sentry_mail: Option<UnboundedSender<SentryEvent>>,
    sentry_task: Option<AbortHandle>,
    pub worker: u64,
    worker_task: Option<AbortHandle>,
    pub session: Option<u64>,
    pub back_off: u64,
    pub joined: bool,
    pub nonce: u64,
    pub engine: Engine,
}

impl Machine {
    pub fn new(id: NodeId, cluster: ClusterId, name: String, clock_rate: f64) -> Self {
        Self {
            id,
            cluster,
            name,
            up: false,
            deleted: false,
            unclear: false,
            pause: Arc::default(),
            boot: 0,
            booted_at: 0,
            clock_base: 0,
            clock_rate,
            durable: None,
            role: Role::default(),
            disk_full: false,
            disk_slow_ms: 0,
            disk_hangs: None,
            filter: None,
            gate_until: 0,
            sentry: 0,
            sentry_mail: None,
            sentry_task: None,
            worker: 0,
            worker_task: None,
            session: None,
            back_off: 100,
            joined: false,
            nonce: 0,
            engine: Engine::default(),
        }
    }

    /// The machine's own clock.
    pub fn clock(&self, now: u64) -> u64 {
        self.clock_base + ((now - self.booted_at) as f64 * self.clock_rate) as u64
    }

    /// Whether the kernel lets clients in.
    pub fn gate_is_open(&self, now: u64) -> bool {
        self.up && self.filter.is_some() && self.gate_until > self.clock(now)
    }

    pub fn is_frozen(&self) -> bool {
        self.pause.is_on()
    }

    /// Whether something on it acts just now.
    pub fn acts(&self) -> bool {
        self.up && !self.is_frozen()
    }

    pub fn mail(&self, event: SentryEvent) {
        if let Some(mail) = &self.sentry_mail {
            let _ = mail.send(event);
        }
    }
}

impl State {
    /// Turns a machine on.
    pub fn boot(&mut self, node: usize) {
        let base = self.rng.random_range(3_000..20_000);
        let rate = self.machines[node].clock_rate;
        let (now, id) = (self.now, self.id());
        let machine = &mut self.machines[node];
        if machine.up || machine.deleted {
            return;
        }
        machine.up = true;
        machine.boot = id;
        (machine.booted_at, machine.clock_base, machine.clock_rate) = (now, base, rate);
        machine.pause.set(false);
        machine.back_off = 100;
        self.note(|s| format!("{} is on", s.name(node)));
        if !self.machines[node].joined {
            let delay = self.rng.random_range(50..300);
            self.after(delay, Event::Join { node });
            return;
        }
        self.start_parts(node);
    }

    pub fn start_parts(&mut self, node: usize) {
        let boot = self.machines[node].boot;
        let delay = self.rng.random_range(20..200);
        self.after(delay, Event::StartSentry { node, boot });
        let delay = self.rng.random_range(20..200);
        self.after(delay, Event::StartWorker { node, boot });
    }

    /// Power is lost: nothing unflushed survives, nobody is told.
    pub fn power_off(&mut self, node: usize) {
        self.note(|s| format!("{} loses its power", s.name(node)));
        self.kill_sentry(node);
        self.kill_worker(node);
        let machine = &mut self.machines[node];
        machine.up = false;
        machine.filter = None;
        machine.gate_until = 0;
        machine.pause.set(false);
        machine.engine.die();
        if let Some(data) = &mut machine.engine.data {
            data.lose_unflushed();
            data.clean = false;
        }
        self.drop_streams(node, false);
        self.drop_session(node, false);
    }

    /// The machine is stopped and the kernel ends what it had open.
    pub fn kill_engine(&mut self, node: usize) {
        let was_up = self.machines[node].engine.process != Process::Down;
        if was_up {
            self.note(|s| format!("{}: the engine is killed", s.name(node)));
            let full = self.machines[node].disk_full;
            let engine = &mut self.machines[node].engine;
            engine.die();
            if let Some(data) = &mut engine.data {
                data.clean = false;
                // The page cache survives the process, and is written in time.
                if full {
                    data.lose_unflushed();
                } else {
                    data.flushed = data.log.len();
                }
            }
            self.drop_streams(node, true);
        }
    }

    pub fn kill_sentry(&mut self, node: usize) {
        // What was being saved may have reached the disk.
        let machine = &mut self.machines[node];
        if let Some(task) = machine.sentry_task.take() {
            task.abort();
        }
        machine.sentry = 0;
        machine.sentry_mail = None;
        let up = machine.up;
        self.drop_session(node, up);
    }

    pub fn kill_worker(&mut self, node: usize) {
        let machine = &mut self.machines[node];
        if let Some(task) = machine.worker_task.take() {
            task.abort();
        }
        machine.worker = 0;
    }
}

impl Hub {
    pub fn start_sentry(&self, node: usize) {
        let mut state = self.lock();
        if !state.machines[node].up || state.machines[node].sentry != 0 {
            return;
        }
        let life = state.id();
        let wall = state.now.cast_signed() * 1_000 + 1_000_000_000;
        let (mail, inbox) = tokio::sync::mpsc::unbounded_channel();
        let machine = &mut state.machines[node];
        machine.sentry = life;
        machine.sentry_mail = Some(mail);
        machine.nonce = wall.unsigned_abs().max(machine.nonce);
        let durable = machine.durable.clone().unwrap_or_default();
        let (cluster, id, pause) =
            (machine.cluster.clone(), machine.id.clone(), machine.pause.clone());
        let span = tracing::info_span!("sentry", node = %machine.name);
        let hub = self.clone();
        let work = async move {
            let hands = SimHands::new(hub.clone(), node, life, inbox);
            let now = hub.lock().clock(node);
            let core = Core::new(cluster.clone(), id.clone(), durable, now);
            let _ = Sentry::new(cluster, id, format!("{life:016x}"), core, hands).run().await;
        };
        let task = tokio::spawn(Freezable::new(work.instrument(span), pause));
        state.machines[node].sentry_task = Some(task.abort_handle());
        let delay = state.rng.random_range(1..50);
        state.after(delay, Event::Dial { node, sentry: life });
        state.note(|s| format!("{}: the sentry starts", s.name(node)));
    }

    pub fn start_worker(&self, node: usize) {
        let mut state = self.lock();
        if !state.machines[node].up || state.machines[node].worker != 0 {
            return;
        }
        let life = state.id();
        let machine = &mut state.machines[node];
        machine.worker = life;
        let pause = machine.pause.clone();
        let span = tracing::info_span!("worker", node = %machine.name);
        let hub = self.clone();
        let work = async move {
            let driver = Arc::new(SimDriver::new(hub.clone(), node, life));
            let place = Box::new(SimPlace::new(hub.clone(), node));
            let factory = Box::new(move |_: &_| Some(driver.clone() as Arc<_>));
            let mut worker = Worker::new(factory, bellwether_backups::opener(), place)
                .expect("the role can be read");
            loop {
                if let Some(link) = SimLink::open(&hub, node) {
                    let _ = worker::serve(&mut worker, link).await;
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        let task = tokio::spawn(Freezable::new(work.instrument(span), pause));
        state.machines[node].worker_task = Some(task.abort_handle());
        state.note(|s| format!("{}: the worker starts", s.name(node)));
    }
}

impl State {
    /// A node's own clock now.
    pub fn clock(&self, node: usize) -> u64 {
        self.machines[node].clock(self.now)
    }
}
