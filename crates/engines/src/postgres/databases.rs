//! Databases and their users, as they were asked for. All of it is data, which replicas have from
//! their primary.

mod owned;
mod words;

use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_contracts::driver::Kept;
use bellwether_protocol::Assignment;
use bellwether_protocol::databases::{Kind, LoginUse, WantedDatabase, WantedDatabases, WantedUser};
use tokio_postgres::{Client, NoTls, Row};
use tracing::{info, warn};

use self::words::{LOGIN_MARK, Roles, name, text};
use super::{Postgres, REPLICATION_USER, sql};

/// Making a database copies a template, and dropping one waits for a checkpoint.
const STATEMENT_MAX: Duration = Duration::from_secs(60);

const CANCEL_MAX: Duration = Duration::from_secs(1);

/// What is known of a role that somebody may log in as.
struct Known {
    mark: Option<String>,
    /// What is kept of its password.
    stored: Option<String>,
}

/// A connection for work that takes longer than looking may.
struct Hands<'a> {
    sql: &'a sql::Session,
    client: Client,
}

impl Postgres {
    /// Gives the engine what was asked for; what cannot be is told, and keeps nothing else waiting.
    pub(super) async fn give_databases(&self, assignment: &Assignment) -> Result<Kept, Failure> {
        let wanted = &assignment.databases;
        let hands = Hands::open(&self.sql).await?;
        let seen = hands.version().await?;
        if seen > wanted.version {
            return Ok(Kept::later(seen, wanted));
        }
        let secrets = &assignment.secrets;
        let first = (secrets.database.as_str(), secrets.user.as_str());
        let mut kept = Kept { version: wanted.version, ..Kept::default() };
        hands.turn_others_off(wanted).await?;
        for user in wanted.users.iter().filter(|user| user.dropped) {
            kept.note(Kind::User, &user.name, hands.drop_user(user).await);
        }
        for database in wanted.databases.iter().filter(|database| database.dropped) {
            kept.note(Kind::Database, &database.name, hands.drop_database(database).await);
        }
        let roles = Roles::of(first.0, Some(first.1));
        let mut done = Ok(());
        if wanted.users.iter().any(|user| !user.is_first && !user.dropped) {
            done = hands.run(&words::let_in_by_name(first.0)).await;
        }
        if done.is_ok() {
            done = hands.permit(first.0, &roles, None).await;
        }
        kept.note(Kind::Database, first.0, done);
        for database in wanted.databases.iter().filter(|database| !database.dropped) {
            kept.note(Kind::Database, &database.name, hands.make_database(database).await);
        }
        for user in wanted.users.iter().filter(|user| !user.dropped) {
            kept.note(Kind::User, &user.name, hands.give_user(wanted, user, first).await);
        }
        // Said once voters hold all of it, where they have to: it waits for them as clients do.
        let mark = text(&words::version_mark(wanted.version));
        let comment = format!("COMMENT ON ROLE {REPLICATION_USER} IS {mark}");
        hands.run(&format!("SET LOCAL synchronous_commit = on; {comment}")).await?;
        Ok(kept)
    }

    /// Who uses these logins now.
    pub(super) async fn sessions_of(&self, logins: &[String]) -> Result<Vec<LoginUse>, Failure> {
        if logins.is_empty() {
            return Ok(Vec::new());
        }
        let question = format!(
            "SELECT coalesce(usename, '')::text AS login, \
                 coalesce(host(client_addr), '') AS address, \
                 coalesce(application_name, '') AS application, count(*) AS count \
             FROM pg_stat_activity WHERE {} GROUP BY 1, 2, 3",
            words::are_of(logins)
        );
        let read = |row: &Row| LoginUse {
            login: row.get("login"),
            address: row.get("address"),
            application: row.get("application"),
            count: u32::try_from(row.get::<_, i64>("count")).unwrap_or(u32::MAX),
        };
        Ok(self.sql.query(&question).await?.iter().map(read).collect())
    }

    /// Ends the sessions of these logins, and of roles that are dropped.
    pub(super) async fn end_sessions_of(&self, logins: &[String]) -> Result<(), Failure> {
        self.sql.query(&words::end(&words::are_of(logins))).await.map(|_| ())
    }
}

/// What makes the logins of restored data nobody's: their passwords are those of the cluster that
/// was backed up.
pub(super) fn turn_all_off() -> String {
    format!(
        "DO $$ DECLARE login text; BEGIN FOR login IN SELECT rolname FROM pg_catalog.pg_roles \
         WHERE pg_catalog.shobj_description(oid, 'pg_authid') = {} LOOP \
         EXECUTE pg_catalog.format('ALTER ROLE %I NOLOGIN PASSWORD NULL', login); \
         END LOOP; END $$; COMMENT ON ROLE {REPLICATION_USER} IS NULL; ",
        text(LOGIN_MARK)
    )
}

impl<'a> Hands<'a> {
    async fn open(sql: &'a sql::Session) -> Result<Self, Failure> {
        Ok(Self { sql, client: sql.open("postgres", "").await? })
    }

    async fn run(&self, statements: &str) -> Result<(), Failure> {
        run(&self.client, statements).await
    }

    /// Runs statements in another database.
    async fn run_in(&self, database: &str, statements: &str) -> Result<(), Failure> {
        run(&self.sql.open(database, "").await?, statements).await
    }

    async fn ask(&self, question: String) -> Result<Vec<Row>, Failure> {
        ask(&self.client, &question).await
    }

    /// The version of what was asked for that the data has.
    async fn version(&self) -> Result<u64, Failure> {
        let rows = self.ask(format!(
            "SELECT shobj_description(oid, 'pg_authid') AS mark FROM pg_roles \
             WHERE rolname = {}",
            text(REPLICATION_USER)
        ));
        let rows = rows.await?;
        let mark = rows.first().and_then(|row| row.get::<_, Option<String>>("mark"));
        Ok(words::version_of(mark.as_deref()))
    }

    async fn login(&self, login: &str) -> Result<Option<Known>, Failure> {
        let rows = self.ask(format!(
            "SELECT rolpassword AS stored, shobj_description(oid, 'pg_authid') AS mark \
             FROM pg_authid WHERE rolname = {}",
            text(login)
        ));
        let read = |row: &Row| Known { mark: row.get("mark"), stored: row.get("stored") };
        Ok(rows.await?.first().map(read))
    }

    /// Logins of ours that nobody asks for: their end may have been lost with a primary.
    async fn turn_others_off(&self, wanted: &WantedDatabases) -> Result<(), Failure> {
        let rows = self.ask(format!(
            "SELECT rolname::text AS login FROM pg_roles \
             WHERE rolcanlogin AND shobj_description(oid, 'pg_authid') = {}",
            text(LOGIN_MARK)
        ));
        let rows = rows.await?;
        let known = rows.iter().map(|row| row.get::<_, String>("login"));
        for login in known.filter(|login| wanted.logins().all(|other| other != login)) {
            warn!("the login {login} is turned off: nobody asks for it");
            self.run(&words::let_nobody_in(&login)).await?;
        }
        Ok(())
    }

    async fn make_database(&self, database: &WantedDatabase) -> Result<(), Failure> {
        let roles = Roles::of(&database.name, None);
        let known = self.database(&database.name).await?;
        self.run(&roles.make()).await?;
        match known {
            None => {
                info!("making the database {}", database.name);
                let (name, owner) = (name(&database.name), name(&roles.owner));
                self.run(&format!("CREATE DATABASE {name} OWNER {owner}")).await?;
            }
            // One that was just made may not be marked yet.
            Some((owner, mark)) if owner == roles.owner || words::is_of_ours(mark.as_deref()) => {}
            Some((owner, _)) => {
                return Err(Failure::needs_person(format!(
                    "there is a database of that name, which {owner} made in SQL; rename or drop it"
                )));
            }
        }
        self.permit(&database.name, &roles, Some(&database.id)).await
    }

    /// Owner and mark of a database, where it is there.
    async fn database(&self, name: &str) -> Result<Option<(String, Option<String>)>, Failure> {
        let rows = self.ask(format!(
            "SELECT pg_get_userbyid(datdba)::text AS owner, \
                 shobj_description(oid, 'pg_database') AS mark \
             FROM pg_database WHERE datname = {}",
            text(name)
        ));
        Ok(rows.await?.first().map(|row| (row.get("owner"), row.get("mark"))))
    }

    /// Gives the roles of a database their rights; `id` marks one that is ours, and nobody else's.
    async fn permit(&self, database: &str, roles: &Roles, id: Option<&str>) -> Result<(), Failure> {
        let mark = id.map(|id| {
            let mark = text(&words::database_mark(id));
            let marked = format!("COMMENT ON DATABASE {} IS {mark}; ", name(database));
            marked + &words::let_in_nobody_else(database)
        });
        let admit = roles.admit(database);
        self.run(&(roles.make() + &mark.unwrap_or_default() + &admit)).await?;
        let inside = self.sql.open(database, "").await?;
        // Not what belongs to an extension, which has rights of its own.
        let question = "SELECT nspname::text AS name FROM pg_namespace n \
                        WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' \
                        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = n.oid \
                            AND classid = 'pg_namespace'::regclass AND deptype = 'e')";
        let rows = ask(&inside, question).await?;
        let schemas: Vec<String> = rows.iter().map(|row| row.get("name")).collect();
        run(&inside, &roles.permit(&schemas)).await
    }

    /// Drops the very database that was to be dropped, not another of its name.
    async fn drop_database(&self, database: &WantedDatabase) -> Result<(), Failure> {
        if let Some((_, mark)) = self.database(&database.name).await? {
            if mark != Some(words::database_mark(&database.id)) {
                info!("the database {} is another than the one to drop", database.name);
                return Ok(());
            }
            info!("dropping the database {}", database.name);
            self.run(&format!("DROP DATABASE {} WITH (FORCE)", name(&database.name))).await?;
        }
        let roles = Roles::of(&database.name, None);
        for role in [&roles.owner, &roles.writer, &roles.reader] {
            // Nobody logs in as it: one that still owns something elsewhere does no harm.
            if let Err(failure) = self.run(&format!("DROP ROLE IF EXISTS {}", name(role))).await {
                warn!("the role {role} stays: {failure}");
            }
        }
        Ok(())
    }

    /// `first`: the database and the user that are made with the cluster.
    async fn give_user(
        &self,
        wanted: &WantedDatabases,
        user: &WantedUser,
        first: (&str, &str),
    ) -> Result<(), Failure> {
        for login in &user.logins {
            let known = self.login(&login.name).await?;
            let is_made_with_cluster = user.is_first && login.name == user.name;
            let mark = known.as_ref().and_then(|known| known.mark.as_deref());
            if known.is_some() && !is_made_with_cluster && mark != Some(LOGIN_MARK) {
                let login = &login.name;
                return Err(Failure::needs_person(format!(
                    "there is a role {login}, which was made in SQL; rename or drop it"
                )));
            }
            if known.is_some()
                && !is_made_with_cluster
                && let Err(failure) = self.collect_owned(&login.name).await
            {
                warn!("what {} made stays its own for now: {failure}", login.name);
            }
            if known.is_none() && login.password.is_none() {
                continue;
            }
            if known.is_none() {
                self.run(&words::make_login(&login.name)).await?;
            }
            // Also where nobody is let in any more: sessions that go on have the same rights.
            if !is_made_with_cluster {
                self.give_rights(wanted, user, &login.name, first).await?;
            }
            let stored = known.as_ref().and_then(|known| known.stored.as_deref());
            let way = match &login.password {
                Some(password) => words::let_in(&login.name, &password.0, stored),
                None => words::let_nobody_in(&login.name),
            };
            self.run(&way).await?;
        }
        Ok(())
    }

    async fn give_rights(
        &self,
        wanted: &WantedDatabases,
        user: &WantedUser,
        login: &str,
        first: (&str, &str),
    ) -> Result<(), Failure> {
        if user.is_first {
            // The second login of the application's user is that user, whatever it is asked.
            let (login, user) = (name(login), &user.name);
            let (granted, role) = (name(user), text(user));
            let all = format!("GRANT {granted} TO {login}; ALTER ROLE {login} SET role = {role}; ");
            return self.run(&all).await;
        }
        let others = wanted.databases.iter().filter(|database| !database.dropped);
        let others = others.map(|database| (database.name.as_str(), None));
        let databases = std::iter::once((first.0, Some(first.1))).chain(others);
        // One that could not be made, or that its owner dropped, is told by itself.
        let rows = self.ask("SELECT datname::text AS name FROM pg_database".to_owned()).await?;
        let there: Vec<String> = rows.iter().map(|row| row.get("name")).collect();
        let has = self.roles_of(login, first.1).await?;
        let (mut roles, mut then) = (Vec::new(), String::new());
        for (database, owner) in databases.filter(|(name, _)| there.iter().any(|one| one == name)) {
            let grant = user.grants.iter().find(|grant| grant.on == database);
            let of = Roles::of(database, owner);
            let role = grant.map(|grant| of.with(grant.rights).to_owned());
            let is_owner = role.as_deref() == Some(of.owner.as_str());
            then += &words::act_as(login, database, is_owner.then_some(of.owner.as_str()));
            if !is_owner && has.contains(&of.owner) {
                // Its sessions would go on to act as the owner.
                then += &words::end_sessions(login, Some(database));
            }
            roles.extend(role);
        }
        self.run(&(words::memberships(login, &has, &roles) + &then)).await
    }

    /// The roles of databases that a login is a member of.
    async fn roles_of(&self, login: &str, first: &str) -> Result<Vec<String>, Failure> {
        let rows = self.ask(format!(
            "SELECT r.rolname::text AS role FROM pg_auth_members m \
             JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles l ON l.oid = m.member \
             WHERE l.rolname = {} AND (r.rolname LIKE 'bellwether\\_%' OR r.rolname = {})",
            text(login),
            text(first)
        ));
        Ok(rows.await?.iter().map(|row| row.get("role")).collect())
    }
}

async fn run(client: &Client, statements: &str) -> Result<(), Failure> {
    let running = client.batch_execute(statements);
    match tokio::time::timeout(STATEMENT_MAX, running).await {
        Ok(done) => done.map_err(|error| sql::of(&error)),
        Err(_) => {
            // A commit that waits for voters would go on to wait, and keep its connection.
            let token = client.cancel_token();
            let _ = tokio::time::timeout(CANCEL_MAX, token.cancel_query(NoTls)).await;
            Err(Failure::transient("the engine does not answer, or nobody confirms the change"))
        }
    }
}

async fn ask(client: &Client, question: &str) -> Result<Vec<Row>, Failure> {
    match tokio::time::timeout(STATEMENT_MAX, client.query(question, &[])).await {
        Ok(rows) => rows.map_err(|error| sql::of(&error)),
        Err(_) => Err(Failure::transient("the engine does not answer")),
    }
}
