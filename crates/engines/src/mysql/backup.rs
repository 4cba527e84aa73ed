//! Copies for backups, by the engine's own `CLONE`.

use std::path::Path;

use bellwether_contracts::Failure;
use bellwether_model::Timestamp;

use super::Mysql;
use super::seed::{COPY_MAX, LOOK_EVERY};
use crate::mysql_family::backup::Copied;
use crate::mysql_family::quote;
use crate::mysql_family::session::{Session, number};

/// Whether the copy has come to its last stretch of the log, at whose end is the moment it holds.
const ENDS: &str = "SELECT COUNT(*) AS n FROM performance_schema.clone_progress \
    WHERE STAGE = 'REDO COPY' AND STATE <> 'Not Started'";

impl Mysql {
    /// Copies the running engine's data into that directory.
    pub(super) async fn copy_beside(&self, directory: &Path) -> Result<Copied, Failure> {
        let clone = format!("CLONE LOCAL DATA DIRECTORY = {}", quote(&directory.to_string_lossy()));
        let mut copied = Copied { at: Timestamp::now(), position: self.logged().await? };
        let session = Session::local();
        let copying = session.query_within(&clone, COPY_MAX);
        tokio::pin!(copying);
        loop {
            tokio::select! {
                done = &mut copying => return done.map(|_| copied),
                () = tokio::time::sleep(LOOK_EVERY) => {
                    let (at, position) = (Timestamp::now(), self.logged().await);
                    let rows = self.act.query(ENDS).await.unwrap_or_default();
                    // Until this copy has begun the engine tells of the one before it, whose end
                    // says nothing.
                    let is_before = rows.first().and_then(|row| number(row, "n")) == Some(0);
                    if let (true, Ok(position)) = (is_before, position) {
                        copied = Copied { at, position };
                    }
                }
            }
        }
    }
}
