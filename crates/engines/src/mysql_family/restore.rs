//! A backup becomes this node's data, or is set aside to take its place.

use std::path::Path;
use std::time::Duration;

use bellwether_contracts::repository::Progress;
use bellwether_contracts::{Failure, Repository};
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::RestoreAssignment;
use tracing::{info, warn};

use super::backup::COPY;
use super::databases::{self, turn_all_off};
use super::driver::{FamilyDriver, Hands};
use super::node::Node;
use super::place::{Mark, data_in, former_root, make_new, new_root, put_in_place, root};
use super::session::text;
use super::{OS_USER, REPLICATION_USER, quote};
use crate::backup::{FINGERPRINT, RETURNED, bring, require_room, sync_disk};
use crate::files::{DATA, at, exchange, remove, sync_directory};

/// A statement that changes users.
const ADOPT_MAX: Duration = Duration::from_secs(30);

impl<H: Hands> FamilyDriver<H> {
    /// Brings the data back into a new directory and puts it in place when it is complete.
    pub(super) async fn bring_back(
        &self,
        assignment: &Assignment,
        restore: &RestoreAssignment,
        repository: &dyn Repository,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        let hands = &self.0;
        hands.note_members(assignment);
        hands.kill_server().await?;
        remove(root())?;
        self.fetch(restore, repository, progress).await?;
        hands.write_config(assignment)?;
        put_in_place(None)?;
        info!("restored: backup {}", restore.facts.id);
        Ok(())
    }

    /// Brings a backup's data into the new directory, complete: a replica's that follows nobody.
    /// What the engine has is not touched.
    async fn fetch(
        &self,
        restore: &RestoreAssignment,
        repository: &dyn Repository,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        remove(new_root())?;
        let returned = bring(restore, repository, progress, OS_USER).await?;
        make_new()?;
        let data = data_in(new_root());
        remove(&data)?;
        for (from, to) in [
            (returned.join(COPY), data.clone()),
            (returned.join(FINGERPRINT), new_root().join(FINGERPRINT)),
        ] {
            std::fs::rename(&from, &to).map_err(|e| at(&from, &e))?;
        }
        remove(Path::new(RETURNED))?;
        if let Some(log) = &restore.log {
            self.bring_log(&restore.facts, log, repository, progress).await?;
        }
        if let Some(place) = H::begins_at(&data)? {
            Mark::BeginsAt.set_in(new_root(), &place)?;
        }
        Mark::Restored.set_in(new_root(), "")?;
        Mark::Replica.set_in(new_root(), "")?;
        sync_disk()?;
        Mark::Complete.set_in(new_root(), "")
    }

    /// Sets a backup's data aside, complete, while the engine goes on with its own; without a
    /// backup, makes what is aside ready to be that again.
    pub(super) async fn set_aside(
        &self,
        token: &str,
        source: Option<(&RestoreAssignment, &dyn Repository)>,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        let Some((restore, repository)) = source else {
            if Mark::Complete.read_in(former_root()).is_none() {
                return Err(Failure::permanent("the data that was replaced is not here any more"));
            }
            // Its promotion begins a history of its own.
            Mark::Replica.set_in(former_root(), "")?;
            return Mark::Brought.set_in(former_root(), token);
        };
        remove(former_root())?;
        require_room(restore.facts.size)?;
        self.fetch(restore, repository, progress).await?;
        Mark::Brought.set_in(new_root(), token)?;
        std::fs::rename(new_root(), former_root()).map_err(|e| at(former_root(), &e))?;
        sync_directory(Path::new(DATA))
    }

    /// Puts what is aside under this token in the place of the data, which is aside then.
    pub(super) async fn exchange_data(
        &self,
        assignment: &Assignment,
        token: &str,
    ) -> Result<(), Failure> {
        let hands = &self.0;
        hands.note_members(assignment);
        hands.kill_server().await?;
        let bears = |root| Mark::Brought.read_in(root).is_some_and(|found| found == token);
        if !bears(root()) {
            if !bears(former_root()) {
                return Err(Failure::permanent("what was to take the data's place is not here"));
            }
            exchange(former_root(), root())?;
        }
        hands.forget_seen();
        hands.write_config(assignment)?;
        info!("the data was exchanged with what was aside");
        Ok(())
    }
}

impl Node {
    /// Makes restored data, which the engine serves nobody yet, that of the cluster that it is now:
    /// its users, and nobody to follow. The log does not tell of it: whoever follows is copied to.
    pub(super) async fn adopt(&self, assignment: &Assignment) -> Result<(), Failure> {
        if !Mark::Restored.is_set() {
            return Ok(());
        }
        let rows = self.act.query(self.words.users).await?;
        let known = rows.iter().filter_map(|row| text(row, "name"));
        let mut statements = vec!["SET SESSION sql_log_bin = OFF".to_owned()];
        statements.extend(self.words.unfence.map(|[off, _]| off.to_owned()));
        // Whom the node followed that it was copied from.
        statements.push(self.words.reset.to_owned());
        statements.extend(known.map(|name| format!("DROP USER '{name}'@'%'")));
        statements.extend(turn_all_off(self.words.lock_logins));
        statements.extend(users(assignment));
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        let adopted = self.act.execute_within(&statements, ADOPT_MAX).await;
        // Whatever happened: the session does not log, and the engine is no longer fenced.
        self.act.forget().await;
        // What the engine says may repeat a statement with a password.
        let fit = "the users of the restored data cannot be given their passwords";
        adopted.map_err(|_| Failure::transient(fit))?;
        if let Some([_, on]) = self.words.unfence {
            self.act.execute(&[on]).await?;
        }
        Mark::LoginsOff.set("")?;
        Mark::Restored.clear()
    }

    /// Lets in the logins that are asked for before restored data is served: nobody of them is to
    /// be turned away in between.
    pub(super) async fn let_logins_in(&self, assignment: &Assignment) -> Result<(), Failure> {
        if !Mark::LoginsOff.is_set() {
            return Ok(());
        }
        if assignment.databases.version > 0
            && let Err(failure) = databases::give(self.words, assignment).await
        {
            warn!("the databases and users come later: {failure}");
        }
        Mark::LoginsOff.clear()
    }
}

/// What makes the users of restored data those of the cluster that it is now. The application's own
/// users stay as they were.
fn users(assignment: &Assignment) -> Vec<String> {
    let secrets = &assignment.secrets;
    let user = format!("{}@'%'", quote(&secrets.user));
    let pattern = secrets.database.replace('`', "``").replace('_', "\\_");
    let of = |user: &str, password: &str| {
        let password = quote(password);
        [
            format!("CREATE USER IF NOT EXISTS {user} IDENTIFIED BY {password} REQUIRE SSL"),
            format!("ALTER USER {user} IDENTIFIED BY {password} REQUIRE SSL ACCOUNT UNLOCK"),
        ]
    };
    let ours = format!("'{REPLICATION_USER}'@'%'");
    let mut all: Vec<String> = of(&ours, &secrets.replication_password).into();
    all.extend(of(&user, &secrets.user_password));
    all.push(format!("GRANT ALL PRIVILEGES ON `{pattern}`.* TO {user}"));
    all.push(format!("GRANT ALL PRIVILEGES ON `{pattern}\\_%`.* TO {user}"));
    all
}
