//! The row by whose changes it is measured how long writes wait, and the user who changes it.

use bellwether_contracts::Failure;
use bellwether_protocol::Assignment;
use tracing::info;

use super::quote;
use super::session::{Session, text};

/// Changes that row, and no other.
pub(crate) const PROBE_USER: &str = "bellwether_probe";

/// A write that changes nothing.
pub(crate) const TOUCH: &str = "UPDATE bellwether.probes SET changes = changes WHERE id = 1";

/// Makes the row and the user in the data of a primary that is about to serve, where they are not
/// there.
pub(super) async fn keep_prober(session: &Session, assignment: &Assignment) -> Result<(), Failure> {
    let password = &assignment.secrets.probe_password;
    if password.is_empty() {
        return Ok(());
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, password.as_bytes());
    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let there = session
        .query(
            "SELECT 1 FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = 'bellwether' AND TABLE_NAME = 'probes'",
        )
        .await?;
    if !there.is_empty() {
        let rows = session.query("SELECT user_digest FROM bellwether.probes WHERE id = 1").await?;
        let known = rows.first().and_then(|row| text(row, "user_digest"));
        if known.as_ref() == Some(&digest) {
            return Ok(());
        }
    }
    info!("making the row and the user by which it is measured how long writes wait");
    let (user, password) = (format!("'{PROBE_USER}'@'%'"), quote(password));
    let statements = [
        "CREATE TABLE IF NOT EXISTS bellwether.probes (id INT PRIMARY KEY, \
         changes BIGINT UNSIGNED NOT NULL, user_digest VARCHAR(64) NOT NULL) ENGINE = InnoDB"
            .to_owned(),
        format!("DROP USER IF EXISTS {user}"),
        format!("CREATE USER {user} IDENTIFIED BY {password} REQUIRE SSL"),
        format!("GRANT SELECT (id, changes), UPDATE (changes) ON bellwether.probes TO {user}"),
        format!("REPLACE INTO bellwether.probes VALUES (1, 0, '{digest}')"),
    ];
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    // What the engine says may repeat a statement.
    let made = session.execute(&statements).await;
    made.map_err(|_| Failure::transient("the prober's row and user could not be made"))
}
