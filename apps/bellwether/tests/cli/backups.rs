//! Backups and repositories on the command line.

use serde_json::{Value, json};

use crate::fixture::{cluster, new_cluster};
use crate::program::{Run, expect};
use crate::stand_in::Server;

const BACKUP: &str = "01990000-0000-7000-8000-0000000000b1";
const AT: &str = "2026-03-01T12:00:00Z";

fn backup() -> Value {
    let mut spec = cluster()["spec"].clone();
    spec["allowlist"] = json!([
        {"address": "198.51.100.0/24"}, {"address": "::1", "expires_at": "2020-01-01T00:00:00Z"},
    ]);
    json!({
        "id": BACKUP, "cluster": "01990000-0000-7000-8000-000000000001", "cluster_name": "demo",
        "project": "default", "repository": "01990000-0000-7000-8000-0000000000c1",
        "repository_name": "vault", "status": "complete", "started_by": "admin",
        "created_at": AT, "ended_at": AT, "stored": 1 << 20, "took_ms": 900,
        "archives": ["a", "b"], "message": "",
        "facts": {
            "id": BACKUP, "cluster": "01990000-0000-7000-8000-000000000001",
            "cluster_name": "demo", "spec": spec, "node_name": "demo-2", "from_primary": false,
            "started_at": AT, "taken_at": AT, "position": {"timeline": 1, "offset": 50_331_648},
            "engine_version": "17.5", "size": 32 << 20,
        },
        "proof": {"proven": true, "at": AT, "restore_ms": 4_700, "bytes": 32 << 20,
                  "compared": 3, "message": "3 tables hold what they held"},
    })
}

fn repository() -> Value {
    json!({
        "id": "01990000-0000-7000-8000-0000000000c1", "name": "vault",
        "place": {"kind": "s3", "endpoint": "https://s3.example.com", "bucket": "b",
                  "access_key": "access"},
        "address": "s3:https://s3.example.com/b", "created_at": AT, "checked_at": AT,
        "checked_by": "server", "backups": 1,
    })
}

fn server() -> Server {
    let key = json!({"repository": "vault", "address": "s3:https://s3.example.com/b",
                     "key": "the-key"});
    Server::start()
        .on("GET /v1/backups?limit=100&cluster=demo", 200, &json!({"items": [backup()]}))
        .on(&format!("GET /v1/backups/{BACKUP}"), 200, &backup())
        .on("GET /v1/repositories?limit=500", 200, &json!({"items": [repository()]}))
        .on("GET /v1/repositories/vault/key", 200, &key)
        .on("POST /v1/repositories", 201, &repository())
        .on("POST /v1/clusters", 201, &new_cluster())
        .on("GET /v1/clusters/copy", 200, &new_cluster())
        .on("GET /v1/clusters/demo", 200, &cluster())
        .on("PATCH /v1/clusters/demo", 200, &cluster())
}

fn asked(server: &Server, line: &str) -> Value {
    let asked = server.asked();
    let found = asked.iter().find(|asked| asked.line == line).expect("it was asked");
    serde_json::from_str(&found.body).expect("JSON")
}

#[test]
fn backups_and_repositories_are_shown() {
    let server = server();
    for (name, line) in [
        ("backup-list", "backup list demo"),
        ("backup-show", &format!("backup show {BACKUP}")),
        ("repository-list", "repository list"),
        ("repository-key", "repository key vault"),
    ] {
        let table = Run::on(&server, line).run().clean();
        expect(&format!("{name}.txt"), &table.out);
        let json = Run::on(&server, &format!("{line} -o json")).run().clean();
        let _: Value = serde_json::from_str(&json.out).expect("JSON");
    }
}

#[test]
fn a_secret_is_read_from_a_file_or_from_the_input_and_never_an_argument() {
    let line = "repository add s3 vault --endpoint https://s3.example.com --bucket b \
                --access-key access";
    let from_input = server();
    Run::on(&from_input, line).input("the-secret\n").run().code(0);
    let from_file = server();
    Run::on(&from_file, &format!("{line} --secret-file secret --key-file key"))
        .file("secret", "the-secret\n")
        .file("key", "the-key\n")
        .run()
        .code(0);
    let bodies = [&from_input, &from_file].map(|server| asked(server, "POST /v1/repositories"));
    assert!(bodies.iter().all(|body| body["secret"] == "the-secret"), "{bodies:?}");
    assert_eq!(bodies.map(|body| body["key"].clone()), [json!(""), json!("the-key")]);
}

#[test]
fn a_restore_asks_for_what_was_there_and_lets_in_whom_that_still_names() {
    let restore = |more: &str| {
        let server = server();
        Run::on(&server, &format!("restore {BACKUP} copy {more}")).run().clean();
        asked(&server, "POST /v1/clusters")
    };
    let same = restore("");
    assert_eq!((&same["name"], &same["nodes"]), (&json!("copy"), &json!(3)));
    assert_eq!(same["source"], json!({"backup": BACKUP}));
    assert_eq!(same["allowlist"], json!([{"address": "198.51.100.0/24"}]));
    let earlier = restore("--at 2026-03-01T12:30:00.5Z");
    assert_eq!(earlier["source"], json!({"backup": BACKUP, "at": "2026-03-01T12:30:00.5Z"}));
    let line = format!("restore {BACKUP} copy --at yesterday");
    Run::on(&self::server(), &line).run().code(2);
    let other = restore("--nodes 1 --replication async --project shop --allow none");
    assert_eq!(other["allowlist"], json!([]));
    let told = (&other["nodes"], &other["replication"], &other["project"]);
    assert_eq!(told, (&json!(1), &json!("async"), &json!("shop")));
}

#[test]
fn a_schedule_is_set_and_removed() {
    let server = server();
    let line = "schedule set demo daily --repository vault --keep-last 5 --verify \
                --point-in-time --keep-log-days 3";
    Run::on(&server, line).run().clean();
    let change = asked(&server, "PATCH /v1/clusters/demo");
    assert_eq!(change["backup"]["keep"]["last"], json!(5));
    assert_eq!(change["backup"]["verify"], json!(true));
    assert_eq!(change["backup"]["point_in_time"], json!(true));
    assert_eq!(change["backup"]["keep"]["log_days"], json!(3));
    let server = crate::backups::server();
    Run::on(&server, "schedule remove demo").run().clean();
    let change = asked(&server, "PATCH /v1/clusters/demo");
    assert!(change.get("backup").is_some_and(Value::is_null), "{change}");
}
