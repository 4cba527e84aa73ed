//! Backups: the data as the engine itself saves it, of one moment, by a child that shares its
//! memory. What is saved says where in the replication stream it is, and ends with a checksum of
//! everything, which whoever loads it verifies.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bellwether_contracts::repository::Progress;
use bellwether_contracts::{Failure, Repository};
use bellwether_model::Timestamp;
use bellwether_model::backup::BackupResult;
use bellwether_model::replication::Position;
use bellwether_model::restore::Checked;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::BackupAssignment;
use serde::{Deserialize, Serialize};

use super::resp::info;
use super::{Redis, data};
use crate::backup::{Begun, Held, Staging, fingerprint, require_room, store};
use crate::files::{at, remove_file};

/// What the engine saves into its directory.
const SAVED: &str = "dump.rdb";

/// The same in a backup.
pub(super) const KEPT: &str = "data.rdb";

/// Saving takes at most so long.
const SAVE_MAX: Duration = Duration::from_secs(3_600);

/// A child that does something else has ended by then.
const BEGIN_MAX: Duration = Duration::from_secs(600);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How many keys there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Keys {
    all: u64,
    /// Of them such as go by themselves at some time.
    expire: u64,
}

impl Keys {
    /// Those that stay until somebody removes them.
    fn stay(self) -> u64 {
        self.all.saturating_sub(self.expire)
    }
}

/// What saved data says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Saved {
    is_whole: bool,
    keys: Keys,
    offset: Option<u64>,
    saved_at: Option<Timestamp>,
}

impl Redis {
    pub(super) async fn take_backup(
        &self,
        assignment: &Assignment,
        backup: &BackupAssignment,
        repository: &dyn Repository,
        progress: Progress<'_>,
    ) -> Result<BackupResult, Failure> {
        let begun = Begun::now();
        repository.open(true).await?;
        let probe = self.look().await;
        require_room(probe.figures.data_bytes.unwrap_or(0))?;
        let timeline = self.term_of_data().await?;
        let timeline =
            timeline.ok_or_else(|| Failure::transient("the data does not tell its term"))?;
        let staging = Staging::make(self.kind.user())?;
        let file = staging.directory().join(KEPT);
        self.save(&file).await?;
        let saved = self.read_saved(&file).await?;
        staging.keep(self.kind.user(), &saved.keys)?;
        let known = probe.position.map_or(0, |position| position.offset);
        let held = Held {
            from_primary: probe.in_recovery == Some(false),
            taken_at: saved.saved_at.unwrap_or(begun.at),
            position: Position { timeline, offset: saved.offset.unwrap_or(known) },
            engine_version: probe.figures.version,
        };
        store(assignment, backup, (repository, progress), &staging, (begun, held)).await
    }

    /// Lets the engine save its data, and puts that there.
    async fn save(&self, to: &Path) -> Result<(), Failure> {
        let saved = data().join(SAVED);
        // What a copy of everything left, which is older.
        remove_file(&saved)?;
        let begin_until = Instant::now() + BEGIN_MAX;
        while let Err(failure) = self.link.run(&["BGSAVE", "SCHEDULE"]).await {
            // Another child is at work: it feeds a replica.
            if !failure.text.contains("in progress") || Instant::now() > begin_until {
                return Err(failure);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let until = Instant::now() + SAVE_MAX;
        let mut was_saving = false;
        while Instant::now() < until {
            // It is there under this name only once it is whole.
            if saved.exists() {
                return std::fs::rename(&saved, to).map_err(|e| at(to, &e));
            }
            let said = self.link.info().await?;
            let is_saving = info(&said, "rdb_bgsave_in_progress") == Some("1");
            let failed = info(&said, "rdb_last_bgsave_status") == Some("err");
            if was_saving && !is_saving && failed && !saved.exists() {
                return Err(Failure::transient("the engine could not save its data"));
            }
            was_saving |= is_saving;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(Failure::transient("saving the data does not come to an end"))
    }

    /// Reads what was saved to its end.
    async fn read_saved(&self, file: &Path) -> Result<Saved, Failure> {
        let program = PathBuf::from(format!("/usr/bin/{}-check-rdb", self.kind.name()));
        let mut check = self.processes.command("/usr/bin/nice");
        check.args(["-n", "19"]).arg(program).arg(file);
        let saved = parse(&self.processes.run(&mut check, "reading what was saved").await?);
        match saved.is_whole {
            true => Ok(saved),
            false => Err(Failure::transient("what the engine saved is not whole")),
        }
    }

    /// The engine has verified the checksum of everything when it loaded it; what is there is
    /// counted.
    pub(super) async fn look_through(&self) -> Result<Checked, Failure> {
        let before: Keys = fingerprint(data())?;
        let said = self.link.info().await?;
        let now = keys(&said);
        let mut wrong = Vec::new();
        if now.stay() != before.stay() {
            let (is, was) = (now.stay(), before.stay());
            wrong.push(format!("there are {is} keys that do not expire, and were {was}"));
        }
        let bytes = info(&said, "used_memory").and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Checked { compared: before.stay(), of: "keys".to_owned(), bytes, wrong })
    }
}

/// The keys of every database: `db0:keys=3,expires=1,avg_ttl=0`.
fn keys(said: &str) -> Keys {
    let mut all = Keys::default();
    for line in said.lines().filter(|line| line.starts_with("db")) {
        let Some((_, rest)) = line.split_once(':') else { continue };
        let number = |name: &str| {
            let mut parts = rest.trim().split(',');
            let text = parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
            text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
        };
        all.all += number("keys");
        all.expire += number("expires");
    }
    all
}

/// What the reader of saved data says.
fn parse(said: &str) -> Saved {
    let field = |name: &str| {
        let begin = format!("AUX FIELD {name} = '");
        said.lines().find_map(|line| line.split_once(&begin)?.1.strip_suffix('\''))
    };
    let count = |what: &str| {
        let mut lines = said.lines().filter_map(|line| line.strip_prefix("[info] "));
        lines.find_map(|line| line.strip_suffix(what)?.trim().parse().ok()).unwrap_or(0)
    };
    let seconds = field("ctime").and_then(|text| text.parse::<i64>().ok());
    Saved {
        is_whole: said.contains("Checksum OK"),
        keys: Keys { all: count("keys read"), expire: count("expires") },
        offset: field("repl-offset").and_then(|text| text.parse().ok()),
        saved_at: seconds.map(|seconds| Timestamp::from_millis(seconds * 1_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_data_says_what_it_is() {
        let said = "[offset 0] Checking RDB file /d/dump.rdb\n\
            [offset 53] AUX FIELD ctime = '1795656988'\n\
            [offset 60] AUX FIELD repl-offset = '4711'\n\
            [offset 274] Checksum OK\n[info] 3 keys read\n[info] 1 expires\n\
            [info] 0 already expired\n[info] 2 subexpires\n";
        let saved = parse(said);
        assert_eq!((saved.keys.all, saved.keys.expire, saved.keys.stay()), (3, 1, 2));
        assert_eq!((saved.offset, saved.is_whole), (Some(4711), true));
        assert_eq!(saved.saved_at, Some(Timestamp::from_millis(1_795_656_988_000)));
        assert!(!parse("[offset 0] Checking RDB file").is_whole);
    }

    #[test]
    fn the_keys_of_every_database_count() {
        let said = "# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=0\r\ndb3:keys=5,expires=0\r\n";
        assert_eq!(keys(said), Keys { all: 7, expire: 1 });
    }
}
