//! `bellwether parameter`.

use bellwether_model::problem::Code;
use serde_json::{Value, json};

use crate::fixture::{OPERATION, cluster, operation, plan};
use crate::program::Run;
use crate::stand_in::Server;

fn chosen() -> Value {
    let mut cluster = cluster();
    cluster["spec"]["parameters"] = json!({"jit": "off"});
    cluster
}

fn reconfigure() -> Value {
    let mut plan = plan("reconfigure", &[]);
    plan["changes"] =
        json!([{"name": "max_connections", "from": "102", "to": "200", "restart": true}]);
    plan["restarts"] = json!(["demo-2", "demo-1"]);
    plan
}

fn server() -> Server {
    let one = |name: &str, chosen: bool, differs: Value| {
        json!({"name": name, "title": name, "summary": "What it does.", "group": "Memory",
               "kind": "integer", "range": "1 to 9", "default": "4", "value": "7",
               "chosen": chosen, "restart": true, "differs": differs})
    };
    let drift = json!([{"node": "demo-2", "in_force": "4", "needs_restart": true}]);
    let mut ended = operation("succeeded");
    ended["kind"] = json!("reconfigure");
    ended["message"] = json!("max_connections 102 → 200; in force on every node");
    Server::start()
        .on("GET /v1/clusters/demo", 200, &chosen())
        .on(
            "GET /v1/clusters/demo/parameters",
            200,
            &json!([one("plain", false, json!([])), one("drifting", true, drift)]),
        )
        .on("PATCH /v1/clusters/demo?plan=true", 200, &json!([reconfigure()]))
        .on("PATCH /v1/clusters/demo", 200, &chosen())
        .on("GET /v1/operations?limit=50&cluster=demo", 200, &json!({"items": [ended]}))
        .on(&format!("GET /v1/operations/{OPERATION}"), 200, &ended)
}

fn sent(server: &Server) -> Value {
    let asked = server.asked();
    let change = asked.iter().rfind(|one| one.line == "PATCH /v1/clusters/demo").expect("changed");
    assert_eq!(change.headers["if-match"], "\"4\"");
    serde_json::from_str(&change.body).expect("JSON")
}

#[test]
fn what_is_chosen_and_what_is_not_in_force_is_listed() {
    let server = server();
    let all = Run::on(&server, "parameter list demo").run().clean().out;
    assert!(all.contains("plain") && all.contains("7 (default)"), "{all}");
    let chosen = Run::on(&server, "parameter list demo --chosen").run().clean().out;
    assert!(!chosen.contains("plain"), "{chosen}");
    assert!(chosen.contains("4 on demo-2, waits for a restart"), "{chosen}");
}

#[test]
fn a_setting_is_changed_beside_those_that_were_chosen_and_reset_leaves_the_rest() {
    let server = server();
    let line = "parameter set demo max_connections=200 work_mem=8MiB --yes --wait --quiet";
    let ended = Run::on(&server, line).run().code(0);
    assert!(ended.out.contains("max_connections 102 → 200; in force"), "{ended:#?}");
    let expected = json!({"jit": "off", "max_connections": "200", "work_mem": "8MiB"});
    assert_eq!(sent(&server)["parameters"], expected);
    Run::on(&server, "parameter reset demo jit --yes").run().code(0);
    assert_eq!(sent(&server)["parameters"], json!({}));
    let refused = Run::on(&server, "parameter reset demo work_mem --yes").run().code(2);
    refused.says(&["work_mem", "default"]);
}

#[test]
fn a_plan_is_a_difference_and_changes_nothing() {
    let server = server();
    let ended = Run::on(&server, "parameter set demo max_connections=200 --plan").run().clean();
    for words in ["~ max_connections: 102 → 200  (needs a restart)", "demo-2, demo-1", "300 ms"] {
        assert!(ended.out.contains(words), "`{words}` is missing: {}", ended.out);
    }
    assert!(server.lines().iter().all(|line| line != "PATCH /v1/clusters/demo"));
    // Without --yes and a terminal nothing is done.
    Run::on(&server, "parameter set demo max_connections=200").run().code(2).says(&["--yes"]);
}

#[test]
fn what_is_wrong_is_named() {
    for line in ["parameter set demo", "parameter set demo work_mem", "parameter set demo =1"] {
        Run::on(&server(), line).run().code(2);
    }
    let words = "`1GiB` cannot be had; choose 64KiB to 256MiB";
    let server = Server::start().on("GET /v1/clusters/demo", 200, &chosen()).refuse(
        "PATCH /v1/clusters/demo?plan=true",
        Code::InvalidField,
        words,
    );
    Run::on(&server, "parameter set demo work_mem=1GiB --yes").run().code(2).says(&[words]);
}
