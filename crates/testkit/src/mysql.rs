//! Clients of MariaDB and MySQL as their users make them: TLS with verification, through an
//! endpoint.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use bellwether_model::connection::Connection;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder, SslOpts};

use crate::writer::{self, RowClient, WriterOf};

/// Connects to one of the addresses (`address:port`), with TLS and everything verified.
///
/// # Errors
/// When nobody answers within the limit.
pub async fn connect(
    connection: &Connection,
    address: &str,
    limit: Duration,
) -> anyhow::Result<Conn> {
    let (host, port) = address.rsplit_once(':').context("an address has a port")?;
    let authority = connection.ca_certificate.clone().into_bytes();
    let tls = SslOpts::default()
        .with_root_certs(vec![authority.into()])
        .with_disable_built_in_roots(true);
    let options = OptsBuilder::default()
        .ip_or_hostname(host.trim_matches(['[', ']']))
        .tcp_port(port.parse()?)
        .user(Some(&connection.user))
        .pass(connection.password.as_deref())
        .db_name(Some(&connection.database))
        .prefer_socket(false)
        .ssl_opts(Some(tls));
    Ok(tokio::time::timeout(limit, Conn::new(options)).await??)
}

/// Connects to the primary through the first endpoint that leads there.
///
/// # Errors
/// When none does within the limit.
pub async fn read_write(connection: &Connection) -> anyhow::Result<Conn> {
    writer::read_write(connection).await
}

/// Autocommit inserts.
pub type MysqlWriter = WriterOf<Conn>;

impl RowClient for Conn {
    async fn connect(
        connection: &Connection,
        address: &str,
        limit: Duration,
    ) -> anyhow::Result<Self> {
        connect(connection, address, limit).await
    }

    async fn begin(&mut self, table: &str) -> anyhow::Result<i64> {
        let create = format!("CREATE TABLE IF NOT EXISTS {table} (id BIGINT PRIMARY KEY)");
        self.query_drop(create).await?;
        let last = format!("SELECT COALESCE(MAX(id), 0) FROM {table}");
        let last: Option<i64> = self.query_first(last).await?;
        Ok(last.unwrap_or_default() + 1)
    }

    /// The server id of who took it tells primaries apart.
    async fn write(&mut self, table: &str, id: i64) -> anyhow::Result<u32> {
        let row: Option<u32> = self.query_first("SELECT @@server_id").await?;
        self.query_drop(format!("INSERT INTO {table} VALUES ({id})")).await?;
        row.context("the engine did not say who it is")
    }

    async fn read(&mut self, table: &str) -> anyhow::Result<BTreeSet<i64>> {
        let ids: Vec<i64> = self.query(format!("SELECT id FROM {table}")).await?;
        Ok(ids.into_iter().collect())
    }
}
