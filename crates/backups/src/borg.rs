//! Borg: a directory on a host that is reached by SSH.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bellwether_contracts::repository::{Archive, Part, Progress, Stored};
use bellwether_contracts::{Failure, Repository};
use bellwether_model::Timestamp;
use bellwether_model::repository::Place;
use bellwether_protocol::repository::Access;
use serde::Deserialize;

use crate::tool::{CACHE, Ended, Haste, Tool, decode, encode, failed};

/// It writes for one at a time; others wait so many seconds.
const LOCK_WAIT_SECONDS: &str = "600";

/// Memory that is no disk: secrets that have to be files are here, for as long as they are needed.
const MEMORY: &str = "/dev/shm";

pub(crate) struct Borg {
    access: Access,
}

/// What it says line by line while it works.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    ArchiveProgress {
        #[serde(default)]
        original_size: u64,
    },
    ProgressPercent {
        #[serde(default)]
        current: u64,
        #[serde(default)]
        total: u64,
    },
}

#[derive(Deserialize)]
struct Created {
    archive: CreatedArchive,
}

#[derive(Deserialize)]
struct CreatedArchive {
    name: String,
    stats: Stats,
}

#[derive(Deserialize)]
struct Stats {
    original_size: u64,
    deduplicated_size: u64,
}

#[derive(Deserialize)]
struct Listed {
    archives: Vec<ListedArchive>,
}

#[derive(Deserialize)]
struct ListedArchive {
    name: String,
    #[serde(default)]
    comment: String,
    time: String,
}

/// The files with secrets, gone when it is.
struct Keys {
    directory: tempfile::TempDir,
}

impl Keys {
    fn write(access: &Access) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::transient(format!("{MEMORY}: {error}"));
        let directory = tempfile::Builder::new().prefix("bellwether-").tempdir_in(MEMORY);
        let keys = Self { directory: directory.map_err(failed)? };
        keys.put("key", &access.secret).map_err(failed)?;
        if let Place::Borg { host, port, host_key, .. } = &access.place {
            let host = if *port == 22 { host.clone() } else { format!("[{host}]:{port}") };
            keys.put("known_hosts", &format!("{host} {host_key}")).map_err(failed)?;
        }
        Ok(keys)
    }

    fn put(&self, name: &str, text: &str) -> std::io::Result<()> {
        use std::io::Write as _;
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create_new(true).write(true).mode(0o600).open(self.path(name))?;
        file.write_all(text.trim_end().as_bytes())?;
        file.write_all(b"\n")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn shell(&self) -> String {
        format!(
            "ssh -i {} -o UserKnownHostsFile={} -o StrictHostKeyChecking=yes -o BatchMode=yes \
             -o IdentitiesOnly=yes -o ConnectTimeout=10 -o ServerAliveInterval=10 \
             -o ServerAliveCountMax=6",
            self.path("key").display(),
            self.path("known_hosts").display()
        )
    }
}

impl Borg {
    pub(crate) fn new(access: &Access) -> Self {
        Self { access: access.clone() }
    }

    /// A question takes at most so long.
    fn answer_max(&self) -> Duration {
        Duration::from_secs(self.access.answer_seconds.into())
    }

    /// Of bringing something back.
    fn haste(&self) -> Haste {
        if self.access.is_trial { Haste::Behind } else { Haste::Ahead }
    }

    async fn run(
        &self,
        arguments: Vec<String>,
        directory: &Path,
        haste: Haste,
        tell: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Ended, Failure> {
        let keys = Keys::write(&self.access)?;
        let environment = vec![
            ("BORG_REPO", self.access.place.address()),
            ("BORG_PASSPHRASE", self.access.key.clone()),
            ("BORG_RSH", keys.shell()),
            ("BORG_BASE_DIR", format!("{CACHE}/borg")),
            // Its address may have changed; who answers is proven by the host's key.
            ("BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes".to_owned()),
        ];
        let mut all =
            vec!["--lock-wait".to_owned(), LOCK_WAIT_SECONDS.to_owned(), "--log-json".to_owned()];
        all.extend(arguments);
        let _ = std::fs::create_dir_all(format!("{CACHE}/borg"));
        Tool { program: "borg", environment }.run(&all, directory, haste, tell).await
    }

    /// Why the host lets nobody talk to Borg on it, of which Borg itself does not always tell.
    async fn ssh_says(&self) -> Result<String, Failure> {
        let Place::Borg { user, host, port, .. } = &self.access.place else {
            return Ok(String::new());
        };
        let keys = Keys::write(&self.access)?;
        let shell = keys.shell();
        let mut arguments: Vec<String> = shell.split(' ').skip(1).map(str::to_owned).collect();
        let port = port.to_string();
        arguments
            .extend(["-l", user, "-p", &port, "--", host, "borg", "--version"].map(str::to_owned));
        let tool = Tool { program: "ssh", environment: Vec::new() };
        let ended = tool
            .run(&arguments, Path::new("/"), Haste::Question(self.answer_max()), &|_| {})
            .await?;
        Ok(ended.said)
    }

    async fn ask(&self, arguments: &[&str], what: &str) -> Result<String, Failure> {
        let arguments = arguments.iter().map(|text| (*text).to_owned()).collect();
        let ended = self
            .run(arguments, Path::new("/"), Haste::Question(self.answer_max()), &|_| {})
            .await?;
        if is_well(&ended) { Ok(ended.output) } else { Err(failed(what, &ended.said)) }
    }
}

/// It ends with 1 where it only warns: of a file, for example, that changed while it was read.
fn is_well(ended: &Ended) -> bool {
    matches!(ended.code, Some(0 | 1))
}

#[async_trait]
impl Repository for Borg {
    fn is_here(&self) -> bool {
        Tool { program: "borg", environment: Vec::new() }.is_here()
    }

    async fn open(&self, make: bool) -> Result<(), Failure> {
        let arguments = || vec!["info".to_owned(), "--json".to_owned()];
        let ended = self
            .run(arguments(), Path::new("/"), Haste::Question(self.answer_max()), &|_| {})
            .await?;
        if is_well(&ended) {
            return Ok(());
        }
        if ended.said.contains("ConnectionClosed") {
            let said = self.ssh_says().await?;
            return Err(failed("the host lets nobody in", &format!("{}{said}", ended.said)));
        }
        let is_missing =
            ended.said.contains("Repository.DoesNotExist") || ended.said.contains("does not exist");
        if !is_missing {
            return Err(failed("the repository cannot be opened", &ended.said));
        }
        if !make || self.access.is_made {
            return Err(Failure::needs_person("there is no repository at that place"));
        }
        let arguments = ["init", "--encryption=repokey-blake2", "--make-parent-dirs"];
        match self.ask(&arguments, "the repository cannot be made").await {
            Err(failure) if failure.text.contains("already exists") => Ok(()),
            other => other.map(|_| ()),
        }
    }

    async fn put(&self, part: &Part, progress: Progress<'_>) -> Result<Stored, Failure> {
        let name = format!("{}.{}", part.backup, part.name);
        // What an attempt before this one left under the name.
        let _ = self.ask(&["delete", &format!("::{name}")], "the former attempt").await;
        let mut arguments: Vec<String> =
            ["--progress", "create", "--json", "--files-cache=disabled"].map(str::to_owned).into();
        arguments.extend(["--compression".to_owned(), "zstd,3".to_owned()]);
        arguments.extend(["--comment".to_owned(), comment(part)]);
        arguments.extend(part.leave_out.iter().flat_map(|pattern| {
            let pattern = match pattern.strip_prefix('/') {
                Some(anchored) => format!("sh:{anchored}"),
                None => format!("sh:**/{pattern}"),
            };
            ["--exclude".to_owned(), pattern]
        }));
        if part.rate_kib > 0 {
            arguments.push(format!("--upload-ratelimit={}", part.rate_kib));
        }
        arguments.extend([format!("::{name}"), ".".to_owned()]);
        let tell = |line: &str| {
            if let Ok(Said::ArchiveProgress { original_size }) = serde_json::from_str(line) {
                progress(original_size, part.size.max(original_size));
            }
        };
        let ended = self.run(arguments, &part.directory, Haste::Behind, &tell).await?;
        if !is_well(&ended) {
            return Err(failed("the data could not be stored", &ended.said));
        }
        if let Some(line) = ended.said.lines().find(|line| is_unread(line)) {
            return Err(Failure::transient(format!("a file could not be read: {line}")));
        }
        let created: Created = serde_json::from_str(&ended.output)
            .map_err(|error| Failure::permanent(format!("what was stored is not told: {error}")))?;
        let (archive, stats) = (created.archive.name, created.archive.stats);
        Ok(Stored { archive, size: stats.original_size, added: stats.deduplicated_size })
    }

    async fn get(
        &self,
        archive: &Archive,
        into: &Path,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        let at = |error: std::io::Error| Failure::transient(format!("{}: {error}", into.display()));
        std::fs::create_dir_all(into).map_err(at)?;
        let arguments = ["--progress", "extract", &format!("::{}", archive.id)].map(str::to_owned);
        let tell = |line: &str| {
            if let Ok(Said::ProgressPercent { current, total }) = serde_json::from_str(line) {
                progress(current, total);
            }
        };
        let ended = self.run(arguments.into(), into, self.haste(), &tell).await?;
        if ended.success {
            return Ok(());
        }
        Err(failed("the data could not be brought back", &ended.said))
    }

    async fn list(&self) -> Result<Vec<Archive>, Failure> {
        let what = "the repository cannot be listed";
        let text = self.ask(&["list", "--json", "--format", "{comment}"], what).await?;
        let listed: Listed = serde_json::from_str(&text)
            .map_err(|error| Failure::permanent(format!("{what}: {error}")))?;
        Ok(listed.archives.into_iter().filter_map(archive).collect())
    }

    async fn remove(&self, archives: &[String]) -> Result<(), Failure> {
        for name in archives {
            let arguments = vec!["delete".to_owned(), format!("::{name}")];
            let ended = self.run(arguments, Path::new("/"), Haste::Behind, &|_| {}).await?;
            let is_gone = ended.said.contains("does not exist") || ended.said.contains("not found");
            if !is_well(&ended) && !is_gone {
                return Err(failed("backups could not be removed", &ended.said));
            }
        }
        let compact =
            self.run(vec!["compact".to_owned()], Path::new("/"), Haste::Behind, &|_| {}).await?;
        if is_well(&compact) {
            return Ok(());
        }
        Err(failed("room could not be made", &compact.said))
    }

    async fn verify(&self) -> Result<(), Failure> {
        let arguments = ["check", "--verify-data"].map(str::to_owned);
        let ended = self.run(arguments.into(), Path::new("/"), Haste::Behind, &|_| {}).await?;
        if ended.success {
            return Ok(());
        }
        Err(Failure::permanent(failed("the repository is damaged", &ended.said).text))
    }
}

/// The facts, and what else has to be known of an archive.
fn comment(part: &Part) -> String {
    format!("bellwether {} {}", part.directory.display(), encode(&part.facts))
}

fn archive(listed: ListedArchive) -> Option<Archive> {
    let (backup, part) = listed.name.rsplit_once('.')?;
    let mut words = listed.comment.strip_prefix("bellwether ")?.splitn(2, ' ');
    let directory = PathBuf::from(words.next()?);
    // Its own time, and in UTC, for that is what it is run in.
    let made_at = serde_json::from_value(serde_json::Value::String(format!("{}Z", listed.time)));
    Some(Archive {
        backup: backup.into(),
        part: part.to_owned(),
        facts: decode(words.next().unwrap_or_default()),
        directory,
        made_at: made_at.unwrap_or(Timestamp::from_millis(0)),
        id: listed.name,
    })
}

/// Whether it warns of a file that it did not store; of one that is gone the engine's log knows.
fn is_unread(line: &str) -> bool {
    line.contains(r#""levelname": "WARNING""#)
        && ["Permission denied", "Input/output error"].iter().any(|words| line.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_of_ours_is_read() {
        let listed = ListedArchive {
            name: "b1.end".into(),
            comment: "bellwether /data/pgdata e30".into(),
            time: "2026-11-25T22:00:00.000000".into(),
        };
        let archive = archive(listed).expect("one of ours");
        assert_eq!((archive.backup.as_str(), archive.part.as_str()), ("b1", "end"));
        assert_eq!((archive.facts.as_str(), archive.made_at.as_millis() > 0), ("{}", true));
    }
}
