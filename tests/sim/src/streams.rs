//! Replication: followers stream the log, flush it and say so; commits wait for who must confirm.

use rand::Rng as _;

use crate::engine::{Pending, Process, Record};
use crate::hub::{Event, Owner, Payload, State};
use crate::net::Host;

/// Either end gives up after so long without a word.
const SILENCE_MS: u64 = 3_000;

/// Between two attempts to connect, and two words.
const TICK_MS: u64 = 500;

/// One replication connection.
pub struct Stream {
    pub up: usize,
    pub down: usize,
    up_life: u64,
    down_life: u64,
    pub up_open: bool,
    pub down_open: bool,
    to_down: u64,
    to_up: u64,
    /// So many records were sent.
    sent: usize,
    /// The follower has flushed up to here.
    pub flushed: u64,
    up_heard: u64,
    pub down_heard: u64,
    /// The sender of this connection stands still.
    is_stalled: bool,
}

impl State {
    /// Every half second of an engine that runs.
    pub fn engine_tick(&mut self, node: usize, life: u64) {
        let engine = &self.machines[node].engine;
        if engine.life != life || engine.process == Process::Down {
            return;
        }
        self.after(TICK_MS, Event::EngineTick { node, life });
        if !self.machines[node].acts() || self.machines[node].engine.hung {
            return;
        }
        // An orderly stop that was begun goes on, whoever waits for it.
        if self.machines[node].engine.stopping && self.has_shipped_all(node) {
            return self.stop_engine(node);
        }
        self.engine_answers(node);
        self.tick_receiver(node);
        let silent: Vec<u64> = self
            .streams
            .iter()
            .filter(|(_, s)| s.up == node && s.up_open && self.now - s.up_heard > SILENCE_MS)
            .map(|(id, _)| *id)
            .collect();
        for id in silent {
            self.close_up(id, true);
        }
    }

    fn tick_receiver(&mut self, node: usize) {
        let engine = &self.machines[node].engine;
        if !engine.in_recovery {
            return;
        }
        if let Some(id) = engine.receiver {
            let Some(stream) = self.streams.get(&id) else { return };
            if self.now - stream.down_heard > SILENCE_MS {
                return self.close_down(id, true);
            }
            let (to_up, end) = (stream.to_up, self.flushed_end(node));
            return self.send(to_up, Payload::Flushed(end));
        }
        let (life, has_upstream) = (engine.life, engine.upstream.is_some());
        if has_upstream && matches!(engine.process, Process::Up | Process::Starting) {
            let delay = self.rng.random_range(1..20);
            self.after(delay, Event::OpenStream { node, life });
        }
    }

    fn flushed_end(&self, node: usize) -> u64 {
        self.machines[node].engine.data.as_ref().map_or(0, |data| data.flushed_end())
    }

    /// A follower connects.
    pub fn open_stream(&mut self, node: usize, life: u64) {
        let engine = &self.machines[node].engine;
        let Some(up) = engine.upstream else { return };
        let (_, since, replays_for) = engine.replay;
        let is_ready = engine.life == life
            && self.now >= since + replays_for
            && engine.in_recovery
            && engine.receiver.is_none()
            && !engine.hung
            && self.machines[node].acts();
        let (here, there) = (Host::Node(node), Host::Node(up));
        let source = &self.machines[up];
        let is_source = source.acts() && source.engine.is_up() && !source.engine.stopping;
        if !is_ready || !is_source || !self.net.passes_both(here, there) {
            return;
        }
        let (Some(own), Some(theirs)) = (&engine.data, &source.engine.data) else { return };
        let end = own.end();
        let fits = theirs
            .end_of_timeline(own.timeline())
            .is_some_and(|timeline_end| end <= timeline_end && end <= theirs.flushed_end());
        if !fits {
            return;
        }
        let (sent, known) = (theirs.count_to(end), theirs.timeline_known);
        let history = theirs.history.clone();
        let (up_life, id) = (source.engine.life, self.id());
        let to_down = self.open(Owner::StreamDown(id), there, here);
        let to_up = self.open(Owner::StreamUp(id), here, there);
        let now = self.now;
        let stream = Stream {
            up,
            down: node,
            up_life,
            down_life: life,
            up_open: true,
            down_open: true,
            to_down,
            to_up,
            sent,
            flushed: end,
            up_heard: now,
            down_heard: now,
            is_stalled: false,
        };
        self.streams.insert(id, stream);
        let engine = &mut self.machines[node].engine;
        engine.receiver = Some(id);
        if let Some(data) = &mut engine.data {
            data.timeline_known = data.timeline_known.max(known);
            let fork = data.end();
            data.history.truncate(0);
            data.history.extend(history.iter().filter(|(_, begin)| *begin <= fork));
        }
        self.note(|s| format!("{} streams from {}", s.name(node), s.name(up)));
        self.ship(id);
        self.send(to_up, Payload::Flushed(end));
    }

    /// Sends what is flushed and not yet sent.
    fn ship(&mut self, id: u64) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let Some(data) = &self.machines[stream.up].engine.data else { return };
        if !stream.up_open || stream.is_stalled || data.flushed <= stream.sent {
            return;
        }
        let records: Vec<Record> = data.log[stream.sent..data.flushed].to_vec();
        let after = stream.sent.checked_sub(1).map(|last| data.log[last].uid);
        stream.sent = data.flushed;
        let pipe = stream.to_down;
        self.send(pipe, Payload::Log { after, records });
    }

    pub fn ship_all(&mut self, up: usize) {
        let ids: Vec<u64> =
            self.streams.iter().filter(|(_, s)| s.up == up && s.up_open).map(|(i, _)| *i).collect();
        for id in ids {
            self.ship(id);
        }
    }

    /// The senders that there are stand still, or go on; later ones do not.
    pub fn stall_senders(&mut self, node: usize, stall: bool) {
        for stream in self.streams.values_mut().filter(|stream| stream.up == node) {
            stream.is_stalled = stall;
        }
        self.ship_all(node);
    }

    pub fn arrive_stream(&mut self, id: u64, payload: Payload) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let (up, down) = (stream.up, stream.down);
        match payload {
            Payload::Log { after, records } => {
                let engine = &self.machines[down].engine;
                let is_taken = stream.down_open && engine.receiver == Some(id);
                if is_taken && engine.life == stream.down_life {
                    stream.down_heard = self.now;
                    self.check_cut(down, up);
                    self.receive(down, after, records);
                }
            }
            Payload::KeepAlive => stream.down_heard = self.now,
            Payload::Flushed(end) => {
                let is_taken = stream.up_open && !stream.is_stalled;
                if is_taken && self.machines[up].engine.life == stream.up_life {
                    stream.up_heard = self.now;
                    stream.flushed = stream.flushed.max(end);
                    let pipe = stream.to_down;
                    self.send(pipe, Payload::KeepAlive);
                    self.release(up);
                }
            }
            Payload::Hangup => {
                // Only one end can still be open.
                self.close_up(id, false);
                self.close_down(id, false);
            }
            Payload::ToServer(_) | Payload::ToAgent(_) => {}
        }
    }

    /// A follower takes records in.
    fn receive(&mut self, node: usize, after: Option<u64>, records: Vec<Record>) {
        let engine = &mut self.machines[node].engine;
        let Some(data) = &mut engine.data else { return };
        let own = data.log.last().map(|record| record.uid);
        engine.has_received = true;
        for record in &records {
            if record.timeline > data.history.last().map_or(0, |(timeline, _)| *timeline) {
                let begin = data.end();
                data.history.push((record.timeline, begin));
            }
            data.timeline_known = data.timeline_known.max(record.timeline);
            data.log.push(*record);
        }
        if own != after {
            let words = format!(
                "{} takes in log that does not continue its own: two histories of one timeline",
                self.name(node)
            );
            return self.violated(words);
        }
        self.flush_later(node);
    }

    /// Begins to flush what is appended.
    pub fn flush_later(&mut self, node: usize) {
        let slow = self.machines[node].disk_slow_ms;
        let delay = self.rng.random_range(0..4) + slow;
        let engine = &mut self.machines[node].engine;
        if engine.is_flushing {
            return;
        }
        engine.is_flushing = true;
        let (life, count) = (engine.life, engine.data.as_ref().map_or(0, |data| data.log.len()));
        self.after(delay, Event::FlushedTo { node, life, count });
    }

    pub fn flushed(&mut self, node: usize, life: u64, count: usize) {
        let machine = &mut self.machines[node];
        if machine.engine.life != life || machine.engine.process == Process::Down {
            return;
        }
        if machine.is_frozen() || machine.engine.hung || machine.disk_hangs.is_some() {
            return self.after(50, Event::FlushedTo { node, life, count });
        }
        if machine.disk_full {
            self.note(|s| format!("{}: no space left for the log", s.name(node)));
            return self.kill_engine(node);
        }
        machine.engine.is_flushing = false;
        let Some(data) = &mut machine.engine.data else { return };
        data.flushed = data.flushed.max(count.min(data.log.len()));
        let has_more = data.log.len() > data.flushed;
        if has_more {
            self.flush_later(node);
        }
        let engine = &self.machines[node].engine;
        if engine.in_recovery {
            let (end, receiver) = (self.flushed_end(node), engine.receiver);
            if let Some(pipe) = receiver.and_then(|id| self.streams.get(&id)).map(|s| s.to_up) {
                self.send(pipe, Payload::Flushed(end));
            }
        } else {
            self.ship_all(node);
            self.release(node);
        }
    }

    /// Lets the commits go that are confirmed enough.
    pub fn release(&mut self, node: usize) {
        let engine = &self.machines[node].engine;
        let Some(data) = &engine.data else { return };
        if engine.pending.is_empty() || !self.machines[node].acts() || engine.hung {
            return;
        }
        let sync = &engine.sync;
        let mut confirmed: Vec<u64> = self
            .streams
            .values()
            .filter(|s| s.up == node && s.up_open && sync.names.contains(&s.down))
            .map(|s| s.flushed)
            .collect();
        confirmed.sort_unstable_by(|a, b| b.cmp(a));
        let acks = sync.acks;
        let limit = match acks {
            0 => u64::MAX,
            acks => confirmed.get(acks - 1).copied().unwrap_or(0),
        };
        let (done, waiting): (Vec<Pending>, Vec<Pending>) =
            engine.pending.iter().partition(|pending| {
                pending.index < data.flushed && data.log[pending.index].end <= limit
            });
        let released: Vec<(Pending, Record)> =
            done.into_iter().map(|pending| (pending, data.log[pending.index])).collect();
        self.machines[node].engine.pending = waiting;
        for (pending, record) in released {
            self.acknowledge(node, pending, record, acks);
        }
    }

    /// The replicas that stream from here, and how far they have flushed.
    pub fn followers(&self, node: usize) -> Vec<(usize, u64)> {
        let open = self.streams.values().filter(|s| s.up == node && s.up_open);
        open.map(|s| (s.down, s.flushed)).collect()
    }

    /// The receiver's own end.
    pub fn close_down(&mut self, id: u64, tell: bool) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if !stream.down_open {
            return;
        }
        stream.down_open = false;
        let (down, pipe) = (stream.down, stream.to_up);
        if self.machines[down].engine.receiver == Some(id) {
            self.machines[down].engine.receiver = None;
        }
        if tell {
            self.send(pipe, Payload::Hangup);
        }
    }

    fn close_up(&mut self, id: u64, tell: bool) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if !stream.up_open {
            return;
        }
        stream.up_open = false;
        let pipe = stream.to_down;
        if tell {
            self.send(pipe, Payload::Hangup);
        }
    }

    /// The engine's process is gone; its kernel says so, if it still can.
    pub fn drop_streams(&mut self, node: usize, is_kernel_alive: bool) {
        let ids: Vec<u64> = self.streams.keys().copied().collect();
        for id in ids {
            let (up, down) = self.streams.get(&id).map_or((node, node), |s| (s.up, s.down));
            if up == node {
                self.close_up(id, is_kernel_alive);
            }
            if down == node {
                self.close_down(id, is_kernel_alive);
            }
        }
    }

    pub fn sweep_streams(&mut self) {
        let over: Vec<u64> = self
            .streams
            .iter()
            .filter(|(_, stream)| !stream.up_open && !stream.down_open)
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            if let Some(stream) = self.streams.remove(&id) {
                self.pipes.remove(&stream.to_down);
                self.pipes.remove(&stream.to_up);
            }
        }
    }
}
