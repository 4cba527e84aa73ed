//! S5, S6: who was not let in, or is let in no more, learns and changes nothing.

use std::time::Duration;

use bellwether_testkit::docker::{container_of, inside};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server};
use serde_json::{Value, json};

async fn ask(client: &reqwest::Client, url: &str, path: &str) -> anyhow::Result<(u16, Value)> {
    let request = client.get(format!("{url}{path}"));
    let request = request
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    Ok((status, answer.json().await.unwrap_or_default()))
}

/// The certificate and key with which a node's agent shows who it is.
fn identity_of(node: &str) -> anyhow::Result<reqwest::Identity> {
    let container = container_of(node)?;
    let text = inside(&container, "cat /var/lib/bellwether/identity/identity.json")?;
    let identity: Value = serde_json::from_str(&text)?;
    let part = |name: &str| identity[name].as_str().unwrap_or_default().to_owned();
    let pem = part("agent_certificate") + &part("agent_key");
    Ok(reqwest::Identity::from_pem(pem.as_bytes())?)
}

fn client(identity: Option<reqwest::Identity>) -> anyhow::Result<reqwest::Client> {
    let builder = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).http1_only();
    Ok(match identity {
        Some(identity) => builder.identity(identity),
        None => builder,
    }
    .build()?)
}

async fn first_node(api: &Api) -> anyhow::Result<String> {
    Ok(api.nodes("orders").await?[0].id.to_string())
}

#[tokio::test]
async fn tokens_are_good_once_and_certificates_for_their_own_server() -> anyhow::Result<()> {
    const SESSION: &str = "/v1/agents/session";
    let (server, api) = Server::start().await?;
    api.create("orders", 2, "async").await?;
    let url = format!("https://127.0.0.1:{}", server.agent_port());

    let nobody = client(None)?;
    let (status, problem) = ask(&nobody, &url, SESSION).await?;
    assert_eq!((status, &problem["code"]), (401, &json!("unauthenticated")));

    // The token that made a node is worthless afterwards.
    let container = container_of(&first_node(&api).await?)?;
    let config: Value =
        serde_json::from_str(&inside(&container, "cat /etc/bellwether/agent.json")?)?;
    let request = json!({
        "token": config["token"], "agent_key": "x", "engine_key": "y", "agent_version": "1",
    });
    let answer = nobody.post(format!("{url}/v1/agents/join")).json(&request).send().await?;
    assert_eq!(answer.status().as_u16(), 401);
    let problem: Value = answer.json().await?;
    assert!(problem["detail"].as_str().is_some_and(|words| words.contains("used already")));

    // Another server's agents are strangers here: their authority is another.
    let (second, api_of_second) = Server::start().await?;
    api_of_second.create("orders", 1, "async").await?;
    let stranger = client(Some(identity_of(&first_node(&api_of_second).await?)?))?;
    let refused = ask(&stranger, &url, SESSION).await;
    assert!(refused.is_err() || refused.is_ok_and(|(status, _)| matches!(status, 401 | 403)));

    // A node that was removed keeps a certificate that opens nothing.
    let nodes = api.nodes("orders").await?;
    let replica = nodes.iter().find(|node| node.name == "orders-2").expect("two nodes");
    let removed = client(Some(identity_of(replica.id.as_str())?))?;
    let operation = api.operate("orders", "remove_node", Some("orders-2")).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
    until("it is a stranger", Duration::from_secs(5), || async {
        let (status, problem) = ask(&removed, &url, SESSION).await?;
        anyhow::ensure!(status == 403, "{status}: {problem}");
        Ok(())
    })
    .await?;
    drop(second);
    Ok(())
}
