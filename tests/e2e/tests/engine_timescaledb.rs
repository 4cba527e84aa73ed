//! E6: TimescaleDB is PostgreSQL with an extension; hypertables outlive whatever befalls a cluster.

use crate::extension::{self, Extension};

/// A hypertable with data in several chunks, read by the extension's own function.
static TIMESCALEDB: Extension = Extension {
    engine: "timescaledb",
    version: "17",
    make: "CREATE TABLE measured (at timestamptz NOT NULL, value int);
           SELECT create_hypertable('measured', 'at', chunk_time_interval => interval '1 day');
           INSERT INTO measured SELECT timestamptz '2026-01-01' + n * interval '1 hour', n
               FROM generate_series(0, 239) n",
    proof: "SELECT count(DISTINCT day) || ' days, ' || sum(rows) || ' rows, ' ||
                (SELECT count(*) FROM timescaledb_information.chunks) || ' chunks'
            FROM (SELECT time_bucket('1 day', at) AS day, count(*) AS rows FROM measured
                  GROUP BY 1) AS days",
    proven: "10 days, 240 rows, 10 chunks",
};

#[tokio::test]
async fn timescaledb_17_lives_through_failover_rejoin_switchover_and_resync() -> anyhow::Result<()>
{
    extension::life(&TIMESCALEDB).await
}

#[tokio::test]
async fn timescaledb_17_sends_nothing_home_and_is_tuned() -> anyhow::Result<()> {
    extension::settings(
        &TIMESCALEDB,
        &[
            ("timescaledb.telemetry_level", "off"),
            ("timescaledb.license", "apache"),
            ("max_locks_per_transaction", "256"),
            ("shared_preload_libraries", "timescaledb"),
        ],
    )
    .await
}
