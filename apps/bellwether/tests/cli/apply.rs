//! `bellwether apply`.

use bellwether_model::problem::Code;
use serde_json::{Value, json};

use crate::fixture::{cluster, new_cluster, plan};
use crate::program::{Ended, Run};
use crate::stand_in::Server;

const NEW: &str = "
kind: Cluster
spec: { name: new, engine: postgresql, nodes: 3 }
";

const DEMO: &str = "
name: demo
engine: postgresql
nodes: 3
size: { cpus: 1.5, memory: 1GiB, disk: 5GiB }
replication: quorum(2)
";

fn server() -> Server {
    Server::start()
        .on("GET /v1/clusters/demo", 200, &cluster())
        .refuse("GET /v1/clusters/new", Code::NotFound, "there is no cluster `new`")
        .on("GET /v1/clusters/new", 200, &new_cluster())
        .on("POST /v1/clusters", 201, &new_cluster())
        .on("POST /v1/clusters?plan=true", 200, &plan("create_cluster", &[]))
        .on("PATCH /v1/clusters/demo", 200, &cluster())
        .on("PATCH /v1/clusters/demo?plan=true", 200, &json!([plan("add_node", &[])]))
}

fn apply(server: &Server, text: &str, flags: &str) -> Ended {
    Run::on(server, &format!("apply -f clusters.yaml {flags}")).file("clusters.yaml", text).run()
}

fn acts(server: &Server) -> Vec<String> {
    let is_act = |line: &String| !line.starts_with("GET") && !line.contains("plan=true");
    server.lines().into_iter().filter(is_act).collect()
}

#[test]
fn what_is_wrong_is_named_with_file_field_and_line() {
    let size = "name: a\nengine: b\nnodes: 1\nsize:\n  cpus: 1\n";
    for (text, words) in [
        ("kind: Cluster\nspec:\n  name: a\n  engine: b\n  nodes: many\n", "nodes|line 5"),
        ("name: a\nengine: b\nnodes: 1\n---\nname: b\nengine: b\nnodes: -1\n", "nodes|line 7"),
        ("name: a\nengine: b\nnodes: 1\ncolour: red\n", "colour|line 4"),
        ("kind: Cluster\nspec: {name: a, engine: b, nodes: 1}\nsize: 1\n", "size|line 3"),
        ("name: a\nnodes: 1\n", "engine"),
        (&format!("{size}  memory: lots\n  disk: 1\n"), "size.memory|line 6|lots"),
        (&format!("{size}  memory: 1\n  disk: 1\n  shape: 1\n"), "size|shape|line 8"),
        ("name: a\nengine: b\nnodes: 1\nreplication: sometimes\n", "replication|line 4"),
        ("name: a\nengine: b\nnodes: 1\ntimers: slow\n", "timers|slow|line 4"),
        ("name: a\nname: b\nengine: b\nnodes: 1\n", "duplicate|name"),
        ("name: a\n  engine: b\n", "line 2"),
        ("name: [\n", "line"),
        ("name: a\n\tengine: b\n", "line 2"),
        ("kind: Node\nspec: {}\n", "Node|Cluster"),
        ("kind: 7\nspec: {}\n", "kind"),
        ("kind: Cluster\n", "spec"),
        ("- name: a\n", "document 1"),
        ("name: a\nengine: b\nnodes: 1\n---\nname: a\nengine: b\nnodes: 2\n", "document 2|a|twice"),
        ("", "no cluster"),
        ("# nothing\n---\n", "no cluster"),
    ] {
        let server = Server::start();
        let ended = apply(&server, text, "--yes").code(2);
        let words: Vec<&str> = words.split('|').chain(["error: clusters.yaml: "]).collect();
        assert_eq!(ended.says(&words).out, "", "{text}");
        assert_eq!(server.lines(), Vec::<String>::new());
    }
}

#[test]
fn what_is_missing_is_made_what_differs_is_changed_the_rest_is_left() {
    let server = server();
    let changed = DEMO.replace("nodes: 3", "nodes: 4").replace("quorum(2)", "strict");
    let ended = apply(&server, &format!("{NEW}---{changed}"), "--yes").clean();
    assert_eq!(
        ended.out,
        "+ new: postgresql with 3 nodes, replication async\n\
         ~ demo: nodes 3 → 4\n~ demo: replication quorum(2) → strict\n\
         new: being created\ndemo: the primary is being moved\n"
    );
    assert_eq!(acts(&server), ["POST /v1/clusters", "PATCH /v1/clusters/demo"]);
    let asked = server.asked();
    let change = asked.iter().find(|asked| asked.line.starts_with("PATCH")).expect("a change");
    assert_eq!(change.headers["if-match"], "\"4\"");
    let body: Value = serde_json::from_str(&change.body).expect("JSON");
    let whole = json!({
        "nodes": 4, "replication": "strict", "timers": "lan", "parameters": {}, "drill": null
    });
    assert_eq!(body, whole, "what the file leaves out is not asked for");

    let server = crate::apply::server();
    let ended = apply(&server, DEMO, "").clean();
    assert_eq!(ended.out, "= demo: as it is\n");
    assert_eq!(acts(&server), Vec::<String>::new());
}

#[test]
fn nothing_is_done_without_a_yes_or_with_a_plan() {
    let changed = DEMO.replace("nodes: 3", "nodes: 4");
    let server = server();
    let ended = apply(&server, &changed, "").code(2).says(&["--yes"]);
    assert_eq!(ended.out, "~ demo: nodes 3 → 4\n");
    assert_eq!(acts(&server), Vec::<String>::new());
    let ended = apply(&server, &format!("{NEW}---{changed}"), "--plan --yes").clean();
    assert_eq!(
        ended.out,
        "+ new: postgresql with 3 nodes, replication async\n  Does what was asked for.\n\
         ~ demo: nodes 3 → 4\n  Does what was asked for.\n"
    );
    assert_eq!(acts(&server), Vec::<String>::new());
}

#[test]
fn programs_get_one_document() {
    let changed = DEMO.replace("nodes: 3", "nodes: 4");
    let server = server();
    let ended = apply(&server, &format!("{NEW}---{changed}"), "--plan -o json").clean();
    let planned: Value = serde_json::from_str(&ended.out).expect("one document");
    assert_eq!(planned[0]["action"], "create");
    assert_eq!(planned[1]["action"], "change");
    let change = json!([{"field": "nodes", "from": "3", "to": "4"}]);
    assert_eq!(planned[1]["changes"], change);
    assert_eq!(planned[1]["plans"][0]["kind"], "add_node");

    let server = crate::apply::server();
    let ended = apply(&server, &format!("{NEW}---{changed}"), "--yes -o yaml").code(0);
    let ended = ended.says(&["+ new: ", "~ demo: nodes 3 → 4"]);
    let clusters: Value = serde_yaml_ng::from_str(&ended.out).expect("one document");
    assert_eq!(clusters[0]["name"], "new");
    assert_eq!(clusters[1]["name"], "demo");
    let ended = apply(&server, DEMO, "-o json").code(0);
    let clusters: Value = serde_json::from_str(&ended.out).expect("one document");
    assert_eq!(clusters[0]["name"], "demo");
}

#[test]
fn what_cannot_be_changed_is_refused_before_anything_is_done() {
    let server = server();
    let text = format!("{NEW}---{}", DEMO.replace("postgresql", "mysql"));
    let ended = apply(&server, &text, "--yes").code(4);
    assert_eq!(ended.says(&["demo: engine cannot be changed"]).out, "");
    assert_eq!(acts(&server), Vec::<String>::new());
}

#[test]
fn what_the_server_refuses_of_a_plan_ends_as_it_would_in_earnest() {
    let server = Server::start().refuse("GET /v1/clusters/new", Code::NotFound, "none").refuse(
        "POST /v1/clusters?plan=true",
        Code::InvalidField,
        "nodes: too many",
    );
    apply(&server, NEW, "--plan").code(2).says(&["nodes: too many"]);
}

#[test]
fn waiting_ends_when_every_node_is_well() {
    let mut done = cluster();
    done["operation"] = Value::Null;
    done["nodes_total"] = json!(4);
    done["nodes_healthy"] = json!(4);
    done["spec"]["nodes"] = json!(4);
    done["sentence"] = json!("all is well");
    let mut begun = cluster();
    begun["spec"]["nodes"] = json!(4);
    let show = "GET /v1/clusters/demo";
    let server = Server::start()
        .on(show, 200, &cluster())
        .on("PATCH /v1/clusters/demo", 200, &begun)
        .on(show, 200, &begun)
        .on(show, 200, &done);
    let changed = DEMO.replace("nodes: 3", "nodes: 4");
    let ended = apply(&server, &changed, "--yes --wait").clean();
    assert_eq!(ended.out, "~ demo: nodes 3 → 4\ndemo: all is well\n");
    let server =
        Server::start().on(show, 200, &cluster()).on("PATCH /v1/clusters/demo", 200, &begun);
    let ended = apply(&server, &changed, "--yes --wait --timeout 0").code(7);
    ended.says(&["not done within 0 s", "bellwether cluster show demo"]);
}

#[test]
fn a_file_can_come_from_standard_input() {
    let server = server();
    let ended = Run::on(&server, "apply -f - --yes").input(DEMO).run().clean();
    assert_eq!(ended.out, "= demo: as it is\n");
    let ended = Run::on(&server, "apply -f -").input(NEW).run().code(2);
    ended.says(&["--yes"]);
}

#[test]
fn the_example_of_the_repository_can_be_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/cluster.yaml");
    let text = std::fs::read_to_string(path).expect("an example");
    let server = Server::start().refuse("GET /v1/clusters/orders", Code::NotFound, "none").on(
        "POST /v1/clusters?plan=true",
        200,
        &plan("create_cluster", &[]),
    );
    let ended = apply(&server, &text, "--plan").clean();
    assert!(ended.out.starts_with("+ orders: postgresql with 3 nodes, replication strict"));
}
