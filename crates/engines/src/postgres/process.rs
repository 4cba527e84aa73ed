//! The engine's process and its programs: started as the engine's user, in a process group of its
//! own, found again after the worker itself was started anew.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bellwether_contracts::Failure;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use tokio::process::Command;
use tokio::sync::watch;

use super::{OS_USER, Postgres, conf, data, log_directory, socket, timelines};

/// What the engine says.
const LOG: &str = "/data/log/engine.log";

/// A log that has grown so large is set aside at the next start.
const LOG_BYTES_MAX: u64 = 32 << 20;

/// What the system says when a disk is full.
pub(super) const NO_ROOM: &str = "No space left on device";

/// An orderly stop takes at most so long.
const STOP_MAX: Duration = Duration::from_secs(25);

/// Killed processes are gone within this time.
const KILL_MAX: Duration = Duration::from_secs(5);

impl Postgres {
    /// The postmaster, if it lives.
    pub(super) fn postmaster(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(data().join("postmaster.pid")).ok()?;
        let pid: i32 = text.lines().next()?.trim().parse().ok()?;
        let is_ours = is_alive(pid)
            && std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
                let line = String::from_utf8_lossy(&line);
                line.contains("/bin/postgres") && line.contains(&*data().to_string_lossy())
            });
        if is_ours { Pid::from_raw(pid) } else { None }
    }

    /// Ends with the process; at once when there is none.
    pub(super) async fn until_ended(&self) {
        let Some(pid) = self.postmaster() else { return };
        let mut ended = self.death_watch(pid);
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// One thread waits for each postmaster, however many ask.
    fn death_watch(&self, pid: Pid) -> watch::Receiver<bool> {
        let mut known = self.death_watch.lock().expect("nothing panics while it is held");
        if let Some((watched, receiver)) = &*known
            && *watched == pid
            && !*receiver.borrow()
        {
            return receiver.clone();
        }
        let (sender, receiver) = watch::channel(false);
        std::thread::spawn(move || {
            if let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) {
                let mut wanted = [PollFd::new(&descriptor, PollFlags::IN)];
                while poll(&mut wanted, None).is_err() {}
            }
            sender.send_replace(true);
        });
        *known = Some((pid, receiver.clone()));
        receiver
    }

    /// Starts the postmaster; in recovery when `standby.signal` is there.
    pub(super) async fn spawn(&self) -> Result<(), Failure> {
        if self.postmaster().is_some() {
            return Ok(());
        }
        self.kill_everything().await?;
        self.forget_settings();
        self.remove_locks();
        self.make_room()?;
        timelines::forget(&log_directory())?;
        let log = open_log()?;
        let said_before = log.metadata().map_or(0, |known| known.len());
        self.said_before.store(said_before, Ordering::Relaxed);
        let errors = log.try_clone().map_err(|e| super::config::at(Path::new(LOG), &e))?;
        let mut child = self
            .command("postgres")
            .arg("-D")
            .arg(data())
            .arg(format!("--config-file={}/postgresql.conf", conf().display()))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|error| {
                Failure::permanent(format!("the engine cannot be started: {error}"))
            })?;
        // Reaped here; it lives on when this process ends.
        tokio::spawn(async move { child.wait().await });
        self.until_pid_file().await
    }

    /// Left by a process of an earlier life of the machine, whose number another may have now.
    /// Nothing of the engine may be running.
    pub(super) fn remove_locks(&self) {
        let named = format!(".s.PGSQL.{}", self.port);
        for path in [
            data().join("postmaster.pid"),
            socket().join(format!("{named}.lock")),
            socket().join(named),
        ] {
            let _ = std::fs::remove_file(path);
        }
    }

    async fn until_pid_file(&self) -> Result<(), Failure> {
        for _ in 0..400 {
            if self.postmaster().is_some() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(self.ended_saying("the engine ended at once"))
    }

    /// The engine ended when it should have started: why, as far as it said.
    pub(super) fn ended_saying(&self, what: &str) -> Failure {
        let text = std::fs::read(LOG).unwrap_or_default();
        let from = usize::try_from(self.said_before.load(Ordering::Relaxed)).unwrap_or(0);
        let said = text.get(from..).unwrap_or(&text);
        let tail = &said[said.len().saturating_sub(4_000)..];
        // Where there is no room the log has none either.
        let has_room = rustix::fs::statvfs(data()).is_ok_and(|disk| disk.f_bavail > 0);
        match has_room {
            true => failed(what, &String::from_utf8_lossy(tail)),
            false => failed(what, NO_ROOM),
        }
    }

    /// A program of this version, to run as the engine's user.
    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.program(name));
        let (uid, gid) = engine_user();
        command
            .uid(uid)
            .gid(gid)
            .current_dir("/")
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("PGPASSFILE", conf().join("passfile"));
        command
    }

    /// Runs a program to its end; what it printed.
    pub(super) async fn run(&self, command: &mut Command, what: &str) -> Result<String, Failure> {
        let output = command
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| Failure::permanent(format!("{what}: {error}")))?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() {
            return Ok(format!("{}{said}", String::from_utf8_lossy(&output.stdout)));
        }
        Err(failed(what, &said))
    }

    /// Stops in an orderly way: clients are cut off, replicas receive everything. Whether it did.
    pub(super) async fn stop_fast(&self) -> Result<bool, Failure> {
        let Some(pid) = self.postmaster() else { return Ok(false) };
        self.sql.forget().await;
        let _ = kill_process(pid, Signal::INT);
        if tokio::time::timeout(STOP_MAX, self.until_ended()).await.is_ok() {
            return Ok(true);
        }
        self.kill_everything().await?;
        Ok(false)
    }

    /// Kills the postmaster and every process it left.
    pub(super) async fn kill_everything(&self) -> Result<(), Failure> {
        self.sql.forget().await;
        for _ in 0..(KILL_MAX.as_millis() / 10) {
            let left = engine_processes();
            if left.is_empty() {
                return Ok(());
            }
            for pid in left {
                let _ = kill_process_group(pid, Signal::KILL);
                let _ = kill_process(pid, Signal::KILL);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(Failure::transient("processes of the engine do not end"))
    }
}

/// The name that every process of the engine has, whatever it writes over its arguments.
const PROCESS: &str = "postgres";

/// Processes of the engine's program over our data, or orphans of them. They are known by name and
/// user: what program a process of another user runs is not shown to a root without further
/// capabilities.
fn engine_processes() -> Vec<Pid> {
    let (uid, _) = engine_user();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let is_users =
                std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|text| {
                    text.lines().any(|line| {
                        line.strip_prefix("Uid:")
                            .and_then(|rest| rest.split_whitespace().next())
                            .is_some_and(|id| id == uid.to_string())
                    })
                });
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
            let is_engine = name.is_ok_and(|name| name.trim_end() == PROCESS);
            is_users && is_engine && is_alive(*pid)
        })
        .filter_map(Pid::from_raw)
        .collect()
}

/// Whether it runs, as opposed to being dead and not yet buried.
fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        // The name in parentheses may hold anything; the state follows it.
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        !matches!(state, None | Some('Z' | 'X'))
    })
}

/// The engine's user and group.
pub(super) fn engine_user() -> (u32, u32) {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        (name == OS_USER).then_some((uid.parse().ok()?, gid.parse().ok()?))
    });
    // No such user: a number nobody has, so that starting fails instead of running as root.
    ids.unwrap_or((65_534, 65_534))
}

/// Gives a file to the engine's user.
pub(super) fn give_to_engine(path: &Path) -> Result<(), Failure> {
    let (uid, gid) = engine_user();
    std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(|e| super::config::at(path, &e))
}

/// Makes a directory of the engine's user, closed to others.
pub(super) fn own_directory(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(path).map_err(|e| super::config::at(path, &e))?;
    let closed = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(path, closed).map_err(|e| super::config::at(path, &e))?;
    give_to_engine(path)
}

fn open_log() -> Result<std::fs::File, Failure> {
    let path = Path::new(LOG);
    if let Some(directory) = path.parent() {
        own_directory(directory)?;
    }
    if std::fs::metadata(path).is_ok_and(|known| known.len() > LOG_BYTES_MAX) {
        let _ = std::fs::rename(path, path.with_extension("log.1"));
    }
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    let file = file.map_err(|e| super::config::at(path, &e))?;
    give_to_engine(path)?;
    Ok(file)
}

/// What a program said, in words about what can be done.
fn failed(what: &str, said: &str) -> Failure {
    if said.contains(NO_ROOM) {
        return Failure::needs_person(format!("{what}: the node's disk is full"));
    }
    Failure::transient(format!("{what}: {}", last_line(said)))
}

/// What the engine said last of a setting.
pub(super) fn said_of(setting: &str) -> Option<String> {
    let text = std::fs::read(LOG).ok()?;
    let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(64 << 10)..]).into_owned();
    let named = format!("parameter \"{setting}\"");
    let line = tail.lines().rev().find(|line| line.contains(&named))?;
    Some(line.split_once("LOG:").map_or(line, |(_, said)| said).trim().to_owned())
}

fn last_line(text: &str) -> String {
    // Of a file with a wrong value the engine says last only that it has errors.
    if let Some(line) = text.lines().rev().find(|line| line.contains(" contains errors")) {
        let value = text.lines().rev().find(|line| line.contains(" parameter \""));
        return value.unwrap_or(line).to_owned();
    }
    let telling = text.lines().rev().find(|line| {
        // What those were told who asked too early is not why it ended.
        ["FATAL", "PANIC", "error:", "ERROR", "fatal:"].iter().any(|word| line.contains(word))
            && !line.contains("the database system is ")
    });
    telling.or(text.lines().last()).unwrap_or_default().to_owned()
}
