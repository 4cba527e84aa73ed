//! Where the data of a member ends whose engine does not run, and what the engine is told of it.

use std::path::{Path, PathBuf};

use bellwether_contracts::Failure;
use bellwether_contracts::driver::DataState;

use super::super::Mariadb;
use super::config::PROVIDER;
use crate::mysql_family::OS_USER;
use crate::mysql_family::place::{data_in, data_state, root, temporary};

/// Names no history: the data is nobody's yet.
const NO_HISTORY: &str = "00000000-0000-0000-0000-000000000000";

/// Where a copy says up to which change it goes.
const COPIED: &str = "mariadb_backup_galera_info";

/// Before where the data ends, in what the engine prints.
const RECOVERED: &str = "Recovered position: ";

/// Where data ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) history: String,
    pub(super) changes: u64,
    /// In the engine's own words.
    pub(super) place: String,
}

impl End {
    /// `2f1c…:17,0-1-9`: history, number of changes, and what is of no concern here.
    fn parse(place: &str) -> Option<Self> {
        let (history, rest) = place.trim().split_once(':')?;
        let number = rest.split(',').next()?.trim();
        // Nothing is there, or it is not known how much.
        let changes = number.parse().ok()?;
        (history != NO_HISTORY).then(|| Self {
            history: history.to_owned(),
            changes,
            place: place.trim().to_owned(),
        })
    }
}

/// What the engine wrote down of its data.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Noted {
    /// Nothing yet: it never was a member.
    Nothing,
    /// It was stopped in an orderly way.
    At(End),
    /// It was killed, and has to be asked.
    Unknown,
    /// It was being copied from another member: what is here is no whole.
    Worthless,
}

impl Noted {
    fn parse(text: &str) -> Self {
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::trim).unwrap_or_default()
        };
        let (history, changes) = (value("uuid:"), value("seqno:"));
        match End::parse(&format!("{history}:{changes}")) {
            Some(end) => Self::At(end),
            None if history == NO_HISTORY => Self::Worthless,
            None => Self::Unknown,
        }
    }

    fn read() -> Self {
        let text = std::fs::read_to_string(state_file(&data_in(root())));
        text.map_or(Self::Nothing, |text| Self::parse(&text))
    }
}

/// Where the engine notes which history its data belongs to.
fn state_file(data: &Path) -> PathBuf {
    data.join("grastate.dat")
}

impl Mariadb {
    pub(super) fn known_end(&self) -> Option<Option<End>> {
        self.group.end.lock().expect("nothing panics while it is held").clone()
    }

    pub(super) fn note_end(&self, end: Option<Option<End>>) {
        *self.group.end.lock().expect("nothing panics while it is held") = end;
    }

    /// Where the data of the stopped engine ends. An engine that was killed is asked, which takes
    /// its recovery from the crash.
    pub(super) async fn find_end(&self) -> Result<Option<End>, Failure> {
        if let Some(known) = self.known_end() {
            return Ok(known);
        }
        let has_data = matches!(data_state(), DataState::Present { .. });
        let found = match Noted::read() {
            _ if !has_data => None,
            Noted::Nothing | Noted::Worthless => None,
            Noted::At(end) => Some(end),
            Noted::Unknown => self.recover_end().await?,
        };
        self.note_end(Some(found.clone()));
        Ok(found)
    }

    async fn recover_end(&self) -> Result<Option<End>, Failure> {
        let mut recover = self.command("/usr/sbin/mariadbd");
        recover
            .args(["--no-defaults", "--wsrep-recover", "--skip-networking", "--wsrep-on=ON"])
            .args(["--binlog-format=ROW", "--wsrep-cluster-address=gcomm://127.0.0.1"])
            .arg(format!("--wsrep-provider={PROVIDER}"))
            .arg(format!("--datadir={}", data_in(root()).display()))
            .arg(format!("--tmpdir={}", temporary().display()))
            .arg(format!("--socket={}", temporary().join("recover.sock").display()));
        let said = self.processes.run(&mut recover, "where the data ends is not known").await?;
        let line = said.lines().rev().find_map(|line| line.split_once(RECOVERED));
        Ok(line.and_then(|(_, place)| End::parse(place)))
    }
}

/// The engine refuses to begin a group with data that others may be ahead of. Whoever ordered it
/// has compared all of them.
pub(super) fn allow_beginning(end: &End) -> Result<(), Failure> {
    note_state(&data_in(root()), &end.history, "-1", true)
}

/// What an engine with copied data is to know of it: up to where that goes, for it to ask the
/// others for the rest alone.
pub(crate) fn note_copied(data: &Path) -> Result<(), Failure> {
    let text = std::fs::read_to_string(data.join(COPIED)).unwrap_or_default();
    let Some(end) = text.split_whitespace().next().and_then(End::parse) else {
        return Err(Failure::transient("the copy does not say where it ends"));
    };
    note_state(data, &end.history, &end.changes.to_string(), false)
}

fn note_state(data: &Path, history: &str, changes: &str, may_begin: bool) -> Result<(), Failure> {
    let text = format!(
        "# GALERA saved state\nversion: 2.1\nuuid:    {history}\nseqno:   {changes}\n\
         safe_to_bootstrap: {}\n",
        u8::from(may_begin),
    );
    OS_USER.write(&state_file(data), text.as_bytes()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_data_ends_is_read_in_the_engines_words() {
        let history = "1d0cd0b4-c2f4-11f0-9b0c-6e0a8e3a1f2d";
        let end = End::parse(&format!("{history}:17,0-1-9")).expect("an end");
        assert_eq!((end.history.as_str(), end.changes), (history, 17));
        assert_eq!(end.place, format!("{history}:17,0-1-9"));
        for unknown in [format!("{history}:-1"), format!("{NO_HISTORY}:-1"), String::new()] {
            assert_eq!(End::parse(&unknown), None, "{unknown}");
        }
    }

    #[test]
    fn data_that_was_being_copied_is_worth_nothing() {
        let noted = |history: &str, changes: i64| {
            Noted::parse(&format!("# GALERA saved state\nuuid:    {history}\nseqno:   {changes}\n"))
        };
        let history = "1d0cd0b4-c2f4-11f0-9b0c-6e0a8e3a1f2d";
        assert!(matches!(noted(history, 17), Noted::At(End { changes: 17, .. })));
        assert_eq!(noted(history, -1), Noted::Unknown);
        assert_eq!(noted(NO_HISTORY, -1), Noted::Worthless);
    }
}
