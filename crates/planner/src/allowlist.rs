//! Who may reach a cluster's client ports: what nodes are told, what is shown, what a change cuts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use bellwether_model::allowlist::{
    AllowEntry, AllowlistPlan, AllowlistView, BlockedSource, Cidr, ConnectedClient, SERVER,
};
use bellwether_model::{Cluster, Timestamp};
use bellwether_protocol::assignment::{Admission, Allowed, Reversal};
use bellwether_protocol::local::ClientsReport;

use crate::view::{NodeFacts, View};

/// What was reported longer ago says nothing of who is connected.
const STALE_MS: u64 = 10_000;

/// Addresses that were not let in and are shown one by one.
const BLOCKED_MAX: usize = 50;

/// What the nodes of a cluster are told.
pub(crate) fn admission(cluster: &Cluster) -> Admission {
    let resolve = |entries: &Option<Vec<AllowEntry>>| {
        entries.as_ref().map(|entries| resolved(cluster, entries))
    };
    let pending = cluster.pending_allowlist.as_ref();
    Admission {
        generation: cluster.generation,
        allowed: resolve(&cluster.spec.allowlist),
        reversal: pending
            .map(|pending| Reversal { at: pending.revert_at, allowed: resolve(&pending.before) }),
    }
}

/// Entries as ranges.
fn resolved(cluster: &Cluster, entries: &[AllowEntry]) -> Vec<Allowed> {
    let allowed = |entry: &AllowEntry| {
        let ranges = match entry.address.as_str() {
            SERVER => server(cluster),
            text => Cidr::parse(text).into_iter().collect(),
        };
        let expires_at = entry.expires_at;
        ranges.into_iter().map(move |range| Allowed { range, expires_at })
    };
    entries.iter().flat_map(allowed).collect()
}

/// The addresses under which nodes see the machine that this server runs on.
fn server(cluster: &Cluster) -> Vec<Cidr> {
    let Some(network) = &cluster.network else { return Vec::new() };
    let base = network.subnet6.split('/').next().unwrap_or_default();
    let first = base.parse::<Ipv6Addr>().ok().map(|base| Ipv6Addr::from(u128::from(base) + 1));
    let texts = [Some(network.gateway.clone()), first.map(|address| address.to_string())];
    texts.into_iter().flatten().filter_map(|text| Cidr::parse(&text).ok()).collect()
}

/// The list as it is now, for `caller`: what the list calls whoever asks.
#[must_use]
pub fn shown(view: &View, caller: &str) -> AllowlistView {
    let cluster = &view.cluster;
    let reports = || view.every_node().filter_map(clients);
    let mut blocked: BTreeMap<&str, BlockedSource> = BTreeMap::new();
    for source in reports().flat_map(|report| &report.blocked_sources) {
        let known = blocked.entry(&source.address).or_insert_with(|| BlockedSource {
            address: source.address.clone(),
            attempts: 0,
            last_at: source.last_at,
        });
        known.attempts += source.attempts;
        known.last_at = known.last_at.max(source.last_at);
    }
    let mut blocked_sources: Vec<BlockedSource> = blocked.into_values().collect();
    blocked_sources.sort_by_key(|source| std::cmp::Reverse(source.last_at));
    blocked_sources.truncate(BLOCKED_MAX);
    let is_awaited = |facts: &&NodeFacts| {
        let told = facts.report().and_then(|report| report.admission);
        told.is_none_or(|told| told < cluster.generation)
    };
    AllowlistView {
        open: cluster.spec.allowlist.is_none(),
        entries: cluster.spec.allowlist.clone().unwrap_or_default(),
        revert_at: cluster.pending_allowlist.as_ref().map(|pending| pending.revert_at),
        clients: connected(view),
        blocked: reports().map(|report| report.blocked).sum(),
        blocked_sources,
        awaited: view.every_node().filter(is_awaited).map(|f| f.node.name.clone()).collect(),
        caller: caller.to_owned(),
        generation: cluster.generation,
    }
}

/// What another list would change now.
#[must_use]
pub fn plan(view: &View, entries: &[AllowEntry], caller: &str) -> AllowlistPlan {
    let before: BTreeSet<&str> = match &view.cluster.spec.allowlist {
        None => ["0.0.0.0/0", "::/0"].into(),
        Some(entries) => entries.iter().map(|entry| entry.address.as_str()).collect(),
    };
    let after: BTreeSet<&str> = entries.iter().map(|entry| entry.address.as_str()).collect();
    let names = |of: &BTreeSet<&str>, without: &BTreeSet<&str>| {
        of.difference(without).map(|text| (*text).to_owned()).collect()
    };
    let ranges = ranges(&view.cluster, entries, view.now);
    let is_in = |address: &str| {
        let address: Option<IpAddr> = address.parse().ok();
        address.is_some_and(|address| ranges.iter().any(|range| range.contains(address)))
    };
    let unknown = view.every_node().filter(|facts| clients(facts).is_none());
    AllowlistPlan {
        added: names(&after, &before),
        removed: names(&before, &after),
        cut: connected(view).into_iter().filter(|client| !is_in(&client.address)).collect(),
        excludes_caller: !after.contains(caller) && !is_in(caller),
        unknown: unknown.map(|facts| facts.node.name.clone()).collect(),
    }
}

fn ranges(cluster: &Cluster, entries: &[AllowEntry], now: Timestamp) -> Vec<Cidr> {
    let allowed = resolved(cluster, entries).into_iter();
    allowed.filter(|one| one.expires_at.is_none_or(|end| end > now)).map(|one| one.range).collect()
}

fn clients(facts: &NodeFacts) -> Option<&ClientsReport> {
    facts.worker().filter(|_| facts.is_fresh(STALE_MS))?.clients.as_ref()
}

/// Everybody who is connected, the most connections first.
fn connected(view: &View) -> Vec<ConnectedClient> {
    let mut all: BTreeMap<&str, ConnectedClient> = BTreeMap::new();
    for facts in view.every_node() {
        for source in clients(facts).into_iter().flat_map(|report| &report.sources) {
            let known = all.entry(&source.address).or_insert_with(|| ConnectedClient {
                address: source.address.clone(),
                connections: 0,
                nodes: Vec::new(),
            });
            known.connections += source.connections;
            known.nodes.push(facts.node.name.clone());
        }
    }
    let mut all: Vec<ConnectedClient> = all.into_values().collect();
    all.sort_by_key(|client| std::cmp::Reverse(client.connections));
    all
}

#[cfg(test)]
mod tests {
    use bellwether_model::allowlist::PendingAllowlist;
    use bellwether_model::cluster::ClusterNetwork;
    use bellwether_protocol::local::{ClientSource, RefusedSource};

    use super::*;
    use crate::view::tests::{Sketch, sketch};

    fn listed(addresses: &[&str]) -> Vec<AllowEntry> {
        addresses.iter().map(|address| AllowEntry::of(address)).collect()
    }

    fn networked() -> Sketch {
        let mut sketch = sketch(2);
        sketch.cluster.network = Some(ClusterNetwork {
            name: "demo".into(),
            subnet: "10.87.1.0/24".into(),
            subnet6: "fd42:be11:0:1::/64".into(),
            gateway: "10.87.1.1".into(),
        });
        sketch
    }

    #[test]
    fn nodes_are_told_ranges_and_what_counts_again_later() {
        let mut sketch = networked();
        sketch.cluster.spec.allowlist = Some(listed(&[SERVER, "10.0.0.0/8"]));
        let revert_at = Timestamp::from_millis(1_000);
        sketch.cluster.pending_allowlist = Some(PendingAllowlist { before: None, revert_at });
        let told = admission(&sketch.cluster);
        let now = told.at(Timestamp::from_millis(999)).expect("a list");
        let texts: Vec<String> = now.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["10.87.1.1", "fd42:be11:0:1::1", "10.0.0.0/8"]);
        assert_eq!(told.at(revert_at), None, "everybody, as before");
    }

    #[test]
    fn what_has_expired_lets_nobody_in() {
        let mut sketch = networked();
        let mut entries = listed(&["10.0.0.1", "10.0.0.2"]);
        entries[0].expires_at = Some(Timestamp::from_millis(500));
        sketch.cluster.spec.allowlist = Some(entries);
        let told = admission(&sketch.cluster);
        let count = |ms| told.at(Timestamp::from_millis(ms)).map(|ranges| ranges.len());
        assert_eq!((count(499), count(500)), (Some(2), Some(1)));
    }

    #[test]
    fn a_plan_names_who_would_be_cut_off() {
        let mut sketch = networked();
        sketch.cluster.spec.allowlist = Some(listed(&["10.0.0.0/8", SERVER]));
        for ordinal in [1, 2] {
            let source = |address: &str| ClientSource { address: address.into(), connections: 2 };
            let refused = RefusedSource {
                address: "192.0.2.9".into(),
                attempts: 3,
                last_at: Timestamp::from_millis(i64::from(ordinal)),
            };
            sketch.worker(ordinal).clients = Some(ClientsReport {
                sources: vec![source("10.0.0.7"), source("10.87.1.1")],
                blocked: 3,
                blocked_sources: vec![refused],
            });
        }
        let view = sketch.view();
        let plan = plan(&view, &listed(&[SERVER, "10.0.0.8"]), "10.0.0.7");
        assert_eq!(
            (plan.added, plan.removed),
            (vec!["10.0.0.8".into()], vec!["10.0.0.0/8".into()])
        );
        assert_eq!((plan.cut.len(), plan.cut[0].connections), (1, 4));
        assert!(plan.excludes_caller && plan.unknown.is_empty());
        let shown = shown(&view, SERVER);
        assert_eq!((shown.blocked, shown.blocked_sources[0].attempts), (6, 6));
        assert_eq!(shown.awaited, ["demo-1", "demo-2"], "no kernel has said so");
    }
}
