//! A server that is killed amid commits loses nothing it has acknowledged and keeps nothing by
//! half.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use bellwether_store::{Object, Options, Store, Txn};
use serde::{Deserialize, Serialize};

/// Names the directory to the process that will be killed.
const DIRECTORY: &str = "BELLWETHER_TEST_CRASH_DIRECTORY";
const ROUND: &str = "BELLWETHER_TEST_CRASH_ROUND";

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Left {
    name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Right {
    name: String,
}

impl Object for Left {
    const KIND: &'static str = "left";

    fn key(&self) -> String {
        self.name.clone()
    }
}

impl Object for Right {
    const KIND: &'static str = "right";

    fn key(&self) -> String {
        self.name.clone()
    }
}

fn open(directory: &Path) -> Store {
    Store::open(Options { directory: directory.to_owned() }).unwrap()
}

#[test]
fn a_kill_amid_commits_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeSet<String> = BTreeSet::new();
    for (round, after) in [40, 1, 333, 150].into_iter().enumerate() {
        acknowledged.extend(kill_amid_commits(directory.path(), round, after));
        let store = open(directory.path());
        let left: BTreeSet<String> =
            store.list::<Left>().into_iter().map(|stored| stored.object.name).collect();
        let right: BTreeSet<String> =
            store.list::<Right>().into_iter().map(|stored| stored.object.name).collect();
        assert_eq!(left, right, "a transaction is there by half");
        let lost: Vec<_> = acknowledged.difference(&left).collect();
        assert!(lost.is_empty(), "acknowledged and lost in round {round}: {lost:?}");
        assert_eq!(store.revision(), left.len() as u64, "every commit is counted once");
        // What was not acknowledged and is there all the same may stay; it is not lost later.
        acknowledged = left;
    }
}

/// Runs a process that commits, and kills it after so many acknowledgements. All that it gave.
fn kill_amid_commits(directory: &Path, round: usize, after: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_that_is_killed", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut names = Vec::new();
    // The first may follow the test's own name on its line.
    let name_in = |line: String| line.split_once("acknowledged ").map(|(_, name)| name.to_owned());
    while names.len() < after {
        let line = lines.next().expect("the process commits until it is killed").unwrap();
        names.extend(name_in(line));
    }
    child.kill().unwrap();
    // What it had acknowledged before the kill and was not read yet.
    names
        .extend(lines.map_while(Result::ok).filter(|line| line.ends_with('.')).filter_map(name_in));
    assert!(!child.wait().unwrap().success());
    names.into_iter().map(|name| name.trim_end_matches('.').to_owned()).collect()
}

#[test]
#[ignore = "run by the test above in a process of its own"]
fn the_process_that_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let round = std::env::var(ROUND).unwrap();
    let store = open(Path::new(&directory));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let writers: Vec<_> = (0..16)
            .map(|writer| tokio::spawn(write(store.clone(), format!("{round}-{writer}"))))
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

async fn write(store: Store, prefix: String) {
    for number in 0.. {
        let name = format!("{prefix}-{number}");
        let left = Left { name: name.clone() };
        let right = Right { name: name.clone() };
        store.commit(Txn::new().insert(&left).insert(&right)).await.unwrap();
        // One write a line; a full stop ends what is whole.
        let mut out = std::io::stdout().lock();
        out.write_all(format!("acknowledged {name}.\n").as_bytes()).unwrap();
        out.flush().unwrap();
    }
}
