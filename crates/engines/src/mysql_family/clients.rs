//! What clients are doing.

use std::time::{Duration, Instant};

use bellwether_contracts::Failure;
use bellwether_model::transaction::Transaction;

use super::OWN_USERS;
use super::session::{Session, number, text};

/// More are not listed.
const TRANSACTIONS_MAX: u32 = 20;

/// Connections of clients, as opposed to the engine's own, ours, and those of replicas.
pub(crate) fn are_clients() -> String {
    format!(
        "p.COMMAND NOT IN ('Daemon', 'Binlog Dump', 'Binlog Dump GTID') \
         AND p.USER NOT IN ('root', 'system user', 'event_scheduler', 'mysql.session') \
         AND p.USER NOT LIKE '{OWN_USERS}'"
    )
}

/// Shorter statements end by themselves before the engine refuses writes.
const BRIEF_MS: u32 = 100;

/// The engines list transactions as they were when nobody had asked for them for 100 ms: whoever
/// asks more often is told of the same for ever.
const ANEW_AFTER: Duration = Duration::from_millis(110);

/// Waits until an engine that was last asked then lists transactions anew.
pub(crate) async fn until_anew(asked: Option<Instant>) {
    if let Some(asked) = asked {
        tokio::time::sleep(ANEW_AFTER.saturating_sub(asked.elapsed())).await;
    }
}

/// Open transactions of clients and statements that run for a while, the oldest first.
/// `running_ms`: how the engine says how long a connection has been at what it does.
pub(crate) async fn transactions(
    session: &Session,
    running_ms: &str,
) -> Result<Vec<Transaction>, Failure> {
    let rows = session
        .query(&format!(
            "SELECT p.ID AS id, p.USER AS user, p.DB AS db, \
                 CAST({running_ms} AS UNSIGNED) AS age_ms \
             FROM information_schema.PROCESSLIST p \
             LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID \
             WHERE {} AND IF(p.COMMAND = 'Sleep', t.trx_id IS NOT NULL, \
                 p.COMMAND <> 'Connect' AND {running_ms} >= {BRIEF_MS}) \
             ORDER BY age_ms DESC LIMIT {TRANSACTIONS_MAX}",
            are_clients()
        ))
        .await?;
    let read = |row| Transaction {
        process: number(row, "id").and_then(|id| u32::try_from(id).ok()).unwrap_or_default(),
        user: text(row, "user").unwrap_or_default(),
        database: text(row, "db").unwrap_or_default(),
        application: String::new(),
        age_ms: number(row, "age_ms").unwrap_or_default(),
    };
    Ok(rows.iter().map(read).collect())
}

/// Ends the connections of clients.
pub(crate) async fn end(session: &Session) -> Result<(), Failure> {
    end_of(session, &are_clients()).await
}

/// Ends the connections of which that is so, as `p` of the list of processes.
pub(crate) async fn end_of(session: &Session, which: &str) -> Result<(), Failure> {
    let listing = format!("SELECT p.ID AS id FROM information_schema.PROCESSLIST p WHERE {which}");
    for row in session.query(&listing).await? {
        let Some(id) = number(&row, "id") else { continue };
        // One that has ended by itself is no failure.
        let _ = session.query(&format!("KILL CONNECTION {id}")).await;
    }
    Ok(())
}
