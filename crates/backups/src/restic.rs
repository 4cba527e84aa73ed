//! restic: a bucket of an S3-compatible store.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bellwether_contracts::repository::{Archive, Part, Progress, Stored};
use bellwether_contracts::{Failure, Repository};
use bellwether_model::Timestamp;
use bellwether_model::repository::Place;
use bellwether_protocol::repository::Access;
use serde::Deserialize;

use crate::tool::{CACHE, Ended, Haste, Tool, decode, encode, failed};

/// Some files could not be read.
const INCOMPLETE: i32 = 3;

/// Every snapshot of ours has it.
const MARK: &str = "bellwether";

pub(crate) struct Restic {
    tool: Tool,
    /// A question takes at most so long; the tool itself would go on trying for a quarter of an
    /// hour.
    answer_max: Duration,
    is_made: bool,
    is_trial: bool,
}

/// What it says line by line, as far as it is of use.
#[derive(Deserialize)]
#[serde(tag = "message_type", rename_all = "snake_case")]
enum Said {
    Status {
        #[serde(default)]
        total_bytes: u64,
        #[serde(default)]
        bytes_done: u64,
        #[serde(default)]
        bytes_restored: u64,
    },
    Error {
        error: Message,
        #[serde(default)]
        item: String,
    },
    Summary {
        #[serde(default)]
        data_added: u64,
        #[serde(default)]
        data_added_packed: u64,
        #[serde(default)]
        total_bytes_processed: u64,
        #[serde(default)]
        snapshot_id: String,
    },
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    message: String,
}

/// A snapshot, as it is listed.
#[derive(Deserialize)]
struct Snapshot {
    id: String,
    time: String,
    #[serde(default)]
    paths: Vec<PathBuf>,
    #[serde(default)]
    tags: Vec<String>,
}

impl Restic {
    pub(crate) fn new(access: &Access) -> Self {
        let mut environment = vec![
            ("RESTIC_REPOSITORY", access.place.address()),
            ("RESTIC_PASSWORD", access.key.clone()),
            ("RESTIC_CACHE_DIR", format!("{CACHE}/restic")),
            ("RESTIC_PROGRESS_FPS", "2".to_owned()),
        ];
        if let Place::S3 { access_key, region, .. } = &access.place {
            environment.push(("AWS_ACCESS_KEY_ID", access_key.clone()));
            environment.push(("AWS_SECRET_ACCESS_KEY", access.secret.clone()));
            if !region.is_empty() {
                environment.push(("AWS_DEFAULT_REGION", region.clone()));
            }
        }
        let answer_max = Duration::from_secs(access.answer_seconds.into());
        let (is_made, is_trial) = (access.is_made, access.is_trial);
        Self { tool: Tool { program: "restic", environment }, answer_max, is_made, is_trial }
    }

    async fn run(
        &self,
        arguments: &[&str],
        haste: Haste,
        tell: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Ended, Failure> {
        let mut all = vec!["-o".to_owned(), "s3.bucket-lookup=path".to_owned()];
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self.tool.run(&all, Path::new("/"), haste, tell).await
    }

    /// Of bringing something back.
    fn haste(&self) -> Haste {
        if self.is_trial { Haste::Behind } else { Haste::Ahead }
    }

    /// A question; what it printed.
    async fn ask(&self, arguments: &[&str], what: &str) -> Result<String, Failure> {
        let ended = self.run(arguments, Haste::Question(self.answer_max), &|_| {}).await?;
        if ended.success { Ok(ended.output) } else { Err(failed(what, &ended.said)) }
    }
}

/// It was made before.
fn is_there(said: &str) -> bool {
    ["config file already exists", "config already initialized"]
        .iter()
        .any(|words| said.contains(words))
}

fn is_missing(said: &str) -> bool {
    ["Is there a repository at the following location", "repository does not exist"]
        .iter()
        .any(|words| said.contains(words))
}

#[async_trait]
impl Repository for Restic {
    fn is_here(&self) -> bool {
        self.tool.is_here()
    }

    async fn open(&self, make: bool) -> Result<(), Failure> {
        let what = "the repository cannot be opened";
        if make && !self.is_made {
            // First, and not only where there is none: some versions look for a quarter of an hour
            // for a bucket that is not there, and all of them make it here.
            let arguments = ["init", "--repository-version", "2"];
            let made = self.run(&arguments, Haste::Question(self.answer_max), &|_| {}).await?;
            if !made.success && !is_there(&made.said) {
                return Err(failed(what, &made.said));
            }
        }
        let ended = self.run(&["cat", "config"], Haste::Question(self.answer_max), &|_| {}).await?;
        match ended.success {
            true => Ok(()),
            false if is_missing(&ended.said) => {
                Err(Failure::needs_person("there is no repository at that place"))
            }
            false => Err(failed(what, &ended.said)),
        }
    }

    async fn put(&self, part: &Part, progress: Progress<'_>) -> Result<Stored, Failure> {
        let directory = part.directory.to_string_lossy().into_owned();
        let mut arguments = vec!["backup".to_owned(), "--json".to_owned()];
        // Every file is read: that an engine's file has its time and size of before proves nothing.
        arguments.push("--force".to_owned());
        arguments.extend(["--host".to_owned(), part.host.clone()]);
        let mut tags =
            vec![MARK.to_owned(), format!("backup={}", part.backup), format!("part={}", part.name)];
        if !part.facts.is_empty() {
            tags.push(format!("facts={}", encode(&part.facts)));
        }
        arguments.extend(tags.into_iter().flat_map(|tag| ["--tag".to_owned(), tag]));
        arguments.extend(part.leave_out.iter().flat_map(|pattern| {
            let is_anchored = pattern.starts_with('/');
            let pattern =
                if is_anchored { format!("{directory}{pattern}") } else { pattern.clone() };
            ["--exclude".to_owned(), pattern]
        }));
        if part.rate_kib > 0 {
            arguments.extend(["--limit-upload".to_owned(), part.rate_kib.to_string()]);
        }
        arguments.push(directory);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (stored, unread) = (Mutex::new(None), Mutex::new(None));
        let tell = |line: &str| match serde_json::from_str(line) {
            Ok(Said::Status { total_bytes, bytes_done, .. }) => {
                progress(bytes_done, total_bytes.max(part.size));
            }
            // What is gone since it was listed was removed by the engine, whose log knows of it.
            Ok(Said::Error { error, .. }) if is_gone(&error.message) => {}
            Ok(Said::Error { error, item }) => {
                *unread.lock().expect("nothing panics while it is held") =
                    Some(format!("{item}: {}", error.message));
            }
            Ok(Said::Summary {
                data_added,
                data_added_packed,
                total_bytes_processed,
                snapshot_id,
            }) => {
                let added = if data_added_packed > 0 { data_added_packed } else { data_added };
                *stored.lock().expect("nothing panics while it is held") =
                    Some(Stored { archive: snapshot_id, size: total_bytes_processed, added });
            }
            Err(_) => {}
        };
        let ended = self.run(&arguments, Haste::Behind, &tell).await?;
        let unread = unread.into_inner().expect("nothing panics while it is held");
        if let Some(why) = unread {
            return Err(Failure::transient(format!("a file could not be read: {why}")));
        }
        let stored = stored.into_inner().expect("nothing panics while it is held");
        match stored {
            Some(stored) if ended.success || ended.code == Some(INCOMPLETE) => Ok(stored),
            _ => Err(failed("the data could not be stored", &ended.said)),
        }
    }

    async fn get(
        &self,
        archive: &Archive,
        into: &Path,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        // It brings back the whole path.
        let tree = into.with_extension("tree");
        remove(&tree)?;
        let target = tree.to_string_lossy().into_owned();
        let arguments = ["restore", "--json", &archive.id, "--target", &target];
        let tell = |line: &str| {
            if let Ok(Said::Status { total_bytes, bytes_restored, .. }) = serde_json::from_str(line)
            {
                progress(bytes_restored, total_bytes);
            }
        };
        let ended = self.run(&arguments, self.haste(), &tell).await?;
        if !ended.success {
            let mut failure = failed("the data could not be brought back", &ended.said);
            let unread = ended.said.lines().find_map(|line| match serde_json::from_str(line) {
                Ok(Said::Error { item, .. }) if !item.is_empty() => Some(item),
                _ => None,
            });
            if let Some(item) = unread {
                failure.text += &format!("; the first file of which this is so is {item}");
            }
            return Err(failure);
        }
        let below = archive.directory.strip_prefix("/").unwrap_or(&archive.directory);
        std::fs::rename(tree.join(below), into).map_err(|error| {
            Failure::permanent(format!(
                "the backup has no {}: {error}",
                archive.directory.display()
            ))
        })?;
        remove(&tree)
    }

    async fn list(&self) -> Result<Vec<Archive>, Failure> {
        let what = "the repository cannot be listed";
        let text = self.ask(&["snapshots", "--json", "--no-lock", "--tag", MARK], what).await?;
        let mut snapshots: Vec<Snapshot> = serde_json::from_str(text.trim())
            .map_err(|error| Failure::permanent(format!("{what}: {error}")))?;
        snapshots.sort_by(|a, b| a.time.cmp(&b.time));
        Ok(snapshots.into_iter().filter_map(archive).collect())
    }

    async fn remove(&self, archives: &[String]) -> Result<(), Failure> {
        if archives.is_empty() {
            return Ok(());
        }
        // Left by one that was killed; those of the living stay.
        let _ = self.run(&["unlock"], Haste::Question(self.answer_max), &|_| {}).await;
        let mut arguments = vec!["forget", "--prune"];
        arguments.extend(archives.iter().map(String::as_str));
        let ended = self.run(&arguments, Haste::Behind, &|_| {}).await?;
        let is_gone = ended.said.contains("no matching ID found");
        if ended.success || is_gone {
            return Ok(());
        }
        Err(failed("backups could not be removed", &ended.said))
    }

    async fn verify(&self) -> Result<(), Failure> {
        let _ = self.run(&["unlock"], Haste::Question(self.answer_max), &|_| {}).await;
        let ended = self.run(&["check", "--read-data"], Haste::Behind, &|_| {}).await?;
        if ended.success {
            return Ok(());
        }
        let said = format!("{}{}", ended.output, ended.said);
        Err(failed("the repository could not be verified", &said))
    }
}

fn archive(snapshot: Snapshot) -> Option<Archive> {
    let tag = |name: &str| {
        let mut tags = snapshot.tags.iter();
        tags.find_map(|tag| tag.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    };
    let made_at = serde_json::from_value(serde_json::Value::String(snapshot.time.clone()));
    Some(Archive {
        backup: tag("backup")?.into(),
        part: tag("part")?,
        facts: tag("facts").map(|text| decode(&text)).unwrap_or_default(),
        directory: snapshot.paths.first()?.clone(),
        made_at: made_at.unwrap_or(Timestamp::from_millis(0)),
        id: snapshot.id,
    })
}

fn is_gone(message: &str) -> bool {
    message.contains("no such file or directory")
}

pub(crate) fn remove(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::transient(format!("{}: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_that_was_made_before_is_known_by_what_is_said() {
        let of =
            |why: &str| format!("Fatal: create key in repository at s3:http://a/b failed: {why}");
        assert!(is_there(&of("repository master key and config already initialized")));
        assert!(is_there(&of("config file already exists")));
        assert!(!is_there(&of("client.BucketExists: Access Denied.")));
    }

    #[test]
    fn a_snapshot_of_ours_is_read() {
        let listed = r#"[{"time":"2026-11-25T22:00:00.123Z","paths":["/data/pgdata"],"id":"ab",
            "tags":["bellwether","backup=b1","part=end","facts=e30"]}]"#;
        let snapshots: Vec<Snapshot> = serde_json::from_str(listed).expect("read");
        let archive = snapshots.into_iter().find_map(archive).expect("one of ours");
        assert_eq!((archive.backup.as_str(), archive.part.as_str()), ("b1", "end"));
        assert_eq!(archive.made_at.to_string(), "2026-11-25T22:00:00.123Z");
    }
}
