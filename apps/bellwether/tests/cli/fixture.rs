//! Answers of the API, with ids and times that stay the same.

use serde_json::{Value, json};

pub(crate) const CLUSTER: &str = "01990000-0000-7000-8000-000000000001";
pub(crate) const OPERATION: &str = "01990000-0000-7000-8000-0000000000a1";

const AT: &str = "2026-03-01T12:00:00Z";

pub(crate) fn spec() -> Value {
    json!({
        "name": "demo", "engine": "postgresql", "version": "17", "provider": "docker", "nodes": 3,
        "size": {"cpus": 1.5, "memory": 1 << 30, "disk": 5_u64 << 30},
        "replication": "quorum(2)", "timers": "lan",
    })
}

pub(crate) fn cluster() -> Value {
    json!({
        "id": CLUSTER, "name": "demo", "generation": 4, "created_at": AT, "spec": spec(),
        "phase": "failing_over", "sentence": "the primary is being moved", "term": 7,
        "primary": "01990000-0000-7000-8000-000000000011", "primary_name": "demo-1",
        "nodes_total": 3, "nodes_healthy": 2, "operation": OPERATION,
        "operations": [{"kind": "add_node", "allowed": false, "reason": "promote is under way"}],
    })
}

/// One that has just been made.
pub(crate) fn new_cluster() -> Value {
    let mut cluster = cluster();
    cluster["id"] = json!("01990000-0000-7000-8000-000000000002");
    cluster["name"] = json!("new");
    cluster["spec"]["name"] = json!("new");
    cluster["phase"] = json!("creating");
    cluster["sentence"] = json!("being created");
    for field in ["primary", "primary_name"] {
        cluster[field] = Value::Null;
    }
    cluster["nodes_total"] = json!(0);
    cluster["nodes_healthy"] = json!(0);
    cluster
}

fn node(ordinal: u32) -> Value {
    let is_primary = ordinal == 1;
    json!({
        "id": format!("01990000-0000-7000-8000-00000000001{ordinal}"), "cluster": CLUSTER,
        "name": format!("demo-{ordinal}"), "ordinal": ordinal,
        "size": {"cpus": 1.5, "memory": 1 << 30, "disk": 5_u64 << 30}, "provider": "docker",
        "machine": format!("machine-{ordinal}"), "address": format!("192.0.2.{ordinal}"),
        "address6": format!("2001:db8::{ordinal}"), "created_at": AT, "phase": "active",
        "role": if is_primary { "primary" } else { "replica" }, "health": "healthy",
        "state": if is_primary { "accepts writes" } else { "follows demo-1" },
        "target": if is_primary { "primary" } else { "replica" },
        "upstream": if is_primary { Value::Null } else { json!("demo-1") },
        "position": {"timeline": 3, "offset": 16_777_216 - ordinal},
        "lag_bytes": if is_primary { Value::Null } else { json!(2_048) },
        "gate_open": is_primary, "cpu_percent": 12.4 * f64::from(ordinal),
        "memory_used": 300 << 20, "memory_limit": 1 << 30, "disk_used": 700 << 20,
        "disk_size": 5_u64 << 30, "connections": 4, "engine_version": "17.5",
        "agent_version": "0.1.0", "uptime_seconds": 86_400, "report_age_ms": 120,
        "operations": [],
    })
}

pub(crate) fn nodes() -> Value {
    let mut silent = node(3);
    silent["health"] = json!("silent");
    silent["role"] = json!("none");
    silent["state"] = json!("not heard from for 31 s");
    for field in ["lag_bytes", "cpu_percent", "memory_used", "disk_used", "engine_version"] {
        silent[field] = Value::Null;
    }
    json!({"items": [node(1), node(2), silent]})
}

fn step(name: &str, state: &str, message: &str, seconds: u32) -> Value {
    let at = |seconds: u32| json!(format!("2026-03-01T12:00:{seconds:02}Z"));
    json!({
        "name": name.to_lowercase().replace(' ', "_"), "title": name, "state": state,
        "message": message, "started_at": at(seconds), "ended_at": at(seconds + 1),
    })
}

pub(crate) fn operation(status: &str) -> Value {
    let failed = status == "failed";
    let last = if failed { ("failed", "demo-2 does not answer") } else { ("done", "") };
    let mut steps = vec![
        step("Check the replica", "done", "", 0),
        step("Hold new connections", last.0, last.1, 2),
    ];
    if failed {
        steps.push(step("Begin the new term", "skipped", "", 4));
    }
    json!({
        "id": OPERATION, "cluster": CLUSTER, "cluster_name": "demo", "kind": "switchover",
        "node": "01990000-0000-7000-8000-000000000012", "node_name": "demo-2", "status": status,
        "started_by": "admin", "reason": "asked for", "rule": 0, "created_at": AT,
        "started_at": AT, "ended_at": "2026-03-01T12:00:05Z", "steps": steps,
        "message": if failed { "demo-2 does not answer" } else { "demo-2 is the primary" },
        "state": {"phases_ms": {"hold": 120}},
    })
}

pub(crate) fn operations() -> Value {
    let mut automatic = operation("succeeded");
    automatic["id"] = json!("01990000-0000-7000-8000-0000000000a0");
    automatic["kind"] = json!("failover");
    automatic["started_by"] = json!("bellwether");
    for field in ["node", "node_name"] {
        automatic[field] = Value::Null;
    }
    json!({"items": [operation("failed"), automatic]})
}

pub(crate) fn plan(kind: &str, refusals: &[&str]) -> Value {
    json!({
        "kind": kind, "summary": "Does what was asked for.",
        "steps": [{"name": "one", "title": "The first step"},
                  {"name": "two", "title": "The second step"}],
        "write_pause_ms": 300, "bytes_copied": 3_u64 << 30, "redundancy_min": 1,
        "erases": ["demo-3: its machine and its disk"], "refusals": refusals,
    })
}

pub(crate) fn connection(password: Option<&str>) -> Value {
    let shown = password.unwrap_or("PASSWORD");
    let example = |endpoint: &str, name: &str, port: u16| {
        json!({"name": name, "title": name, "endpoint": endpoint,
               "text": format!("{name} app:{shown}@192.0.2.1:{port} ca.pem")})
    };
    let mut connection = json!({
        "user": "app", "database": "app", "read_write": ["192.0.2.1:5000", "192.0.2.2:5000"],
        "read_only": ["192.0.2.1:5001", "192.0.2.2:5001"],
        "ca_certificate": "-----BEGIN CERTIFICATE-----\n",
        "examples": [example("read_write", "psql", 5000), example("read_write", "uri", 5000),
                     example("read_only", "psql", 5001), example("read_only", "uri", 5001)],
    });
    if let Some(password) = password {
        connection["password"] = json!(password);
    }
    connection
}

pub(crate) fn token() -> Value {
    json!({
        "id": "01990000-0000-7000-8000-0000000000f1", "name": "ci", "created_at": AT,
        "expires_at": "2027-03-01T12:00:00Z",
    })
}

/// A failover that was measured at two nodes.
pub(crate) fn report() -> Value {
    let witness = |name: &str, lease: u64, engine: Value| {
        json!({"node_name": name, "votes": true, "report_age_ms": 40,
               "lease_request_age_ms": lease, "engine_message_age_ms": engine})
    };
    let gap = |ordinal: u32, ms: u64, slack_ms: u64| {
        json!({"node": format!("n{ordinal}"), "node_name": format!("demo-{ordinal}"), "ms": ms,
               "slack_ms": slack_ms})
    };
    let phase =
        |name: &str, title: &str, ms: u64| json!({"name": name, "title": title, "ended_ms": ms});
    json!({
        "id": OPERATION, "cluster": CLUSTER, "cluster_name": "demo", "kind": "failover",
        "status": "succeeded", "started_at": AT, "ended_at": "2026-03-01T12:00:05Z",
        "from": "demo-1", "to": "demo-2", "term": 8,
        "seen": {
            "sentence": "the server heard nothing of it",
            "evidence": {
                "node_name": "demo-1", "seen_at": AT, "report_age_ms": 1_620,
                "suspect_after_ms": 1_500, "engine_died": false, "machine_stopped": false,
                "witnesses": [witness("demo-2", 1_700, json!(1_910)),
                              witness("demo-3", 1_650, Value::Null)],
            },
        },
        "decision": {
            "rule": 205, "reason": "the primary is lost and a replica can take over",
            "by": "bellwether", "fence": "its lease has ended", "promised": ["demo-2", "demo-3"],
        },
        "timeline": [phase("promised", "Enough replicas had promised the new term", 140),
                     phase("serving", "The new primary served", 1_980)],
        "write_gap_ms": 3_640, "measured_by": [gap(2, 3_640, 310), gap(3, 3_610, 0)],
        "loss": "range", "loss_sentence": "2048 bytes of log are lost", "unit": "bytes",
        "lost": 2_048,
        "unseen_ms": 0, "found_transactions": 7, "rescued": 4_096,
        "message": "demo-2 took over under term 8 in 1980 ms: its lease has ended",
    })
}

/// Drills: one that was run and one that was skipped.
pub(crate) fn drills() -> Value {
    let drill = |id: &str, more: Value| {
        let mut drill = json!({
            "id": id, "kind": "failover", "status": "succeeded", "started_by": "bellwether",
            "created_at": AT, "ended_at": "2026-03-01T12:00:09Z", "due_at": AT, "report": null,
            "write_gap_ms": null, "loss": null, "whole_ms": null, "message": "",
        });
        let more = more.as_object().expect("fields").clone();
        drill.as_object_mut().expect("fields").extend(more);
        drill
    };
    json!({"items": [
        drill(OPERATION, json!({"report": OPERATION, "write_gap_ms": 240, "loss": "nothing",
                                "whole_ms": 4_700, "started_by": "admin", "due_at": null})),
        drill("01990000-0000-7000-8000-0000000000a0",
              json!({"status": "cancelled", "message": "skipped: the cluster is not healthy"})),
    ]})
}

/// An allowlist that is only tried.
pub(crate) fn allowlist() -> Value {
    json!({
        "open": false,
        "entries": [
            {"address": "server", "note": "whoever made the cluster"},
            {"address": "198.51.100.0/24", "expires_at": "2026-03-02T12:00:00Z"},
            {"address": "2001:db8::/32"},
        ],
        "revert_at": "2026-03-01T12:02:00Z",
        "clients": [{"address": "198.51.100.7", "connections": 12, "nodes": ["demo-1", "demo-2"]}],
        "blocked": 31,
        "blocked_sources": [{"address": "203.0.113.9", "attempts": 31, "last_at": AT}],
        "awaited": ["demo-3"], "caller": "server", "generation": 4,
    })
}
