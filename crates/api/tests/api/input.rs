//! What people and programs send that makes no sense is refused, and named.

use serde_json::json;

use crate::clusters::spec;
use crate::world::World;

#[tokio::test]
async fn paths_and_methods_that_are_not_there_are_refused_in_the_same_form() {
    let world = World::new().await;
    for path in [
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v1/clusters/",
        "/v1/clusters/a/b/c/d",
        "/v1//clusters",
        "/v1/CLUSTERS",
        "/v1/health/",
        "/v1/%2e%2e/me",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            world.call(method, path).anonymous().refused(404, "not-found").await;
        }
    }
    for (method, path) in [
        ("PUT", "/v1/clusters"),
        ("DELETE", "/v1/clusters"),
        ("POST", "/v1/clusters/demo"),
        ("POST", "/v1/health"),
        ("PUT", "/v1/sessions"),
        ("PATCH", "/v1/me"),
        ("OPTIONS", "/v1/clusters"),
        ("TRACE", "/v1/me"),
        ("BREW", "/v1/me"),
        ("DELETE", "/v1/clusters/demo/nodes/demo-1"),
        ("POST", "/openapi/v1.json"),
    ] {
        world.call(method, path).anonymous().refused(405, "method-not-allowed").await;
    }
    let head = world.call("HEAD", "/v1/health").anonymous().expect(200).await;
    assert_eq!(head.text, "");
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused_without_a_field() {
    let world = World::new().await;
    for body in [
        &b""[..],
        b" ",
        b"{",
        b"nonsense",
        b"{'name': 'demo'}",
        b"{\"name\": \"demo\",}",
        b"\xff\xfe",
        b"{\"name\": \"\xff\"}",
        b"\xef\xbb\xbf{}",
        b"{\"name\": \"a\x01b\"}",
        b"{\"nodes\": 1e999}",
        b"{\"nodes\": NaN}",
        b"{\"name\": \"\\ud800\"}",
    ] {
        let answer = world.call("POST", "/v1/clusters").text(body).refused(400, "bad-request");
        assert!(answer.await.fields().is_empty());
    }
    let sent = spec("demo").to_string();
    let twice = world.call("POST", "/v1/clusters").text(format!("{sent} {sent}"));
    twice.refused(400, "bad-request").await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json2", ""] {
        let call = world.call("POST", "/v1/clusters").text(sent.as_str());
        let refusal = call.header("content-type", kind).refused(400, "bad-request").await;
        assert!(refusal.at("/hint").contains("application/json"), "{}", refusal.text);
    }
    let call = world.call("POST", "/v1/clusters").text(sent);
    call.header("content-type", "Application/JSON; charset=utf-8").expect(201).await;
}

#[tokio::test]
async fn a_field_that_is_wrong_is_named_by_its_path() {
    let world = World::new().await;
    for (field, body) in [
        ("body", "[]"),
        ("body", r#" ["demo", "postgresql", "18", "docker", 1]"#),
        ("body", &"[".repeat(100_000)),
        ("name", &format!(r#"{{"name": {}"#, "[".repeat(100_000))),
        ("body", "null"),
        ("body", "7"),
        ("name", "{}"),
        ("name", r#"{"name": 7}"#),
        ("name", r#"{"name": "a", "name": "b"}"#),
        ("colour", r#"{"name": "a", "colour": "red"}"#),
        ("a\"b\u{1}", r#"{"a\"b\u0001": 1}"#),
        ("nodes", r#"{"nodes": -1}"#),
        ("nodes", r#"{"nodes": 1.5}"#),
        ("nodes", r#"{"nodes": "3"}"#),
        ("nodes", r#"{"nodes": 4294967296}"#),
        ("nodes", r#"{"nodes": 123456789012345678901234567890}"#),
        ("size.cpus", r#"{"size": {"cpus": "many"}}"#),
        ("size.memory", r#"{"size": {"cpus": 1, "memory": "lots", "disk": 1}}"#),
        ("size.memory", r#"{"size": {"cpus": 1, "memory": -1, "disk": 1}}"#),
        ("size.memory", r#"{"size": {"cpus": 1, "memory": "99999999999TiB", "disk": 1}}"#),
        ("size.shape", r#"{"size": {"cpus": 1, "shape": 1}}"#),
        ("replication", r#"{"replication": "quorum(0)"}"#),
        ("replication", r#"{"replication": ["async"]}"#),
        ("timers", r#"{"timers": "FAST"}"#),
    ] {
        let answer = world.call("POST", "/v1/clusters").text(body).names_field(422, field).await;
        assert!(!answer.text.contains("at line"), "{}", answer.text);
    }
}

#[tokio::test]
async fn sizes_beyond_all_measure_are_refused_and_break_nothing() {
    let world = World::new().await;
    let size =
        |cpus: f64, memory: u64, disk: u64| json!({"cpus": cpus, "memory": memory, "disk": disk});
    let (gib, most) = (1_u64 << 30, u64::MAX);
    for (field, key, value) in [
        ("size.cpus", "size", size(1e308, gib, 5 * gib)),
        ("size.cpus", "size", size(-0.0, gib, 5 * gib)),
        ("size.memory", "size", size(1.0, most, 5 * gib)),
        ("size.disk", "size", size(1.0, gib, most)),
        ("size.disk", "size", size(1.0, gib, 0)),
        ("nodes", "nodes", json!(u32::MAX)),
        ("replication", "replication", json!("quorum(4294967295)")),
        ("replication", "replication", json!("quorum(3)")),
    ] {
        let mut body = spec("demo");
        body[key] = value;
        for query in ["", "?plan=true"] {
            let call = world.post(format!("/v1/clusters{query}"), body.clone());
            call.names_field(422, field).await;
        }
    }
}

#[tokio::test]
async fn names_with_characters_that_do_something_are_refused() {
    let world = World::new().await;
    for name in [
        "",
        " ",
        "a b",
        "a\u{0}b",
        "a\nb",
        "\u{1b}[31m",
        "../etc",
        "a/b",
        "a%2fb",
        "ä",
        "-a",
        "a-",
        "A",
        "1a",
        "a'; DROP TABLE users",
        &"a".repeat(41),
        "\u{202e}a",
    ] {
        world.post("/v1/clusters", spec(name)).names_field(422, "name").await;
    }
    let sign_in =
        |user: &str| world.post("/v1/sessions", json!({"user": user, "password": "x"})).anonymous();
    for user in ["\u{1b}[2Jadmin", "a\nb", "\u{0}", &"x".repeat(101)] {
        sign_in(user).names_field(422, "user").await;
    }
    assert!(world.store.list_audit(10, None).expect("read").is_empty());
}

#[tokio::test]
async fn a_body_is_read_up_to_its_largest_size() {
    let world = World::new().await;
    let pad = |length: usize| {
        let text = spec("demo").to_string();
        let spaces = " ".repeat(length - text.len());
        world.call("POST", "/v1/clusters").text(text + &spaces)
    };
    pad(256 * 1024 + 1).refused(413, "payload-too-large").await;
    pad(256 * 1024).expect(201).await;
}

#[tokio::test]
async fn parameters_are_read_as_they_are_documented() {
    let world = World::new().await;
    world.healthy_cluster("demo", 1).await;
    for (method, path) in [
        ("POST", "/v1/clusters"),
        ("PATCH", "/v1/clusters/demo"),
        ("DELETE", "/v1/clusters/demo"),
        ("POST", "/v1/clusters/demo/operations"),
    ] {
        for plan in ["plan=1", "plan=yes", "plan=", "plan", "plan=TRUE", "plan=true&plan=true"] {
            let call = world.call(method, format!("{path}?{plan}")).json(&json!({}));
            call.header("if-match", "\"1\"").names_field(400, "plan").await;
        }
        for unknown in ["Plan=true", "dry_run=true", "plan=true&x=", "a%3A%20b=1"] {
            let call = world.call(method, format!("{path}?{unknown}")).json(&json!({}));
            let answer = call.header("if-match", "\"1\"").refused(400, "bad-request").await;
            assert_eq!(answer.fields().len(), 1, "{}", answer.text);
        }
    }
}
