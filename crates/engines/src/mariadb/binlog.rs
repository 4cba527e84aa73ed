//! What the log of this node holds, read from its files by `mariadb-binlog`.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_model::replication::Position;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{Mariadb, gtid};
use crate::mysql_family::node::binlogs;

/// Reading them may take so long.
const READ_MAX: Duration = Duration::from_secs(120);

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
