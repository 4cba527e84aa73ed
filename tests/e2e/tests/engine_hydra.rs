//! E7: Hydra is PostgreSQL with columnar tables, which outlive whatever befalls a cluster.

use crate::extension::{self, Extension};

/// A columnar table with data, which only the extension can read.
static HYDRA: Extension = Extension {
    engine: "hydra",
    version: "15",
    make: "CREATE TABLE measured (at timestamptz NOT NULL, value int) USING columnar;
           INSERT INTO measured SELECT timestamptz '2026-01-01' + n * interval '1 hour', n
               FROM generate_series(0, 239) n",
    proof: "SELECT count(*) || ' rows of ' || max(a.amname) FROM measured,
                pg_class c JOIN pg_am a ON a.oid = c.relam WHERE c.relname = 'measured'",
    proven: "240 rows of columnar",
};

#[tokio::test]
async fn hydra_15_lives_through_failover_rejoin_switchover_and_resync() -> anyhow::Result<()> {
    extension::life(&HYDRA).await
}

#[tokio::test]
async fn hydra_15_loads_its_library() -> anyhow::Result<()> {
    extension::settings(&HYDRA, &[("shared_preload_libraries", "columnar")]).await
}
