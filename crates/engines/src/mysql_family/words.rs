//! Where the two engines only differ in their words.

use bellwether_model::replication::Position;
use mysql_async::Row;

use super::log_file::LogFormat;
use super::session::{number, text};
use super::stand_in::LogPlace;

/// An engine's words. None of the questions may wait for a commit that waits for its confirmation:
/// MariaDB's `GLOBAL_STATUS` does.
pub(crate) struct Words {
    /// The name that every process of the engine has, and the program.
    pub(crate) process: &'static str,
    pub(crate) program: &'static str,
    /// Where the log of the engine ends, as `place` reads it.
    pub(crate) logged: &'static str,
    pub(crate) place: fn(&Row) -> Position,
    /// What the engine says of itself as a replica, how far it has received and applied, and
    /// further columns.
    pub(crate) replica_status: &'static str,
    pub(crate) received: fn(&Row) -> Position,
    pub(crate) applied: fn(&Row) -> Position,
    pub(crate) source_host: &'static str,
    pub(crate) is_receiving: &'static str,
    pub(crate) is_applying: &'static str,
    pub(crate) read_file: &'static str,
    pub(crate) read_place: &'static str,
    /// How many heartbeats came, as `beats`, where the row of the replica does not say.
    pub(crate) heartbeats: Option<&'static str>,
    pub(crate) stop_receiving: &'static str,
    pub(crate) start_receiving: &'static str,
    pub(crate) stop: &'static str,
    pub(crate) reset: &'static str,
    /// Reads the certificate anew, which ends no connection.
    pub(crate) read_certificate: &'static str,
    /// Settings of the semi-synchronous replication.
    pub(crate) requires_setting: &'static str,
    pub(crate) confirms_setting: &'static str,
    /// Whether a replica confirms: `enabled` and `status`.
    pub(crate) confirms: &'static str,
    /// What a replica that confirms says before it asks for the log.
    pub(crate) introduction: &'static str,
    /// The node's memory divided by it is for pages of tables, where nobody chose.
    pub(crate) pool_share: f64,
    /// Milliseconds that a connection has been at what it does.
    pub(crate) running_ms: &'static str,
    /// Bytes of the data, as `bytes`.
    pub(crate) bytes: &'static str,
    /// Names of the engine's users, as `name`.
    pub(crate) users: &'static str,
    /// Lets our superuser write on a replica, and no more, where it cannot anyhow.
    pub(crate) unfence: Option<[&'static str; 2]>,
    /// How many replicas confirm a commit, where that can be chosen.
    pub(crate) count_setting: Option<&'static str>,
    /// Takes away rights that may not be there.
    pub(crate) revoke: &'static str,
    /// Rights on a database that only one of the engines knows.
    pub(crate) further_rights: &'static [&'static str],
    /// Lets a session look at an engine of a group that takes no writes, where there are groups.
    pub(crate) of_group: Option<&'static str>,
    /// Lets what members of a group tell each other read the certificate too.
    pub(crate) read_certificate_of_group: Option<&'static str>,
    /// Locks the users whose names are in our table of logins.
    pub(crate) lock_logins: &'static str,
    /// How its log tells transactions, and the programs that read it and run what they read.
    pub(crate) log: &'static LogFormat,
    pub(crate) log_reader: &'static str,
    pub(crate) client: &'static str,
    /// What an engine is started with, beside what both take, that is nobody's but the agent's.
    pub(crate) alone: &'static [&'static str],
}

/// Access denied, and two numbers for a user that is locked.
const REFUSALS: [&str; 3] = ["1045", "3118", "4151"];

/// What the engine says of itself as a replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replication {
    /// Where it receives from; empty when from nobody.
    pub(crate) host: String,
    pub(crate) is_receiving: bool,
    /// It receives, or tries to.
    pub(crate) is_connecting: bool,
    pub(crate) is_applying: bool,
    pub(crate) received: Position,
    pub(crate) applied: Position,
    /// Up to where that is in the upstream's log.
    pub(crate) read: LogPlace,
    /// Changes whenever something is heard of the upstream.
    pub(crate) heard: String,
    pub(crate) error: String,
    /// The engine's number for why it applies nothing more.
    pub(crate) applying_error: Option<String>,
    /// The upstream did not let it in, which it may do now.
    pub(crate) is_refused: bool,
}

impl Words {
    pub(crate) fn replication(&self, row: Option<&Row>) -> Replication {
        let Some(row) = row else { return Replication::default() };
        let word = |column: &str| text(row, column).unwrap_or_default();
        Replication {
            host: word(self.source_host),
            is_receiving: word(self.is_receiving) == "Yes",
            is_connecting: !matches!(word(self.is_receiving).as_str(), "No" | ""),
            is_applying: word(self.is_applying) == "Yes",
            received: (self.received)(row),
            applied: (self.applied)(row),
            read: (word(self.read_file), number(row, self.read_place).unwrap_or_default()),
            heard: [self.read_file, self.read_place, "Slave_received_heartbeats"]
                .map(word)
                .join(" "),
            error: [word("Last_SQL_Error"), word("Last_IO_Error")]
                .into_iter()
                .find(|error| !error.is_empty())
                .unwrap_or_default(),
            applying_error: text(row, "Last_SQL_Errno").filter(|number| number != "0"),
            is_refused: REFUSALS.contains(&&*word("Last_IO_Errno")),
        }
    }
}
