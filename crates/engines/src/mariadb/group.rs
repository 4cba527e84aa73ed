//! Nodes that all accept writes: Galera, in which every transaction is certified by all members of
//! the majority before its client hears of it.
//!
//! No engine begins a group unless its agent was ordered to, once for each term: its configuration
//! names the others, and Galera's own ways of beginning one after a crash are off. Where the data
//! of a stopped engine ends is asked of the engine, so that the group is begun with what is most.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bellwether_contracts::Failure;
use bellwether_contracts::driver::{DataState, Joined, Probe, ProcessState};
use bellwether_model::member::Standing;
use bellwether_model::replication::Position;
use bellwether_protocol::Assignment;
use tokio::task::JoinSet;
use tracing::info;

use super::Mariadb;
use crate::files::remove;
use crate::mysql_family::OS_USER;
use crate::mysql_family::driver::Hands as _;
use crate::mysql_family::place::{
    Mark, data_in, data_state, make_new, new_root, put_in_place, root, temporary,
};
use crate::mysql_family::session::{Session, text};

/// What the engine says of its group.
const STATUS: &str = "SHOW GLOBAL STATUS LIKE 'wsrep\\_%'";

/// A member that was begun or has joined is in step with the others within this time.
const SYNC_MAX: Duration = Duration::from_secs(120);

/// A group that has lost its majority while one joins may find it again within this time.
const ABANDONED_AFTER: Duration = Duration::from_secs(10);

/// Between two looks whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(50);

const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";

/// Names no history: the data is nobody's yet.
const NO_HISTORY: &str = "00000000-0000-0000-0000-000000000000";

/// Where a copy says up to which change it goes.
const COPIED: &str = "mariadb_backup_galera_info";

/// Before where the data ends, in what the engine prints.
const RECOVERED: &str = "Recovered position: ";

/// What is known of a stopped engine's data.
#[derive(Default)]
pub(super) struct Group {
    /// None: it was not looked since the engine ended. Within: there is nothing of any history.
    end: Mutex<Option<Option<End>>>,
}

/// Where data ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End {
    history: String,
    changes: u64,
    /// In the engine's own words.
    place: String,
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
    fn known_end(&self) -> Option<Option<End>> {
        self.group.end.lock().expect("nothing panics while it is held").clone()
    }

    fn note_end(&self, end: Option<Option<End>>) {
        *self.group.end.lock().expect("nothing panics while it is held") = end;
    }

    /// Where the data of the stopped engine ends. An engine that was killed is asked, which takes
    /// its recovery from the crash.
    async fn find_end(&self) -> Result<Option<End>, Failure> {
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

    /// Looks at the engine as a member of its group.
    pub(super) async fn probe_member(&self) -> Probe {
        let mut probe = self.probe_process();
        if probe.process == ProcessState::Down {
            let end = self.known_end();
            let known = end.as_ref().and_then(Option::as_ref);
            probe.position = known.map(position);
            probe.standing = Some(Standing {
                history: known.map(|end| end.history.clone()).unwrap_or_default(),
                end: end.as_ref().map(|_| known.map_or(0, |end| end.changes)),
                ..Standing::default()
            });
            return probe;
        }
        probe.standing = Some(Standing::default());
        let mut seen = probe.clone();
        let Ok(rows) = self.look.query(STATUS).await else { return probe };
        if self.ask_figures(&mut seen).await.is_none() {
            return probe;
        }
        let status: BTreeMap<String, String> = rows
            .iter()
            .filter_map(|row| Some((text(row, "Variable_name")?, text(row, "Value")?)))
            .collect();
        let standing = self.standing(&status);
        let changes = status.get("wsrep_last_committed").and_then(|text| text.parse().ok());
        seen.position = changes.map(|offset| Position { timeline: 0, offset });
        seen.in_recovery = Some(false);
        seen.is_end_known = true;
        if standing.ready {
            seen.figures.refuses_data = self.watch_room().await;
        }
        seen.standing = Some(standing);
        self.add_slow(&mut seen).await;
        seen.settings = self.look_at_settings().await;
        seen
    }

    fn standing(&self, status: &BTreeMap<String, String>) -> Standing {
        let word = |name: &str| status.get(name).map(String::as_str).unwrap_or_default();
        let in_quorum =
            word("wsrep_cluster_status") == "Primary" && word("wsrep_connected") == "ON";
        let addresses = word("wsrep_incoming_addresses").split(',');
        let hosts = addresses.filter_map(|address| Some(address.trim().rsplit_once(':')?.0));
        Standing {
            state: word("wsrep_local_state_comment").to_owned(),
            in_quorum,
            // One that others copy from serves as before.
            ready: in_quorum
                && word("wsrep_ready") == "ON"
                && matches!(word("wsrep_local_state"), "2" | "4"),
            peers: hosts.filter_map(|host| self.member_at(host)).collect(),
            history: word("wsrep_cluster_state_uuid").to_owned(),
            end: None,
        }
    }

    /// Begins the group with the data here.
    pub(super) async fn begin_group(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.stop_server().await?;
        self.write_config(assignment)?;
        let end = self.find_end().await?;
        let mut arguments = vec!["--wsrep-new-cluster".to_owned()];
        if let Some(end) = &end {
            allow_beginning(end)?;
            arguments.push(format!("--wsrep-start-position={}", end.place));
        }
        self.start_member(&arguments).await?;
        info!("the group is begun");
        Ok(())
    }

    /// Joins the group that is there.
    pub(super) async fn join_group(&self, assignment: &Assignment) -> Result<Joined, Failure> {
        self.stop_server().await?;
        self.write_config(assignment)?;
        let has_data = matches!(data_state(), DataState::Present { .. });
        let end = self.find_end().await?;
        if !self.is_somebody_there(assignment).await {
            return Ok(Joined::NobodyThere);
        }
        if !has_data {
            make_new()?;
            put_in_place(None)?;
        }
        let position = end.map(|end| format!("--wsrep-start-position={}", end.place));
        let position: Vec<String> = position.into_iter().collect();
        tokio::select! {
            started = self.start_member(&position) => started?,
            () = self.until_abandoned(assignment) => {
                // It would wait for ever for what it lacks.
                self.kill_server().await?;
                return Ok(Joined::NobodyThere);
            }
        }
        // Data that came from another member is whole once the engine serves it.
        Mark::Complete.set("")?;
        remove(new_root())?;
        Ok(Joined::Member)
    }

    /// Whether another member belongs to the majority, by what its engine says.
    async fn is_somebody_there(&self, assignment: &Assignment) -> bool {
        let password = &assignment.secrets.replication_password;
        let others = assignment.group.members.iter().filter(|one| one.node != assignment.node);
        let mut asked = JoinSet::new();
        for member in others {
            let session = Session::to_member(member, self.port, password);
            asked.spawn(async move {
                let rows = session.query("SHOW GLOBAL STATUS LIKE 'wsrep_cluster_status'").await;
                let said = rows.ok().and_then(|rows| text(rows.first()?, "Value"));
                said.as_deref() == Some("Primary")
            });
        }
        while let Some(answer) = asked.join_next().await {
            if matches!(answer, Ok(true)) {
                return true;
            }
        }
        false
    }

    /// Ends once no other member has had the majority for long.
    async fn until_abandoned(&self, assignment: &Assignment) {
        let mut since = Instant::now();
        while since.elapsed() < ABANDONED_AFTER {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if self.is_somebody_there(assignment).await {
                since = Instant::now();
            }
        }
    }

    /// Starts the engine and waits until it has all that the others have.
    async fn start_member(&self, arguments: &[String]) -> Result<(), Failure> {
        // What it held before says nothing from now on.
        self.note_end(None);
        OS_USER.own_directory(temporary())?;
        self.start(arguments).await?;
        let until = Instant::now() + SYNC_MAX;
        loop {
            let standing = self.probe_member().await.standing.unwrap_or_default();
            if standing.ready {
                return Ok(());
            }
            if self.server().is_none() {
                return Err(self.processes.ended_saying("the engine ended while it joined"));
            }
            if Instant::now() > until {
                return Err(Failure::transient("the engine is not in step with the others"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn position(end: &End) -> Position {
    Position { timeline: 0, offset: end.changes }
}

/// The engine refuses to begin a group with data that others may be ahead of. Whoever ordered it
/// has compared all of them.
fn allow_beginning(end: &End) -> Result<(), Failure> {
    note_state(&data_in(root()), &end.history, "-1", true)
}

/// What an engine with copied data is to know of it: up to where that goes, for it to ask the
/// others for the rest alone.
pub(super) fn note_copied(data: &Path) -> Result<(), Failure> {
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

/// The lines of the configuration file.
pub(super) fn lines(assignment: &Assignment, conf: &Path) -> String {
    let own = assignment.group.member(&assignment.node);
    let (name, address) =
        own.map_or_else(Default::default, |own| (own.name.as_str(), own.address.as_str()));
    let bus = assignment.engine.ports.bus;
    let members = assignment.group.members.iter();
    let members: Vec<String> = members.map(|one| format!("{}:{bus}", one.address)).collect();
    let (members, conf) = (members.join(","), conf.display());
    let (ist, sst) = (bus + 1, bus + 2);
    let kept = (assignment.engine.size.disk.0 >> 24).clamp(64, 2048);
    format!(
        "innodb-autoinc-lock-mode = 2
binlog-format = ROW
wsrep-on = ON
wsrep-provider = {PROVIDER}
wsrep-cluster-name = {cluster}
wsrep-cluster-address = gcomm://{members}
wsrep-node-name = {name}
wsrep-node-address = {address}
wsrep-slave-threads = 4
wsrep-sst-method = mariabackup
wsrep-sst-receive-address = {address}:{sst}
wsrep-sst-auth = mysql:
wsrep-provider-options = \"base_port={bus};gmcast.listen_addr=ssl://0.0.0.0:{bus};\
ist.recv_addr={address}:{ist};socket.ssl=YES;socket.ssl_key={conf}/engine.key;\
socket.ssl_cert={conf}/engine.pem;socket.ssl_ca={conf}/ca.pem;gcache.size={kept}M;\
gcache.recover=yes;pc.recovery=no;pc.wait_prim_timeout=PT10S;evs.keepalive_period=PT0.3S;\
evs.inactive_check_period=PT0.2S;evs.suspect_timeout=PT1.5S;evs.inactive_timeout=PT3S;\
gmcast.peer_timeout=PT1S\"
",
        // A name may have 32 characters and not one more.
        cluster = assignment.cluster.as_str().replace('-', ""),
    )
}

/// How the engine's own script copies to another member, at the end of the file.
pub(super) fn copy_lines(conf: &Path) -> String {
    let conf = conf.display();
    format!(
        "[sst]
encrypt = 4
tkey = {conf}/engine.key
tcert = {conf}/engine.pem
tca = {conf}/ca.pem
"
    )
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
