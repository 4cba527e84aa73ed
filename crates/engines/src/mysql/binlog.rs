//! What the log of this node holds, read from its files by `mysqlbinlog`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bellwether_contracts::Failure;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::Mysql;
use super::gtid::Set;
use crate::mysql_family::log_file::{Begin, LogFormat, number};
use crate::mysql_family::node::binlogs;

/// Kinds of events: what was before a file, and what begins a transaction, whose source may have a
/// tag.
const BEFORE: u8 = 35;
const TRANSACTION: u8 = 33;
const TAGGED: u8 = 42;

/// Of a transaction: when it was committed here, and at its origin, where that is another moment.
const COMMITTED_AT: usize = 42;
const COMMITTED_BYTES: usize = 7;
const HAS_ORIGIN: u64 = 1 << 55;

/// What the log tells of transactions.
pub(super) static FORMAT: LogFormat = LogFormat {
    before_kind: BEFORE,
    before: |body, purged| Some(Set::read(body)?.with(&Set::parse(purged)).count()),
    purged: "SELECT @@global.gtid_purged AS purged",
    begin: |kind, body| match kind {
        TRANSACTION => Some(begin(committed(body))),
        // Its form is another; the second in which it was begun is told with every event.
        TAGGED => Some(begin(None)),
        _ => None,
    },
};

fn begin(committed: Option<i64>) -> Begin {
    Begin { offset: None, is_open: false, committed }
}

/// When it was committed, in microseconds since 1970.
fn committed(body: &[u8]) -> Option<i64> {
    let here = number(body, COMMITTED_AT, COMMITTED_BYTES)?;
    let committed = match here & HAS_ORIGIN {
        0 => here,
        _ => number(body, COMMITTED_AT + COMMITTED_BYTES, COMMITTED_BYTES)?,
    };
    i64::try_from(committed).ok().filter(|committed| *committed > 0)
}

/// Reading a file may take so long.
const READ_MAX: Duration = Duration::from_secs(120);

/// A transaction in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Logged {
    pub(super) file: PathBuf,
    /// Where in the file it begins.
    pub(super) at: u64,
    pub(super) id: String,
    /// When it was committed, by the clock of the node that did: `261125 19:10:19`.
    pub(super) moment: String,
}

/// What a file of the log holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    /// What came before it.
    before: Set,
    pub(super) transactions: Vec<Logged>,
}

impl Mysql {
    /// Everything that the log of the stopped engine knows of.
    pub(super) async fn logged_in_files(&self) -> Result<Set, Failure> {
        let Some(last) = binlogs()?.pop() else { return Ok(Set::default()) };
        let content = self.read_log(&last).await?;
        let ids: Vec<&str> = content.transactions.iter().map(|logged| &*logged.id).collect();
        Ok(content.before.with(&Set::parse(&ids.join(","))))
    }

    /// Reads one file of the log.
    pub(super) async fn read_log(&self, file: &Path) -> Result<Content, Failure> {
        let broken = |error: std::io::Error| Failure::permanent(format!("mysqlbinlog: {error}"));
        let mut child = self
            .command("mysqlbinlog")
            .args(["--no-defaults", "--base64-output=decode-rows"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(broken)?;
        let mut reader = Reader::default();
        let read = async {
            if let Some(output) = child.stdout.take() {
                let mut lines = BufReader::new(output).split(b'\n');
                while let Ok(Some(line)) = lines.next_segment().await {
                    reader.take(&String::from_utf8_lossy(&line));
                }
            }
        };
        let read = tokio::time::timeout(READ_MAX, read).await;
        // The last file of an engine that died may end within a transaction.
        read.map_err(|_| Failure::transient("reading the log does not end"))?;
        let mut content = reader.content;
        for logged in &mut content.transactions {
            file.clone_into(&mut logged.file);
        }
        Ok(content)
    }
}

/// Takes in what `mysqlbinlog` prints, line by line.
#[derive(Default)]
struct Reader {
    content: Content,
    at: u64,
    begun: Option<Logged>,
    is_in_before: bool,
}

impl Reader {
    fn take(&mut self, line: &str) {
        if let Some(at) = line.strip_prefix("# at ") {
            (self.at, self.is_in_before) = (at.trim().parse().unwrap_or(0), false);
        } else if self.is_in_before && line.starts_with("# ") {
            let before = Set::parse(line.trim_start_matches("# ").trim_end_matches(','));
            self.content.before = std::mem::take(&mut self.content.before).with(&before);
        } else if line.starts_with('#') && line.contains("\tPrevious-GTIDs") {
            self.is_in_before = true;
        } else if line.starts_with('#') && line.contains("\tGTID\t") {
            let moment = line.trim_start_matches('#').split(" server id").next();
            let moment = moment.unwrap_or_default().trim().to_owned();
            self.begun = Some(Logged { at: self.at, moment, ..Logged::default() });
        } else if let Some(rest) = line.strip_prefix("SET @@SESSION.GTID_NEXT= '")
            && let Some((id, _)) = rest.split_once('\'')
            && let Some(begun) = self.begun.take()
        {
            self.content.transactions.push(Logged { id: id.to_owned(), ..begun });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_tells_when_it_was_committed_first() {
        let mut body = vec![0; COMMITTED_AT];
        body.extend(&1_764_158_193_000_001_u64.to_le_bytes()[..COMMITTED_BYTES]);
        assert_eq!(committed(&body), Some(1_764_158_193_000_001));
        body[COMMITTED_AT + COMMITTED_BYTES - 1] |= 0x80;
        body.extend(&1_764_158_190_000_001_u64.to_le_bytes()[..COMMITTED_BYTES]);
        assert_eq!(committed(&body), Some(1_764_158_190_000_001));
        assert_eq!(committed(&body[..20]), None);
    }

    const PRINTED: &str = "# at 126
#261125 19:55:52 server id 1  end_log_pos 197 CRC32 0x1 \tPrevious-GTIDs
# 3c13c23d-e908-11f1-abc3-0242ac1d4d15:1-9,
# 41ee6d7b-e90a-11f1-90d9-0242ac1d4d16:1-2
# at 2729
#261125 19:56:59 server id 1  end_log_pos 2808 CRC32 0xf35969f0 \tGTID\tlast_committed=5
/*!50718 SET TRANSACTION ISOLATION LEVEL READ COMMITTED*//*!*/;
SET @@SESSION.GTID_NEXT= '3c13c23d-e908-11f1-abc3-0242ac1d4d15:11'/*!*/;
# at 2808
COMMIT/*!*/;
SET @@SESSION.GTID_NEXT= 'AUTOMATIC' /* added by mysqlbinlog */ /*!*/;";

    #[test]
    fn transactions_are_found_with_their_places() {
        let mut reader = Reader::default();
        PRINTED.lines().for_each(|line| reader.take(line));
        assert_eq!(reader.content.before.count(), 11);
        let [logged] = &*reader.content.transactions else { panic!("one transaction") };
        assert_eq!((logged.at, &*logged.moment), (2729, "261125 19:56:59"));
        assert!(logged.id.ends_with("4d15:11"));
    }
}
