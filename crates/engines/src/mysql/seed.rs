//! Copying the data from another member, by the engine's own `CLONE`.

use std::path::Path;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;

use super::Mysql;
use crate::files::remove;
use crate::mysql_family::driver::Hands as _;
use crate::mysql_family::place::{
    Mark, data_in, is_waiting, make_new, new_root, put_in_place, root,
};
use crate::mysql_family::session::{Session, number};
use crate::mysql_family::{REPLICATION_USER, quote};

/// A copy takes at most so long.
pub(super) const COPY_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Between two looks at how far it is.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The data of the engine that asks for the copy, which is thrown away.
const SCRATCH: &str = "/data/db.scratch";

const PROGRESS: &str = "SELECT CAST(SUM(data) AS UNSIGNED) AS done, \
    CAST(SUM(estimate) AS UNSIGNED) AS bytes FROM performance_schema.clone_progress";

impl Mysql {
    /// Copies the data into a new directory and puts it in the place of the old.
    pub(super) async fn copy_all(
        &self,
        assignment: &Assignment,
        upstream: &Member,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), Failure> {
        self.write_config(assignment)?;
        let order = assignment.copy.as_ref();
        if order.is_some_and(is_waiting) {
            return put_in_place(order);
        }
        // Nothing is removed while there is nothing to copy.
        let password = &assignment.secrets.replication_password;
        Session::to_member(upstream, self.port, password).query("SELECT 1").await?;
        if order.is_some_and(|order| order.erase_first) {
            remove(root())?;
        }
        make_new()?;
        remove(&data_in(new_root()))?;
        self.kill_server().await?;
        let alone = self.start_alone(Path::new(SCRATCH)).await?;
        let copied = self.clone(assignment, upstream, progress).await;
        drop(alone);
        self.kill_server().await?;
        remove(Path::new(SCRATCH))?;
        if let Err(failure) = copied {
            remove(new_root())?;
            return Err(match failure.text.contains("No space left") {
                // Every attempt copies as much as there is room for.
                true => Failure::permanent(
                    "the node's disk is full: it is too small for a copy of the data",
                ),
                false => Failure::transient(format!("the copy failed: {failure}")),
            });
        }
        Mark::Replica.set_in(new_root(), "")?;
        if let Some(order) = order {
            Mark::Copied.set_in(new_root(), &order.token)?;
        }
        Mark::Complete.set_in(new_root(), "")?;
        put_in_place(order)
    }

    /// Lets the engine that runs alone copy.
    async fn clone(
        &self,
        assignment: &Assignment,
        upstream: &Member,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), Failure> {
        let donor = format!("{}:{}", upstream.address, self.port);
        let allow = format!("SET GLOBAL clone_valid_donor_list = {}", quote(&donor));
        self.act.execute(&[&allow]).await?;
        let clone = format!(
            "CLONE INSTANCE FROM '{REPLICATION_USER}'@{host}:{port} IDENTIFIED BY {password} \
             DATA DIRECTORY = {directory} REQUIRE SSL",
            host = quote(&upstream.address),
            port = self.port,
            password = quote(&assignment.secrets.replication_password),
            directory = quote(&data_in(new_root()).to_string_lossy()),
        );
        let copying = self.act.query_within(&clone, COPY_MAX);
        tokio::pin!(copying);
        loop {
            tokio::select! {
                copied = &mut copying => return copied.map(|_| ()),
                () = tokio::time::sleep(LOOK_EVERY) => {
                    let rows = self.look.query(PROGRESS).await.unwrap_or_default();
                    if let Some(row) = rows.first() {
                        let told = |column| number(row, column).unwrap_or_default();
                        progress(told("done"), told("bytes"));
                    }
                }
            }
        }
    }
}
