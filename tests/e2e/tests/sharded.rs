//! Sharded clusters on real nodes: clients that know the engine's protocol are sent on to whoever
//! has a key; each shard fails over by itself, while the others go on; a primary that comes back
//! claims nothing and one that comes back empty wipes nobody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_model::connection::Connection;
use bellwether_model::settings::ParameterView;
use bellwether_model::shard::SLOTS;
use bellwether_model::{ClusterView, NodeView, OperationKind};
use bellwether_testkit::docker::{container_of, docker, inside, left_of};
use bellwether_testkit::redis::Client;
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::database_users::Users;

const SHARDS: [&str; 3] = ["cache-s1", "cache-s2", "cache-s3"];

#[derive(Clone, Copy)]
pub(super) struct Engine {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
}

impl Engine {
    pub(super) fn image(self) -> String {
        format!("bellwether/node-{}:{}", self.name, self.version)
    }

    fn process(self) -> String {
        format!("{}-server", self.name)
    }

    pub(super) async fn create(self, api: &Api) -> anyhow::Result<ClusterView> {
        let spec = json!({
            "name": "cache", "engine": self.name, "version": self.version,
            "shards": SHARDS.len(), "nodes": 2,
            "size": { "cpus": 1, "memory": "256MiB", "disk": "1GiB" },
            "allowlist": [{ "address": "server" }],
        });
        let made: ClusterView = api.post("/v1/clusters", &spec).await?;
        let creation = made.operation.context("creating is an operation")?;
        api.finish(creation.as_str(), Duration::from_secs(120)).await?;
        api.healthy("cache", Duration::from_secs(30)).await
    }

    /// The engine's own client, which follows keys to whoever has them, with one seed.
    fn client(self, connection: &Connection, seed: usize, lines: &[String]) -> String {
        let (host, port) = connection.read_write[seed].rsplit_once(':').expect("host and port");
        let password = connection.password.clone().unwrap_or_default();
        let script = format!(
            "echo \"$CA\" >/tmp/ca.pem; timeout 60 {}-cli -c --no-auth-warning -h {host} \
             -p {port} --tls --cacert /tmp/ca.pem --user app -a \"$PASSWORD\"",
            self.name
        );
        let run = format!(
            "docker run --rm -i --network host -e PASSWORD={password} -e CA=\"$CA\" \
             --entrypoint sh {} -c '{script}' 2>&1 <<'END'\n{}\nEND",
            self.image(),
            lines.join("\n")
        );
        let mut command = std::process::Command::new("sh");
        let output = command.args(["-c", &run]).env("CA", &connection.ca_certificate).output();
        String::from_utf8_lossy(&output.expect("docker runs").stdout).trim().to_owned()
    }

    pub(super) fn kill(self, node: &NodeView) -> anyhow::Result<()> {
        let container = container_of(node.id.as_str())?;
        docker(&["exec", &container, "pkill", "-KILL", "-x", &self.process()]).map(|_| ())
    }
}

/// Writes keys of one shard, one after the other, until it is stopped.
struct Writer {
    tag: String,
    stops: Arc<AtomicBool>,
    task: JoinHandle<Written>,
}

#[derive(Default)]
struct Written {
    acknowledged: Vec<(Instant, u32)>,
    errors: u32,
}

impl Written {
    fn longest_gap(&self) -> Duration {
        let pairs = self.acknowledged.windows(2).map(|pair| pair[1].0 - pair[0].0);
        pairs.max().unwrap_or_default()
    }
}

impl Writer {
    async fn start(api: &Api, shard: &str) -> anyhow::Result<Self> {
        let connection = api.connection(shard).await?;
        let view = api.cluster("cache").await?;
        let shown = view.shards.iter().find(|one| one.name == shard).context("the shard")?;
        let mut client = Client::read_write(&connection).await?;
        let mut tag = String::new();
        for number in 0..1_000 {
            tag = format!("t{number}");
            let slot: u16 = client.ask(&["CLUSTER", "KEYSLOT", &tag]).await?.parse()?;
            if shown.slots.iter().any(|range| (range.first..=range.last).contains(&slot)) {
                break;
            }
        }
        let stops = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(write(connection, tag.clone(), stops.clone()));
        Ok(Self { tag, stops, task })
    }

    async fn stop(self) -> anyhow::Result<(String, Written)> {
        self.stops.store(true, Ordering::Relaxed);
        Ok((self.tag, self.task.await?))
    }
}

async fn write(connection: Connection, tag: String, stops: Arc<AtomicBool>) -> Written {
    let mut written = Written::default();
    let mut known: Option<Client> = None;
    for number in 0.. {
        if stops.load(Ordering::Relaxed) {
            break;
        }
        let attempt = async {
            let mut client = match known.take() {
                Some(client) => client,
                None => Client::read_write(&connection).await?,
            };
            client.ask(&["SET", &format!("{{{tag}}}:{number}"), "x"]).await?;
            anyhow::Ok(client)
        };
        match tokio::time::timeout(Duration::from_secs(10), attempt).await {
            Ok(Ok(client)) => {
                known = Some(client);
                written.acknowledged.push((Instant::now(), number));
            }
            _ => written.errors += 1,
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    written
}

/// Acknowledged keys that are gone.
async fn lost(api: &Api, shard: &str, tag: &str, written: &Written) -> anyhow::Result<usize> {
    let connection = api.connection(shard).await?;
    let mut client = Client::read_write(&connection).await?;
    let mut found = 0;
    for some in written.acknowledged.chunks(500) {
        let keys: Vec<String> = some.iter().map(|(_, n)| format!("{{{tag}}}:{n}")).collect();
        let mut words = vec!["EXISTS"];
        words.extend(keys.iter().map(String::as_str));
        found += client.ask(&words).await?.parse::<usize>()?;
    }
    Ok(written.acknowledged.len() - found)
}

pub(super) async fn primary(api: &Api, shard: &str) -> anyhow::Result<NodeView> {
    let id = api.cluster(shard).await?.primary.context("a primary")?;
    let nodes = api.nodes(shard).await?;
    nodes.into_iter().find(|node| node.id == id).context("the primary's node")
}

pub(super) async fn another_serves(
    api: &Api,
    shard: &str,
    former: &NodeView,
) -> anyhow::Result<()> {
    until("another is primary", Duration::from_secs(20), || async {
        let now = api.cluster(shard).await?.primary;
        ensure!(now.is_some_and(|id| id != former.id), "not yet");
        Ok(())
    })
    .await
}

/// Every node tells clients the same of who has which keys, and every key has one primary.
async fn agree(api: &Api, connection: &Connection) -> anyhow::Result<()> {
    let primaries: Vec<NodeView> = {
        let mut all = Vec::new();
        for shard in SHARDS {
            all.push(primary(api, shard).await?);
        }
        all
    };
    until("everybody knows who has which keys", Duration::from_secs(20), || async {
        for address in &connection.read_only {
            let mut client = Client::connect(connection, address, Duration::from_secs(5)).await?;
            let said = client.ask(&["CLUSTER", "NODES"]).await?;
            let mut slots = 0;
            for line in said.lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                let host = words[1].split(':').next().unwrap_or_default();
                let own = words[8..].iter().filter_map(|word| word.split_once('-'));
                let own: u32 = own
                    .map(|(a, b)| b.parse::<u32>().unwrap_or(0) + 1 - a.parse::<u32>().unwrap_or(0))
                    .sum();
                let leads = primaries.iter().any(|node| node.address == host);
                ensure!(leads == (own > 0), "{address} says: {line}");
                slots += own;
            }
            ensure!(slots == u32::from(SLOTS), "{address} knows of {slots} slots");
            ensure!(said.lines().count() == connection.read_write.len(), "{said}");
        }
        Ok(())
    })
    .await
}

/// Settings are asked of the whole, and every shard takes them; none is asked of a shard alone.
async fn change_settings(api: &Api) -> anyhow::Result<()> {
    let wanted = json!({ "parameters": { "maxmemory-policy": "allkeys-lfu" } });
    let generation = api.cluster("cache-s1").await?.generation;
    let told = api.change("cache-s1", generation, &wanted).await;
    let told = told.expect_err("a shard has them of the whole").to_string();
    assert!(told.contains("changed for all shards"), "{told}");
    let generation = api.cluster("cache").await?.generation;
    api.change("cache", generation, &wanted).await?;
    let asked = api.operations("cache").await?;
    let asked = asked.iter().find(|one| one.kind == OperationKind::Reconfigure);
    let asked = asked.context("it is an operation")?;
    println!("{}", api.finish(asked.id.as_str(), Duration::from_secs(60)).await?.message);
    for cluster in ["cache", "cache-s1", "cache-s2", "cache-s3"] {
        let all: Vec<ParameterView> =
            api.get(&format!("/v1/clusters/{cluster}/parameters")).await?;
        let policy = all.iter().find(|one| one.name == "maxmemory-policy").context("known")?;
        assert_eq!((policy.value.as_str(), policy.differs.len()), ("allkeys-lfu", 0), "{cluster}");
    }
    Ok(())
}

async fn conform(engine: Engine) -> anyhow::Result<()> {
    if docker(&["image", "inspect", &engine.image()]).is_err() {
        eprintln!("NOT RUN: {} {}: there is no image", engine.name, engine.version);
        return Ok(());
    }
    let (server, api) = Server::start().await?;
    let began = Instant::now();
    let made = engine.create(&api).await?;
    eprintln!("{}: created in {:?}: {}", engine.name, began.elapsed(), made.sentence);
    assert_eq!((made.shards.len(), made.nodes_healthy), (3, 6));
    let listed: Vec<String> = {
        let page: bellwether_model::event::Page<ClusterView> = api.get("/v1/clusters").await?;
        page.items.into_iter().map(|cluster| cluster.name).collect()
    };
    assert_eq!(listed, ["cache"], "shards are shown with theirs");
    let connection = api.connection("cache").await?;
    assert_eq!(connection.read_write.len(), 6, "every node is a seed");
    agree(&api, &connection).await?;

    // The engine's own client reads and writes all keys through any seed.
    let lines = |command: &str, rest: &str| -> Vec<String> {
        (0..60).map(|number| format!("{command} key-{number}{rest}")).collect()
    };
    let said = engine.client(&connection, 0, &lines("SET", " v"));
    assert_eq!(said.matches("OK").count(), 60, "{said}");
    let said = engine.client(&connection, 5, &lines("EXISTS", ""));
    assert_eq!(said.lines().filter(|line| line.ends_with('1')).count(), 60, "{said}");

    // Every shard has the users of the whole.
    let users = Users { api: &api, cluster: "cache" };
    users.make("report", "*", "read_only").await?;
    let report = users.connection("report").await?;
    for address in &report.read_write {
        let mut client = Client::connect(&report, address, Duration::from_secs(5)).await?;
        assert!(client.ask(&["SET", "key-1", "x"]).await.is_err(), "it only reads");
    }

    let mut writers = BTreeMap::new();
    for shard in SHARDS {
        writers.insert(shard, Writer::start(&api, shard).await?);
    }
    // As planned: a node is named, and its shard's primary moves there.
    let replica = api.promotable("cache-s3", Duration::from_secs(30)).await?;
    let operation = api.operate("cache", "switchover", Some(&replica.name)).await?;
    let moved = api.finish(operation.id.as_str(), Duration::from_secs(60)).await?;
    eprintln!("{}: {}", engine.name, moved.message);
    agree(&api, &connection).await?;
    change_settings(&api).await?;
    // A dead engine; then a lost machine of another shard.
    let former = primary(&api, "cache-s1").await?;
    engine.kill(&former)?;
    another_serves(&api, "cache-s1", &former).await?;
    api.healthy("cache", Duration::from_secs(60)).await?;
    let lost_machine = primary(&api, "cache-s2").await?;
    docker(&["kill", &container_of(lost_machine.id.as_str())?])?;
    another_serves(&api, "cache-s2", &lost_machine).await?;
    api.healthy("cache", Duration::from_secs(60)).await?;
    agree(&api, &connection).await?;
    for (shard, writer) in writers {
        let (tag, written) = writer.stop().await?;
        let (gap, missing) = (written.longest_gap(), lost(&api, shard, &tag, &written).await?);
        let (count, errors) = (written.acknowledged.len(), written.errors);
        eprintln!(
            "{}: {shard}: {count} acknowledged, {missing} lost, {errors} errors, {gap:?}",
            engine.name
        );
        // Asynchronous: of a client that writes one by one, what was under way.
        assert!(missing <= 4, "{missing} acknowledged writes of {shard} are missing");
        let most = if shard == "cache-s2" { 15 } else { 5 };
        assert!(gap < Duration::from_secs(most), "writes of {shard} waited {gap:?}");
        if shard == "cache-s3" {
            assert_eq!((missing, errors), (0, 0), "a planned change costs nothing, nor do others'");
        }
    }

    // A primary that comes back with nothing wipes nobody.
    let former = primary(&api, "cache-s1").await?;
    let container = container_of(former.id.as_str())?;
    inside(&container, &format!("pkill -KILL -x {}; rm -rf /data/engine/*", engine.process()))?;
    another_serves(&api, "cache-s1", &former).await?;
    api.healthy("cache", Duration::from_secs(60)).await?;
    agree(&api, &connection).await?;
    let said = engine.client(&connection, 3, &lines("EXISTS", ""));
    assert_eq!(said.lines().filter(|line| line.ends_with('1')).count(), 60, "{said}");

    let refused = api.ask_to_delete("cache-s1").await;
    assert!(refused.is_err_and(|error| error.to_string().contains("shard of cache")));
    api.delete("cache").await?;
    let ids = made.shards.iter().map(|shard| shard.id.as_str()).chain([made.id.as_str()]);
    for id in ids {
        assert_eq!(left_of(id)?, Vec::<String>::new(), "nothing is left");
    }
    server.check_log()
}

#[tokio::test]
async fn valkey_8() -> anyhow::Result<()> {
    conform(Engine { name: "valkey", version: "8" }).await
}

#[tokio::test]
async fn valkey_9() -> anyhow::Result<()> {
    conform(Engine { name: "valkey", version: "9" }).await
}

#[tokio::test]
async fn redis_8() -> anyhow::Result<()> {
    conform(Engine { name: "redis", version: "8" }).await
}
