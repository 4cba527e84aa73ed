//! Clients of Valkey, Redis and KeyDB as their users make them: TLS with verification, through an
//! endpoint.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bellwether_model::connection::Connection;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::tls::client_config;
use crate::writer::{self, RowClient, WriterOf};

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
        writer::read_write(connection).await
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

/// Members of a set.
pub type RedisWriter = WriterOf<Client>;

impl RowClient for Client {
    async fn connect(
        connection: &Connection,
        address: &str,
        limit: Duration,
    ) -> anyhow::Result<Self> {
        Self::connect(connection, address, limit).await
    }

    async fn begin(&mut self, key: &str) -> anyhow::Result<i64> {
        self.ask(&["DEL", key]).await?;
        Ok(1)
    }

    /// The term of who took it, as the data tells it.
    async fn write(&mut self, key: &str, id: i64) -> anyhow::Result<u32> {
        let id = id.to_string();
        self.send(&[&["SADD", key, &id], &["FCALL_RO", "bellwether_term", "0"]]).await?;
        self.answer().await?;
        Ok(self.answer().await?.parse()?)
    }

    async fn read(&mut self, key: &str) -> anyhow::Result<BTreeSet<i64>> {
        let all = self.ask(&["SMEMBERS", key]).await?;
        Ok(all.lines().filter_map(|id| id.parse().ok()).collect())
    }
}
