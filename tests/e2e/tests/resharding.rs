//! Shards are added and removed under load: slots move with their keys, no write is lost but what
//! a death of a primary may cost, and clients that know the engine's protocol notice no more than
//! redirections.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bellwether_model::connection::Connection;
use bellwether_model::shard::{SLOTS, count};
use bellwether_model::{ClusterView, Operation, OperationKind, OperationStatus};
use bellwether_testkit::docker::{docker, left_of};
use bellwether_testkit::redis::Client;
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, Server};
use serde_json::json;
use tokio::task::JoinHandle;

use super::database_users::Users;
use super::sharded::{Engine, another_serves, primary};

/// Keys of so many slots are written.
const TAGS: usize = 64;

/// A client that follows redirections.
struct Follower {
    connection: Connection,
    known: HashMap<String, Client>,
    /// Who had the keys of a tag last.
    places: HashMap<usize, String>,
}

impl Follower {
    fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone(), known: HashMap::new(), places: HashMap::new() }
    }

    async fn ask(&mut self, tag: usize, words: &[&str]) -> anyhow::Result<String> {
        for _ in 0..16 {
            let seed = &self.connection.read_write[tag % self.connection.read_write.len()];
            let place = self.places.get(&tag).unwrap_or(seed).clone();
            let mut client = match self.known.remove(&place) {
                Some(client) => client,
                None => Client::connect(&self.connection, &place, Duration::from_secs(2)).await?,
            };
            let said = tokio::time::timeout(Duration::from_secs(5), client.ask(words)).await;
            let error = match said {
                Ok(Ok(said)) => {
                    self.known.insert(place, client);
                    return Ok(said);
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    self.places.remove(&tag);
                    bail!("{place} does not answer");
                }
            };
            let text = error.to_string();
            let mut words = text.split_whitespace().skip_while(|word| !word.ends_with("MOVED"));
            let Some(next) = words.nth(2) else {
                self.places.remove(&tag);
                return Err(error);
            };
            self.known.insert(place, client);
            self.places.insert(tag, next.to_owned());
        }
        bail!("it is led from one to the other")
    }
}

/// What was acknowledged, by tag: how often its counter was raised, and the last of its keys.
#[derive(Clone, Debug, Default)]
struct Written {
    raised: HashMap<usize, u64>,
    keys: HashMap<usize, u64>,
    errors: Vec<String>,
    longest_gap: Duration,
}

struct Writer {
    stops: Arc<AtomicBool>,
    task: JoinHandle<Written>,
}

impl Writer {
    fn start(connection: &Connection, before: Written) -> Self {
        let stops = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(write(Follower::new(connection), before, stops.clone()));
        Self { stops, task }
    }

    async fn stop(self) -> anyhow::Result<Written> {
        self.stops.store(true, Ordering::Relaxed);
        Ok(self.task.await?)
    }
}

/// Raises a counter, writes a key that is new, and takes one away, of one tag after the other.
async fn write(mut client: Follower, before: Written, stops: Arc<AtomicBool>) -> Written {
    let mut written = Written { errors: Vec::new(), longest_gap: Duration::ZERO, ..before };
    let began = Instant::now();
    let mut last = began;
    for round in 0.. {
        if stops.load(Ordering::Relaxed) {
            break;
        }
        let tag = round % TAGS;
        let number = written.keys.get(&tag).copied().unwrap_or_default() + 1;
        let attempt = async {
            client.ask(tag, &["INCR", &format!("{{w{tag}}}:raised")]).await?;
            *written.raised.entry(tag).or_default() += 1;
            let value = number.to_string();
            let key = format!("{{w{tag}}}:{number}");
            client.ask(tag, &["SET", &key, &value, "EX", "100000"]).await?;
            written.keys.insert(tag, number);
            client.ask(tag, &["SET", &format!("{{w{tag}}}:gone"), &value]).await?;
            client.ask(tag, &["DEL", &format!("{{w{tag}}}:gone")]).await?;
            anyhow::Ok(())
        };
        match attempt.await {
            Ok(()) => {
                written.longest_gap = written.longest_gap.max(last.elapsed());
                last = Instant::now();
            }
            Err(error) => {
                written.errors.push(format!("{:.1?}: {error:#}", began.elapsed()));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    written
}

/// Acknowledged writes that are not there; fails when there is what nobody wrote.
async fn missing(connection: &Connection, written: &Written) -> anyhow::Result<u64> {
    let mut client = Follower::new(connection);
    let mut missing = 0;
    for tag in 0..TAGS {
        let raised = client.ask(tag, &["GET", &format!("{{w{tag}}}:raised")]).await?;
        let raised: u64 = raised.trim().parse().unwrap_or_default();
        let acknowledged = written.raised.get(&tag).copied().unwrap_or_default();
        let beyond = raised.saturating_sub(acknowledged);
        ensure!(beyond <= written.errors.len() as u64, "{tag}: {raised}, not {acknowledged}");
        missing += acknowledged.saturating_sub(raised);
        let last = written.keys.get(&tag).copied().unwrap_or_default();
        let names: Vec<String> = (1..=last).map(|number| format!("{{w{tag}}}:{number}")).collect();
        for (part, names) in names.chunks(500).enumerate() {
            let words: Vec<&str> =
                ["MGET"].into_iter().chain(names.iter().map(String::as_str)).collect();
            let said = client.ask(tag, &words).await?;
            let expected = part * 500 + 1..;
            let found: Vec<&str> = said.split('\n').collect();
            ensure!(found.len() == names.len(), "{tag}: {said}");
            let is_wrong = |(number, found): &(usize, &str)| found.trim() != number.to_string();
            missing += expected.zip(found).filter(is_wrong).count() as u64;
        }
        if written.errors.is_empty() {
            let gone = client.ask(tag, &["EXISTS", &format!("{{w{tag}}}:gone")]).await?;
            ensure!(gone.trim().ends_with('0'), "{tag}: what was taken away is back: {gone}");
        }
    }
    Ok(missing)
}

/// Asks for so many shards; the operation that makes them so.
async fn ask_for(api: &Api, shards: u32) -> anyhow::Result<Operation> {
    let generation = api.cluster("cache").await?.generation;
    api.change("cache", generation, &json!({ "shards": shards })).await?;
    let mut found = None;
    until("slots begin to move", Duration::from_secs(20), || async {
        let all = api.operations("cache").await?;
        let is_it = |one: &&Operation| {
            one.kind == OperationKind::Reshard && one.status == OperationStatus::Running
        };
        all.iter().find(is_it).map(|_| ()).context("not yet")
    })
    .await?;
    for one in api.operations("cache").await? {
        let is_it = one.kind == OperationKind::Reshard && !one.status.is_ended();
        found = found.or(Some(one).filter(|_| is_it));
    }
    found.context("the operation has ended already")
}

/// Some slots have gone, and not all.
async fn is_amid(api: &Api, operation: &Operation) -> anyhow::Result<()> {
    until("some slots have moved", Duration::from_secs(60), || async {
        let all = api.operations("cache").await?;
        let now = all.into_iter().find(|one| one.id == operation.id).context("it is there")?;
        let step = now.steps.iter().find(|step| step.name == "move_slots").context("the step")?;
        let moved = step.message.split_whitespace().next().unwrap_or_default();
        ensure!(moved.parse::<u32>().is_ok_and(|moved| moved > 0), "{}", step.message);
        Ok(())
    })
    .await
}

/// Slots are divided evenly, and every node says the same of who has them.
async fn agree(api: &Api, shards: usize) -> anyhow::Result<ClusterView> {
    let view = api.cluster("cache").await?;
    let counts: Vec<u32> = view.shards.iter().map(|shard| count(&shard.slots)).collect();
    assert_eq!((counts.len(), counts.iter().sum()), (shards, u32::from(SLOTS)), "{counts:?}");
    assert!(counts.iter().max() <= counts.iter().min().map(|n| n + 1).as_ref(), "{counts:?}");
    let connection = api.connection("cache").await?;
    let mut expected: HashMap<String, u32> = HashMap::new();
    for shard in &view.shards {
        expected.insert(primary(api, &shard.name).await?.address, count(&shard.slots));
    }
    until("everybody knows who has which keys", Duration::from_secs(40), || async {
        for address in &connection.read_only {
            let mut client = Client::connect(&connection, address, Duration::from_secs(5)).await?;
            let said = client.ask(&["CLUSTER", "NODES"]).await?;
            for line in said.lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                let host = words[1].split(':').next().unwrap_or_default();
                let size = |word: &&str| {
                    let (first, last) = word.split_once('-').unwrap_or((word, word));
                    let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
                    Some(last + 1 - first)
                };
                let own: u32 = words[8..].iter().filter_map(size).sum();
                let wanted = expected.get(host).copied().unwrap_or_default();
                ensure!(own == wanted, "{address} says, and not {wanted}: {line}");
            }
            // Who is gone may be known for a while yet, and has nothing.
            ensure!(said.lines().count() >= connection.read_write.len(), "{said}");
        }
        Ok(())
    })
    .await?;
    Ok(view)
}

async fn conform(engine: Engine) -> anyhow::Result<()> {
    if docker(&["image", "inspect", &engine.image()]).is_err() {
        eprintln!("NOT RUN: {} {}: there is no image", engine.name, engine.version);
        return Ok(());
    }
    let (mut server, api) = Server::start().await?;
    let made = engine.create(&api).await?;
    let connection = api.connection("cache").await?;
    let users = Users { api: &api, cluster: "cache" };
    users.make("basket", "basket:*", "read_write").await?;
    let plans = api.plan_change("cache", &json!({ "shards": 4 })).await?;
    let summary = &plans.first().context("a plan")?.summary;
    assert!(summary.contains("cache-s4") && summary.contains("of 16384 slots"), "{summary}");

    // More shards: nothing is lost, and nobody is refused.
    let writer = Writer::start(&connection, Written::default());
    let began = Instant::now();
    let operation = ask_for(&api, 4).await?;
    api.finish(operation.id.as_str(), Duration::from_secs(180)).await?;
    let written = writer.stop().await?;
    let more = api.connection("cache").await?;
    let gone = missing(&more, &written).await?;
    eprintln!(
        "{}: 3 to 4 in {:?}: {gone} missing, {} errors, longest gap {:?}",
        engine.name,
        began.elapsed(),
        written.errors.len(),
        written.longest_gap
    );
    // A machine that has no time for an agent has it shut its gate for a moment: of those errors a
    // few may be, and none of slots.
    let (shut, others): (Vec<&String>, Vec<&String>) =
        written.errors.iter().partition(|error| error.contains("MASTERDOWN the primary was lost"));
    assert_eq!((gone, others), (0, Vec::new()));
    assert!(shut.len() <= 3, "{shut:?}");
    assert!(written.longest_gap < Duration::from_secs(3), "{:?}", written.longest_gap);
    let view = agree(&api, 4).await?;
    // Whoever was let in before there was the fourth is let in there too, and may no more.
    let basket = users.connection("basket").await?;
    for address in basket.read_write.iter().chain(&basket.read_only) {
        let mut client = Client::connect(&basket, address, Duration::from_secs(5)).await?;
        assert!(client.ask(&["CONFIG", "GET", "port"]).await.is_err(), "{address}");
    }
    let fourth = view.shards.last().context("the fourth")?.id.clone();

    // Fewer, and the primary that slots leave is killed amid it, and then the server.
    let writer = Writer::start(&more, written);
    let began = Instant::now();
    let operation = ask_for(&api, 3).await?;
    is_amid(&api, &operation).await?;
    let former = primary(&api, "cache-s4").await?;
    engine.kill(&former)?;
    another_serves(&api, "cache-s4", &former).await?;
    let api = server.restart().await?;
    api.finish(operation.id.as_str(), Duration::from_secs(180)).await?;
    let written = writer.stop().await?;
    let fewer = api.connection("cache").await?;
    let gone = missing(&fewer, &written).await?;
    eprintln!(
        "{}: 4 to 3 in {:?}: {gone} missing, {} errors, longest gap {:?}",
        engine.name,
        began.elapsed(),
        written.errors.len(),
        written.longest_gap
    );
    // Asynchronous: of a client that writes one by one, what was under way.
    assert!(gone <= 4, "{gone} acknowledged writes are missing");
    agree(&api, 3).await?;
    api.healthy("cache", Duration::from_secs(60)).await?;
    assert_eq!(left_of(fourth.as_str())?, Vec::<String>::new(), "nothing is left");

    api.delete("cache").await?;
    assert_eq!(left_of(made.id.as_str())?, Vec::<String>::new(), "nothing is left");
    server.check_log()
}

#[tokio::test]
async fn valkey_9() -> anyhow::Result<()> {
    conform(Engine { name: "valkey", version: "9" }).await
}
