//! Wrong requests get an answer that says what is wrong; nothing is left behind.

use bellwether_testkit::Server;
use bellwether_testkit::docker::docker;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn spec(change: impl FnOnce(&mut Value)) -> Value {
    let mut spec = json!({ "name": "orders", "engine": "postgresql", "nodes": 3 });
    change(&mut spec);
    spec
}

#[tokio::test]
async fn impossible_clusters_are_refused_with_the_field() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let table: Vec<(u16, &str, Value)> = vec![
        (422, "engine", spec(|s| s["engine"] = json!("oracle"))),
        (422, "version", spec(|s| s["version"] = json!("9.6"))),
        (422, "provider", spec(|s| s["provider"] = json!("moon"))),
        (422, "name", spec(|s| s["name"] = json!("Orders!"))),
        (422, "nodes", spec(|s| s["nodes"] = json!(0))),
        (422, "nodes", spec(|s| s["nodes"] = json!(300))),
        (422, "replication", spec(|s| s["replication"] = json!("quorum(5)"))),
        (422, "replication", spec(|s| s["replication"] = json!("sometimes"))),
        (422, "size.memory", spec(|s| s["size"] = json!({"cpus":1,"memory":"1MiB","disk":"5GiB"}))),
        (422, "size.cpus", spec(|s| s["size"] = json!({"cpus":1e9,"memory":"1GiB","disk":"5GiB"}))),
        (422, "colour", spec(|s| s["colour"] = json!("red"))),
        (422, "nodes", spec(|s| s["nodes"] = json!("three"))),
    ];
    for (status, word, body) in table {
        let (answered, problem) = api.send("POST", "/v1/clusters", Some(&body)).await?;
        assert_eq!(answered, status, "{body}: {problem}");
        let text = problem["detail"].as_str().unwrap_or_default();
        assert!(text.contains(word), "{body}: {text}");
    }
    let (status, _) = api.send("GET", "/v1/nothing", None).await?;
    assert_eq!(status, 404);
    let (status, _) = api.send("PUT", "/v1/clusters", None).await?;
    assert_eq!(status, 405);
    let everything: bellwether_model::event::Page<Value> = api.get("/v1/clusters").await?;
    assert!(everything.items.is_empty());
    server.check_log()
}

#[tokio::test]
async fn garbage_on_the_ports_harms_nobody() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    for port in [server.agent_port(), server.url().rsplit(':').next().unwrap_or("0").parse()?] {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(&[0xff; 4096]).await?;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    }
    let unknown =
        json!({ "token": "stolen", "agent_key": "x", "engine_key": "y", "agent_version": "1" });
    let http = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build()?;
    let url = format!("https://127.0.0.1:{}/v1/agents/join", server.agent_port());
    let answer = http.post(url).json(&unknown).send().await?;
    assert_eq!(answer.status().as_u16(), 401);
    let problem: Value = answer.json().await?;
    assert_eq!(problem["code"], "join-token-invalid");
    api.get::<Value>("/v1/health").await?;
    Ok(())
}

#[tokio::test]
async fn a_creation_that_fails_leaves_nothing() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    // An image that is not there stands for whatever a provider may refuse.
    let spec = spec(|s| {
        s["version"] = json!("18");
        s["nodes"] = json!(2);
    });
    let has_image = docker(&["image", "inspect", "bellwether/node-postgresql:18"]).is_ok();
    if has_image {
        docker(&["tag", "bellwether/node-postgresql:18", "bellwether/kept:18"])?;
        docker(&["rmi", "bellwether/node-postgresql:18"])?;
    }
    let cluster: bellwether_model::ClusterView = api.post("/v1/clusters", &spec).await?;
    let operation = cluster.operation.expect("creating is an operation");
    let ended = api.finish(operation.as_str(), std::time::Duration::from_secs(60)).await;
    if has_image {
        docker(&["tag", "bellwether/kept:18", "bellwether/node-postgresql:18"])?;
        docker(&["rmi", "bellwether/kept:18"])?;
    }
    let words = format!("{:#}", ended.expect_err("it cannot succeed"));
    assert!(words.contains("ensure-images"), "{words}");
    let left = bellwether_testkit::docker::left_of(cluster.id.as_str())?;
    assert_eq!(left, Vec::<String>::new());
    api.delete("orders").await?;
    drop(server);
    Ok(())
}
