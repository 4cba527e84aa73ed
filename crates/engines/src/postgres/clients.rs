//! What clients are doing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_model::transaction::Transaction;
use bellwether_protocol::Assignment;

use super::sessions::scram;
use super::{PROBE_USER, Postgres};

/// One session of each node, and what a lost one may leave for a moment.
const PROBE_SESSIONS_MAX: u32 = 32;

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
                     AND usename IS DISTINCT FROM '{PROBE_USER}' \
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

    /// Makes the user by whose writes it is measured how long writes wait. It has no rights.
    pub(super) async fn keep_prober(&self, assignment: &Assignment) -> Result<(), Failure> {
        let password = &assignment.secrets.probe_password;
        if password.is_empty() || self.has_prober.load(Ordering::Relaxed) {
            return Ok(());
        }
        let stored = scram::stored(password);
        let statement = format!(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{PROBE_USER}') THEN \
             CREATE ROLE {PROBE_USER} LOGIN NOINHERIT CONNECTION LIMIT {PROBE_SESSIONS_MAX} \
             PASSWORD '{stored}'; END IF; END $$"
        );
        self.sql.execute(&statement, Duration::from_secs(2)).await?;
        self.has_prober.store(true, Ordering::Relaxed);
        Ok(())
    }
}
