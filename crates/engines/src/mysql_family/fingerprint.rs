//! What tables hold, in so few numbers that they can be kept with a backup and compared with what
//! was restored.
//!
//! The engines do not say what a table held at the moment that a copy holds. So tables are read
//! before the copy is made and after it: what is the same both times was the same between.

use std::time::{Duration, Instant};

use bellwether_contracts::Failure;
use serde::{Deserialize, Serialize};

use super::node::Node;
use super::session::{Session, number, text};

/// Tables of the engine and of ours are left out; the smallest come first.
const TABLES: &str = "SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name \
    FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN \
        ('mysql', 'information_schema', 'performance_schema', 'sys', 'bellwether') \
    ORDER BY DATA_LENGTH, db, name";

/// A question about what there is.
const QUESTION_MAX: Duration = Duration::from_secs(20);

/// Looking through one table.
const CHECK_MAX: Duration = Duration::from_secs(12 * 3_600);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    tables: Vec<Table>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Table {
    database: String,
    name: String,
    /// The engine's checksum of every row; none where there was no time, or where it changed.
    checksum: Option<u64>,
}

impl Table {
    fn quoted(&self) -> String {
        let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
        format!("{}.{}", quoted(&self.database), quoted(&self.name))
    }

    fn is_same(&self, other: &Self) -> bool {
        (&self.database, &self.name) == (&other.database, &other.name)
    }
}

impl Fingerprint {
    /// Reads as many tables as there is time for.
    pub(super) async fn take(node: &Node, budget: Duration) -> Result<Self, Failure> {
        let session = Session::local();
        let end = Instant::now() + budget;
        let mut all = Self { tables: tables(&session).await? };
        for table in &mut all.tables {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            table.checksum = checksum(node, &session, table, left).await?;
        }
        Ok(all)
    }

    /// What is so in both.
    pub(super) fn through(&self, after: &Self) -> Self {
        let held = |table: &Table| {
            let later = after.tables.iter().find(|later| later.is_same(table))?;
            let checksum = table.checksum.filter(|_| later.checksum == table.checksum);
            Some(Table { checksum, ..table.clone() })
        };
        Self { tables: self.tables.iter().filter_map(held).collect() }
    }

    /// Tables whose content is known.
    pub(super) fn exact(&self) -> u64 {
        self.tables.iter().filter(|table| table.checksum.is_some()).count() as u64
    }

    /// What is no longer as it was.
    pub(super) fn differences(&self, now: &Self) -> Vec<String> {
        let differs = |table: &&Table| {
            let found = now.tables.iter().find(|found| found.is_same(table));
            let differs = |found: &Table| {
                let both = table.checksum.zip(found.checksum);
                both.is_some_and(|(was, is)| was != is)
            };
            found.is_none_or(differs)
        };
        let words = |table: &Table| format!("{} does not hold what it held", table.quoted());
        self.tables.iter().filter(differs).map(words).collect()
    }
}

async fn tables(session: &Session) -> Result<Vec<Table>, Failure> {
    let rows = session.query_within(TABLES, QUESTION_MAX).await?;
    let table =
        |row| Some(Table { database: text(row, "db")?, name: text(row, "name")?, checksum: None });
    Ok(rows.iter().filter_map(table).collect())
}

/// None where it takes too long, or where there is none of such a table.
async fn checksum(
    node: &Node,
    session: &Session,
    table: &Table,
    left: Duration,
) -> Result<Option<u64>, Failure> {
    let rows = session.query("SELECT CONNECTION_ID() AS id").await?;
    let id = rows.first().and_then(|row| number(row, "id"));
    let question = format!("CHECKSUM TABLE {}", table.quoted());
    match session.query_within(&question, left).await {
        Ok(rows) => Ok(rows.first().and_then(|row| number(row, "Checksum"))),
        Err(_) => {
            // It would go on reading for nobody.
            if let Some(id) = id {
                let _ = node.act.query(&format!("KILL {id}")).await;
            }
            Ok(None)
        }
    }
}

impl Node {
    /// Looks through every table with its indexes: what is wrong.
    pub(super) async fn damaged_tables(&self) -> Result<Vec<String>, Failure> {
        let session = Session::local();
        let mut wrong = Vec::new();
        for table in tables(&session).await? {
            let question = format!("CHECK TABLE {}", table.quoted());
            let rows = session.query_within(&question, CHECK_MAX).await?;
            let is_well = |row| {
                let kind = text(row, "Msg_type").unwrap_or_default();
                // Some say that they have nothing to look through.
                kind != "error" && (kind != "status" || text(row, "Msg_text").is_some_and(is_ok))
            };
            if !rows.iter().all(is_well) {
                wrong.push(format!("{} is damaged", table.quoted()));
            }
        }
        Ok(wrong)
    }
}

fn is_ok(text: String) -> bool {
    text == "OK" || text.contains("already up to date")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all: &[(&str, Option<u64>)]) -> Fingerprint {
        let table = |(name, checksum): &(&str, Option<u64>)| Table {
            database: "app".into(),
            name: (*name).to_owned(),
            checksum: *checksum,
        };
        Fingerprint { tables: all.iter().map(table).collect() }
    }

    #[test]
    fn what_changed_while_the_copy_was_made_is_known_to_be_there_and_no_more() {
        let before = of(&[("still", Some(1)), ("busy", Some(2)), ("dropped", Some(3))]);
        let after = of(&[("still", Some(1)), ("busy", Some(9)), ("new", Some(4))]);
        let held = before.through(&after);
        assert_eq!(held, of(&[("still", Some(1)), ("busy", None)]));
        assert_eq!(held.exact(), 1);
        assert!(held.differences(&of(&[("still", Some(1)), ("busy", Some(5))])).is_empty());
        assert_eq!(held.differences(&of(&[("still", Some(2)), ("busy", Some(5))])).len(), 1);
        assert_eq!(held.differences(&of(&[("still", Some(1))])).len(), 1, "one is missing");
    }
}
