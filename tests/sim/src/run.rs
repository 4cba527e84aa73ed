//! One run from one seed: a cluster is made, things go wrong, everything is mended, and then all
//! must be well again.

use bellwether_model::cluster::{Handover, NodeSize};
use bellwether_model::drill::DrillKind;
use bellwether_model::group::TimerProfile;
use bellwether_model::node::NodePhase;
use bellwether_model::operation::NewOperation;
use bellwether_model::{Bytes, Cluster, ClusterId, ClusterSpec, OperationKind, ReplicationMode};
use bellwether_planner::{NodeFacts, View};
use bellwether_protocol::peer::PeerBody;
use rand::Rng as _;
use rand::seq::IndexedRandom as _;

use crate::clients::Client;
use crate::faults;
use crate::hub::{Event, Hub, State};
use crate::net::Host;
use crate::server::Server;
use crate::settings;
use crate::trace::Trace;

/// Milliseconds in which a cluster is made, and in which it is well again after the last fault.
const CREATE_MS: u64 = 120_000;
const RECOVER_MS: u64 = 180_000;

/// Milliseconds of peace at the end, in which nothing may happen.
const CALM_MS: u64 = 12_000;

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    pub seed: u64,
    pub violation: Option<String>,
    /// Milliseconds that were simulated.
    pub simulated_ms: u64,
    pub digest: u64,
    pub acknowledged: u64,
    pub terms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Creating,
    Chaos { until: u64 },
    Recovering { since: u64 },
    Calm { since: u64, term: u64 },
    Deleting { since: u64 },
    Over,
}

pub struct Run {
    hub: Hub,
    server: Server,
    cluster: ClusterId,
    phase: Phase,
    /// The kinds of faults this run draws from.
    kinds: Vec<u32>,
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, trace: Trace) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let (outcome, world) = runtime.block_on(async move {
        let hub = Hub::new(seed, trace);
        let _guard = crate::trace::attach(&hub);
        let mut run = Run::begin(hub.clone()).await;
        run.go().await;
        run.show_end();
        let mut state = hub.lock();
        // The store knows the world it is in, too.
        state.store = None;
        let outcome = Outcome {
            seed,
            violation: state.check.violation.clone(),
            simulated_ms: state.now,
            digest: state.trace.digest(),
            acknowledged: state.check.acknowledged,
            terms: state.check.opened.len() as u64,
        };
        drop(state);
        (outcome, hub.weak())
    });
    // With it end the tasks that somebody who crashed had begun.
    drop(runtime);
    assert_eq!(world.strong_count(), 0, "the world of seed {seed} is still held");
    outcome
}

fn draw_spec(state: &mut State) -> ClusterSpec {
    let rng = &mut state.rng;
    let nodes = *[1, 2, 2, 3, 3, 3, 3, 4, 5].choose(rng).expect("some");
    let replicas: u32 = nodes - 1;
    let mut modes = vec![ReplicationMode::Async, ReplicationMode::Prefer];
    if replicas > 0 {
        modes.extend([ReplicationMode::Strict; 2]);
        modes.push(ReplicationMode::Quorum(rng.random_range(1..=replicas)));
    }
    let replication = *modes.choose(rng).expect("some");
    let timers =
        *[TimerProfile::Lan, TimerProfile::Lan, TimerProfile::Fast].choose(rng).expect("some");
    let bytes = Bytes::gib(1);
    ClusterSpec {
        name: "demo".to_owned(),
        engine: "postgresql".to_owned(),
        version: "17".to_owned(),
        provider: crate::provider::NAME.to_owned(),
        nodes,
        shards: 0,
        multi_primary: false,
        size: NodeSize { cpus: 1.0, memory: bytes, disk: bytes },
        replication,
        timers,
        parameters: Default::default(),
        drill: None,
        backup: None,
        source: None,
        project: "default".to_owned(),
        allowlist: None,
        protected: false,
        apart: false,
    }
}

impl Run {
    async fn begin(hub: Hub) -> Self {
        let mut server = Server::new(hub.clone());
        server.start().await;
        let spec = {
            let mut state = hub.lock();
            let spec = draw_spec(&mut state);
            state.check.watch.suspect_ms = spec.timers.timers().suspect_ms;
            state.note(|_| {
                let (nodes, mode, timers) = (spec.nodes, spec.replication, spec.timers);
                format!("a cluster of {nodes} nodes, replication {mode}, timers {timers:?}")
            });
            spec
        };
        let cluster = server.create(spec).await;
        let mut state = hub.lock();
        let rng = &mut state.rng;
        let share = rng.random_range(0.1..0.7);
        let kinds: Vec<u32> = (0..faults::KINDS).filter(|_| rng.random_bool(share)).collect();
        let clients = rng.random_range(1..4);
        for client in 0..clients {
            let pause_ms = state.rng.random_range(40..600);
            let new =
                Client { beside: None, favourite: None, request: 0, pause_ms, is_stopped: true };
            state.clients.push(new);
            state.after(0, Event::Go { client });
        }
        state.after(500, Event::Look);
        drop(state);
        Self { hub, server, cluster, phase: Phase::Creating, kinds }
    }

    async fn go(&mut self) {
        while self.phase != Phase::Over {
            let next = self.hub.lock().sleep();
            let changed = self.hub.changed.clone();
            tokio::select! {
                biased;
                () = changed.notified() => {}
                () = tokio::time::sleep_until(self.hub.moment(next)) => {}
            }
            loop {
                let event = {
                    let mut state = self.hub.lock();
                    if state.check.violation.is_some() {
                        return;
                    }
                    state.due()
                };
                let Some(event) = event else { break };
                self.take(event).await;
            }
        }
    }

    async fn take(&mut self, event: Event) {
        match event {
            Event::StartSentry { node, boot } => {
                if self.hub.lock().machines[node].boot == boot {
                    self.hub.start_sentry(node);
                }
            }
            Event::StartWorker { node, boot } => {
                if self.hub.lock().machines[node].boot == boot {
                    self.hub.start_worker(node);
                }
            }
            Event::Dialled { node, sentry } => {
                let socket = self.hub.lock().dialled(&self.hub, node, sentry);
                if let Some(socket) = socket {
                    self.server.accept(node, socket);
                }
            }
            Event::Join { node } => self.server.join(node),
            Event::Draw(kind) => self.draw(kind),
            Event::Begin(fault) => self.hub.begin(&mut self.server, &fault),
            Event::End(fault) => self.hub.end(&self.server, &fault),
            Event::StartServer => self.server.start().await,
            Event::Ask => self.ask(),
            Event::Look => self.look(),
            other => self.hub.lock().take(other),
        }
    }

    fn view(&self) -> Option<View> {
        let world = self.server.world.as_ref()?;
        bellwether_store::views::view(&world.store, &self.cluster)
    }

    /// Once a second: where the run stands.
    fn look(&mut self) {
        let now = {
            let mut state = self.hub.lock();
            state.after(500, Event::Look);
            state.sweep_sessions();
            state.sweep_streams();
            state.watch_machines();
            state.now
        };
        match self.phase {
            Phase::Creating => match self.health() {
                Ok(_) => self.begin_chaos(),
                Err(why) if now > CREATE_MS => {
                    self.hub.lock().violated(format!("the cluster is not made in time: {why}"));
                }
                Err(_) => {}
            },
            Phase::Chaos { until } if now >= until => self.mend(),
            Phase::Recovering { since } => match self.health() {
                Ok(term) => self.phase = Phase::Calm { since: now, term },
                Err(why) if now - since > RECOVER_MS => {
                    self.hub.lock().violated(format!("it does not recover: {why}"));
                }
                Err(_) => self.take_back(),
            },
            Phase::Calm { since, term } => match self.health() {
                Ok(now_term) if now_term == term && now - since > CALM_MS => self.finish(),
                Ok(now_term) if now_term == term => {}
                Ok(_) => {
                    self.hub.lock().violated("the primary changed without any fault".to_owned());
                }
                Err(why) if now - since > CALM_MS / 2 => {
                    self.hub.lock().violated(format!("it is not well without any fault: {why}"));
                }
                Err(_) => {}
            },
            Phase::Deleting { since } => self.look_deleted(now - since),
            Phase::Chaos { .. } | Phase::Over => {}
        }
    }

    /// What a person has taken out of service a person takes back.
    fn take_back(&mut self) {
        let Some(view) = self.view() else { return };
        let is_out = |facts: &&NodeFacts| facts.node.phase == NodePhase::Maintenance;
        let is_busy = view.operation.is_some() || !view.queued.is_empty();
        if let Some(facts) = view.nodes.iter().find(is_out).filter(|_| !is_busy) {
            let name = facts.node.name.clone();
            self.ask_for(NewOperation::of(OperationKind::Undrain, Some(name)));
        }
    }

    fn begin_chaos(&mut self) {
        let mut state = self.hub.lock();
        state.note(|_| "the cluster is made; now things go wrong".to_owned());
        let lasts = state.rng.random_range(20_000..90_000);
        let faults = state.rng.random_range(1..25);
        for client in &mut state.clients {
            client.is_stopped = false;
        }
        let count = state.machines.len();
        for client in 0..state.clients.len() {
            if state.rng.random_bool(0.5) {
                let beside = state.rng.random_range(0..count);
                state.clients[client].beside = Some(beside);
            }
        }
        if state.rng.random_bool(0.3) {
            state.ambushes_until = state.now + lasts;
        }
        // Often several at once, or one soon after the other.
        let mut at = 0;
        for _ in 0..faults {
            let Some(kind) = self.kinds.choose(&mut state.rng).copied() else { break };
            if state.rng.random_bool(0.5) {
                at = state.rng.random_range(500..lasts);
            } else {
                at = (at + state.rng.random_range(0..4_000)).clamp(500, lasts);
            }
            state.after(at, Event::Draw(kind));
        }
        for _ in 0..state.rng.random_range(0..8) {
            let at = state.rng.random_range(500..lasts);
            state.after(at, Event::Ask);
        }
        self.phase = Phase::Chaos { until: state.now + lasts };
    }

    /// Something goes wrong, for a while.
    fn draw(&mut self, kind: u32) {
        let mut state = self.hub.lock();
        let count = state.machines.len();
        let now = state.now;
        let primary = state.machines.iter().position(|machine| machine.gate_is_open(now));
        for strike in faults::draw(&mut state.rng, kind, count, primary) {
            state.schedule(strike);
        }
    }

    /// A person asks for something.
    fn ask(&mut self) {
        let Some(view) = self.view() else { return };
        let names: Vec<String> = view.nodes.iter().map(|facts| facts.node.name.clone()).collect();
        let (choice, name, mode) = {
            let mut state = self.hub.lock();
            let name = names.choose(&mut state.rng).cloned();
            let modes = [ReplicationMode::Async, ReplicationMode::Prefer, ReplicationMode::Strict];
            (state.rng.random_range(0..24), name, *modes.choose(&mut state.rng).expect("some"))
        };
        match choice {
            0..6 => self.ask_for(NewOperation::of(OperationKind::Switchover, name)),
            6 => self.ask_for(NewOperation::of(OperationKind::AddNode, None)),
            7 => self.ask_for(NewOperation::of(OperationKind::RemoveNode, name)),
            8 => self.ask_for(NewOperation::of(OperationKind::ReplaceNode, name)),
            23.. => {
                let (gib, may_wait) = {
                    let rng = &mut self.hub.lock().rng;
                    (rng.random_range(1..4), rng.random_bool(0.3))
                };
                self.server.resize(&self.cluster, Bytes::gib(gib), may_wait);
            }
            19..23 => {
                let (kind, allow_waiting) = {
                    let rng = &mut self.hub.lock().rng;
                    let kinds =
                        [OperationKind::Drain, OperationKind::Undrain, OperationKind::Reboot];
                    (*kinds.choose(rng).expect("some"), rng.random_bool(0.3))
                };
                let allow_waiting = allow_waiting && kind != OperationKind::Undrain;
                self.ask_for(NewOperation { allow_waiting, ..NewOperation::of(kind, name) });
            }
            16.. => {
                let (name, values) = {
                    let rng = &mut self.hub.lock().rng;
                    *settings::CHOICES.choose(rng).expect("some")
                };
                let value = values.choose(&mut self.hub.lock().rng).copied().expect("some");
                self.server.choose(&self.cluster, name, value);
            }
            13..16 => {
                let allow_loss = self.hub.lock().rng.random_bool(0.5);
                let kind = if choice == 13 { DrillKind::Switchover } else { DrillKind::Failover };
                let drill = NewOperation::of(OperationKind::Drill, None);
                self.ask_for(NewOperation { drill: Some(kind), allow_loss, ..drill });
            }
            10..13 => {
                let nodes = name.filter(|_| choice == 12).into_iter().collect();
                let (copy, allow_waiting) = {
                    let rng = &mut self.hub.lock().rng;
                    (rng.random_bool(0.8), rng.random_bool(0.3))
                };
                let resync = NewOperation::of(OperationKind::Resync, None);
                self.ask_for(NewOperation { nodes, copy, allow_waiting, ..resync });
            }
            _ if names.len() > 1 => {
                self.hub.lock().note(|_| format!("replication {mode} is asked for"));
                self.server.change(&self.cluster, move |spec| {
                    // As the API does: a replica may be on its way out.
                    if mode.acks() < spec.nodes {
                        spec.replication = mode;
                    }
                });
            }
            _ => {}
        }
    }

    fn ask_for(&mut self, request: NewOperation) {
        self.server.ask(&self.cluster, request);
    }

    /// Everything is mended.
    fn mend(&mut self) {
        let mut state = self.hub.lock();
        state.note(|_| "everything is mended".to_owned());
        state.drop_faults();
        state.check.watch.death = None;
        state.ambushes_until = 0;
        state.spared_until = 0;
        state.net.heal_all();
        state.server_pause.set(false);
        (state.server_disk_ms, state.provider_fails) = (0, false);
        for node in 0..state.machines.len() {
            let machine = &mut state.machines[node];
            machine.pause.set(false);
            (machine.disk_full, machine.disk_slow_ms, machine.unclear) = (false, 0, false);
            machine.engine.hung = false;
            machine.disk_hangs = None;
            let boot = machine.boot;
            if machine.up && machine.joined {
                state.after(0, Event::StartSentry { node, boot });
                state.after(0, Event::StartWorker { node, boot });
            } else {
                state.boot(node);
            }
        }
        state.after(0, Event::StartServer);
        self.phase = Phase::Recovering { since: state.now };
    }

    /// The term, when all is well; otherwise what is not.
    fn health(&self) -> Result<u64, String> {
        let view = self.view().ok_or("there is no server")?;
        let status = &view.cluster.status;
        if let Some(operation) = view.operation.as_ref().or(view.queued.first()) {
            let step = operation.step_at().map(|at| &operation.steps[at]);
            let step = step.map(|step| format!("{}: {}", step.name, step.message));
            return Err(format!("{} goes on: {}", operation.kind, step.unwrap_or_default()));
        }
        let primary = view.primary().ok_or("there is no primary")?;
        if status.promised != status.term || status.candidate.is_some() {
            return Err("an election goes on".to_owned());
        }
        if status.handover != Handover::None {
            return Err("a handover goes on".to_owned());
        }
        if status.config.next.is_some() || !status.config.past.is_empty() {
            return Err("the configuration changes".to_owned());
        }
        if view.nodes.len() as u32 != view.cluster.spec.nodes {
            return Err(format!("{} nodes", view.nodes.len()));
        }
        // One that cannot be given its size says why.
        if let Some((facts, None)) = bellwether_planner::resize::next(&view) {
            return Err(format!("{} has another size than asked for", facts.node.name));
        }
        for facts in &view.nodes {
            let is_primary = facts.node.id == primary.node.id;
            let name = &facts.node.name;
            if facts.node.phase != NodePhase::Active {
                return Err(format!("{name} is {:?}", facts.node.phase));
            }
            if facts.node.copy.is_some() || facts.worker().is_some_and(|w| w.keeps_former) {
                return Err(format!("{name} still keeps what a copy replaced"));
            }
            if facts.node.settings.values != view.cluster.spec.parameters {
                return Err(format!("{name} is not assigned the settings asked for"));
            }
            let settings = facts.worker().and_then(|worker| worker.settings.as_ref());
            if let Some(settings) = settings.filter(|settings| !settings.differs.is_empty()) {
                return Err(format!("{name} runs with other settings: {:?}", settings.differs));
            }
            if !is_primary && !facts.streams_from(&primary.node.id) {
                let doing = facts.worker().map_or("silent", |worker| &worker.doing);
                let (actual, target) = (facts.actual(), &facts.node.target);
                return Err(format!("{name} is {actual:?} and shall be {target:?}: {doing}"));
            }
            if !is_primary && !status.config.current.voters.contains(&facts.node.id) {
                return Err(format!("{name} has no vote"));
            }
        }
        let state = self.hub.lock();
        let node = state.node_of(&primary.node.id).ok_or("no machine")?;
        if !state.machines[node].gate_is_open(state.now) {
            let doing = primary.worker().map_or("silent", |worker| &worker.doing);
            return Err(format!("the gate of {} is closed: {doing}", primary.node.name));
        }
        let is_writing = state.clients.iter().any(|client| !client.is_stopped);
        if is_writing && state.now > state.check.last_told_at + 6_000 {
            return Err("no write is acknowledged".to_owned());
        }
        Ok(status.term)
    }

    /// For whoever reads the trace of a failure: what the server thought at last.
    fn show_end(&self) {
        let view = self.view();
        let mut state = self.hub.lock();
        let Some(view) = view.filter(|_| state.check.violation.is_some()) else { return };
        state.note(|_| format!("{:?}", view.cluster.status));
        for facts in &view.nodes {
            let (name, target) = (&facts.node.name, &facts.node.target);
            state.note(|_| format!("{name} shall be {target:?}, {:?}", facts.node.phase));
            if let Some(report) = facts.report() {
                state.note(|_| format!("{name} says {report:?}"));
            }
        }
    }

    /// The last look, or the deletion of everything.
    fn finish(&mut self) {
        let mut state = self.hub.lock();
        if state.rng.random_bool(0.2) {
            state.check.deleting = true;
            state.note(|_| "the cluster is to be deleted".to_owned());
            self.phase = Phase::Deleting { since: state.now };
            drop(state);
            self.ask_for(NewOperation::of(OperationKind::DeleteCluster, None));
        } else {
            self.phase = Phase::Over;
        }
    }

    /// Nothing of a deleted cluster is left.
    fn look_deleted(&mut self, since: u64) {
        let Some(world) = &self.server.world else { return };
        let is_gone = world.store.find::<Cluster>(self.cluster.as_str()).is_none();
        let mut state = self.hub.lock();
        let left = state.machines.iter().filter(|machine| !machine.deleted).count();
        if is_gone && left == 0 && state.networks == 0 {
            self.phase = Phase::Over;
        } else if is_gone || since > 60_000 {
            state.violated(format!("{left} machines are left of the deleted cluster"));
        }
    }
}

impl State {
    /// What happens to the simulated things alone.
    fn take(&mut self, event: Event) {
        use bellwether_agent_core::sentry::hands::Event as SentryEvent;
        match event {
            Event::Pump(pipe) => self.pump(pipe),
            Event::Datagram { to, boot, from, body } => {
                if self.machines[to].boot == boot {
                    if let (PeerBody::LeaseAck { .. }, Some(from)) = (body, self.node_of(&from)) {
                        self.heard(Host::Node(from), Host::Node(to));
                    }
                    self.machines[to].mail(SentryEvent::Peer(from, body));
                }
            }
            Event::Dial { node, sentry } => self.dial(node, sentry),
            Event::Saved { node, sentry, durable } => self.saved(node, sentry, *durable),
            Event::Boot { node } => self.boot(node),
            Event::EngineTick { node, life } => self.engine_tick(node, life),
            Event::OpenStream { node, life } => self.open_stream(node, life),
            Event::FlushedTo { node, life, count } => self.flushed(node, life, count),
            Event::Write { client, request, node } => self.write(client, request, node),
            Event::Read { client, request, node } => self.read(client, request, node),
            Event::Answer { client, request, node, uid } => {
                self.answer(client, request, node, uid);
            }
            Event::GiveUp { client, request } => self.give_up(client, request),
            Event::Go { client } => self.go(client),
            Event::StartSentry { .. }
            | Event::StartWorker { .. }
            | Event::Dialled { .. }
            | Event::Join { .. }
            | Event::Draw(_)
            | Event::Begin(_)
            | Event::End(_)
            | Event::StartServer
            | Event::Ask
            | Event::Look => {}
        }
    }
}
