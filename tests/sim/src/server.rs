//! The server: the real loops over a store in memory, which crash, freeze and start again.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bellwether_control::{
    Authority, BackupTimers, World, lineage, machines, orphans, reconcile, sessions,
};
use bellwether_model::cluster::NodeSize;
use bellwether_model::drill::Drill;
use bellwether_model::engine::EngineProfile;
use bellwether_model::maintenance::Maintenance;
use bellwether_model::operation::NewOperation;
use bellwether_model::parameter::ParameterText;
use bellwether_model::reconfigure::Reconfigure;
use bellwether_model::{
    Bytes, Cluster, ClusterId, ClusterSpec, ClusterStatus, Node, NodeId, Operation, OperationKind,
    Timestamp,
};
use bellwether_planner::reconfigure;
use bellwether_store::clusters::NameClaim;
use bellwether_store::memory::{Moment, Surroundings};
use bellwether_store::{Image, Store, Stored, Txn};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::faults::{self, Fault};
use crate::hub::{Event, Hub};
use crate::machine::Freezable;
use crate::net::Host;
use crate::provider::SimProvider;
use crate::sessions::SimSocket;

/// The wall clock when the simulation begins.
const EPOCH_MS: i64 = 1_800_000_000_000;

/// Made once: servers start often.
static PROFILES: LazyLock<Vec<EngineProfile>> = LazyLock::new(bellwether_engines::profiles);

/// The user who asks.
const SOMEBODY: &str = "somebody";

struct Around {
    hub: Hub,
}

impl Surroundings for Around {
    fn now(&self) -> Timestamp {
        let state = self.hub.lock();
        Timestamp::from_millis(EPOCH_MS + state.now.cast_signed() + state.wall_offset)
    }

    fn writing(&self) -> Moment {
        let hub = self.hub.clone();
        Box::pin(async move {
            let (ms, pause) = {
                let state = &mut hub.lock();
                // What a start writes is there at once: the run waits for it.
                if !state.server_up {
                    return;
                }
                (state.server_disk_ms, state.server_pause.clone())
            };
            if ms > 0 {
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            pause.over().await;
        })
    }

    fn answering(&self) -> Moment {
        Box::pin(std::future::ready(()))
    }
}

/// The server's process.
pub struct Server {
    hub: Hub,
    pub world: Option<Arc<World>>,
    tasks: JoinSet<()>,
    image: Image,
    /// An earlier copy, with what a person had asked for.
    copy: Option<(Asked, Image)>,
}

/// In so many milliseconds a server with an older copy of its store is back, and hears everybody.
const RESTORE_MS: u64 = 12_000;

/// What a person had asked for, and the nodes there were.
type Asked = (ClusterSpec, Vec<NodeId>);

impl Server {
    pub fn new(hub: Hub) -> Self {
        Self { hub, world: None, tasks: JoinSet::new(), image: Image::default(), copy: None }
    }

    fn asked(world: &World) -> Option<Asked> {
        let cluster = world.store.list::<Cluster>().pop()?.object;
        let nodes = world.store.list::<Node>().into_iter().map(|node| node.object.id).collect();
        Some((cluster.spec, nodes))
    }

    /// Keeps a copy of the store, to be put back later.
    pub fn back_up(&mut self) {
        let Some(world) = &self.world else { return };
        self.copy = Self::asked(world).map(|asked| (asked, world.store.image()));
    }

    /// Crashes, and comes back with the copy, if that knows of the same nodes and wishes, and if
    /// everybody can speak who knows better: for those a start waits some seconds. All but one are
    /// held up for so long.
    pub fn crash_with_copy(&mut self, alone: usize, ms: u64) {
        let asked = self.world.as_deref().and_then(Self::asked);
        self.crash();
        let copy = self.copy.take().filter(|(then, _)| Some(then) == asked.as_ref());
        let mut state = self.hub.lock();
        let is_calm = state.net.is_calm()
            && !state.server_pause.is_on()
            && state.machines.iter().all(|machine| machine.deleted || machine.acts());
        let Some((_, image)) = copy.filter(|_| is_calm) else { return };
        self.image = image;
        state.spared_until = state.now + RESTORE_MS;
        state.note(|_| "its store is replaced by an older copy".to_owned());
        let others = (0..state.machines.len()).filter(|node| *node != alone);
        let ways: Vec<_> =
            others.flat_map(|node| faults::both(Host::Node(node), Host::Server)).collect();
        ways.iter().for_each(|(a, b)| state.net.cut(*a, *b));
        state.after(ms, Event::End(Box::new(Fault::Cut { ways })));
    }

    pub async fn start(&mut self) {
        if self.world.is_some() {
            return;
        }
        let around = Arc::new(Around { hub: self.hub.clone() });
        let store = Store::in_memory(std::mem::take(&mut self.image), around);
        let authority = Authority::open(&store).await.expect("the authority opens");
        let epoch = lineage::begin(&store).await.expect("a start is written down");
        let provider = Arc::new(SimProvider::new(self.hub.clone()));
        let world = World::new(
            store.clone(),
            vec![provider],
            PROFILES.clone(),
            bellwether_backups::opener(),
            authority,
            (epoch, 7443),
            BackupTimers::default(),
        );
        let pause = {
            let mut state = self.hub.lock();
            state.server_life = state.id();
            state.server_up = true;
            state.store = Some(store);
            state.note(|_| "the server starts".to_owned());
            state.server_pause.clone()
        };
        let span = || tracing::info_span!("server");
        let work = reconcile::run(world.clone()).instrument(span());
        self.tasks.spawn(Freezable::new(work, pause.clone()));
        let work = machines::run(world.clone()).instrument(span());
        self.tasks.spawn(Freezable::new(work, pause.clone()));
        let work = orphans::run(world.clone()).instrument(span());
        self.tasks.spawn(Freezable::new(work, pause));
        self.world = Some(world);
    }

    /// Everything that is not in the store is gone.
    pub fn crash(&mut self) {
        let Some(world) = self.world.take() else { return };
        self.image = world.store.image();
        self.tasks.abort_all();
        self.tasks = JoinSet::new();
        let mut state = self.hub.lock();
        state.server_up = false;
        state.server_pause.set(false);
        state.note(|_| "the server crashes".to_owned());
        state.drop_sessions_of_server();
    }

    /// An agent's session begins.
    pub fn accept(&mut self, node: usize, socket: SimSocket) {
        let Some(world) = self.world.clone() else { return };
        let (id, pause) = {
            let state = self.hub.lock();
            (state.machines[node].id.clone(), state.server_pause.clone())
        };
        let Some(stored) = world.store.find::<Node>(id.as_str()) else { return };
        let span = tracing::info_span!("server");
        let work = sessions::serve(world, stored.object, socket).instrument(span);
        self.tasks.spawn(Freezable::new(work, pause));
    }

    /// A new agent joins: who it is is written down.
    pub fn join(&mut self, node: usize) {
        let (id, is_reached) = {
            let mut state = self.hub.lock();
            let machine = &state.machines[node];
            if machine.joined || !machine.up || machine.deleted {
                return;
            }
            let is_reached = state.net.passes_both(Host::Node(node), Host::Server);
            let id = machine.id.clone();
            state.after(500, Event::Join { node });
            (id, is_reached && state.server_up && !state.server_pause.is_on())
        };
        let Some(world) = self.world.clone().filter(|_| is_reached) else { return };
        let hub = self.hub.clone();
        self.tasks.spawn(async move {
            let Some(mut stored) = world.store.find::<Node>(id.as_str()) else { return };
            stored.object.fingerprint = Some(format!("fingerprint of {id}"));
            stored.object.joined_at = Some(world.now());
            if world.store.commit(Txn::new().update(&stored)).await.is_ok() {
                let mut state = hub.lock();
                if !state.machines[node].joined {
                    state.machines[node].joined = true;
                    state.note(|s| format!("{} has joined", s.name(node)));
                    state.start_parts(node);
                }
            }
        });
    }

    /// A person asks for a cluster.
    pub async fn create(&self, spec: ClusterSpec) -> ClusterId {
        let world = self.world.as_ref().expect("the server runs");
        let cluster = Cluster {
            id: ClusterId::generate(),
            generation: 1,
            created_at: world.now(),
            status: ClusterStatus::default(),
            network: None,
            next_ordinal: 1,
            proof_of: None,
            pending_allowlist: None,
            databases: bellwether_model::database::Databases::default(),
            shard: None,
            size_may_wait: false,
            disks_grow_in_use: true,
            spec,
        };
        let operation =
            Operation::queued(&cluster, OperationKind::CreateCluster, SOMEBODY, world.now());
        let claim = NameClaim { name: cluster.spec.name.clone(), cluster: cluster.id.clone() };
        let txn = Txn::new().insert(&cluster).insert(&claim).insert(&operation);
        world.store.commit(txn).await.expect("a new cluster");
        cluster.id
    }

    /// A person asks for an operation; refused like the API would.
    pub fn ask(&mut self, id: &ClusterId, request: NewOperation) {
        let Some(world) = self.world.clone() else { return };
        let (id, hub) = (id.clone(), self.hub.clone());
        self.tasks.spawn(async move {
            let Some(mut cluster): Option<Stored<Cluster>> = world.store.find(id.as_str()) else {
                return;
            };
            let Some(view) = bellwether_store::views::view(&world.store, &id) else { return };
            let (kind, node) = (request.kind, request.node.clone());
            if let Err(why) = bellwether_planner::check_operation(&view, &request) {
                return hub.lock().note(|_| format!("{kind} is refused: {why}"));
            }
            let mut operation = Operation::queued(&cluster.object, kind, SOMEBODY, world.now());
            let facts = node.as_deref().and_then(|text| view.node_named(text));
            operation.node = facts.map(|facts| facts.node.id.clone());
            operation.node_name = facts.map(|facts| facts.node.name.clone());
            let count = view.nodes.len() as u32;
            match kind {
                OperationKind::Resync => {
                    let resync = bellwether_planner::resync::resolve(&view, &request);
                    operation.state = serde_json::to_value(resync.ok()).expect("plain data");
                }
                OperationKind::Drill => {
                    let (kind, allow_loss) =
                        (request.drill.unwrap_or_default(), request.allow_loss);
                    let drill = Drill { kind, allow_loss, ..Drill::default() };
                    operation.state = serde_json::to_value(drill).expect("plain data");
                }
                OperationKind::Drain | OperationKind::Reboot => {
                    let allow_waiting = request.allow_waiting;
                    let state = Maintenance { allow_waiting, ..Maintenance::default() };
                    operation.state = serde_json::to_value(state).expect("plain data");
                }
                OperationKind::AddNode => cluster.object.spec.nodes = count + 1,
                OperationKind::RemoveNode => {
                    cluster.object.spec.nodes = count.saturating_sub(1).max(1);
                }
                _ => {}
            }
            cluster.object.generation += 1;
            let txn = Txn::new().update(&cluster).insert(&operation);
            let taken = world.store.commit(txn).await.is_ok();
            hub.lock()
                .note(|_| format!("{kind} of {node:?} {:?} is asked for: {taken}", request.nodes));
        });
    }

    /// A person chooses a setting of the engine; refused like the API would.
    pub fn choose(&mut self, id: &ClusterId, name: &'static str, value: &'static str) {
        let Some(world) = self.world.clone() else { return };
        let (id, hub) = (id.clone(), self.hub.clone());
        self.tasks.spawn(async move {
            let Some(mut cluster): Option<Stored<Cluster>> = world.store.find(id.as_str()) else {
                return;
            };
            let Some(view) = bellwether_store::views::view(&world.store, &id) else { return };
            let Some(engine) = world.engine(&cluster.object.spec.engine) else { return };
            let before = cluster.object.spec.parameters.clone();
            let mut after = before.clone();
            after.insert(name.to_owned(), ParameterText::from(value));
            let plan = reconfigure::plan(&view, engine, &after);
            if let Some(why) = plan.refusals.first() {
                return hub.lock().note(|_| format!("{name} = {value} is refused: {why}"));
            }
            cluster.object.spec.parameters.clone_from(&after);
            cluster.object.generation += 1;
            let kind = OperationKind::Reconfigure;
            let mut operation = Operation::queued(&cluster.object, kind, SOMEBODY, world.now());
            let changes = plan.changes;
            let state = Reconfigure { before, after, changes, ..Reconfigure::default() };
            operation.state = serde_json::to_value(state).expect("plain data");
            let txn = Txn::new().update(&cluster).insert(&operation);
            let taken = world.store.commit(txn).await.is_ok();
            hub.lock().note(|_| format!("{name} = {value} is asked for: {taken}"));
        });
    }

    /// A person asks for another size; refused like the API would.
    pub fn resize(&mut self, id: &ClusterId, memory: Bytes, may_wait: bool) {
        let Some(world) = self.world.clone() else { return };
        let (id, hub) = (id.clone(), self.hub.clone());
        self.tasks.spawn(async move {
            let Some(mut cluster): Option<Stored<Cluster>> = world.store.find(id.as_str()) else {
                return;
            };
            let Some(view) = bellwether_store::views::view(&world.store, &id) else { return };
            let size = NodeSize { memory, ..cluster.object.spec.size };
            let why = bellwether_planner::resize::refuse_without_consent(&view, &size);
            if let Some(why) = why.filter(|_| !may_wait) {
                return hub.lock().note(|_| format!("another size is refused: {why}"));
            }
            cluster.object.spec.size = size;
            cluster.object.size_may_wait = may_wait;
            cluster.object.generation += 1;
            let taken = world.store.commit(Txn::new().update(&cluster)).await.is_ok();
            hub.lock().note(|_| format!("{memory} of memory are asked for: {taken}"));
        });
    }

    /// A person changes what is wanted.
    pub fn change(
        &mut self,
        id: &ClusterId,
        change: impl FnOnce(&mut ClusterSpec) + Send + 'static,
    ) {
        let Some(world) = self.world.clone() else { return };
        self.hub.lock().watch_change();
        let id = id.clone();
        self.tasks.spawn(async move {
            let Some(mut cluster): Option<Stored<Cluster>> = world.store.find(id.as_str()) else {
                return;
            };
            change(&mut cluster.object.spec);
            cluster.object.generation += 1;
            let _ = world.store.commit(Txn::new().update(&cluster)).await;
        });
    }

    /// How long until the server is back.
    pub fn start_later(&self, delay: u64) {
        self.hub.lock().after(delay, Event::StartServer);
    }
}
