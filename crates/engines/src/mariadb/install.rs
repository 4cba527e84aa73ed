//! Making a new, empty database.

use std::path::Path;

use bellwether_contracts::Failure;
use bellwether_protocol::Assignment;

use super::Mariadb;
use crate::mysql_family::driver::Hands as _;
use crate::mysql_family::place::{Mark, data_in, make_new, new_root, put_in_place};
use crate::mysql_family::{REPLICATION_USER, history, quote};

impl Mariadb {
    /// Makes a new, empty database with the cluster's users in place.
    pub(super) async fn make_first(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.kill_server().await?;
        self.write_config(assignment)?;
        make_new()?;
        self.install(new_root()).await?;
        self.run_alone(new_root(), &(first_users(assignment) + copier(assignment))).await?;
        Mark::Complete.set_in(new_root(), "")?;
        put_in_place(None)
    }

    /// Makes a new, empty database in the directory of new data, with nobody but the engine's own
    /// superuser in it.
    async fn install(&self, root: &Path) -> Result<(), Failure> {
        let mut command = self.command("mariadb-install-db");
        command
            .args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=socket"])
            .arg(format!("--datadir={}", data_in(root).display()));
        self.processes.run(&mut command, "mariadb-install-db").await.map(|_| ())
    }

    /// Runs statements in data that no engine serves, without a trace in the log.
    pub(super) async fn run_alone(&self, root: &Path, statements: &str) -> Result<(), Failure> {
        use tokio::io::AsyncWriteExt as _;
        let mut child = self
            .processes
            .command("/usr/sbin/mariadbd")
            .args(["--no-defaults", "--bootstrap", "--skip-networking"])
            .arg(format!("--datadir={}", data_in(root).display()))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::permanent(format!("the first users: {error}")))?;
        if let Some(mut input) = child.stdin.take() {
            let written = input.write_all(statements.as_bytes()).await;
            written.map_err(|error| Failure::transient(format!("the first users: {error}")))?;
        }
        let output = child.wait_with_output().await;
        let output =
            output.map_err(|error| Failure::transient(format!("the first users: {error}")))?;
        let said = String::from_utf8_lossy(&output.stderr);
        // It ends well also after a statement that failed.
        let wrong = said.lines().find(|line| line.contains("ERROR"));
        match wrong {
            Some(_) => Err(Failure::permanent("the first users could not be made")),
            None if output.status.success() => Ok(()),
            None => Err(crate::process::failed("the first users could not be made", &said)),
        }
    }
}

/// Where all nodes accept writes, the engine itself copies to one that joins, as the system's user
/// that it runs as.
fn copier(assignment: &Assignment) -> &'static str {
    if !assignment.multi_primary {
        return "";
    }
    "CREATE USER 'mysql'@'localhost' IDENTIFIED VIA unix_socket;\n\
     GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO 'mysql'@'localhost';\n"
}

/// The users that every node has, made with the data.
fn first_users(assignment: &Assignment) -> String {
    let secrets = &assignment.secrets;
    let user = format!("{}@'%'", quote(&secrets.user));
    let database = secrets.database.replace('`', "``");
    let pattern = database.replace('_', "\\_");
    format!(
        "FLUSH PRIVILEGES;\n\
         DROP USER IF EXISTS 'mysql'@'localhost';\n\
         CREATE USER '{REPLICATION_USER}'@'%' IDENTIFIED BY {replication} REQUIRE SSL;\n\
         GRANT SLAVE MONITOR, BINLOG MONITOR ON *.* TO '{REPLICATION_USER}'@'%';\n\
         CREATE DATABASE bellwether;\n\
         {table};\n\
         GRANT SELECT ON bellwether.* TO '{REPLICATION_USER}'@'%';\n\
         CREATE DATABASE `{database}`;\n\
         CREATE USER {user} IDENTIFIED BY {password} REQUIRE SSL;\n\
         GRANT ALL PRIVILEGES ON `{pattern}`.* TO {user};\n\
         GRANT ALL PRIVILEGES ON `{pattern}\\_%`.* TO {user};\n",
        replication = quote(&secrets.replication_password),
        password = quote(&secrets.user_password),
        table = history::MAKE,
    )
}
