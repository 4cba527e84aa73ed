//! Nodes that all accept writes: Galera, in which every transaction is certified by all members of
//! the majority before its client hears of it.
//!
//! No engine begins a group unless its agent was ordered to, once for each term: its configuration
//! names the others, and Galera's own ways of beginning one after a crash are off. Where the data
//! of a stopped engine ends is asked of the engine, so that the group is begun with what is most.

mod config;
mod end;
mod standing;

use std::io::ErrorKind;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bellwether_contracts::Failure;
use bellwether_contracts::driver::{DataState, Joined};
use bellwether_protocol::Assignment;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tracing::info;

use self::end::{End, allow_beginning};
use super::Mariadb;
use crate::files::remove;
use crate::mysql_family::OS_USER;
use crate::mysql_family::driver::Hands as _;
use crate::mysql_family::place::{Mark, data_state, make_new, new_root, put_in_place, temporary};
use crate::mysql_family::session::{Session, text};

pub(super) use self::config::{copy_lines, lines};
pub(super) use self::end::note_copied;

/// A member that was begun or has joined is in step with the others within this time.
const SYNC_MAX: Duration = Duration::from_secs(120);

/// A group that has lost its majority while one joins may find it again within this time.
const ABANDONED_AFTER: Duration = Duration::from_secs(10);

/// Who is before this one has joined within this time, or is not waited for.
const TURN_MAX: Duration = Duration::from_secs(20);

/// Between two looks whether it has.
const LOOK_FOR_TURN_EVERY: Duration = Duration::from_millis(500);

/// A machine that runs says within this time whether its engine does.
const KNOCK_MAX: Duration = Duration::from_millis(500);

/// Between two looks whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is known of a stopped engine's data.
#[derive(Default)]
pub(super) struct Group {
    /// None: it was not looked since the engine ended. Within: there is nothing of any history.
    end: Mutex<Option<Option<End>>>,
}

impl Mariadb {
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
        self.until_its_turn(assignment).await;
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
            asked.spawn(async move { is_there(&session).await });
        }
        while let Some(answer) = asked.join_next().await {
            if matches!(answer, Ok(true)) {
                return true;
            }
        }
        false
    }

    /// Waits while members before this one are still to join: of two that joined at the same
    /// moment, one was seen to wait for its copy for ever.
    async fn until_its_turn(&self, assignment: &Assignment) {
        let until = Instant::now() + TURN_MAX;
        while Instant::now() < until && self.is_somebody_before(assignment).await {
            tokio::time::sleep(LOOK_FOR_TURN_EVERY).await;
        }
    }

    /// Whether a member before this one does not belong to the majority, although its machine runs.
    async fn is_somebody_before(&self, assignment: &Assignment) -> bool {
        let Some(own) = assignment.group.member(&assignment.node) else { return false };
        let password = &assignment.secrets.replication_password;
        let before = assignment.group.members.iter().filter(|one| one.ordinal < own.ordinal);
        for member in before {
            let session = Session::to_member(member, self.port, password);
            if !is_there(&session).await && runs(&member.address, self.port).await {
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

/// Whether a member belongs to the majority, by what its engine says.
async fn is_there(session: &Session) -> bool {
    let rows = session.query("SHOW GLOBAL STATUS LIKE 'wsrep_cluster_status'").await;
    let said = rows.ok().and_then(|rows| text(rows.first()?, "Value"));
    said.as_deref() == Some("Primary")
}

/// Whether there is a machine at that address, with an engine or without.
async fn runs(address: &str, port: u16) -> bool {
    let knock = TcpStream::connect((address, port));
    match tokio::time::timeout(KNOCK_MAX, knock).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => error.kind() == ErrorKind::ConnectionRefused,
        Err(_) => false,
    }
}
