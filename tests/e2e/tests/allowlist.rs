//! S1, S2: who is on the list reaches the ports of clients, nobody else does, whatever restarts; a
//! change that is only tried goes back by itself.

use std::time::Duration;

use bellwether_model::NodeView;
use bellwether_model::allowlist::{AllowlistPlan, AllowlistView};
use bellwether_testkit::docker::{container_of, docker, inside};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server};
use serde_json::{Value, json};

const IMAGE: &str = "bellwether/node-postgresql:17";

/// A machine beside the cluster, with an address of either family.
struct Outsider {
    container: String,
    addresses: [String; 2],
}

impl Outsider {
    /// The last part of both addresses is this.
    fn at(network: &str, last: u8) -> anyhow::Result<Self> {
        let format = "{{range .IPAM.Config}}{{.Subnet}} {{end}}";
        let subnets = docker(&["network", "inspect", "--format", format, network])?;
        let subnets: Vec<&str> = subnets.split_whitespace().collect();
        let v4 = subnets[0].replace(".0/24", &format!(".{last}"));
        let v6 = subnets[1].replace("::/64", &format!("::{last}"));
        let container = docker(&[
            "run",
            "--detach",
            "--network",
            network,
            "--ip",
            &v4,
            "--ip6",
            &v6,
            "--entrypoint",
            "sleep",
            IMAGE,
            "infinity",
        ])?;
        Ok(Self { container, addresses: [v4, v6] })
    }

    /// The addresses and ports of these nodes that answer here.
    fn reaches(&self, nodes: &[NodeView]) -> anyhow::Result<Vec<String>> {
        let mut reached = Vec::new();
        for node in nodes {
            for address in [&node.address, &node.address6] {
                for port in [5000, 5001, 5432] {
                    let line = format!("timeout 3 bash -c 'exec 3<>/dev/tcp/{address}/{port}'");
                    if inside(&self.container, &line).is_ok() {
                        reached.push(format!("{} {address} {port}", node.name));
                    }
                }
            }
        }
        Ok(reached)
    }

    /// Knocks at every port of these addresses from now on.
    fn keep_knocking(&self, addresses: &[String]) -> anyhow::Result<()> {
        let all = addresses.join(" ");
        let line = format!(
            "touch /tmp/reached; while true; do for a in {all}; do for p in 5000 5001 5432; do \
             timeout 1 bash -c \"exec 3<>/dev/tcp/$a/$p\" && echo $a $p >> /tmp/reached; \
             done; done; done"
        );
        docker(&["exec", "--detach", &self.container, "bash", "-c", &line]).map(|_| ())
    }

    fn has_reached(&self) -> anyhow::Result<String> {
        inside(&self.container, "cat /tmp/reached")
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", &self.container]);
    }
}

async fn allowlist(api: &Api) -> anyhow::Result<AllowlistView> {
    api.get("/v1/clusters/orders/allowlist").await
}

/// Waits until every node's kernel is known to have the list.
async fn in_force(api: &Api) -> anyhow::Result<()> {
    until("the list is in force", Duration::from_secs(20), || async {
        let awaited = allowlist(api).await?.awaited;
        anyhow::ensure!(awaited.is_empty(), "{awaited:?}");
        Ok(())
    })
    .await
}

/// One reaches every node over both families, the primary's own port with them; the other nothing.
async fn holds(api: &Api, listed: &Outsider, other: &Outsider) -> anyhow::Result<()> {
    in_force(api).await?;
    until("who is listed reaches everything", Duration::from_secs(30), || async {
        let nodes = api.nodes("orders").await?;
        let reached = listed.reaches(&nodes)?;
        let expected = nodes.len() * 4 + 2;
        anyhow::ensure!(reached.len() == expected, "{reached:?} of {expected}");
        Ok(())
    })
    .await?;
    assert_eq!(other.reaches(&api.nodes("orders").await?)?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn who_is_not_listed_reaches_nothing_whatever_restarts() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    api.create("orders", 2, "async").await?;
    let nodes = api.nodes("orders").await?;
    let first = container_of(nodes[0].id.as_str())?;
    let format = "{{range $name, $net := .NetworkSettings.Networks}}{{$name}}{{end}}";
    let network = docker(&["inspect", "--format", format, &first])?;
    let listed = Outsider::at(&network, 200)?;
    let other = Outsider::at(&network, 201)?;
    assert_eq!(listed.reaches(&nodes)?, Vec::<String>::new(), "nobody but this machine is listed");

    let entries = listed.addresses.iter().map(|address| json!({ "address": address }));
    let mut entries: Vec<Value> = entries.collect();
    entries.push(json!({ "address": "server", "note": "this test" }));
    change(&api, &json!({ "entries": entries }), "").await?;
    holds(&api, &listed, &other).await?;

    // At every moment from now on it knocks at the nodes there are and those that come.
    let mut addresses: Vec<String> = Vec::new();
    for node in &nodes {
        addresses.extend([node.address.clone(), node.address6.clone()]);
    }
    other.keep_knocking(&addresses)?;

    inside(&first, "pkill -9 -f '^/proc/self/exe (sentry|endpoint|worker)'")?;
    holds(&api, &listed, &other).await?;
    docker(&["restart", "--time", "1", &container_of(nodes[1].id.as_str())?])?;
    api.healthy("orders", Duration::from_secs(60)).await?;
    holds(&api, &listed, &other).await?;
    docker(&["kill", &first])?;
    until("the other node is the primary", Duration::from_secs(60), || async {
        let cluster = api.healthy("orders", Duration::from_secs(60)).await?;
        anyhow::ensure!(cluster.primary.as_ref() == Some(&nodes[1].id), "{}", cluster.sentence);
        Ok(())
    })
    .await?;
    holds(&api, &listed, &other).await?;
    let operation = api.operate("orders", "add_node", None).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(120)).await?;
    api.healthy("orders", Duration::from_secs(60)).await?;
    holds(&api, &listed, &other).await?;

    assert_eq!(other.has_reached()?, "", "it was let in once");
    until("its attempts are counted", Duration::from_secs(20), || async {
        let list = allowlist(&api).await?;
        let sources: Vec<&str> = list.blocked_sources.iter().map(|s| s.address.as_str()).collect();
        let all = other.addresses.iter().all(|address| sources.contains(&address.as_str()));
        anyhow::ensure!(list.blocked > 0 && all, "{} from {sources:?}", list.blocked);
        Ok(())
    })
    .await?;
    drop((listed, other));
    api.delete("orders").await?;
    server.check_log()
}

/// Asks for another list at the present generation.
async fn change(api: &Api, body: &Value, query: &str) -> anyhow::Result<Value> {
    let generation = api.cluster("orders").await?.generation;
    let path = format!("/v1/clusters/orders/allowlist{query}");
    let (status, value) = api.put(&path, generation, body).await?;
    anyhow::ensure!(status == 200, "{status}: {value}");
    Ok(value)
}

#[tokio::test]
async fn a_change_that_is_only_tried_goes_back_without_a_server() -> anyhow::Result<()> {
    let (mut server, api) = Server::start().await?;
    api.create("orders", 1, "async").await?;
    let nodes = api.nodes("orders").await?;
    let format = "{{range $name, $net := .NetworkSettings.Networks}}{{$name}}{{end}}";
    let node = container_of(nodes[0].id.as_str())?;
    let network = docker(&["inspect", "--format", format, &node])?;
    let client = Outsider::at(&network, 200)?;
    let with_client = json!({ "entries": [
        { "address": "server" }, { "address": client.addresses[0], "note": "the application" },
    ]});
    change(&api, &with_client, "").await?;
    in_force(&api).await?;

    let held = format!("exec 3<>/dev/tcp/{}/5001; sleep infinity", nodes[0].address);
    docker(&["exec", "--detach", &client.container, "bash", "-c", &held])?;
    let without = json!({ "entries": [{ "address": "server" }], "revert_after_seconds": 20 });
    until("a plan says who would be cut off", Duration::from_secs(20), || async {
        let plan = change(&api, &without, "?plan=true").await?;
        let plan: AllowlistPlan = serde_json::from_value(plan)?;
        let cut: Vec<&str> = plan.cut.iter().map(|client| client.address.as_str()).collect();
        anyhow::ensure!(cut == [client.addresses[0].as_str()], "{plan:?}");
        assert!(!plan.excludes_caller);
        Ok(())
    })
    .await?;

    let tried: AllowlistView = serde_json::from_value(change(&api, &without, "").await?)?;
    assert!(tried.revert_at.is_some() && tried.entries.len() == 1);
    in_force(&api).await?;
    assert_eq!(client.reaches(&nodes)?, Vec::<String>::new());
    until("its connection is cut", Duration::from_secs(20), || async {
        let connected = allowlist(&api).await?.clients;
        anyhow::ensure!(connected.is_empty(), "{connected:?}");
        Ok(())
    })
    .await?;
    server.kill();
    until("the node goes back by itself", Duration::from_secs(40), || async {
        anyhow::ensure!(client.reaches(&nodes)?.len() == 3, "not yet");
        Ok(())
    })
    .await?;
    let api = server.restart().await?;
    until("the server knows", Duration::from_secs(10), || async {
        let list = allowlist(&api).await?;
        anyhow::ensure!(list.revert_at.is_none() && list.entries.len() == 2, "{list:?}");
        Ok(())
    })
    .await?;

    change(&api, &without, "").await?;
    let keep = json!({ "keep": true });
    let path = "/v1/clusters/orders/allowlist/decision";
    let kept: AllowlistView = api.post(path, &keep).await?;
    assert!(kept.revert_at.is_none() && kept.entries.len() == 1);
    let (status, _) = api.send("POST", path, Some(&keep)).await?;
    assert_eq!(status, 409, "there is nothing to decide any more");
    drop(client);
    api.delete("orders").await?;
    server.check_log()
}

#[tokio::test]
async fn a_wrong_list_is_refused_with_the_field() -> anyhow::Result<()> {
    let (server, api) = Server::start().await?;
    let spec = |address: &str| {
        json!({ "name": "orders", "engine": "postgresql", "nodes": 1,
                "allowlist": [{ "address": "server" }, { "address": address }] })
    };
    for wrong in ["my house", "10.0.0.0/33", "10.0.0.7/24", "::1/200", "server"] {
        let (status, problem) = api.send("POST", "/v1/clusters", Some(&spec(wrong))).await?;
        assert_eq!((status, &problem["fields"][0]["field"]), (422, &json!("allowlist[1].address")));
    }
    let plan = api.send("POST", "/v1/clusters?plan=true", Some(&spec("10.0.0.0/24"))).await?;
    assert_eq!(plan.0, 200, "{}", plan.1);
    server.check_log()
}
