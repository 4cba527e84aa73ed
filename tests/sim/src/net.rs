//! The network: delay, loss, duplication, cuts in one direction or both; ordered ways that behave
//! like TCP, and datagrams.

use std::collections::{BTreeMap, VecDeque};

use rand::Rng as _;
use rand::rngs::StdRng;

/// Who is on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    Server,
    Node(usize),
    /// A client that is near no node.
    Outside,
}

/// How the network is just now.
#[derive(Default)]
pub struct Net {
    /// Directions that nothing passes, and how many faults cut each.
    cuts: BTreeMap<(Host, Host), u32>,
    /// Milliseconds of delay beyond the usual, at most.
    pub slow_ms: u64,
    /// The share of packets that is lost, sent twice.
    pub loss: f64,
    pub duplication: f64,
}

impl Net {
    pub fn cut(&mut self, from: Host, to: Host) {
        *self.cuts.entry((from, to)).or_default() += 1;
    }

    pub fn heal(&mut self, from: Host, to: Host) {
        if let Some(count) = self.cuts.get_mut(&(from, to)) {
            *count -= 1;
            if *count == 0 {
                self.cuts.remove(&(from, to));
            }
        }
    }

    pub fn heal_all(&mut self) {
        *self = Self::default();
    }

    pub fn passes(&self, from: Host, to: Host) -> bool {
        from == to || !self.cuts.contains_key(&(from, to))
    }

    /// Whether nothing keeps anybody from anybody.
    pub fn is_calm(&self) -> bool {
        self.cuts.is_empty() && self.slow_ms == 0 && self.loss == 0.0
    }

    pub fn passes_both(&self, a: Host, b: Host) -> bool {
        self.passes(a, b) && self.passes(b, a)
    }

    /// Milliseconds that one packet takes.
    pub fn delay(&self, rng: &mut StdRng, from: Host, to: Host) -> u64 {
        if from == to {
            return 0;
        }
        let usual = if rng.random_bool(0.9) { 0 } else { rng.random_range(1..4) };
        let slow = if self.slow_ms > 0 { rng.random_range(0..=self.slow_ms) } else { 0 };
        usual + slow
    }

    /// The same where what is lost is sent again.
    pub fn delay_ordered(&self, rng: &mut StdRng, from: Host, to: Host) -> u64 {
        let mut delay = self.delay(rng, from, to);
        let mut again = 200;
        while from != to && self.loss > 0.0 && rng.random_bool(self.loss) && again < 3_000 {
            delay += again;
            again *= 2;
        }
        delay
    }

    pub fn is_lost(&self, rng: &mut StdRng) -> bool {
        self.loss > 0.0 && rng.random_bool(self.loss)
    }

    pub fn is_doubled(&self, rng: &mut StdRng) -> bool {
        self.duplication > 0.0 && rng.random_bool(self.duplication)
    }
}

/// An ordered, reliable way in one direction, as long as both ends live.
pub struct Pipe<P> {
    pub from: Host,
    pub to: Host,
    pub queue: VecDeque<(u64, P)>,
    pub is_pumping: bool,
    /// Since when nothing has come through though something was sent.
    pub stalled_since: Option<u64>,
}

impl<P> Pipe<P> {
    pub fn new(from: Host, to: Host) -> Self {
        Self { from, to, queue: VecDeque::new(), is_pumping: false, stalled_since: None }
    }
}
