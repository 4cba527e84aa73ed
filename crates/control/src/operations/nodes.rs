//! What creating a cluster and adding a node have in common: a node from its reservation to the
//! admission of its replica.

use std::sync::Arc;

use bellwether_contracts::provider::MachineRequest;
use bellwether_contracts::{Class, Failure};
use bellwether_model::cluster::ClusterNetwork;
use bellwether_model::node::NodePhase;
use bellwether_model::settings::NodeSettings;
use bellwether_model::shard::NODES_OF_SHARD_MAX;
use bellwether_model::{Actual, Cluster, JoinTokenId, Node, NodeId, Target, Timestamp};
use bellwether_planner::{NodeFacts, members};
use bellwether_protocol::join::AgentConfig;
use bellwether_store::join_tokens::JoinToken;
use bellwether_store::secrets::Secret;

use crate::pass::{Outcome, Pass};
use crate::world::World;

/// A replica is admitted when it lags less than this.
const ADMIT_LAG_BYTES_MAX: u64 = 16 << 20;

/// The host numbers of nodes in their network; lower ones are the provider's.
const HOSTS: std::ops::RangeInclusive<u32> = 11..=42;

/// The name of the secret that keeps a node's join token until it has joined.
pub fn join_secret(node: &NodeId) -> String {
    format!("join-token/{node}")
}

/// Writes down a new node with the next ordinal and its addresses.
///
/// # Errors
/// When the network has no room for it.
pub fn reserve(pass: &mut Pass) -> Result<Node, String> {
    let reserved: Vec<String> = pass.inserted().map(|node| node.address.clone()).collect();
    let cluster: &mut Cluster = &mut pass.cluster.object;
    let network = cluster.network.as_ref().ok_or("the cluster has no network yet")?;
    let ordinal = cluster.next_ordinal.max(1);
    // Ordinals are never reused, addresses are: the first that no node of the cluster has.
    let taken: Vec<&str> = pass.nodes.iter().map(|node| node.object.address.as_str()).collect();
    let all = addresses(network);
    let part = cluster.shard.as_ref().map_or(0..all.len(), |shard| {
        let first = shard.index as usize * NODES_OF_SHARD_MAX;
        first..first + NODES_OF_SHARD_MAX
    });
    let is_free = |(address, _): &&(String, String)| {
        !taken.contains(&address.as_str()) && !reserved.contains(address)
    };
    let (address, address6) = all
        .get(part)
        .unwrap_or_default()
        .iter()
        .find(is_free)
        .cloned()
        .ok_or("the cluster's network has no address left")?;
    let id = NodeId::generate();
    let node = Node {
        id: id.clone(),
        cluster: cluster.id.clone(),
        ordinal,
        name: format!("{}-{ordinal}", cluster.spec.name),
        size: cluster.spec.size,
        created_at: pass.now,
        phase: NodePhase::Provisioning,
        address,
        address6,
        machine: None,
        fingerprint: None,
        joined_at: None,
        target: Target::Stopped,
        copy: None,
        settings: NodeSettings {
            version: 1,
            values: cluster.spec.parameters.clone(),
            restart: false,
        },
        drill: None,
        backup: None,
        restore: None,
        replace: None,
        check: None,
    };
    cluster.next_ordinal = ordinal + 1;
    Ok(node)
}

/// Every address that a node of this network may ever have, IPv4 and IPv6. Each engine's
/// certificate names all of them: whichever endpoint a client dials, the primary answers.
#[must_use]
pub fn addresses(network: &ClusterNetwork) -> Vec<(String, String)> {
    let base = |subnet: &str| subnet.split('/').next().map(str::to_owned).unwrap_or_default();
    let v4: Option<std::net::Ipv4Addr> = base(&network.subnet).parse().ok();
    let v6: Option<std::net::Ipv6Addr> = base(&network.subnet6).parse().ok();
    let (Some(v4), Some(v6)) = (v4, v6) else { return Vec::new() };
    let address = |host: u32| {
        let v4 = std::net::Ipv4Addr::from(u32::from(v4) + host);
        let v6 = std::net::Ipv6Addr::from(u128::from(v6) + u128::from(host));
        (v4.to_string(), v6.to_string())
    };
    HOSTS.map(address).collect()
}

/// Makes and seals the node's join token.
pub fn issue_join_token(world: &World, pass: &mut Pass, node: &Node) {
    let token = random_hex(32);
    let name = join_secret(&node.id);
    let secret = Secret::seal(&world.store, &node.cluster, &name, token.as_bytes());
    let record = JoinToken {
        id: JoinTokenId::generate(),
        secret_hash: bellwether_store::tokens::hash(&token),
        cluster: node.cluster.clone(),
        node: node.id.clone(),
        expires_at: Timestamp::from_millis(pass.now.as_millis() + 24 * 3_600_000),
        used_at: None,
    };
    pass.put_secret(secret);
    pass.extra.push(Box::new(move |txn| txn.put(&record)));
}

/// So many random bytes from the system, hexadecimal.
#[must_use]
pub fn random_hex(bytes: usize) -> String {
    let mut random = vec![0u8; bytes];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random)
        .expect("the system gives random bytes");
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes the node's machine; `Next` once it runs.
pub fn acquire(world: &Arc<World>, pass: &mut Pass, id: &NodeId) -> Outcome {
    let Some(node) = pass.nodes.iter().map(|n| &n.object).find(|n| n.id == *id).cloned() else {
        return Outcome::fail("the node is gone");
    };
    if node.machine.is_some() {
        return Outcome::Next;
    }
    let cluster = pass.cluster.object.clone();
    let work = || make_machine(world.clone(), cluster.clone(), node.clone());
    match world.in_background(&cluster.id, &format!("machine/{id}"), work) {
        None => Outcome::wait(format!("making the machine of {}", node.name)),
        Some(Ok(machine)) => {
            if let Some(node) = pass.node_mut(id) {
                node.machine = Some(machine);
                node.phase = NodePhase::Joining;
            }
            Outcome::Next
        }
        Some(Err(failure)) => failed(&failure, &format!("the machine of {}", node.name)),
    }
}

/// A transient failure is waited out; any other ends the operation.
pub fn failed(failure: &Failure, what: &str) -> Outcome {
    match failure.class {
        Class::Transient => Outcome::wait(format!("{what}: {failure}; trying again")),
        Class::Permanent | Class::NeedsPerson => Outcome::fail(format!("{what}: {failure}")),
    }
}

async fn make_machine(world: Arc<World>, cluster: Cluster, node: Node) -> Result<String, Failure> {
    let provider = world.provider(&cluster.spec.provider)?;
    let network =
        cluster.network.clone().ok_or_else(|| Failure::permanent("the cluster has no network"))?;
    let name = join_secret(&node.id);
    // An agent that has joined needs no token any more: the machine is only looked up.
    let has_joined = || {
        let node = world.store.find::<Node>(node.id.as_str());
        node.is_some_and(|node| node.object.fingerprint.is_some())
    };
    let token = Secret::open(&world.store, &cluster.id, &name)
        .or_else(|| has_joined().then(Vec::new))
        .ok_or_else(|| Failure::permanent("the node's join token is gone"))?;
    let trusted = world.authority.trusted();
    let config = AgentConfig {
        servers: vec![format!("https://{}:{}", network.gateway, world.agent_port)],
        ca_certificate: trusted.map_err(|error| Failure::transient(error.to_string()))?,
        token: String::from_utf8_lossy(&token).into_owned(),
    };
    let agent_config = serde_json::to_string(&config).expect("plain data");
    let request = MachineRequest {
        cluster: cluster.id.clone(),
        cluster_name: cluster.spec.name.clone(),
        node: node.id.clone(),
        node_name: node.name.clone(),
        network,
        address: node.address.clone(),
        address6: node.address6.clone(),
        size: node.size,
        engine: cluster.spec.engine.clone(),
        version: cluster.spec.version.clone(),
        agent_config,
    };
    provider.ensure_machine(&request).await
}

/// Whether the node's agent has joined and is connected.
#[must_use]
pub fn has_agent(facts: &NodeFacts) -> bool {
    facts.node.fingerprint.is_some() && facts.report().is_some()
}

/// Assigns a new node to be a copy of the present primary.
pub fn seed(pass: &mut Pass, id: &NodeId) -> Outcome {
    let outcome = follow(pass, id);
    if outcome == Outcome::Next {
        pass.set_phase(id, NodePhase::Seeding);
    }
    outcome
}

/// Assigns a node to follow the present primary.
pub fn follow(pass: &mut Pass, id: &NodeId) -> Outcome {
    let status = pass.cluster.object.status.clone();
    let Some(primary) = status.primary else {
        return Outcome::wait("there is no primary to follow just now");
    };
    let target = match pass.view.is_multi_primary() {
        true => members::target(&pass.view, id),
        false => Target::Replica { upstream: primary, term: status.term },
    };
    pass.assign(id, target);
    Outcome::Next
}

/// Makes a node that has caught up a member in full; `Next` once it votes, or has taken over.
pub fn admit(pass: &mut Pass, id: &NodeId) -> Outcome {
    let is_active = pass.view.node(id).is_some_and(|facts| facts.node.phase == NodePhase::Active);
    if !is_active {
        pass.set_phase(id, NodePhase::Active);
        return Outcome::wait("admitting it");
    }
    let status = &pass.cluster.object.status;
    if pass.view.is_multi_primary() {
        return Outcome::Next;
    }
    let votes = status.config.next.is_none() && status.config.current.voters.contains(id);
    if votes || status.primary.as_ref() == Some(id) {
        return Outcome::Next;
    }
    Outcome::wait("waiting for its vote")
}

/// Waits until the node streams from the primary and has nearly caught up; follows the primary when
/// it changes meanwhile.
pub fn await_catch_up(pass: &mut Pass, id: &NodeId) -> Outcome {
    let status = pass.cluster.object.status.clone();
    let (Some(primary), Some(facts)) = (status.primary, pass.view.node(id).cloned()) else {
        return Outcome::wait("there is no primary to follow just now");
    };
    if pass.view.is_multi_primary() {
        return await_membership(pass, &facts);
    }
    if !facts.is_assigned_to_follow(&primary, status.term) {
        pass.assign(id, Target::Replica { upstream: primary, term: status.term });
        return Outcome::wait("the primary has changed; following the new one");
    }
    let lag = pass
        .view
        .node(&primary)
        .and_then(|primary| bellwether_planner::allowed::lag(primary, &facts));
    if facts.streams_from(&primary) && lag.is_some_and(|lag| lag <= ADMIT_LAG_BYTES_MAX) {
        return Outcome::Next;
    }
    Outcome::wait(waiting_words(&facts, lag))
}

/// Waits until its engine is a member that has everything.
fn await_membership(pass: &mut Pass, facts: &NodeFacts) -> Outcome {
    if members::serves(&pass.view, facts) {
        return Outcome::Next;
    }
    let id = &facts.node.id;
    let is_beginning = matches!(facts.node.target, Target::Member { from: None, .. });
    if !is_beginning {
        pass.assign(id, members::target(&pass.view, id));
    }
    Outcome::wait(waiting_words(facts, None))
}

pub(super) fn waiting_words(facts: &NodeFacts, lag: Option<u64>) -> String {
    let name = &facts.node.name;
    let worker = facts.worker();
    match (facts.actual(), worker.and_then(|worker| worker.progress), lag) {
        (Actual::Seeding { .. }, Some((done, all)), _) if all > 0 => {
            format!("{name} is copying, {} %", done * 100 / all)
        }
        (Actual::Seeding { .. }, ..) => format!("{name} is copying"),
        (Actual::Failed { reason }, ..) => format!("{name}: {reason}; trying again"),
        (Actual::Replica { .. }, _, Some(lag)) => format!("{name} is {lag} bytes behind"),
        (actual, ..) => match worker.map_or("", |worker| worker.doing.as_str()) {
            "" => format!("{name} is {}", actual.word()),
            doing => format!("{name}: {doing}"),
        },
    }
}

/// Deletes the node's machine; `Next` once the provider has verified that nothing is left.
pub fn release(world: &Arc<World>, pass: &Pass, id: &NodeId) -> Outcome {
    let cluster = &pass.cluster.object;
    let (provider_name, node) = (cluster.spec.provider.clone(), id.clone());
    let provider = match world.provider(&provider_name) {
        Ok(provider) => provider,
        Err(failure) => return failed(&failure, "deleting a machine"),
    };
    let work = || async move { provider.delete_machine(&node).await.map(|()| String::new()) };
    match world.in_background(&cluster.id, &format!("release/{id}"), work) {
        None => Outcome::wait("deleting the machine"),
        Some(Ok(_)) => Outcome::Next,
        // A machine that cannot be deleted now is tried again: giving up would leave it behind.
        Some(Err(failure)) => Outcome::wait(format!("{failure}; trying again")),
    }
}

/// Forgets a node: its secrets, its token and the node itself, and so its agent's access.
pub fn forget(pass: &mut Pass, id: &NodeId) {
    let cluster = pass.cluster.object.id.clone();
    let key = Secret::key_of(&cluster, &join_secret(id));
    pass.extra.push(Box::new(move |txn| txn.delete::<Secret>(&key, None)));
    pass.forget_node(id);
}
