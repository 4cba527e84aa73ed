//! Exit codes, as they are documented.

use bellwether_model::problem::Code;
use serde_json::json;
use tokio::net::TcpSocket;

use crate::fixture::{OPERATION, cluster, new_cluster, operation, plan};
use crate::program::Run;
use crate::stand_in::Server;

const SHOW: &str = "GET /v1/clusters/demo";

/// Every code of the API, with the exit code it becomes.
const CODES: [(Code, i32); 18] = [
    (Code::BadRequest, 2),
    (Code::InvalidField, 2),
    (Code::Unauthenticated, 5),
    (Code::WrongPassword, 5),
    (Code::SecondFactorNeeded, 5),
    (Code::SignInRefused, 5),
    (Code::Forbidden, 5),
    (Code::NotFound, 3),
    (Code::MethodNotAllowed, 2),
    (Code::NameTaken, 4),
    (Code::GenerationMismatch, 4),
    (Code::OperationRefused, 4),
    (Code::IdempotencyKeyReused, 4),
    (Code::JoinTokenInvalid, 5),
    (Code::PayloadTooLarge, 2),
    (Code::TooManyAttempts, 4),
    (Code::ProviderUnavailable, 4),
    (Code::Internal, 1),
];

#[test]
fn every_refusal_of_the_api_has_its_exit_code_its_words_and_its_hint() {
    for code in Code::ALL {
        let expected = CODES.iter().find(|(known, _)| *known == code).expect("in the list").1;
        let server = Server::start().refuse(SHOW, code, "what is wrong");
        let ended = Run::on(&server, "cluster show demo").run().code(expected);
        assert_eq!(ended.out, "");
        assert_eq!(ended.err, "error: what is wrong\nhint: what would help\n");
        // Programs that read the result as JSON get nothing half.
        let ended = Run::on(&server, "cluster show demo -o json").run().code(expected);
        assert_eq!(ended.out, "");
    }
}

#[test]
fn many_wrong_fields_are_told_one_in_a_line() {
    let mut problem = crate::stand_in::problem(Code::InvalidField, "all in one");
    problem["fields"] = json!([{"field": "nodes", "message": "too many"},
                               {"field": "size.cpus", "message": "too few"}]);
    let server = Server::start().on("POST /v1/clusters", 422, &problem);
    let ended = Run::on(&server, "cluster create new").run().code(2);
    let lines: Vec<&str> = ended.err.lines().collect();
    assert_eq!(
        lines,
        [
            "error: some fields are wrong",
            "       nodes: too many",
            "       size.cpus: too few",
            "hint: what would help"
        ]
    );
}

#[test]
fn wrong_usage_ends_with_2_and_asks_the_server_nothing() {
    let server = Server::start();
    for line in [
        "",
        "nonsense",
        "cluster",
        "cluster nonsense",
        "cluster show",
        "cluster show a b",
        "cluster list --nonsense",
        "cluster list -o xml",
        "cluster create",
        "cluster create a --nodes many",
        "cluster create a --nodes -1",
        "cluster create a --memory lots",
        "cluster create a --replication sometimes",
        "cluster create a --timers slow",
        "cluster create a --timeout soon",
        "node promote demo",
        "token create a --days -1",
        "completions tcsh",
        "apply",
        "apply -f nowhere.yaml",
        "cluster list --url nonsense",
        "cluster list --ca nowhere.pem",
        "login",
        "login --password-file nowhere",
        "server --local 192.0.2.1:80",
    ] {
        let code = if line.starts_with("server") { 1 } else { 2 };
        let ended = Run::on(&server, line).run().code(code);
        assert!(!ended.err.is_empty() && !ended.err.contains("panicked"), "{line}: {ended:?}");
    }
    assert_eq!(server.lines(), Vec::<String>::new());
    for line in ["--help", "--version", "cluster --help", "cluster create --help"] {
        Run::on(&server, line).run().clean();
    }
}

#[test]
fn a_server_that_cannot_be_reached_ends_with_6() {
    // Held, so that nobody else gets the port, and not listened on.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let url = format!("http://{}", socket.local_addr().expect("an address"));
    for line in [&["cluster", "list"][..], &["cluster", "create", "a"], &["logout"]] {
        let ended = Run::new(line).env("BELLWETHER_URL", &url).run();
        ended.code(6).says(&[&url, "hint: "]);
    }
}

#[test]
fn an_answer_that_is_not_the_servers_ends_with_1() {
    for body in [json!("no problem"), json!({"items": 7}), json!(null)] {
        for status in [200, 404, 502] {
            let server = Server::start().on(SHOW, status, &body);
            let ended = Run::on(&server, "cluster show demo").run().code(1);
            assert!(ended.err.starts_with("error: "), "{ended:?}");
        }
    }
}

#[test]
fn what_was_begun_and_failed_ends_with_1_and_says_why() {
    let shown = format!("GET /v1/operations/{OPERATION}");
    let server = Server::start().on(&shown, 200, &operation("failed"));
    let ended = Run::on(&server, &format!("operation watch {OPERATION}")).run().code(1);
    let ended = ended.says(&["error: promote did not succeed: demo-2 does not answer"]);
    let ended = ended.says(&["✗ Hold new connections", "- Begin the new term (not done)"]);
    assert_eq!(ended.out, "");
}

#[test]
fn what_is_not_done_in_the_time_given_ends_with_7_and_goes_on() {
    let shown = format!("GET /v1/operations/{OPERATION}");
    let mut made = new_cluster();
    made["operation"] = json!(OPERATION);
    let server =
        Server::start().on(&shown, 200, &operation("running")).on("POST /v1/clusters", 201, &made);
    for line in [
        format!("operation watch {OPERATION} --timeout 0"),
        "cluster create new --wait --timeout 0".to_owned(),
    ] {
        let ended = Run::on(&server, &line).run().code(7);
        ended.says(&["not done within 0 s", &format!("bellwether operation watch {OPERATION}")]);
    }
}

#[test]
fn a_plan_that_would_be_refused_is_shown_and_ends_with_4() {
    let refused = plan("remove_node", &["demo-1 is the primary; promote another node first"]);
    let server = Server::start().on("GET /v1/clusters/demo", 200, &cluster()).on(
        "POST /v1/clusters/demo/operations?plan=true",
        200,
        &refused,
    );
    for flags in ["--plan", "--plan --yes", "--plan -o json"] {
        let ended = Run::on(&server, &format!("node remove demo demo-1 {flags}")).run().code(4);
        assert!(!ended.out.is_empty());
        ended.says(&["error: remove node is refused: demo-1 is the primary"]);
    }
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    let server = Server::start().on(SHOW, 200, &cluster());
    let mut run = Run::on(&server, "cluster show demo -o json");
    let mut child = run.start();
    drop(child.stdout.take());
    let ended = run.end(child).code(0);
    assert_eq!(ended.err, "");
    let mut run = Run::new(&["completions", "bash"]);
    let mut child = run.start();
    drop(child.stdout.take());
    assert_eq!(run.end(child).code(0).err, "");
}
