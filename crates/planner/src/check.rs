//! Whether a spec can be carried out: every field that cannot, with what would be right.

use bellwether_model::engine::{EngineProfile, TopologyFact, TopologyPicture};
use bellwether_model::group::TimerProfile;
use bellwether_model::member::MEMBERS_MIN;
use bellwether_model::problem::FieldProblem;
use bellwether_model::provider::ProviderLimits;
use bellwether_model::shard::shard_name;
use bellwether_model::{Bytes, ClusterSpec, ReplicationMode, allowlist, name};

use crate::backups::SHARDED;
use crate::view::View;
use crate::{reconfigure, schedule};

/// The fields of a spec that cannot be carried out by this engine at this provider.
#[must_use]
pub fn check_spec(
    spec: &ClusterSpec,
    engine: &EngineProfile,
    limits: &ProviderLimits,
) -> Vec<FieldProblem> {
    let checks = [
        ("name", name::check_cluster_name(&spec.name).err()),
        ("version", check_version(spec, engine)),
        ("name", check_room_for_shards(spec)),
        ("shards", check_shards(spec, engine)),
        ("multi_primary", check_equals(spec, engine)),
        ("replication", check_equals_mode(spec)),
        ("nodes", check_nodes(spec, engine, limits)),
        ("apart", check_apart(spec, limits)),
        ("replication", check_replication(spec, engine)),
        ("drill", check_sharded_drill(spec)),
        ("drill.schedule", check_drill(spec)),
        ("backup.schedule", check_backup(spec, engine)),
        ("backup.keep", check_keep(spec)),
        ("backup.point_in_time", check_log(spec, engine)),
        ("source.backup", check_source(spec)),
        ("source.at", check_moment(spec, engine)),
        ("size.cpus", check_cpus(spec, limits)),
        (
            "size.memory",
            check_bytes(
                spec.size.memory,
                engine.memory_min.max(limits.memory_min),
                limits.memory_max,
                "memory",
            ),
        ),
        (
            "size.disk",
            check_bytes(
                spec.size.disk,
                engine.disk_min.max(limits.disk_min),
                limits.disk_max,
                "disk",
            ),
        ),
    ];
    let parameters = reconfigure::canonical(engine, spec).err().unwrap_or_default();
    let problem = |(field, message): (&str, Option<String>)| {
        message.map(|message| FieldProblem { field: field.to_owned(), message })
    };
    let listed = allowlist::check("allowlist", spec.allowlist.as_deref().unwrap_or_default());
    checks.into_iter().filter_map(problem).chain(parameters).chain(listed).collect()
}

fn check_version(spec: &ClusterSpec, engine: &EngineProfile) -> Option<String> {
    let is_known = engine.versions.contains(&spec.version);
    (!is_known).then(|| {
        let versions = engine.versions.join(", ");
        format!("{} has no version `{}` here; there are {versions}", engine.title, spec.version)
    })
}

fn check_nodes(
    spec: &ClusterSpec,
    engine: &EngineProfile,
    limits: &ProviderLimits,
) -> Option<String> {
    let fits = |topology: &&TopologyFact| {
        (topology.shards_max > 0) == (spec.shards > 0)
            && is_of_equals(topology) == spec.multi_primary
    };
    // An engine without shards is told so, and no more.
    let most = engine.topologies.iter().filter(fits).map(|t| t.nodes_max).max();
    let most = most.or((spec.shards == 0).then_some(1))?;
    let most = most.min(limits.nodes_max / spec.shards.max(1));
    if spec.multi_primary && spec.nodes < MEMBERS_MIN {
        let nodes = spec.nodes;
        return Some(format!(
            "with {nodes} nodes no majority is left when one is lost, and the rest would take no \
             writes either; choose {MEMBERS_MIN} to {most}, or a primary with replicas"
        ));
    }
    (spec.nodes == 0 || spec.nodes > most)
        .then(|| format!("{} nodes cannot be made; choose 1 to {most}", spec.nodes))
}

/// Whether its nodes can be kept apart as it is asked for.
fn check_apart(spec: &ClusterSpec, limits: &ProviderLimits) -> Option<String> {
    let has_several = spec.nodes > 1 || spec.shards > 1;
    (spec.apart && limits.one_host && has_several).then(|| {
        format!(
            "{} makes all machines on one host, where nodes cannot be kept apart; leave `apart` \
             out, or ask for one node",
            spec.provider
        )
    })
}

fn check_shards(spec: &ClusterSpec, engine: &EngineProfile) -> Option<String> {
    if spec.shards == 0 {
        return None;
    }
    let Some(topology) = engine.topologies.iter().find(|topology| topology.shards_max > 0) else {
        return Some(format!("{} cannot divide its keys over shards", engine.title));
    };
    let possible = topology.shards_min..=topology.shards_max;
    (!possible.contains(&spec.shards)).then(|| {
        let (least, most) = (possible.start(), possible.end());
        format!("{} shards cannot be made; choose {least} to {most}", spec.shards)
    })
}

fn is_of_equals(topology: &TopologyFact) -> bool {
    topology.picture == TopologyPicture::MultiPrimary
}

fn check_equals(spec: &ClusterSpec, engine: &EngineProfile) -> Option<String> {
    if !spec.multi_primary {
        return None;
    }
    if !engine.topologies.iter().any(is_of_equals) {
        return Some(format!("{}'s nodes cannot all accept writes", engine.title));
    }
    let refused = [
        (spec.shards > 0, "is not divided over shards; leave `shards` out"),
        (spec.drill.is_some(), "has no primary to drill with; leave `drill` out"),
        (spec.backup.is_some(), "cannot be backed up yet; leave `backup` out"),
        (spec.source.is_some(), "cannot begin with a backup yet; leave `source` out"),
    ];
    let refused = refused.iter().find(|(is_asked, _)| *is_asked);
    refused.map(|(_, words)| format!("a cluster whose nodes all accept writes {words}"))
}

fn check_equals_mode(spec: &ClusterSpec) -> Option<String> {
    (spec.multi_primary && spec.replication != ReplicationMode::Async).then(|| {
        "where every node accepts writes the engines agree on each by themselves; leave \
         `replication` out"
            .to_owned()
    })
}

/// Its shards' names are longer than its own.
fn check_room_for_shards(spec: &ClusterSpec) -> Option<String> {
    let last = shard_name(&spec.name, spec.shards.checked_sub(1)?);
    (last.len() > name::CLUSTER_NAME_LENGTH_MAX).then(|| {
        format!("the name of a shard would be `{last}`, which is too long; choose a shorter name")
    })
}

fn check_sharded_drill(spec: &ClusterSpec) -> Option<String> {
    (spec.shards > 0 && spec.drill.is_some())
        .then(|| "drills of a sharded cluster are asked of one of its shards".to_owned())
}

fn check_replication(spec: &ClusterSpec, engine: &EngineProfile) -> Option<String> {
    let mode = spec.replication;
    let word = mode.to_string();
    let name = word.split('(').next().unwrap_or_default();
    if !engine.replication_modes.iter().any(|fact| fact.name == name) {
        return Some(format!("{} cannot replicate in mode `{mode}`", engine.title));
    }
    let replicas = spec.nodes.saturating_sub(1);
    match mode {
        ReplicationMode::Async | ReplicationMode::Prefer => None,
        ReplicationMode::Strict | ReplicationMode::Quorum(_) => {
            (mode.acks() > replicas).then(|| {
                let acks = mode.acks();
                format!(
                    "`{mode}` needs {acks} replicas to confirm a write and {replicas} are asked \
                     for; ask for {} nodes or another mode",
                    acks.saturating_add(1)
                )
            })
        }
    }
}

/// Why this network cannot carry a profile of timers, by what the primary has measured; none when
/// it can, or when nothing is known.
#[must_use]
pub fn check_timers(view: &View, profile: TimerProfile) -> Option<String> {
    let measured = view.primary()?.report()?.round_trip_ms?;
    let (most, word) = (profile.round_trip_ms_max(), profile.word());
    (measured > most).then(|| {
        format!(
            "the timers `{word}` need round trips of {most} ms at most, and {measured} ms were \
             measured between the primary and those who renew its lease"
        )
    })
}

fn check_drill(spec: &ClusterSpec) -> Option<String> {
    schedule::check_schedule(&spec.drill.as_ref()?.schedule).err()
}

fn check_backup(spec: &ClusterSpec, engine: &EngineProfile) -> Option<String> {
    let wanted = spec.backup.as_ref()?;
    if !engine.capabilities.backups {
        return Some(format!("{} cannot be backed up yet", engine.title));
    }
    if spec.shards > 0 {
        return Some(SHARDED.to_owned());
    }
    schedule::check_schedule(&wanted.schedule).err()
}

fn check_source(spec: &ClusterSpec) -> Option<String> {
    let is_divided = spec.shards > 0 && spec.source.is_some();
    is_divided.then(|| "a backup cannot be restored into shards; leave `shards` out".to_owned())
}

fn check_log(spec: &ClusterSpec, engine: &EngineProfile) -> Option<String> {
    let is_asked = spec.backup.as_ref().is_some_and(|wanted| wanted.point_in_time);
    (is_asked && !engine.capabilities.point_in_time).then(|| no_moments(engine))
}

fn check_moment(spec: &ClusterSpec, engine: &EngineProfile) -> Option<String> {
    let is_asked = spec.source.as_ref().is_some_and(|source| source.at.is_some());
    (is_asked && !engine.capabilities.point_in_time).then(|| no_moments(engine))
}

fn no_moments(engine: &EngineProfile) -> String {
    format!("{} cannot be restored to any moment yet, only to a backup", engine.title)
}

fn check_keep(spec: &ClusterSpec) -> Option<String> {
    let keeps_nothing = spec.backup.as_ref()?.keep.keeps_nothing();
    keeps_nothing.then(|| "nothing would be kept; keep the last few at least".to_owned())
}

fn check_cpus(spec: &ClusterSpec, limits: &ProviderLimits) -> Option<String> {
    let cpus = spec.size.cpus;
    let is_possible = cpus.is_finite() && cpus >= limits.cpus_min && cpus <= limits.cpus_max;
    (!is_possible).then(|| {
        format!("{cpus} cores cannot be had; choose {} to {}", limits.cpus_min, limits.cpus_max)
    })
}

fn check_bytes(asked: Bytes, least: u64, most: u64, what: &str) -> Option<String> {
    (asked.0 < least || asked.0 > most).then(|| {
        let (least, most) = (Bytes(least), Bytes(most));
        format!("{asked} of {what} cannot be had; choose {least} to {most}")
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use bellwether_model::engine::{
        Capabilities, EnginePorts, LogFacts, ReplicationFact, TopologyFact, TopologyPicture,
    };

    pub(crate) fn engine() -> EngineProfile {
        let mode = |name: &str| ReplicationFact {
            name: name.into(),
            title: String::new(),
            summary: String::new(),
        };
        EngineProfile {
            name: "postgresql".into(),
            title: "PostgreSQL".into(),
            summary: String::new(),
            versions: vec!["17".into(), "18".into()],
            topologies: vec![TopologyFact {
                name: "primary_replicas".into(),
                title: String::new(),
                summary: String::new(),
                picture: TopologyPicture::Replicas,
                nodes_min: 2,
                nodes_max: 9,
                shards_min: 0,
                shards_max: 0,
            }],
            replication_modes: ["async", "prefer", "strict", "quorum"].map(mode).into(),
            memory_min: 256 << 20,
            disk_min: 1 << 30,
            ports: EnginePorts {
                gate: 5432,
                read_write: 5000,
                read_only: 5001,
                private: 5431,
                read_gate: 5433,
                peer: 5440,
                bus: 0,
            },
            capabilities: Capabilities {
                synchronous: true,
                point_in_time: false,
                multi_primary: false,
                sharded: false,
                backups: true,
                restores_in_place: false,
            },
            parameters: Vec::new(),
            owned_parameters: Vec::new(),
            log: LogFacts::BYTES,
            user: "app".into(),
            database: "app".into(),
            examples: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(crate) fn limits() -> ProviderLimits {
        ProviderLimits {
            cpus_min: 0.1,
            cpus_max: 2.0,
            memory_min: 1,
            memory_max: 8 << 30,
            disk_min: 1,
            disk_max: 1 << 40,
            nodes_max: 16,
            disks_grow_in_use: true,
            one_host: true,
        }
    }

    #[test]
    fn every_impossible_field_is_named() {
        let limits = limits();
        let good = serde_json::json!({
            "name": "demo", "engine": "postgresql", "version": "17", "nodes": 3
        });
        let table: &[(&str, &str, serde_json::Value)] = &[
            ("", "nodes", 3.into()),
            ("name", "name", "Demo".into()),
            ("version", "version", "9".into()),
            ("nodes", "nodes", 0.into()),
            ("apart", "apart", true.into()),
            ("nodes", "nodes", 10.into()),
            ("shards", "shards", 3.into()),
            ("replication", "replication", "quorum(3)".into()),
            (
                "size.cpus",
                "size",
                serde_json::json!({"cpus": 64, "memory": "1GiB", "disk": "5GiB"}),
            ),
            (
                "size.cpus",
                "size",
                serde_json::json!({"cpus": -1, "memory": "1GiB", "disk": "5GiB"}),
            ),
            (
                "size.memory",
                "size",
                serde_json::json!({"cpus": 1, "memory": "1MiB", "disk": "5GiB"}),
            ),
            ("size.disk", "size", serde_json::json!({"cpus": 1, "memory": "1GiB", "disk": "5TiB"})),
            ("", "drill", serde_json::json!({"schedule": "0 4 * * 0", "kind": "failover"})),
            ("drill.schedule", "drill", serde_json::json!({"schedule": "on Sundays"})),
            ("", "backup", serde_json::json!({"schedule": "daily", "repository": "vault"})),
            (
                "backup.point_in_time",
                "backup",
                serde_json::json!({"schedule": "daily", "repository": "v", "point_in_time": true}),
            ),
            ("", "source", serde_json::json!({"backup": "b"})),
            (
                "source.at",
                "source",
                serde_json::json!({"backup": "b", "at": "2026-03-01T12:00:00Z"}),
            ),
            ("", "allowlist", serde_json::json!([{"address": "server"}, {"address": "::1"}])),
            ("allowlist[0].address", "allowlist", serde_json::json!([{"address": "my house"}])),
        ];
        for (problem, field, value) in table {
            let mut json = good.clone();
            json[field] = value.clone();
            let spec: ClusterSpec = serde_json::from_value(json).expect("a spec");
            let fields: Vec<_> =
                check_spec(&spec, &engine(), &limits).into_iter().map(|p| p.field).collect();
            let expected: Vec<&str> =
                Some(*problem).filter(|p| !p.is_empty()).into_iter().collect();
            assert_eq!(fields, expected, "{field} = {value}");
        }
    }
}
