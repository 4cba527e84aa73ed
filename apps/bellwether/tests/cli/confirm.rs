//! What cannot be undone is asked about, and never done without a yes.

use bellwether_model::problem::Code;
use serde_json::Value;

use crate::fixture::{cluster, new_cluster, operation, plan};
use crate::program::Run;
use crate::stand_in::Server;

const ASK: &str = "POST /v1/clusters/demo/operations";

fn server(refusals: &[&str]) -> Server {
    Server::start()
        .on("GET /v1/clusters/demo", 200, &cluster())
        .on(&format!("{ASK}?plan=true"), 200, &plan("remove_node", refusals))
        .on(ASK, 202, &operation("queued"))
        .on("DELETE /v1/clusters/demo?confirm=demo", 202, &operation("queued"))
}

/// The requests that would have changed something.
fn done(server: &Server) -> Vec<String> {
    let is_act = |line: &String| !line.starts_with("GET") && !line.contains("plan=true");
    server.lines().into_iter().filter(is_act).collect()
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_done() {
    for line in [
        "cluster delete demo",
        "node remove demo demo-3",
        "node promote demo demo-2",
        "cluster resync demo",
    ] {
        for input in ["", "y\n", "demo\n"] {
            let server = server(&[]);
            let ended = Run::on(&server, line).input(input).run().code(2);
            let ended = ended.says(&["no terminal", "--yes", "Does what was asked for."]);
            assert_eq!((ended.out.as_str(), done(&server)), ("", vec![]), "{line}");
        }
    }
}

#[test]
fn with_yes_it_is_done_at_once() {
    for (line, request) in [
        ("cluster delete demo", "DELETE /v1/clusters/demo?confirm=demo"),
        ("node remove demo demo-3", ASK),
        ("node promote demo demo-2", ASK),
        ("cluster resync demo --copy", ASK),
    ] {
        for yes in ["--yes", "-y"] {
            let server = server(&[]);
            Run::on(&server, &format!("{line} {yes}")).run().clean();
            assert_eq!(done(&server), [request]);
        }
    }
    // Adding takes nothing away.
    let server = server(&[]);
    Run::on(&server, "node add demo").run().clean();
    assert_eq!(done(&server), [ASK]);
}

#[test]
fn a_plan_is_only_shown() {
    for line in [
        "cluster delete demo",
        "node remove demo demo-3",
        "node promote demo demo-2",
        "node add demo",
    ] {
        for flags in ["--plan", "--plan --yes", "--plan --wait -o json", "--plan -o yaml"] {
            let server = server(&[]);
            let ended = Run::on(&server, &format!("{line} {flags}")).run().clean();
            assert!(ended.out.contains("Does what was asked for."), "{ended:?}");
            assert_eq!(done(&server), Vec::<String>::new());
        }
    }
}

#[test]
fn what_would_be_refused_is_neither_asked_about_nor_sent() {
    for line in ["cluster delete demo", "node remove demo demo-3", "node add demo"] {
        for yes in ["", "--yes"] {
            let server = server(&["something else is under way"]);
            let ended = Run::on(&server, &format!("{line} {yes}")).run().code(4);
            let ended = ended.says(&["is refused: something else is under way"]);
            assert_eq!((ended.out.as_str(), done(&server)), ("", vec![]), "{line}");
        }
    }
}

#[test]
fn a_refusal_that_comes_after_the_plan_is_told() {
    let server = Server::start()
        .on(&format!("{ASK}?plan=true"), 200, &plan("add_node", &[]))
        .refuse(ASK, Code::OperationRefused, "add node is refused: too late");
    Run::on(&server, "node add demo").run().code(4).says(&["too late"]);
}

#[test]
fn a_creation_is_sent_with_a_key_of_its_own() {
    let server = Server::start().on("POST /v1/clusters", 201, &new_cluster()).on(
        "GET /v1/clusters/new",
        200,
        &new_cluster(),
    );
    let line = "cluster create new --version 17 --nodes 2 --cpus 0.5 --memory 512MiB --disk 2GiB \
                --replication strict --timers wan";
    for _ in 0..2 {
        assert_eq!(Run::on(&server, line).run().clean().out, "new: being created\n");
    }
    let asked = server.asked();
    let made: Vec<_> = asked.iter().filter(|asked| asked.line.starts_with("POST")).collect();
    let key = |index: usize| made[index].headers["idempotency-key"].clone();
    assert!(!key(0).is_empty() && key(0) != key(1));
    let body: Value = serde_json::from_str(&made[0].body).expect("JSON");
    let expected = serde_json::json!({
        "name": "new", "engine": "postgresql", "version": "17", "provider": "docker", "nodes": 2,
        "size": {"cpus": 0.5, "memory": 512 << 20, "disk": 2_u64 << 30},
        "replication": "strict", "timers": "wan",
        "allowlist": [{"address": "server", "note": "whoever made the cluster"}],
    });
    assert_eq!(body, expected);
}
