//! Connections to a cluster as its users make them: TLS with verification, through an endpoint.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use bellwether_model::connection::Connection;
use tokio_postgres::{Client, Config, SimpleQueryMessage};

use crate::tls::MakeTls;
use crate::writer::{self, RowClient, WriterOf};

/// Connects to one of the addresses (`address:port`).
///
/// # Errors
/// When nobody answers within the limit.
pub async fn connect(
    connection: &Connection,
    address: &str,
    limit: Duration,
) -> anyhow::Result<Client> {
    let (host, port) = address.rsplit_once(':').context("an address has a port")?;
    let mut config = Config::new();
    config
        .host(host)
        .port(port.parse()?)
        .user(&connection.user)
        .password(connection.password.as_deref().unwrap_or_default())
        .dbname(&connection.database)
        .ssl_mode(tokio_postgres::config::SslMode::Require)
        .connect_timeout(limit);
    let tls = MakeTls::new(&connection.ca_certificate)?;
    let (client, task) = tokio::time::timeout(limit, config.connect(tls)).await??;
    tokio::spawn(task);
    Ok(client)
}

/// Connects to the primary through the first endpoint that leads there.
///
/// # Errors
/// When none does within the limit.
pub async fn read_write(connection: &Connection) -> anyhow::Result<Client> {
    writer::read_write(connection).await
}

/// The timeline of the log, in hexadecimal digits.
const TIMELINE: &str = "substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)";

/// Autocommit inserts.
pub type Writer = WriterOf<Client>;

impl RowClient for Client {
    async fn connect(
        connection: &Connection,
        address: &str,
        limit: Duration,
    ) -> anyhow::Result<Self> {
        connect(connection, address, limit).await
    }

    async fn begin(&mut self, table: &str) -> anyhow::Result<i64> {
        let create = format!("CREATE TABLE IF NOT EXISTS {table} (id bigint PRIMARY KEY)");
        self.batch_execute(&create).await?;
        let last = format!("SELECT coalesce(max(id), 0) FROM {table}");
        Ok(self.query_one(&last, &[]).await?.get::<_, i64>(0) + 1)
    }

    async fn write(&mut self, table: &str, id: i64) -> anyhow::Result<u32> {
        let insert = format!("INSERT INTO {table} VALUES ({id}) RETURNING {TIMELINE}");
        let answers = self.simple_query(&insert).await?;
        let timeline = answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => u32::from_str_radix(row.get(0)?, 16).ok(),
            _ => None,
        });
        timeline.context("the write said nothing of its timeline")
    }

    async fn read(&mut self, table: &str) -> anyhow::Result<BTreeSet<i64>> {
        let rows = self.query(&format!("SELECT id FROM {table}"), &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
