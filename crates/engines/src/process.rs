//! An engine's processes: started as the engine's user, in a process group of their own, found
//! again after the worker itself was started anew, killed with whatever they left.

use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bellwether_contracts::Failure;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use tokio::process::Command;
use tokio::sync::watch;

use crate::files::{DATA, User, at};

/// What the engine says.
const LOG: &str = "/data/log/engine.log";

/// A log that has grown so large is set aside at the next start.
const LOG_BYTES_MAX: u64 = 32 << 20;

/// What the system says when a disk is full.
pub(crate) const NO_ROOM: &str = "No space left on device";

/// Killed processes are gone within this time.
const KILL_MAX: Duration = Duration::from_secs(5);

/// The processes of one engine.
pub(crate) struct Processes {
    user: User,
    /// The name that every one of them has, whatever it writes over its arguments.
    name: &'static str,
    /// How long the engine's log was before it was started last.
    said_before: AtomicU64,
    /// Who waits for the end of which process.
    death_watch: Mutex<Option<(Pid, watch::Receiver<bool>)>>,
}

impl Processes {
    pub(crate) fn new(user: User, name: &'static str) -> Self {
        Self { user, name, said_before: AtomicU64::default(), death_watch: Mutex::default() }
    }

    /// A program to run as the engine's user.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        let (uid, gid) = self.user.ids();
        command
            .uid(uid)
            .gid(gid)
            .current_dir("/")
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC");
        command
    }

    /// Starts a process that lives on when this one ends; what it says goes to the engine's log.
    pub(crate) fn start(&self, command: &mut Command) -> Result<(), Failure> {
        let log = self.open_log()?;
        let said_before = log.metadata().map_or(0, |known| known.len());
        self.said_before.store(said_before, Ordering::Relaxed);
        let errors = log.try_clone().map_err(|e| at(Path::new(LOG), &e))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|error| {
                Failure::permanent(format!("the engine cannot be started: {error}"))
            })?;
        // Reaped here.
        tokio::spawn(async move { child.wait().await });
        Ok(())
    }

    /// Runs a program to its end; what it printed.
    pub(crate) async fn run(&self, command: &mut Command, what: &str) -> Result<String, Failure> {
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

    /// Ends with that process.
    pub(crate) async fn until_ended(&self, pid: Pid) {
        let mut ended = self.watch_death(pid);
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// One thread waits for each process, however many ask.
    fn watch_death(&self, pid: Pid) -> watch::Receiver<bool> {
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

    /// Processes of the engine's program, or orphans of them. They are known by name and user: what
    /// program a process of another user runs is not shown to a root without further capabilities.
    pub(crate) fn all(&self) -> Vec<Pid> {
        let (uid, _) = self.user.ids();
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
            .filter(|pid| {
                let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
                let is_engine = name.is_ok_and(|name| name.trim_end() == self.name);
                is_engine && is_of(*pid, uid) && is_alive(*pid)
            })
            .filter_map(Pid::from_raw)
            .collect()
    }

    /// Kills every one of them and whatever they left.
    pub(crate) async fn kill_all(&self) -> Result<(), Failure> {
        for _ in 0..(KILL_MAX.as_millis() / 10) {
            let left = self.all();
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

    /// The engine ended when it should have started: why, as far as it said.
    pub(crate) fn ended_saying(&self, what: &str) -> Failure {
        let text = std::fs::read(LOG).unwrap_or_default();
        let from = usize::try_from(self.said_before.load(Ordering::Relaxed)).unwrap_or(0);
        let said = text.get(from..).unwrap_or(&text);
        let tail = &said[said.len().saturating_sub(4_000)..];
        // Where there is no room the log has none either.
        let has_room = rustix::fs::statvfs(DATA).is_ok_and(|disk| disk.f_bavail > 0);
        match has_room {
            true => failed(what, &String::from_utf8_lossy(tail)),
            false => failed(what, NO_ROOM),
        }
    }

    fn open_log(&self) -> Result<std::fs::File, Failure> {
        let path = Path::new(LOG);
        if let Some(directory) = path.parent() {
            self.user.own_directory(directory)?;
        }
        if std::fs::metadata(path).is_ok_and(|known| known.len() > LOG_BYTES_MAX) {
            let _ = std::fs::rename(path, path.with_extension("log.1"));
        }
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|e| at(path, &e))?;
        self.user.give(path)?;
        Ok(file)
    }
}

fn is_of(pid: i32, uid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|text| {
        text.lines().any(|line| {
            line.strip_prefix("Uid:")
                .and_then(|rest| rest.split_whitespace().next())
                .is_some_and(|id| id == uid.to_string())
        })
    })
}

/// Whether it runs, as opposed to being dead and not yet buried.
pub(crate) fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        // The name in parentheses may hold anything; the state follows it.
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        !matches!(state, None | Some('Z' | 'X'))
    })
}

/// What a program said, in words about what can be done.
pub(crate) fn failed(what: &str, said: &str) -> Failure {
    if said.contains(NO_ROOM) {
        return Failure::needs_person(format!("{what}: the node's disk is full"));
    }
    Failure::transient(format!("{what}: {}", last_line(said)))
}

/// The last line of the engine's log that has these words.
pub(crate) fn said_last(words: &str) -> Option<String> {
    let text = std::fs::read(LOG).ok()?;
    let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(64 << 10)..]).into_owned();
    tail.lines().rev().find(|line| line.contains(words)).map(str::to_owned)
}

fn last_line(text: &str) -> String {
    // Of a file with a wrong value an engine may say last only that it has errors.
    if let Some(line) = text.lines().rev().find(|line| line.contains(" contains errors")) {
        let value = text.lines().rev().find(|line| line.contains(" parameter \""));
        return value.unwrap_or(line).to_owned();
    }
    let telling = text.lines().rev().find(|line| {
        // What those were told who asked too early is not why it ended.
        ["FATAL", "PANIC", "Fatal", "error:", "ERROR", "fatal:"].iter().any(|w| line.contains(w))
            && !line.contains("the database system is ")
    });
    telling.or(text.lines().last()).unwrap_or_default().to_owned()
}
