//! What the log of this node holds, read from its files by `mariadb-binlog`.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_model::replication::Position;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{Mariadb, gtid};
use crate::mysql_family::log_file::{Begin, LogFormat, number};
use crate::mysql_family::node::binlogs;

/// Reading them may take so long.
const READ_MAX: Duration = Duration::from_secs(120);

/// Kinds of events: what was before a file, and what begins a transaction.
const LIST: u8 = 163;
const TRANSACTION: u8 = 162;

/// Of a transaction: there is no end of it but the one statement.
const STANDS_ALONE: u8 = 1;

/// Of a list: its number of ids, beside flags. Each has a domain (4), a server (4) and a number.
const LIST_LENGTH: u64 = (1 << 28) - 1;
const LISTED_BYTES: usize = 16;

/// What the log tells of transactions. It does not tell when they were committed.
pub(super) static FORMAT: LogFormat = LogFormat {
    before_kind: LIST,
    before: |body, _| before(body),
    purged: "SELECT '' AS purged",
    begin: |kind, body| {
        let is_ours = kind == TRANSACTION && number(body, 8, 4)? == 0;
        is_ours.then_some(Begin {
            offset: number(body, 0, 8),
            is_open: body.get(12)? & STANDS_ALONE == 0,
            committed: None,
        })
    },
};

/// The last id of our domain in a list: each server that ever wrote has one.
fn before(body: &[u8]) -> Option<u64> {
    let count = usize::try_from(number(body, 0, 4)? & LIST_LENGTH).ok()?;
    let mut last = 0;
    for at in (0..count).map(|id| 4 + id * LISTED_BYTES) {
        let (domain, sequence) = (number(body, at, 4)?, number(body, at + 8, 8)?);
        if domain == 0 {
            last = last.max(sequence);
        }
    }
    Some(last)
}

/// A transaction in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logged {
    pub(super) place: Position,
    /// When it was committed, by the clock of the node that did: `261125 19:10:19`.
    pub(super) moment: String,
}

impl Mariadb {
    /// Where the log of the stopped engine ends.
    pub(super) async fn last_logged(&self) -> Result<Position, Failure> {
        let mut logs = binlogs()?;
        // A file may have been begun and hold nothing yet.
        while let Some(log) = logs.pop() {
            if let Some(last) = self.transactions_in(&[log]).await?.last() {
                return Ok(last.place);
            }
        }
        Ok(Position::default())
    }

    /// The transactions that these files hold, the oldest first.
    pub(super) async fn transactions_in(&self, logs: &[PathBuf]) -> Result<Vec<Logged>, Failure> {
        let broken = |error: std::io::Error| Failure::permanent(format!("mariadb-binlog: {error}"));
        let mut child = self
            .command("mariadb-binlog")
            .args(["--no-defaults", "--base64-output=decode-rows"])
            .args(logs)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(broken)?;
        let mut found = Vec::new();
        let read = async {
            if let Some(output) = child.stdout.take() {
                let mut lines = BufReader::new(output).split(b'\n');
                while let Ok(Some(line)) = lines.next_segment().await {
                    found.extend(parse(&String::from_utf8_lossy(&line)));
                }
            }
        };
        let read = tokio::time::timeout(READ_MAX, read).await;
        // The last file of an engine that died may end within a transaction.
        read.map_err(|_| Failure::transient("reading the log does not end"))?;
        Ok(found)
    }
}

/// `#261125 19:10:19 server id 1  end_log_pos 593 CRC32 0xb1a82b34  GTID 0-1-9 trans thread_id=9`
fn parse(line: &str) -> Option<Logged> {
    let rest = line.strip_prefix('#')?;
    let (head, id) = rest.split_once("\tGTID ")?;
    let place = gtid::parse(id.split_whitespace().next()?)?;
    let moment = head.split(" server id").next()?.trim();
    Some(Logged { place, moment: moment.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(ids: &[(u32, u32, u64)]) -> Vec<u8> {
        let mut body = (ids.len() as u32 | 1 << 28).to_le_bytes().to_vec();
        for (domain, server, sequence) in ids {
            body.extend(domain.to_le_bytes());
            body.extend(server.to_le_bytes());
            body.extend(sequence.to_le_bytes());
        }
        body
    }

    #[test]
    fn what_was_before_a_file_is_the_last_of_our_domain() {
        assert_eq!(before(&listed(&[(0, 1, 40), (7, 1, 900), (0, 5, 93)])), Some(93));
        assert_eq!(before(&listed(&[])), Some(0));
        assert_eq!(before(&listed(&[(0, 1, 40)])[..12]), None);
    }

    #[test]
    fn a_transaction_is_begun_with_its_number() {
        let body = |domain: u32, flags: u8| {
            [25_u64.to_le_bytes().as_slice(), &domain.to_le_bytes(), &[flags], &[0; 6]].concat()
        };
        let begin = |kind, body: &[u8]| (FORMAT.begin)(kind, body);
        let begun = |is_open| Some(Begin { offset: Some(25), is_open, committed: None });
        assert_eq!(begin(TRANSACTION, &body(0, 12)), begun(true));
        assert_eq!(begin(TRANSACTION, &body(0, 33)), begun(false));
        assert_eq!(begin(TRANSACTION, &body(3, 12)), None, "another domain's");
        assert_eq!(begin(LIST, &body(0, 12)), None);
    }

    #[test]
    fn a_transaction_is_known_by_its_first_line() {
        let line = "#261125 19:10:19 server id 1  end_log_pos 593 CRC32 0xb1a82b34 \tGTID 0-1-9 \
                    trans thread_id=9";
        let logged = parse(line).expect("a transaction");
        assert_eq!(logged.place, Position { timeline: 1, offset: 9 });
        assert_eq!(logged.moment, "261125 19:10:19");
        assert_eq!(parse("#261125 19:10:17 server id 1  end_log_pos 0 \tGtid list [0-1-6]"), None);
    }
}
