//! What is printed, to the letter.

use serde_json::{Value, json};

use crate::fixture::{
    OPERATION, allowlist, cluster, connection, drills, new_cluster, nodes, operation,
};
use crate::fixture::{operations, plan, report, token};
use crate::program::{Run, expect};
use crate::stand_in::Server;

fn server() -> Server {
    let engine = json!({
        "name": "postgresql", "title": "PostgreSQL", "summary": "A database.",
        "versions": ["18", "17"],
        "topologies": [{"name": "single", "title": "Single", "summary": "One node.",
                        "picture": "single",
                        "nodes_min": 1, "nodes_max": 1}],
        "replication_modes": [{"name": "async", "title": "Asynchronous", "summary": "Quick."}],
        "memory_min": 1, "disk_min": 1,
        "ports": {"gate": 5432, "read_write": 5000, "read_only": 5001, "private": 5431,
                  "read_gate": 5433, "peer": 5440},
        "capabilities": {"synchronous": true, "point_in_time": false, "multi_primary": false,
                         "sharded": false},
        "user": "app", "database": "app",
        "examples": [{"name": "psql", "title": "psql", "text": "psql {host}"}],
        "warnings": ["It forgets."],
    });
    let provider = |name: &str, reason: &str| {
        json!({"name": name, "title": name, "available": reason.is_empty(), "reason": reason,
               "limits": {"cpus_min": 0.1, "cpus_max": 8.0, "memory_min": 1,
                          "memory_max": 8_u64 << 30, "disk_min": 1, "disk_max": 2,
                          "nodes_max": 9}})
    };
    Server::start()
        .on("GET /v1/clusters?limit=500", 200, &json!({"items": [cluster(), new_cluster()]}))
        .on("GET /v1/clusters/demo", 200, &cluster())
        .on("GET /v1/clusters/demo/nodes", 200, &nodes())
        .on("GET /v1/operations?limit=50", 200, &operations())
        .on(&format!("GET /v1/operations/{OPERATION}"), 200, &operation("failed"))
        .on("GET /v1/clusters/demo/reports?limit=50", 200, &json!({"items": [report()]}))
        .on(&format!("GET /v1/reports/{OPERATION}"), 200, &report())
        .on("GET /v1/clusters/demo/drills?limit=50", 200, &drills())
        .on("GET /v1/clusters/demo/connection?reveal=false", 200, &connection(None))
        .on("GET /v1/clusters/demo/allowlist", 200, &allowlist())
        .on("GET /v1/engines", 200, &json!([engine]))
        .on("GET /v1/engines/postgresql", 200, &engine)
        .on("GET /v1/providers", 200, &json!([provider("docker", ""), provider("vm", "no KVM")]))
        .on("GET /v1/tokens", 200, &json!([token()]))
        .on("POST /v1/clusters/demo/operations?plan=true", 200, &plan("switchover", &[]))
        .on("POST /v1/clusters?plan=true", 200, &plan("create_cluster", &[]))
}

#[test]
fn every_form_of_every_result_is_as_it_was() {
    let server = server();
    for (name, line) in [
        ("cluster-list", "cluster list"),
        ("cluster-show", "cluster show demo"),
        ("cluster-connection", "cluster connection demo"),
        ("cluster-create-plan", "cluster create new --plan"),
        ("node-list", "node list demo"),
        ("node-promote-plan", "node promote demo demo-2 --plan"),
        ("operation-list", "operation list"),
        ("operation-show", &format!("operation show {OPERATION}")),
        ("report-list", "report list demo"),
        ("report-show", &format!("report show {OPERATION}")),
        ("drill-list", "drill list demo"),
        ("allowlist-show", "allowlist show demo"),
        ("engine-list", "engine list"),
        ("engine-show", "engine show postgresql"),
        ("provider-list", "provider list"),
        ("token-list", "token list"),
    ] {
        let table = Run::on(&server, line).run().clean();
        expect(&format!("{name}.txt"), &table.out);
        assert!(table.out.lines().all(|line| line == line.trim_end()), "{}", table.out);
        let json = Run::on(&server, &format!("{line} -o json")).run().clean();
        let value: Value = serde_json::from_str(&json.out).expect("JSON");
        let yaml = Run::on(&server, &format!("{line} --output=yaml")).run().clean();
        let same: Value = serde_yaml_ng::from_str(&yaml.out).expect("YAML");
        assert_eq!(value, same, "{line}");
        if ["cluster-list", "cluster-show", "node-list", "operation-show"].contains(&name) {
            expect(&format!("{name}.json"), &json.out);
            expect(&format!("{name}.yaml"), &yaml.out);
        }
    }
}

#[test]
fn a_failover_is_told_with_its_report() {
    let mut failover = operation("succeeded");
    failover["kind"] = json!("failover");
    failover["rule"] = json!(205);
    failover["reason"] = json!("the primary is lost and a replica can take over");
    failover["state"] = json!({
        "evidence": "the server heard nothing of it", "former_name": "demo-1",
        "former_position": {"timeline": 1, "offset": 50_331_648}, "candidate_name": "demo-2",
        "term": 2, "fence": "its lease has ended", "missing_bytes": 0, "unseen_ms": 420,
        "found_transactions": 7, "found_bytes": 2_048, "serving_ms": 3_100, "probed_at": null,
    });
    let server = Server::start().on(&format!("GET /v1/operations/{OPERATION}"), 200, &failover);
    let shown = Run::on(&server, &format!("operation show {OPERATION}")).run().clean();
    expect("operation-show-failover.txt", &shown.out);
}

#[test]
fn what_only_a_former_primary_held_is_shown() {
    let mut nodes = nodes();
    nodes["items"][1]["diverged"] = json!([{
        "term": 2, "found_at": "2026-03-01T12:00:00Z", "transactions": 7, "bytes": 2_048,
        "from": {"timeline": 1, "offset": 50_331_648}, "to": {"timeline": 1, "offset": 50_333_696},
        "first_commit": "2026-03-01 11:59:58.100000", "last_commit": "2026-03-01 11:59:58.900000",
        "records": {"Heap INSERT": 9, "Transaction COMMIT": 7}, "segments": 1, "is_cut": true,
        "directory": "/data/diverged/2",
    }]);
    let server = Server::start().on("GET /v1/clusters/demo/nodes", 200, &nodes);
    let shown = Run::on(&server, "node diverged demo-2 -c demo").run().clean();
    expect("node-diverged.txt", &shown.out);
    let json = Run::on(&server, "node diverged demo-2 -c demo -o json").run().clean();
    let value: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(value, nodes["items"][1]["diverged"]);
    let none = Run::on(&server, "node diverged demo-1 -c demo").run().clean();
    assert_eq!(none.out, "demo-1 keeps nothing that only it held.\n");
    Run::on(&server, "node diverged demo-9 -c demo").run().code(3).says(&["demo-1, demo-2"]);
}

#[test]
fn empty_lists_say_so_to_people_and_are_empty_for_programs() {
    let none = json!({"items": []});
    let server = Server::start()
        .on("GET /v1/clusters?limit=500", 200, &none)
        .on("GET /v1/clusters/demo/nodes", 200, &none)
        .on("GET /v1/operations?limit=50", 200, &none)
        .on("GET /v1/operations?limit=50&cluster=demo", 200, &none)
        .on("GET /v1/tokens", 200, &json!([]));
    for line in [
        "cluster list",
        "node list demo",
        "operation list",
        "operation list --cluster demo",
        "token list",
    ] {
        assert_eq!(Run::on(&server, line).run().clean().out, "None.\n");
        assert_eq!(Run::on(&server, &format!("{line} -o json")).run().clean().out, "[]\n");
        assert_eq!(Run::on(&server, &format!("{line} -o yaml")).run().clean().out, "[]\n");
    }
}

#[test]
fn long_lists_are_read_to_their_end() {
    let page = |item: Value, next: Value| json!({"items": [item], "next": next});
    let server = Server::start()
        .on("GET /v1/clusters?limit=500", 200, &page(cluster(), json!("k/1")))
        .on("GET /v1/clusters?limit=500&after=k%2F1", 200, &page(new_cluster(), Value::Null));
    let list = Run::on(&server, "cluster list").run().clean();
    assert_eq!(list.out.lines().count(), 3, "{}", list.out);
}

#[test]
fn a_name_is_one_part_of_the_path_whatever_it_is() {
    let server = Server::start();
    Run::new(&["cluster", "show", "a/nodes?x=1#y"])
        .env("BELLWETHER_URL", &server.url)
        .run()
        .code(1);
    assert_eq!(server.lines(), ["GET /v1/clusters/a%2Fnodes%3Fx%3D1%23y"]);
}

#[test]
fn steps_are_told_on_standard_error_as_they_are_done() {
    let ask = "POST /v1/clusters/demo/operations";
    let shown = format!("GET /v1/operations/{OPERATION}");
    let mut running = operation("running");
    running["steps"][1]["state"] = json!("running");
    let server = Server::start()
        .on(&format!("{ask}?plan=true"), 200, &plan("switchover", &[]))
        .on(ask, 202, &operation("queued"))
        .on(&shown, 200, &running)
        .on(&shown, 200, &operation("succeeded"));
    let line = "node promote demo demo-2 --yes --wait";
    let ended = Run::on(&server, line).run().code(0);
    assert_eq!(ended.out, "Promote: demo-2 is the primary\n");
    assert_eq!(ended.err, "  ✓ Check the replica (1.0 s)\n  ✓ Hold new connections (1.0 s)\n");
    let ended = Run::on(&server, &format!("{line} --quiet -o json")).run().clean();
    let value: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(value["status"], "succeeded");
    let ended = Run::on(&server, "node promote demo demo-2 --yes").run().clean();
    assert!(ended.out.contains(&format!("bellwether operation watch {OPERATION}")));
}
