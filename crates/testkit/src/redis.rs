//! Clients of Valkey, Redis and KeyDB as their users make them: TLS with verification, through an
//! endpoint; and one that writes all the time.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bellwether_model::connection::Connection;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::history::{Attempt, History};
use crate::tls::client_config;
use crate::wait::until;

/// Between the beginnings of two writes.
const PERIOD: Duration = Duration::from_millis(5);

/// A command that takes longer is given up.
const DEADLINE: Duration = Duration::from_secs(1);

/// A connection.
pub struct Client(BufReader<TlsStream<TcpStream>>);

impl Client {
    /// Connects to one of the addresses (`address:port`) and shows the password.
    ///
    /// # Errors
    /// When nobody answers within the limit.
    pub async fn connect(
        connection: &Connection,
        address: &str,
        limit: Duration,
    ) -> anyhow::Result<Self> {
        let connecting = async {
            let (host, _) = address.rsplit_once(':').context("an address has a port")?;
            let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let config = client_config(&connection.ca_certificate)?;
            let stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await?;
            let mut client = Self(BufReader::new(stream));
            let password = connection.password.clone().unwrap_or_default();
            client.ask(&["AUTH", &connection.user, &password]).await?;
            Ok(client)
        };
        tokio::time::timeout(limit, connecting).await?
    }

    /// Connects to the primary through the first endpoint that leads there.
    ///
    /// # Errors
    /// When none does within the limit.
    pub async fn read_write(connection: &Connection) -> anyhow::Result<Self> {
        let mut last = anyhow::anyhow!("there is no endpoint");
        for address in &connection.read_write {
            match Self::connect(connection, address, Duration::from_secs(5)).await {
                Ok(client) => return Ok(client),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Sends a command; its answer, lists with a line for each text.
    ///
    /// # Errors
    /// When the engine says so, or is gone.
    pub async fn ask(&mut self, words: &[&str]) -> anyhow::Result<String> {
        self.send(&[words]).await?;
        self.answer().await
    }

    /// Sends commands without waiting for answers.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn send(&mut self, commands: &[&[&str]]) -> anyhow::Result<()> {
        let mut bytes = Vec::new();
        for words in commands {
            bytes.extend(format!("*{}\r\n", words.len()).into_bytes());
            for word in *words {
                bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
            }
        }
        self.0.write_all(&bytes).await?;
        Ok(self.0.flush().await?)
    }

    /// The next answer.
    ///
    /// # Errors
    /// When the engine says so, or is gone.
    pub async fn answer(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line).await? == 0 {
            bail!("the connection has ended");
        }
        let (kind, rest) = line.trim_end().split_at(1);
        match kind {
            "+" | ":" | "," | "#" => Ok(rest.to_owned()),
            "-" => bail!("{rest}"),
            "$" => {
                let Ok(length) = rest.parse::<usize>() else { return Ok(String::new()) };
                let mut text = vec![0; length + 2];
                self.0.read_exact(&mut text).await?;
                text.truncate(length);
                Ok(String::from_utf8_lossy(&text).into_owned())
            }
            "*" | ">" | "~" | "%" => {
                let count = rest.parse::<usize>().unwrap_or(0);
                let count = if kind == "%" { count * 2 } else { count };
                let mut all = Vec::new();
                for _ in 0..count {
                    all.push(Box::pin(self.answer()).await?);
                }
                Ok(all.join("\n"))
            }
            "_" => Ok(String::new()),
            other => bail!("an unknown kind of answer: {other}"),
        }
    }
}

/// One write about every 5 ms, through the endpoints; it remembers what it was told.
pub struct RedisWriter {
    connection: Connection,
    key: String,
    history: Arc<Mutex<History>>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl RedisWriter {
    /// Begins to write; returns once the first write was acknowledged.
    ///
    /// # Errors
    /// When the cluster cannot be written to.
    pub async fn start(connection: Connection) -> anyhow::Result<Self> {
        Self::through(connection, 0, "written").await
    }

    /// The same, to a set of that name, and beginning with the endpoint of that place among the
    /// cluster's.
    ///
    /// # Errors
    /// When the cluster cannot be written to.
    pub async fn through(connection: Connection, place: usize, key: &str) -> anyhow::Result<Self> {
        let mut client = Client::read_write(&connection).await?;
        client.ask(&["DEL", key]).await?;
        let (history, stop) = (Arc::default(), Arc::default());
        let shared = (Arc::clone(&history), Arc::clone(&stop));
        let task = tokio::spawn(write(connection.clone(), place, key.to_owned(), shared));
        let writer = Self { connection, key: key.to_owned(), history, stop, task };
        writer.progress(1).await?;
        Ok(writer)
    }

    /// Waits for so many more acknowledged writes.
    ///
    /// # Errors
    /// When they do not come within a minute.
    pub async fn progress(&self, count: usize) -> anyhow::Result<()> {
        let acknowledged = || self.history().acknowledged().len();
        let goal = acknowledged() + count;
        until("writes go on", Duration::from_secs(60), || async {
            anyhow::ensure!(acknowledged() >= goal, "{} of {goal} writes", acknowledged());
            Ok(())
        })
        .await
    }

    /// What it has seen so far.
    #[must_use]
    pub fn history(&self) -> History {
        self.history.lock().expect("the writer does not panic").clone()
    }

    /// Stops, and reads back what is there.
    ///
    /// # Errors
    /// When the cluster cannot be read.
    pub async fn stop(self) -> anyhow::Result<(History, BTreeSet<i64>)> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?;
        let found = until("the members are read back", Duration::from_secs(30), || async {
            let mut client = Client::read_write(&self.connection).await?;
            let all = client.ask(&["SMEMBERS", &self.key]).await?;
            Ok(all.lines().filter_map(|id| id.parse().ok()).collect())
        })
        .await?;
        let history = self.history.lock().expect("the writer does not panic").clone();
        Ok((history, found))
    }
}

async fn write(
    connection: Connection,
    place: usize,
    key: String,
    (history, stop): (Arc<Mutex<History>>, Arc<AtomicBool>),
) {
    let mut client: Option<Client> = None;
    let mut address = place % connection.read_write.len();
    for id in 1.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let began = Instant::now();
        let result = attempt(&connection, &mut client, address, &key, id).await;
        // The same endpoint leads to the next primary; only one that does not answer is left.
        if result.is_err() && client.take().is_none() {
            address = (address + 1) % connection.read_write.len();
        }
        let attempt = Attempt {
            id,
            began,
            ended: Instant::now(),
            acknowledged: result.is_ok(),
            timeline: result.as_ref().ok().copied(),
            error: result.err().map(|error| format!("{error:#}")).unwrap_or_default(),
        };
        history.lock().expect("nobody panics holding it").attempts.push(attempt);
        tokio::time::sleep(PERIOD.saturating_sub(began.elapsed())).await;
    }
}

/// Writes one member; the term of who took it, as the data tells it.
async fn attempt(
    connection: &Connection,
    client: &mut Option<Client>,
    address: usize,
    key: &str,
    id: i64,
) -> anyhow::Result<u32> {
    if client.is_none() {
        // A new connection may be held while the primary changes, so it gets more time.
        let address = &connection.read_write[address];
        *client = Some(Client::connect(connection, address, DEADLINE * 5).await?);
    }
    let client = client.as_mut().expect("connected above");
    let id = id.to_string();
    let write = async {
        client.send(&[&["SADD", key, &id], &["FCALL_RO", "bellwether_term", "0"]]).await?;
        client.answer().await?;
        Ok(client.answer().await?.parse()?)
    };
    tokio::time::timeout(DEADLINE, write).await?
}
