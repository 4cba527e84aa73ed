//! The engine's hands on a simulated node: what the real driver does, with its times and failures.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bellwether_contracts::driver::{DataState, Probe, ProcessState, Repair};
use bellwether_contracts::{Driver, Failure};
use bellwether_model::mutation::{Mutation, mutated};
use bellwether_model::replication::{Position, Target};
use bellwether_model::transaction::Transaction;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use bellwether_protocol::local::{EngineFigures, Follower};
use rand::Rng as _;

use crate::engine::{Data, Process, Record, Sync};
use crate::hub::{Event, Hub, State};
use crate::net::Host;

/// An engine that does not answer is asked no longer.
const ANSWER_MS: u64 = 2_000;

/// The real driver's limits.
const START_MS: u64 = 600_000;
const STOP_MS: u64 = 25_000;

pub struct SimDriver {
    hub: Hub,
    node: usize,
    worker: u64,
    memory: Mutex<Memory>,
}

/// What the driver keeps while its worker lives.
#[derive(Default)]
struct Memory {
    last_position: Option<Position>,
    /// Configuration, its settings, and the place every voter has to pass.
    mark: Option<(u64, Sync, u64)>,
}

impl SimDriver {
    pub fn new(hub: Hub, node: usize, worker: u64) -> Self {
        Self { hub, node, worker, memory: Mutex::default() }
    }

    /// Goes on only in a worker that lives and is not frozen.
    async fn alive(&self) {
        let (is_alive, pause) = {
            let state = self.hub.lock();
            let machine = &state.machines[self.node];
            (machine.worker == self.worker, machine.pause.clone())
        };
        if !is_alive {
            std::future::pending::<()>().await;
        }
        if pause.is_on() {
            pause.over().await;
            Box::pin(self.alive()).await;
        }
    }

    async fn take(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        self.alive().await;
    }

    async fn take_between(&self, least: u64, most: u64) {
        let ms = self.hub.lock().rng.random_range(least..=most);
        self.take(ms).await;
    }

    fn is_hung(&self) -> bool {
        let state = self.hub.lock();
        let engine = &state.machines[self.node].engine;
        engine.process != Process::Down && engine.hung
    }

    /// A question to the engine.
    async fn ask(&self) -> Result<(), Failure> {
        self.alive().await;
        if self.is_hung() {
            self.take(ANSWER_MS).await;
            return Err(Failure::transient("the engine does not answer"));
        }
        let state = self.hub.lock();
        match state.machines[self.node].engine.process {
            Process::Up => Ok(()),
            _ => Err(Failure::transient("the engine does not run")),
        }
    }

    fn check_disk(&self) -> Result<(), Failure> {
        if self.hub.lock().machines[self.node].disk_full {
            return Err(Failure::needs_person("the node's disk is full"));
        }
        Ok(())
    }

    /// Writes who must confirm; a running engine takes it in.
    fn write_config(&self, assignment: &Assignment) -> Result<(), Failure> {
        let mut state = self.hub.lock();
        let sync = wanted_sync(&state, assignment);
        let machine = &mut state.machines[self.node];
        let engine = &assignment.engine;
        let settings = (engine.parameters_version, engine.parameters.clone());
        if machine.engine.sync_file == sync && machine.engine.settings_file == settings {
            return Ok(());
        }
        if machine.disk_full {
            return Err(Failure::needs_person("the node's disk is full"));
        }
        machine.engine.sync_file = sync;
        machine.engine.settings_file = settings;
        Ok(())
    }

    fn reload(&self) {
        let mut state = self.hub.lock();
        let node = self.node;
        let engine = &mut state.machines[node].engine;
        if engine.is_up() {
            engine.reload_settings();
        }
        if engine.is_up() && engine.sync != engine.sync_file {
            engine.sync = engine.sync_file.clone();
            let sync = engine.sync.clone();
            state.note(|s| {
                let names: Vec<String> = sync.names.iter().map(|n| s.name(*n)).collect();
                format!("{}: {} of {names:?} must confirm", s.name(node), sync.acks)
            });
            state.release(node);
        }
    }

    fn set_upstream(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        let mut state = self.hub.lock();
        let upstream = upstream.and_then(|member| state.node_of(&member.node));
        let machine = &mut state.machines[self.node];
        if machine.engine.upstream != upstream && machine.disk_full {
            return Err(Failure::needs_person("the node's disk is full"));
        }
        machine.engine.upstream = upstream;
        if let Target::Replica { term, .. } = assignment.target {
            machine.engine.upstream_term = term;
        }
        Ok(())
    }

    /// Starts the process and waits until it answers.
    async fn start(&self) -> Result<(), Failure> {
        let life = {
            let mut state = self.hub.lock();
            let node = self.node;
            if state.machines[node].engine.process == Process::Down {
                if state.machines[node].engine.refuses_to_start() {
                    return Err(Failure::transient("the engine ended while it started"));
                }
                state.start_engine(node);
            }
            state.machines[node].engine.life
        };
        self.until_answers(life).await
    }

    async fn until_answers(&self, life: u64) -> Result<(), Failure> {
        let end = self.hub.now() + START_MS;
        while self.hub.now() < end {
            {
                let mut state = self.hub.lock();
                let engine = &state.machines[self.node].engine;
                if engine.process == Process::Down || engine.life != life {
                    return Err(Failure::transient("the engine ended while it started"));
                }
                state.engine_answers(self.node);
                let engine = &state.machines[self.node].engine;
                if engine.is_up() {
                    return Ok(());
                }
            }
            self.take(20).await;
        }
        Err(Failure::transient("the engine does not come to answer"))
    }

    /// Whether that member's engine can be read from here now.
    fn reaches(&self, upstream: &Member) -> Option<usize> {
        let state = self.hub.lock();
        let from = state.node_of(&upstream.node)?;
        let source = &state.machines[from];
        let is_reached = state.net.passes_both(Host::Node(self.node), Host::Node(from));
        (source.acts() && source.engine.is_up() && is_reached).then_some(from)
    }

    async fn read_for(&self, upstream: &Member, ms: u64) -> Result<usize, Failure> {
        let unreachable = || Failure::transient("could not connect to the source");
        let mut from = self.reaches(upstream).ok_or_else(unreachable)?;
        let mut left = ms;
        while left > 0 {
            let part = left.min(250);
            self.take(part).await;
            left -= part;
            from = self.reaches(upstream).ok_or_else(unreachable)?;
            self.check_disk()?;
        }
        Ok(from)
    }
}

fn wanted_sync(state: &State, assignment: &Assignment) -> Sync {
    let joint = &assignment.group.config;
    let config = joint.next.as_ref().unwrap_or(&joint.current);
    if config.acks == 0 {
        return Sync::default();
    }
    let names = config.voters.iter().filter_map(|id| state.node_of(id)).collect();
    Sync { acks: config.acks as usize, names }
}

#[async_trait]
impl Driver for SimDriver {
    async fn probe(&self) -> Probe {
        self.alive().await;
        let is_hung = self.is_hung();
        if is_hung {
            self.take(ANSWER_MS).await;
        }
        let state = self.hub.lock();
        let engine = &state.machines[self.node].engine;
        let mut memory = self.memory.lock().expect("nothing panics while it is held");
        let mut probe = state.probe(self.node);
        match engine.process {
            Process::Down => probe.position = memory.last_position,
            Process::Up if !engine.hung => memory.last_position = probe.position,
            _ => {}
        }
        probe
    }

    async fn ended(&self) {
        loop {
            let ended = {
                let state = self.hub.lock();
                let engine = &state.machines[self.node].engine;
                if engine.process == Process::Down {
                    return;
                }
                engine.ended.clone()
            };
            ended.notified().await;
        }
    }

    async fn bootstrap(&self, _: &Assignment) -> Result<(), Failure> {
        self.alive().await;
        self.check_disk()?;
        self.take_between(300, 1_200).await;
        let mut state = self.hub.lock();
        state.make_database(self.node);
        Ok(())
    }

    async fn seed(
        &self,
        assignment: &Assignment,
        upstream: &Member,
        progress: &(dyn Fn(u64, u64) + Send + std::marker::Sync),
    ) -> Result<(), Failure> {
        self.alive().await;
        self.write_config(assignment)?;
        let order = assignment.copy.clone();
        let erase_first = order.as_ref().is_some_and(|order| order.erase_first);
        if erase_first && self.reaches(upstream).is_none() {
            return Err(Failure::transient("the source of the copy does not answer"));
        }
        {
            let mut state = self.hub.lock();
            state.machines[self.node].engine.partial = true;
            if erase_first {
                // What is left of a copy that broke off is nobody's last.
                if state.machines[self.node].engine.data.is_some() {
                    state.check_erased_first(self.node);
                }
                state.erase(self.node);
            }
        }
        progress(0, 100);
        let ms = self.hub.lock().rng.random_range(300..4_000);
        let from = self.read_for(upstream, ms).await?;
        progress(100, 100);
        let mut state = self.hub.lock();
        state.keep_former(self.node, order.is_some());
        state.copy_data(self.node, from);
        if let Some(data) = &mut state.machines[self.node].engine.data {
            data.copied = order.map(|order| order.token);
        }
        Ok(())
    }

    async fn configure(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.ask().await?;
        self.write_config(assignment)?;
        self.reload();
        Ok(())
    }

    async fn start_primary(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.alive().await;
        self.write_config(assignment)?;
        self.set_upstream(assignment, None)?;
        {
            let state = self.hub.lock();
            let data = state.machines[self.node].engine.data.as_ref();
            if data.is_none_or(|data| data.signal) {
                return Err(Failure::permanent("a replica's data is promoted, never just started"));
            }
        }
        self.check_disk()?;
        self.start().await
    }

    async fn start_replica(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.alive().await;
        self.write_config(assignment)?;
        self.set_upstream(assignment, upstream)?;
        self.check_disk()?;
        if let Some(data) = &mut self.hub.lock().machines[self.node].engine.data {
            data.signal = true;
        }
        self.start().await
    }

    async fn follow(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        self.alive().await;
        self.write_config(assignment)?;
        self.set_upstream(assignment, upstream)?;
        self.ask().await?;
        self.reload();
        {
            let mut state = self.hub.lock();
            if let Some(stream) = state.machines[self.node].engine.receiver {
                state.close_down(stream, true);
            }
            let node = self.node;
            let life = state.machines[node].engine.life;
            state.after(5, Event::OpenStream { node, life });
        }
        self.take_between(1, 15).await;
        Ok(())
    }

    async fn promote(&self, assignment: &Assignment) -> Result<Option<Position>, Failure> {
        self.ask().await?;
        self.write_config(assignment)?;
        self.set_upstream(assignment, None)?;
        self.check_disk()?;
        self.take_between(20, 80).await;
        let term = match assignment.target {
            Target::Primary { term, .. } => term,
            _ => 0,
        };
        let start = self.hub.lock().promote(self.node, term)?;
        self.take_between(5, 80).await;
        self.ask().await?;
        Ok(start)
    }

    async fn prepare_handover(&self) -> Result<(), Failure> {
        self.ask().await?;
        let is_long = self.hub.lock().rng.random_bool(0.1);
        if is_long {
            self.take_between(5_000, 20_000).await;
        } else {
            self.take_between(20, 300).await;
        }
        self.ask().await
    }

    async fn end_clients(&self) -> Result<(), Failure> {
        self.ask().await
    }

    async fn stop(&self) -> Result<Option<Position>, Failure> {
        self.alive().await;
        let life = {
            let mut state = self.hub.lock();
            let engine = &mut state.machines[self.node].engine;
            if engine.process == Process::Down {
                return Ok(None);
            }
            engine.stopping = true;
            engine.life
        };
        self.take_between(10, 100).await;
        let last = self.hub.lock().write_last_checkpoint(self.node, life);
        let end = self.hub.now() + STOP_MS;
        loop {
            {
                let mut state = self.hub.lock();
                if state.machines[self.node].engine.life != life {
                    // It died meanwhile.
                    return Ok(None);
                }
                if state.has_shipped_all(self.node) {
                    state.stop_engine(self.node);
                    return Ok(last);
                }
            }
            if self.hub.now() > end {
                self.hub.lock().kill_engine(self.node);
                return Ok(None);
            }
            self.take(10).await;
        }
    }

    async fn log_end(&self, _: Position) -> Result<Position, Failure> {
        self.alive().await;
        self.take_between(5, 150).await;
        self.check_disk()?;
        let state = self.hub.lock();
        let data = state.machines[self.node].engine.data.as_ref();
        data.map(Data::position).ok_or_else(|| Failure::permanent("there is no data"))
    }

    async fn kill(&self) -> Result<(), Failure> {
        self.alive().await;
        self.take(5).await;
        self.hub.lock().kill_engine(self.node);
        Ok(())
    }

    async fn repair(&self, assignment: &Assignment, upstream: &Member) -> Result<Repair, Failure> {
        self.alive().await;
        self.write_config(assignment)?;
        self.check_disk()?;
        if self.hub.lock().is_crashed_replica(self.node) {
            return Ok(Repair::CatchUp);
        }
        self.hub.lock().end_recovery(self.node);
        self.take_between(50, 500).await;
        if self.reaches(upstream).is_none() {
            return Err(Failure::transient("could not connect to the source server"));
        }
        let ms = self.hub.lock().rng.random_range(100..2_000);
        let Ok(from) = self.read_for(upstream, ms).await else {
            return Ok(Repair::NeedsCopy);
        };
        let mut state = self.hub.lock();
        if state.rng.random_bool(0.05) {
            return Ok(Repair::NeedsCopy);
        }
        Ok(state.rewind(self.node, from))
    }

    async fn erase(&self) -> Result<(), Failure> {
        self.alive().await;
        self.take(10).await;
        let mut state = self.hub.lock();
        state.kill_engine(self.node);
        state.erase(self.node);
        Ok(())
    }

    async fn transactions(&self) -> Result<Vec<Transaction>, Failure> {
        self.ask().await?;
        // Here each write is a transaction of its own, which takes no time.
        Ok(Vec::new())
    }

    async fn drop_former(&self) -> Result<(), Failure> {
        self.alive().await;
        self.take_between(5, 2_000).await;
        self.hub.lock().machines[self.node].engine.former = None;
        Ok(())
    }

    async fn is_configuration_active(&self, assignment: &Assignment) -> Result<bool, Failure> {
        self.ask().await?;
        let joint = &assignment.group.config;
        let config = joint.next.as_ref().unwrap_or(&joint.current);
        let mut state = self.hub.lock();
        let wanted = wanted_sync(&state, assignment);
        if state.machines[self.node].engine.sync != wanted {
            return Ok(false);
        }
        if !joint.confirms() {
            return Ok(true);
        }
        let mut memory = self.memory.lock().expect("nothing panics while it is held");
        let known = memory.mark.clone().filter(|m| m.0 == config.version && m.1 == wanted);
        let offset = match known {
            Some((_, _, offset)) => offset,
            None => {
                let data = state.machines[self.node].engine.data.as_ref();
                let offset = data.map_or(0, Data::end);
                state.append(self.node, 60);
                state.flush_later(self.node);
                memory.mark = Some((config.version, wanted, offset));
                offset
            }
        };
        let followers = state.followers(self.node);
        Ok(config.voters.iter().all(|voter| {
            let node = state.node_of(voter);
            followers.iter().any(|(n, flushed)| Some(*n) == node && *flushed >= offset)
        }))
    }
}

impl State {
    fn probe(&self, node: usize) -> Probe {
        let engine = &self.machines[node].engine;
        let process = match engine.process {
            Process::Down => ProcessState::Down,
            Process::Up if !engine.hung => ProcessState::Up,
            _ => ProcessState::Starting,
        };
        let data = match &engine.data {
            Some(data) => DataState::Present { was_primary: !data.signal, clean: false },
            None if engine.partial => DataState::Partial,
            None => DataState::Absent,
        };
        let copied = engine.data.as_ref().and_then(|data| data.copied.clone());
        let keeps_former = engine.former.is_some();
        let mut probe = Probe { process, data, copied, keeps_former, ..Probe::default() };
        if process != ProcessState::Up {
            return probe;
        }
        probe.in_recovery = Some(engine.in_recovery);
        probe.position = engine.position(self.now);
        probe.is_end_known = engine.is_end_known(self.now);
        let stream = engine.receiver.and_then(|id| self.streams.get(&id));
        if engine.in_recovery {
            probe.applied = probe.position;
            probe.upstream = engine.upstream.map(|up| self.machines[up].id.clone());
            probe.streaming = stream.is_some();
            probe.upstream_age_ms = stream.map(|stream| self.now - stream.down_heard);
        } else {
            let timeline = probe.position.map_or(0, |position| position.timeline);
            let follower = |(n, offset): (usize, u64)| Follower {
                node: self.machines[n].id.clone(),
                flushed: Position { timeline, offset },
                streaming: true,
            };
            probe.followers = self.followers(node).into_iter().map(follower).collect();
        }
        probe.settings = Some(engine.compare_settings());
        probe.figures = EngineFigures { data_bytes: Some(4 << 30), ..EngineFigures::default() };
        probe
    }

    fn start_engine(&mut self, node: usize) {
        let (replays_for, takes) =
            (self.rng.random_range(0..1_500), self.rng.random_range(30..600));
        let now = self.now;
        let engine = &mut self.machines[node].engine;
        engine.start();
        let from = engine.data.as_ref().map_or(0, |data| data.flushed_end().saturating_sub(3_000));
        engine.replay = (from, now, replays_for);
        engine.ready_at = now + takes;
        let life = engine.life;
        self.note(|s| format!("{}: the engine starts", s.name(node)));
        self.after(1, Event::EngineTick { node, life });
    }

    /// Whether it has come so far that it answers.
    pub fn engine_answers(&mut self, node: usize) {
        let now = self.now;
        let engine = &mut self.machines[node].engine;
        let Some(data) = &mut engine.data else { return };
        if engine.process != Process::Starting || engine.hung {
            return;
        }
        if now < engine.ready_at || data.end() < data.consistent_at {
            return;
        }
        data.clean = false;
        engine.process = Process::Up;
        if !engine.in_recovery {
            // Everything that is there after the recovery is seen by readers.
            data.flushed = data.log.len();
            (engine.recovered, engine.observed) = (data.log.len(), 0);
            engine.replay = (0, now, 0);
        }
        self.note(|s| format!("{}: the engine answers", s.name(node)));
    }

    fn make_database(&mut self, node: usize) {
        let uid = self.check.new_record();
        let record = Record { uid, end: 1_000, timeline: 1 };
        let engine = &mut self.machines[node].engine;
        engine.partial = false;
        engine.data = Some(Data {
            signal: false,
            log: vec![record],
            flushed: 1,
            history: vec![(1, 0)],
            timeline_known: 1,
            clean: true,
            consistent_at: 0,
            copied: None,
        });
    }

    fn keep_former(&mut self, node: usize, is_ordered: bool) {
        let engine = &mut self.machines[node].engine;
        if is_ordered && engine.former.is_none() {
            engine.former = engine.data.clone();
        }
    }

    fn copy_data(&mut self, node: usize, from: usize) {
        self.check_last_copy(node);
        let Some(mut data) = self.machines[from].engine.data.clone() else { return };
        data.log.truncate(data.flushed);
        data.signal = true;
        data.clean = true;
        data.consistent_at = 0;
        data.copied = None;
        let engine = &mut self.machines[node].engine;
        engine.partial = false;
        engine.data = Some(data);
        self.note(|s| format!("{} is a copy of {}", s.name(node), s.name(from)));
    }

    /// As the real driver makes it do: onto the timeline of the term, which is nobody else's.
    fn promote(&mut self, node: usize, term: u64) -> Result<Option<Position>, Failure> {
        let engine = &mut self.machines[node].engine;
        if !engine.is_up() {
            return Err(Failure::transient("the engine ended during its promotion"));
        }
        if !engine.in_recovery {
            return Ok(None);
        }
        if let Some(stream) = engine.receiver {
            self.close_down(stream, true);
        }
        let engine = &mut self.machines[node].engine;
        engine.in_recovery = false;
        engine.sync = engine.sync_file.clone();
        let Some(data) = &mut engine.data else {
            return Err(Failure::permanent("there is no data"));
        };
        data.flushed = data.log.len();
        data.signal = false;
        let start = data.position();
        let next = data.timeline_known.max(data.timeline()) + 1;
        data.timeline_known = if mutated(Mutation::TimelineReused) { next } else { next.max(term) };
        let (timeline, end) = (data.timeline_known, data.end());
        data.history.push((timeline, end));
        // What it writes itself is nothing that readers see.
        (engine.recovered, engine.observed) = (data.log.len(), 0);
        self.append(node, 100);
        if let Some(data) = &mut self.machines[node].engine.data {
            data.flushed = data.log.len();
        }
        self.note(|s| format!("{} is promoted: timeline {timeline}", s.name(node)));
        self.lie_in_wait(node);
        Ok(Some(start))
    }

    /// The checkpoint of an orderly stop; where the log then ends.
    fn write_last_checkpoint(&mut self, node: usize, life: u64) -> Option<Position> {
        let engine = &self.machines[node].engine;
        if engine.life != life || !engine.is_up() {
            return None;
        }
        if engine.in_recovery {
            return engine.position(self.now);
        }
        let begin = engine.data.as_ref().map_or(0, Data::end);
        self.append(node, 110);
        let data = self.machines[node].engine.data.as_mut()?;
        data.flushed = data.log.len();
        let timeline = data.timeline();
        self.ship_all(node);
        self.release(node);
        Some(Position { timeline, offset: begin + 1 })
    }

    pub fn has_shipped_all(&self, node: usize) -> bool {
        let engine = &self.machines[node].engine;
        let end = engine.data.as_ref().map_or(0, Data::flushed_end);
        !engine.hung
            && self.machines[node].acts()
            && (engine.in_recovery || self.followers(node).iter().all(|(_, at)| *at >= end))
    }

    pub fn stop_engine(&mut self, node: usize) {
        self.note(|s| format!("{}: the engine has stopped", s.name(node)));
        let engine = &mut self.machines[node].engine;
        engine.die();
        if let Some(data) = &mut engine.data {
            data.flushed = data.log.len();
            data.clean = true;
        }
        self.drop_streams(node, true);
    }

    fn is_crashed_replica(&self, node: usize) -> bool {
        let data = self.machines[node].engine.data.as_ref();
        data.is_some_and(|data| data.signal && !data.clean)
    }

    /// A crashed primary's recovery by itself writes to its log.
    fn end_recovery(&mut self, node: usize) {
        let is_crashed = self.machines[node].engine.data.as_ref().is_some_and(|d| !d.clean);
        if is_crashed {
            self.append(node, 110);
            if let Some(data) = &mut self.machines[node].engine.data {
                data.flushed = data.log.len();
                data.clean = true;
                data.signal = false;
            }
        }
    }

    /// As `pg_rewind`: who has the same timeline is believed to have the same history.
    fn rewind(&mut self, node: usize, from: usize) -> Repair {
        let Some(source) = self.machines[from].engine.data.clone() else {
            return Repair::NeedsCopy;
        };
        let Some(data) = &mut self.machines[node].engine.data else { return Repair::NeedsCopy };
        let result = if data.timeline() == source.timeline() {
            Repair::CatchUp
        } else {
            let fork = data
                .history
                .iter()
                .rev()
                .find(|(timeline, _)| source.history.iter().any(|(t, _)| t == timeline))
                .and_then(|(timeline, _)| {
                    let ours = data.end_of_timeline(*timeline)?;
                    Some(ours.min(source.end_of_timeline(*timeline)?))
                });
            let Some(fork) = fork else { return Repair::NeedsCopy };
            if data.end() <= fork {
                Repair::CatchUp
            } else {
                data.log.truncate(data.count_to(fork));
                data.flushed = data.log.len();
                data.history.retain(|(_, begin)| *begin < fork);
                data.timeline_known = source.timeline_known;
                data.consistent_at = source.flushed_end();
                Repair::Rewound
            }
        };
        data.signal = true;
        self.note(|s| {
            format!("{} is made fit to follow {}: {result:?}", s.name(node), s.name(from))
        });
        result
    }

    fn erase(&mut self, node: usize) {
        self.check_last_copy(node);
        let engine = &mut self.machines[node].engine;
        engine.data = None;
        engine.partial = false;
        self.note(|s| format!("{}: the data is erased", s.name(node)));
    }
}
