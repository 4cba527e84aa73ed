//! A model of one node's PostgreSQL: its data with timelines, what is flushed, whom it follows, who
//! must confirm a commit.
//!
//! It is as treacherous as the real one: who is of the same timeline is believed to have the same
//! history; after a start the position climbs as the log is replayed; after a rewind nothing is
//! answered before the log of the upstream has come.

use std::collections::BTreeSet;
use std::sync::Arc;

use bellwether_model::Parameters;
use bellwether_model::replication::Position;
use tokio::sync::Notify;

/// One record of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Counts all records of all nodes: two logs agree as far as these do.
    pub uid: u64,
    /// Where it ends.
    pub end: u64,
    pub timeline: u64,
}

/// A data directory.
#[derive(Clone, Debug)]
pub struct Data {
    /// `standby.signal` is there: it starts in recovery.
    pub signal: bool,
    pub log: Vec<Record>,
    /// So many records survive a loss of power.
    pub flushed: usize,
    /// Timelines and where each began.
    pub history: Vec<(u64, u64)>,
    /// The highest timeline whose history file is here.
    pub timeline_known: u64,
    /// Last stopped in an orderly way.
    pub clean: bool,
    /// After a rewind it is not consistent before this.
    pub consistent_at: u64,
    /// The token of the order it was copied under.
    pub copied: Option<String>,
}

impl Data {
    pub fn end(&self) -> u64 {
        self.log.last().map_or(0, |record| record.end)
    }

    pub fn flushed_end(&self) -> u64 {
        self.flushed.checked_sub(1).map_or(0, |last| self.log[last].end)
    }

    pub fn timeline(&self) -> u64 {
        self.log.last().map_or(1, |record| record.timeline)
    }

    /// Where the log ends as far as it is flushed.
    pub fn position(&self) -> Position {
        let last = self.flushed.checked_sub(1).map(|last| self.log[last]);
        last.map_or(Position::default(), |r| Position { timeline: r.timeline, offset: r.end })
    }

    /// Records up to that place of the log.
    pub fn count_to(&self, offset: u64) -> usize {
        self.log.partition_point(|record| record.end <= offset)
    }

    pub fn holds(&self, record: &Record) -> bool {
        let at = self.log.partition_point(|other| other.end < record.end);
        self.log.get(at).is_some_and(|other| other.uid == record.uid)
    }

    /// Where that timeline ends in this history; none when it is not part of it.
    pub fn end_of_timeline(&self, timeline: u64) -> Option<u64> {
        let at = self.history.iter().position(|(t, _)| *t == timeline)?;
        Some(self.history.get(at + 1).map_or(u64::MAX, |(_, begin)| *begin))
    }

    /// Whether the power was lost: what was not flushed is gone.
    pub fn lose_unflushed(&mut self) {
        self.log.truncate(self.flushed);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    Down,
    Starting,
    Up,
}

/// Who has to confirm a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sync {
    pub acks: usize,
    pub names: BTreeSet<usize>,
}

/// A commit that waits.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    pub index: usize,
    pub client: usize,
    pub request: u64,
}

pub struct Engine {
    pub process: Process,
    /// Lives and does nothing.
    pub hung: bool,
    /// Counts lives of the process.
    pub life: u64,
    pub in_recovery: bool,
    pub data: Option<Data>,
    /// A copy that was never completed.
    pub partial: bool,
    /// What a copy under an order replaced.
    pub former: Option<Data>,
    /// Configured, in the file.
    pub upstream: Option<usize>,
    /// The term under which it was told to follow.
    pub upstream_term: u64,
    pub sync_file: Sync,
    /// In force.
    pub sync: Sync,
    /// Chosen settings: in the file, with their version, and in force.
    pub settings_file: (u64, Parameters),
    pub settings: Parameters,
    /// The stream it receives from.
    pub receiver: Option<u64>,
    /// Something was received since the start, so that the end of the log is known.
    pub has_received: bool,
    /// Replay after the start: from where, since when, for how long.
    pub replay: (u64, u64, u64),
    pub pending: Vec<Pending>,
    /// Records below this are seen by readers, acknowledged or not: they were there at the start.
    pub recovered: usize,
    /// Readers were told of so many.
    pub observed: usize,
    pub stopping: bool,
    /// A start takes until then at least.
    pub ready_at: u64,
    /// Appended and being flushed.
    pub is_flushing: bool,
    pub ended: Arc<Notify>,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            process: Process::Down,
            hung: false,
            life: 0,
            in_recovery: false,
            data: None,
            partial: false,
            former: None,
            upstream: None,
            upstream_term: 0,
            sync_file: Sync::default(),
            sync: Sync::default(),
            settings_file: Default::default(),
            settings: Parameters::new(),
            receiver: None,
            has_received: false,
            replay: (0, 0, 0),
            pending: Vec::new(),
            recovered: 0,
            observed: 0,
            stopping: false,
            ready_at: 0,
            is_flushing: false,
            ended: Arc::default(),
        }
    }
}

impl Engine {
    pub fn is_up(&self) -> bool {
        self.process == Process::Up && !self.hung
    }

    pub fn is_primary(&self) -> bool {
        self.is_up() && !self.in_recovery
    }

    /// The process is gone.
    pub fn die(&mut self) {
        if self.process != Process::Down {
            self.process = Process::Down;
            self.life += 1;
        }
        self.hung = false;
        self.stopping = false;
        self.is_flushing = false;
        self.receiver = None;
        self.has_received = false;
        self.pending.clear();
        self.ended.notify_waiters();
    }

    /// A new process; in recovery when the data says so.
    pub fn start(&mut self) {
        self.life += 1;
        self.process = Process::Starting;
        self.hung = false;
        self.stopping = false;
        self.is_flushing = false;
        self.has_received = false;
        self.sync = self.sync_file.clone();
        self.settings = self.settings_file.1.clone();
        self.in_recovery = self.data.as_ref().is_some_and(|data| data.signal);
    }

    /// Whether that is where the log ends.
    pub fn is_end_known(&self, now: u64) -> bool {
        let (_, since, for_ms) = self.replay;
        !self.in_recovery || self.has_received || now >= since + for_ms
    }

    /// What the node would say of its own position.
    pub fn position(&self, now: u64) -> Option<Position> {
        let data = self.data.as_ref()?;
        if !self.in_recovery || self.has_received {
            return Some(data.position());
        }
        let (from, since, for_ms) = self.replay;
        let whole = data.position();
        if now >= since + for_ms || whole.offset <= from {
            return Some(whole);
        }
        let part = (whole.offset - from) * (now - since) / for_ms.max(1);
        let at = data.count_to(from + part).max(1);
        let record = data.log[at - 1];
        Some(Position { timeline: record.timeline, offset: record.end })
    }
}
