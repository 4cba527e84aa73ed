//! Everything that is simulated, behind one lock: time, chance, the queue of what happens next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use bellwether_agent_core::sentry::core::Durable;
use bellwether_model::NodeId;
use bellwether_protocol::peer::PeerBody;
use bellwether_protocol::{FromAgent, FromServer};
use bellwether_store::Store;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::check::Check;
use crate::clients::Client;
use crate::engine::Record;
use crate::faults::Fault;
use crate::machine::Machine;
use crate::net::{Host, Net, Pipe};
use crate::streams::Stream;
use crate::trace::Trace;

/// What travels over ordered ways.
#[derive(Clone, Debug)]
pub enum Payload {
    ToServer(FromAgent),
    ToAgent(FromServer),
    /// The session's other end has closed.
    Hangup,
    Log {
        after: Option<u64>,
        records: Vec<Record>,
    },
    /// A follower's flushed end.
    Flushed(u64),
    KeepAlive,
}

/// What a way belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    SessionUp(u64),
    SessionDown(u64),
    StreamDown(u64),
    StreamUp(u64),
}

/// What happens next.
#[derive(Clone, Debug)]
pub enum Event {
    Pump(u64),
    Datagram { to: usize, boot: u64, from: NodeId, body: PeerBody },
    Dial { node: usize, sentry: u64 },
    Dialled { node: usize, sentry: u64 },
    Saved { node: usize, sentry: u64, durable: Box<Durable> },
    StartSentry { node: usize, boot: u64 },
    StartWorker { node: usize, boot: u64 },
    Boot { node: usize },
    Join { node: usize },
    EngineTick { node: usize, life: u64 },
    OpenStream { node: usize, life: u64 },
    FlushedTo { node: usize, life: u64, count: usize },
    Write { client: usize, request: u64, node: usize },
    Read { client: usize, request: u64, node: usize },
    Answer { client: usize, request: u64, node: usize, uid: Option<u64> },
    GiveUp { client: usize, request: u64 },
    Go { client: usize },
    Draw(u32),
    Begin(Box<Fault>),
    End(Box<Fault>),
    StartServer,
    Ask,
    Look,
}

struct Queued {
    at: u64,
    order: u64,
    event: Event,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Queued {}
impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// The simulated world.
pub struct State {
    /// Milliseconds since the beginning.
    pub now: u64,
    pub rng: StdRng,
    queue: BinaryHeap<Reverse<Queued>>,
    order: u64,
    /// Until when the main loop sleeps.
    sleeps_until: u64,
    pub net: Net,
    pub machines: Vec<Machine>,
    pub pipes: BTreeMap<u64, (Owner, Pipe<Payload>)>,
    pub streams: BTreeMap<u64, Stream>,
    pub sessions: BTreeMap<u64, crate::sessions::Session>,
    pub clients: Vec<Client>,
    pub check: Check,
    pub trace: Trace,
    pub next_id: u64,
    /// The server: its life, whether it runs, whether it is frozen.
    pub server_life: u64,
    pub server_up: bool,
    /// Nothing else goes wrong until then.
    pub spared_until: u64,
    pub server_pause: Arc<crate::machine::Pause>,
    /// Milliseconds the server's wall clock is off.
    pub wall_offset: i64,
    /// Milliseconds the server's disk takes.
    pub server_disk_ms: u64,
    pub provider_fails: bool,
    /// Until then whoever takes over may be struck.
    pub ambushes_until: u64,
    pub networks: u32,
    /// The store of the server, also while it is down.
    pub store: Option<Store>,
    changed: Arc<Notify>,
}

/// A handle of the world.
#[derive(Clone)]
pub struct Hub {
    state: Arc<Mutex<State>>,
    pub changed: Arc<Notify>,
    start: Instant,
}

impl Hub {
    pub fn new(seed: u64, trace: Trace) -> Self {
        let changed = Arc::new(Notify::new());
        let state = State {
            now: 0,
            rng: StdRng::seed_from_u64(seed),
            queue: BinaryHeap::new(),
            order: 0,
            sleeps_until: 0,
            net: Net::default(),
            machines: Vec::new(),
            pipes: BTreeMap::new(),
            streams: BTreeMap::new(),
            sessions: BTreeMap::new(),
            clients: Vec::new(),
            check: Check::default(),
            trace,
            next_id: 0,
            server_life: 0,
            server_up: false,
            spared_until: 0,
            server_pause: Arc::default(),
            wall_offset: 0,
            server_disk_ms: 0,
            provider_fails: false,
            ambushes_until: 0,
            networks: 0,
            store: None,
            changed: changed.clone(),
        };
        Self { state: Arc::new(Mutex::new(state)), changed, start: Instant::now() }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().expect("nothing panics while it is held");
        state.now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        state
    }

    /// Tells whether anybody still holds the world.
    pub fn weak(&self) -> Weak<Mutex<State>> {
        Arc::downgrade(&self.state)
    }

    /// The moment of that many milliseconds.
    pub fn moment(&self, at: u64) -> Instant {
        self.start + Duration::from_millis(at)
    }

    pub fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl State {
    /// Lets that happen after so many milliseconds.
    pub fn after(&mut self, delay: u64, event: Event) {
        let at = self.now + delay;
        self.order += 1;
        self.queue.push(Reverse(Queued { at, order: self.order, event }));
        if at < self.sleeps_until {
            self.sleeps_until = at;
            self.changed.notify_one();
        }
    }

    /// What is due now.
    pub fn due(&mut self) -> Option<Event> {
        if self.queue.peek().is_some_and(|Reverse(next)| next.at <= self.now) {
            return self.queue.pop().map(|Reverse(next)| next.event);
        }
        None
    }

    /// What was still to go wrong does not.
    pub fn drop_faults(&mut self) {
        self.queue.retain(|Reverse(next)| {
            !matches!(next.event, Event::Draw(_) | Event::Begin(_) | Event::End(_) | Event::Ask)
        });
    }

    /// When something is due next; the main loop sleeps until then.
    pub fn sleep(&mut self) -> u64 {
        let next = self.queue.peek().map_or(u64::MAX, |Reverse(next)| next.at);
        self.sleeps_until = next;
        next
    }

    pub fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Writes a line of the trace, made only when somebody reads it.
    pub fn note(&mut self, words: impl FnOnce(&Self) -> String) {
        if self.trace.prints {
            let words = self.named(words(self));
            self.trace.line(self.now, &words);
        }
    }

    /// With names in the place of identifiers, which differ from run to run.
    fn named(&self, mut words: String) -> String {
        for machine in &self.machines {
            if words.contains(machine.id.as_str()) {
                words = words.replace(&format!("NodeId(\"{}\")", machine.id), &machine.name);
                words = words.replace(machine.id.as_str(), &machine.name);
            }
        }
        words
    }

    pub fn violated(&mut self, words: String) {
        let words = self.named(words);
        if self.check.violation.is_none() {
            self.note(|_| format!("VIOLATION: {words}"));
            self.check.violation = Some(words);
            self.sleeps_until = self.now;
            self.changed.notify_one();
        }
    }

    pub fn node_of(&self, id: &NodeId) -> Option<usize> {
        self.machines.iter().position(|machine| machine.id == *id)
    }

    pub fn name(&self, node: usize) -> String {
        self.machines[node].name.clone()
    }

    /// Opens an ordered way.
    pub fn open(&mut self, owner: Owner, from: Host, to: Host) -> u64 {
        let id = self.id();
        self.pipes.insert(id, (owner, Pipe::new(from, to)));
        id
    }

    /// Sends over an ordered way.
    pub fn send(&mut self, pipe: u64, payload: Payload) {
        let Some((_, way)) = self.pipes.get_mut(&pipe) else { return };
        let delay = self.net.delay_ordered(&mut self.rng, way.from, way.to);
        way.queue.push_back((self.now + delay, payload));
        if !way.is_pumping {
            way.is_pumping = true;
            self.after(delay, Event::Pump(pipe));
        }
    }
}
