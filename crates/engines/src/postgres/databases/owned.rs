//! What logins made as themselves, and their end.

use bellwether_contracts::Failure;
use bellwether_protocol::databases::WantedUser;
use tracing::info;

use super::Hands;
use super::words::{self, LOGIN_MARK, name, text};

/// A lock on a table that clients use is waited for no longer than this.
const LOCK_MAX_MS: u32 = 1_000;

impl Hands<'_> {
    /// The databases in which something names a login, with their owners.
    async fn named_in(&self, login: &str) -> Result<Vec<(String, String)>, Failure> {
        let rows = self.ask(format!(
            "SELECT datname::text AS name, pg_get_userbyid(datdba)::text AS owner \
             FROM pg_database d WHERE datallowconn AND EXISTS (SELECT FROM pg_shdepend \
                 WHERE dbid = d.oid AND refclassid = 'pg_authid'::regclass \
                 AND refobjid = (SELECT oid FROM pg_authid WHERE rolname = {}))",
            text(login)
        ));
        Ok(rows.await?.iter().map(|row| (row.get("name"), row.get("owner"))).collect())
    }

    /// Gives what a login made as itself to the database's owner: a pooler's `DISCARD ALL` ends
    /// that it acts as the owner. Who uses it is not kept waiting for long.
    pub(super) async fn collect_owned(&self, login: &str) -> Result<(), Failure> {
        for (database, owner) in self.named_in(login).await? {
            let (role, owner) = (name(login), name(&owner));
            let all = format!(
                "SET LOCAL lock_timeout = '{LOCK_MAX_MS}ms'; REASSIGN OWNED BY {role} TO {owner}"
            );
            self.run_in(&database, &all).await?;
        }
        Ok(())
    }

    /// Drops the logins of a user. What they made themselves becomes that of the database's owner.
    pub(super) async fn drop_user(&self, user: &WantedUser) -> Result<(), Failure> {
        for login in &user.logins {
            let known = self.login(&login.name).await?;
            if known.is_none_or(|known| known.mark.as_deref() != Some(LOGIN_MARK)) {
                continue;
            }
            info!("dropping the login {}", login.name);
            let role = name(&login.name);
            self.run(&words::let_nobody_in(&login.name)).await?;
            self.run(&words::end_sessions(&login.name, None)).await?;
            for (database, owner) in self.named_in(&login.name).await? {
                let owner = name(&owner);
                let all = format!("REASSIGN OWNED BY {role} TO {owner}; DROP OWNED BY {role}");
                self.run_in(&database, &all).await?;
            }
            self.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await?;
        }
        Ok(())
    }
}
