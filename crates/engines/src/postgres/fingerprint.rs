//! What tables hold, in so few numbers that they can be kept with a backup and compared with what
//! was restored.
//!
//! Content is read as the engine's own user, so that nothing is called that a user could have made:
//! only output functions, which are the engine's.

use std::time::{Duration, Instant};

use bellwether_contracts::Failure;
use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use super::Postgres;
use super::sql::of;

/// Digests are of the same text everywhere.
const OPTIONS: &str = "-c search_path=pg_catalog -c default_transaction_read_only=on \
                       -c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres \
                       -c extra_float_digits=1 -c bytea_output=hex";

/// A question that takes no time.
const QUESTION_MAX: Duration = Duration::from_secs(10);

const DATABASES: &str =
    "SELECT datname::text FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1";

/// The smallest first: as many as there is time for.
const TABLES: &str = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' \
        AND n.nspname <> 'information_schema' \
    ORDER BY pg_relation_size(c.oid), 1";

/// What tables held at one moment.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    /// It is of the very moment that the backup holds.
    pub(super) exact: bool,
    pub(super) tables: Vec<Table>,
    /// Tables that there was no time for.
    pub(super) left_out: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) database: String,
    pub(super) name: String,
    pub(super) rows: i64,
    /// The sum of the rows' digests, whatever their order.
    pub(super) digest: String,
}

/// One database as it is at one moment.
pub(super) struct Moment {
    database: String,
    client: Client,
}

impl Postgres {
    /// Connections that see every database as it is now, whenever they are asked.
    pub(super) async fn moments(&self) -> Result<Vec<Moment>, Failure> {
        let mut moments = Vec::new();
        for row in self.sql.query(DATABASES).await? {
            let database: String = row.get(0);
            let client = self.sql.open(&database, OPTIONS).await?;
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1";
            timed(QUESTION_MAX, client.batch_execute(begin)).await?;
            moments.push(Moment { database, client });
        }
        Ok(moments)
    }
}

impl Fingerprint {
    /// Reads as many tables as there is time for.
    pub(super) async fn take(moments: &[Moment], budget: Duration) -> Self {
        let end = Instant::now() + budget;
        let mut all = Self::default();
        for moment in moments {
            let rows = timed(QUESTION_MAX, moment.client.query(TABLES, &[])).await;
            let names = rows.unwrap_or_default().iter().map(|row| row.get(0)).collect::<Vec<_>>();
            for name in names {
                let left = end.saturating_duration_since(Instant::now());
                match moment.table(name, left).await {
                    Some(table) => all.tables.push(table),
                    None => all.left_out += 1,
                }
            }
        }
        all
    }

    /// What is no longer as it was.
    pub(super) fn differences(&self, now: &Self) -> Vec<String> {
        let differs = |table: &&Table| {
            let same =
                |other: &&Table| (&other.database, &other.name) == (&table.database, &table.name);
            let found = now.tables.iter().find(same);
            found.is_none_or(|found| self.exact && found != *table)
        };
        let words = |table: &Table| {
            let (database, name) = (&table.database, &table.name);
            format!("{name} in {database} does not hold what it held")
        };
        self.tables.iter().filter(differs).map(words).collect()
    }
}

impl Moment {
    async fn table(&self, name: String, left: Duration) -> Option<Table> {
        if left.is_zero() {
            return None;
        }
        let question = format!(
            "SELECT count(*), coalesce(sum(hashtextextended(textin(record_out(t)), 0)::numeric), \
             0)::text FROM {name} t"
        );
        let rows = timed(left, self.client.query(&question, &[])).await.ok()?;
        let row = rows.first()?;
        let database = self.database.clone();
        Some(Table { database, name, rows: row.get(0), digest: row.get(1) })
    }
}

async fn timed<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result.map_err(|error| of(&error)),
        Err(_) => Err(Failure::transient("the engine does not answer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_table(rows: i64) -> Fingerprint {
        let table = Table {
            database: "app".into(),
            name: "public.t".into(),
            rows,
            digest: String::from("7"),
        };
        Fingerprint { exact: true, tables: vec![table], left_out: 0 }
    }

    #[test]
    fn a_row_less_is_noticed_where_the_moment_is_the_same() {
        assert!(of_table(2).differences(&of_table(2)).is_empty());
        assert_eq!(of_table(2).differences(&of_table(1)).len(), 1);
        let loose = Fingerprint { exact: false, ..of_table(2) };
        assert!(loose.differences(&of_table(1)).is_empty());
        assert_eq!(loose.differences(&Fingerprint::default()).len(), 1);
    }
}
