//! Who has to confirm a commit.
//!
//! The engine takes the confirmation of whichever replica sends one, so voters alone may send any.
//! A member that is no voter, and of which it is not known that it confirms nothing, is not let in:
//! each member replicates as a user of its own, which is locked meanwhile.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_model::NodeId;
use bellwether_model::group::GroupConfig;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use tokio::task::JoinSet;

use super::node::Node;
use super::place::Mark;
use super::session::{number, text};
use super::stand_in::{LogPlace, stand_in};
use super::{quote, replication_user};

/// A stream begins anew within this time.
const AGAIN_MAX: Duration = Duration::from_secs(5);

/// A commit that waits for so long may wait in vain.
const WAIT_MS: u32 = 300;

impl Node {
    /// One user for each other member, none for those who are none any more. Each node has its own,
    /// which its log does not tell.
    pub(crate) async fn keep_users(&self, assignment: &Assignment) -> Result<(), Failure> {
        let password = quote(&assignment.secrets.replication_password);
        let others = assignment.group.members.iter().filter(|m| m.node != assignment.node);
        let wanted: Vec<String> = others.map(replication_user).collect();
        let rows = self.act.query(self.words.users).await?;
        let known: Vec<String> = rows.iter().filter_map(|row| text(row, "name")).collect();
        let unfence = self.words.unfence.filter(|_| Mark::Replica.is_set());
        let mut statements = vec!["SET SESSION sql_log_bin = OFF".to_owned()];
        statements.extend(unfence.map(|[off, _]| off.to_owned()));
        let least = statements.len();
        for name in known.iter().filter(|name| !wanted.contains(name)) {
            statements.push(format!("DROP USER IF EXISTS '{name}'@'%'"));
        }
        for name in wanted.iter().filter(|name| !known.contains(name)) {
            statements
                .push(format!("CREATE USER '{name}'@'%' IDENTIFIED BY {password} REQUIRE SSL"));
            statements.push(format!("GRANT REPLICATION SLAVE ON *.* TO '{name}'@'%'"));
        }
        if statements.len() == least {
            return Ok(());
        }
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        let made = self.act.execute(&statements).await;
        // Whatever happened: the session goes on logging, and a replica is fenced.
        self.act.forget().await;
        if let Some([_, on]) = unfence {
            self.act.execute(&[on]).await?;
        }
        made
    }

    /// Whether commits wait for a confirmation, as the configuration has it.
    pub(crate) async fn require_confirmations(
        &self,
        assignment: &Assignment,
    ) -> Result<(), Failure> {
        let (acks, setting) = (config(assignment).acks, self.words.requires_setting);
        let required = acks > 0;
        let rows = self.act.query(&format!("SELECT @@global.{setting} AS enabled")).await?;
        let is_required = rows.first().and_then(|row| number(row, "enabled")) == Some(1);
        if let Some(count) = self.words.count_setting.filter(|_| required) {
            self.act.execute(&[&format!("SET GLOBAL {count} = {acks}")]).await?;
        }
        if required == is_required {
            return Ok(());
        }
        let value = if required { "ON" } else { "OFF" };
        self.act.execute(&[&format!("SET GLOBAL {setting} = {value}")]).await
    }

    /// Whether this replica confirms what it receives: voters do where the configuration asks for
    /// it, and have what they confirm on the disk.
    pub(crate) async fn confirm_or_not(&self, assignment: &Assignment) -> Result<(), Failure> {
        let config = config(assignment);
        let setting = self.words.confirms_setting;
        let confirms = config.acks > 0 && config.voters.contains(&assignment.node);
        let rows = self.act.query(self.words.confirms).await?;
        let said = |column: &str| rows.first().and_then(|row| text(row, column));
        let is_confirming = said("enabled").is_some_and(|enabled| enabled != "0");
        // Until its stream begins anew it may confirm all the same, and is not let in for that.
        let still_confirms = !confirms && said("status").is_some_and(|status| status == "ON");
        if confirms == is_confirming && !still_confirms {
            return Ok(());
        }
        let (value, sync) = if confirms { ("ON", 1) } else { ("OFF", 10_000) };
        self.act
            .execute(&[
                &format!("SET GLOBAL sync_relay_log = {sync}"),
                &format!("SET GLOBAL {setting} = {value}"),
            ])
            .await?;
        // Said to the upstream when a stream begins, and settled when one is first tried.
        if self.replication().await?.is_connecting {
            let again = [self.words.stop_receiving, self.words.start_receiving];
            self.act.execute_within(&again, AGAIN_MAX).await?;
        }
        Ok(())
    }

    /// Whether the settings of the newest configuration are active, nobody but its voters can
    /// confirm, and every voter has passed the place at which that became so.
    pub(crate) async fn is_armed(&self, assignment: &Assignment) -> Result<bool, Failure> {
        self.peers.ask(assignment, self.port);
        let config = config(assignment);
        self.require_confirmations(assignment).await?;
        let others = || assignment.group.members.iter().filter(|m| m.node != assignment.node);
        for member in others() {
            self.keep_lock(member, self.may_confirm(assignment, member)).await?;
        }
        if !assignment.group.config.confirms() {
            return Ok(true);
        }
        let now = self.logged().await?.offset;
        let mark = {
            let mut armed = self.armed.lock().expect("nothing panics while it is held");
            match armed.filter(|(version, _)| *version == config.version) {
                Some((_, mark)) => mark,
                None => armed.insert((config.version, now)).1,
            }
        };
        let followers = self.peers.followers(0);
        let has_passed = |voter: &NodeId| {
            let confirms =
                config.acks == 0 || self.peers.said(voter).is_some_and(|said| said.confirms);
            let mut followers = followers.iter().filter(|follower| follower.node == *voter);
            confirms && followers.any(|follower| follower.flushed.offset >= mark)
        };
        if config.acks > 0 && config.voters.iter().any(has_passed) {
            let is_first = self.released.swap(config.version, Ordering::Relaxed) != config.version;
            self.release_waiting(assignment, if is_first { 0 } else { WAIT_MS }).await?;
        }
        Ok(config.voters.iter().all(has_passed))
    }

    /// A commit that a voter received before it confirmed anything, or whose confirmation was lost,
    /// waits for good, and in MariaDB's log there is room for one more behind it: the engine is
    /// told what voters hold.
    async fn release_waiting(&self, assignment: &Assignment, since_ms: u32) -> Result<(), Failure> {
        let waiting = format!(
            "SELECT COUNT(*) AS waiting FROM information_schema.PROCESSLIST p \
             WHERE p.STATE LIKE 'Waiting for semi-sync ACK%' AND {} >= {since_ms}",
            self.words.running_ms
        );
        let rows = self.act.query(&waiting).await?;
        let is_waiting = rows.first().and_then(|row| number(row, "waiting")).unwrap_or(0) > 0;
        let Some((place, ids)) = self.held(assignment).filter(|_| is_waiting) else {
            return Ok(());
        };
        if self.is_standing_in.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let is_standing_in = self.is_standing_in.clone();
        let introduction = self.words.introduction;
        tokio::spawn(async move {
            let one = |id| stand_in(introduction, id, place.clone());
            for told in ids.into_iter().map(one).collect::<JoinSet<_>>().join_all().await {
                if let Err(failure) = told {
                    tracing::warn!("what waits for a confirmation: {failure}");
                }
            }
            is_standing_in.store(false, Ordering::Relaxed);
        });
        Ok(())
    }

    /// Up to where in this node's log as many voters as have to confirm hold everything, and
    /// server ids that stand for them: no engine has one of these.
    fn held(&self, assignment: &Assignment) -> Option<(LogPlace, Vec<u32>)> {
        let config = config(assignment);
        let held = config.voters.iter().filter_map(|voter| {
            let member = assignment.group.member(voter)?;
            let place = self.peers.said(voter)?.holds()?.clone();
            Some((place, u32::MAX - member.ordinal))
        });
        let mut held: Vec<(LogPlace, u32)> = held.collect();
        held.sort_unstable_by(|one, other| other.cmp(one));
        held.truncate(config.acks as usize);
        let least = held.last().filter(|_| held.len() == config.acks as usize);
        let place = least.map(|(place, _)| place.clone())?;
        Some((place, held.into_iter().map(|(_, id)| id).collect()))
    }

    /// Whether that member may not be let in: it is no voter and may confirm.
    fn may_confirm(&self, assignment: &Assignment, member: &Member) -> bool {
        let config = config(assignment);
        let is_voter = config.voters.contains(&member.node);
        let said = self.peers.said(&member.node);
        config.acks > 0 && !is_voter && !said.is_some_and(|said| said.never_confirms)
    }

    /// Locks a member's user and ends its stream, or lets it in.
    async fn keep_lock(&self, member: &Member, lock: bool) -> Result<(), Failure> {
        let known = {
            let locks = self.locks.lock().expect("nothing panics while it is held");
            locks.get(&member.node).copied()
        };
        if known == Some(lock) {
            return Ok(());
        }
        let user = replication_user(member);
        let word = if lock { "LOCK" } else { "UNLOCK" };
        let alter = format!("ALTER USER '{user}'@'%' ACCOUNT {word}");
        self.unlogged(&alter).await?;
        if lock {
            self.end_streams(&user).await?;
        }
        let mut locks = self.locks.lock().expect("nothing panics while it is held");
        locks.insert(member.node.clone(), lock);
        Ok(())
    }

    /// Runs a statement that concerns this node alone.
    pub(super) async fn unlogged(&self, statement: &str) -> Result<(), Failure> {
        let off = "SET SESSION sql_log_bin = OFF";
        let result = self.act.execute(&[off, statement]).await;
        let again = self.act.execute(&["SET SESSION sql_log_bin = ON"]).await;
        if again.is_err() {
            self.act.forget().await;
        }
        result
    }

    /// Ends what that user receives.
    async fn end_streams(&self, user: &str) -> Result<(), Failure> {
        let listing = format!(
            "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = {}",
            quote(user)
        );
        for row in self.act.query(&listing).await? {
            let Some(id) = number(&row, "id") else { continue };
            // One that has ended by itself is no failure.
            let _ = self.act.query(&format!("KILL CONNECTION {id}")).await;
        }
        Ok(())
    }

    /// What was known of an earlier life as a primary is not any more.
    pub(crate) fn begin_anew(&self) {
        self.is_refusing.store(false, Ordering::Relaxed);
        self.released.store(0, Ordering::Relaxed);
        self.locks.lock().expect("nothing panics while it is held").clear();
        *self.armed.lock().expect("nothing panics while it is held") = None;
    }
}

/// Whose confirmations commits wait for. While the configuration changes they are the next one's:
/// what is acknowledged under either is covered, for an election has to satisfy both.
fn config(assignment: &Assignment) -> &GroupConfig {
    let joint = &assignment.group.config;
    joint.next.as_ref().unwrap_or(&joint.current)
}
