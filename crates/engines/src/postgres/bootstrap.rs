//! What a new database holds before anybody can reach it: users, and an extension.

use bellwether_contracts::Failure;
use bellwether_protocol::Assignment;

use super::{Postgres, REPLICATION_USER, REWIND_USER, new_data};

/// What `pg_rewind` calls on the node it copies from; its manual lists them.
const REWIND_FUNCTIONS: [&str; 4] = [
    "pg_ls_dir(text, boolean, boolean)",
    "pg_stat_file(text, boolean)",
    "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
];

impl Postgres {
    /// Makes the users in the new database before anybody can reach it, by the engine alone.
    pub(super) async fn create_users(&self, assignment: &Assignment) -> Result<(), Failure> {
        let secrets = &assignment.secrets;
        let quote = |text: &str| text.replace('\'', "''");
        // One statement a line: the engine alone reads to the end of the line.
        let statements = format!(
            "CREATE ROLE {REPLICATION_USER} LOGIN REPLICATION PASSWORD '{replication}'\n\
             CREATE ROLE {REWIND_USER} LOGIN PASSWORD '{rewind}'\n\
             {grants}\
             CREATE ROLE \"{user}\" LOGIN CREATEDB PASSWORD '{password}'\n\
             CREATE DATABASE \"{database}\" OWNER \"{user}\"\n",
            grants = REWIND_FUNCTIONS
                .map(|function| {
                    format!("GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {REWIND_USER}\n")
                })
                .concat(),
            replication = quote(&secrets.replication_password),
            rewind = quote(&secrets.rewind_password),
            user = secrets.user,
            password = quote(&secrets.user_password),
            database = secrets.database,
        );
        self.run_alone("postgres", &statements, "the first users").await
    }

    /// Makes the extension in the application's database.
    pub(super) async fn create_extension(&self, assignment: &Assignment) -> Result<(), Failure> {
        let Some(extension) = &self.flavour.extension else { return Ok(()) };
        let name = extension.name;
        let statements = format!("CREATE EXTENSION IF NOT EXISTS {name}\n");
        let what = format!("the extension {name}");
        self.run_alone(&assignment.secrets.database, &statements, &what).await
    }

    /// Runs statements, one a line, in a database of the new data by the engine alone.
    async fn run_alone(&self, database: &str, statements: &str, what: &str) -> Result<(), Failure> {
        use tokio::io::AsyncWriteExt as _;
        let mut command = self.command("postgres");
        command.args(["--single", "-j", "-D"]).arg(new_data());
        for (name, value) in self.flavour.all_settings() {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let mut child = command
            .args(["-c", "log_statement=none", "-c", "log_min_error_statement=panic"])
            .arg(database)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::permanent(format!("{what}: {error}")))?;
        if let Some(mut input) = child.stdin.take() {
            let text = statements.replace('\n', ";\n\n");
            let written = input.write_all(text.as_bytes()).await;
            written.map_err(|error| Failure::transient(format!("{what}: {error}")))?;
        }
        let output = child.wait_with_output().await;
        let output = output.map_err(|error| Failure::transient(format!("{what}: {error}")))?;
        let said = String::from_utf8_lossy(&output.stderr);
        // It ends well also after a statement that failed.
        let wrong = said.lines().find(|l| l.contains("ERROR") || l.contains("FATAL"));
        match wrong {
            Some(line) => Err(Failure::permanent(format!("{what}: {line}"))),
            None if output.status.success() => Ok(()),
            None => Err(Failure::permanent(format!("{what} could not be made"))),
        }
    }
}
