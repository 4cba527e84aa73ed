//! What clients are doing.

use bellwether_contracts::Failure;
use bellwether_model::transaction::Transaction;

use super::Postgres;

/// More are not listed.
const TRANSACTIONS_MAX: u32 = 20;

impl Postgres {
    /// Open transactions of clients and statements that run, the oldest first.
    pub(super) async fn open_transactions(&self) -> Result<Vec<Transaction>, Failure> {
        let rows = self
            .sql
            .query(&format!(
                "SELECT pid, coalesce(usename, '')::text AS usename, \
                     coalesce(datname, '')::text AS datname, application_name, \
                     (extract(epoch FROM clock_timestamp() - coalesce(xact_start, query_start)) \
                         * 1000)::bigint AS age_ms \
                 FROM pg_stat_activity \
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() \
                     AND application_name <> 'bellwether-agent' \
                     AND (xact_start IS NOT NULL OR state = 'active') \
                 ORDER BY coalesce(xact_start, query_start) LIMIT {TRANSACTIONS_MAX}"
            ))
            .await?;
        let read = |row: &tokio_postgres::Row| Transaction {
            process: u32::try_from(row.get::<_, i32>("pid")).unwrap_or_default(),
            user: row.get("usename"),
            database: row.get("datname"),
            application: row.get("application_name"),
            age_ms: row.get::<_, Option<i64>>("age_ms").unwrap_or_default().max(0) as u64,
        };
        Ok(rows.iter().map(read).collect())
    }
}
