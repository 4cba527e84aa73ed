//! A client that writes all the time to whatever engine it is.

use std::collections::BTreeSet;

use bellwether_model::connection::Connection;

use crate::history::History;
use crate::mysql::MysqlWriter;
use crate::redis::RedisWriter;
use crate::sql::Writer;

/// A writer in the engine's own language.
pub enum Load {
    Sql(Writer),
    Mysql(MysqlWriter),
    Keys(RedisWriter),
}

impl Load {
    /// Begins to write to a table or set of that name, beginning with the endpoint of that place
    /// among the cluster's; returns once the first write was acknowledged.
    ///
    /// # Errors
    /// When the cluster cannot be written to, or the engine has no writer.
    pub async fn start(
        engine: &str,
        connection: Connection,
        place: usize,
        name: &str,
    ) -> anyhow::Result<Self> {
        match engine {
            "postgresql" => Ok(Self::Sql(Writer::through(connection, place, name).await?)),
            "mariadb" | "mysql" => {
                Ok(Self::Mysql(MysqlWriter::through(connection, place, name).await?))
            }
            "valkey" | "redis" | "keydb" => {
                Ok(Self::Keys(RedisWriter::through(connection, place, name).await?))
            }
            other => anyhow::bail!("there is no writer for {other}"),
        }
    }

    /// Waits for so many more acknowledged writes.
    ///
    /// # Errors
    /// When they do not come within a minute.
    pub async fn progress(&self, count: usize) -> anyhow::Result<()> {
        match self {
            Self::Sql(writer) => writer.progress(count).await,
            Self::Mysql(writer) => writer.progress(count).await,
            Self::Keys(writer) => writer.progress(count).await,
        }
    }

    /// What it has seen so far.
    #[must_use]
    pub fn history(&self) -> History {
        match self {
            Self::Sql(writer) => writer.history(),
            Self::Mysql(writer) => writer.history(),
            Self::Keys(writer) => writer.history(),
        }
    }

    /// Stops, and reads back what is there.
    ///
    /// # Errors
    /// When the cluster cannot be read.
    pub async fn stop(self) -> anyhow::Result<(History, BTreeSet<i64>)> {
        match self {
            Self::Sql(writer) => writer.stop().await,
            Self::Mysql(writer) => writer.stop().await,
            Self::Keys(writer) => writer.stop().await,
        }
    }
}
