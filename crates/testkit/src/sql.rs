//! Connections to a cluster as its users make them: TLS with verification, through an endpoint.

use std::time::Duration;

use anyhow::Context as _;
use bellwether_model::connection::Connection;
use tokio_postgres::{Client, Config};

use crate::tls::MakeTls;

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
    let mut last = anyhow::anyhow!("there is no endpoint");
    for address in &connection.read_write {
        match connect(connection, address, Duration::from_secs(5)).await {
            Ok(client) => return Ok(client),
            Err(error) => last = error,
        }
    }
    Err(last)
}
