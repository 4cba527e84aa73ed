//! An engine alone, for a new database or for a copy: nobody but the agent reaches it.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bellwether_contracts::Failure;
use bellwether_protocol::Assignment;
use tokio::process::Child;

use super::Mysql;
use crate::mysql_family::driver::Hands as _;
use crate::mysql_family::place::{
    Mark, conf, data_in, make_new, new_root, put_in_place, socket_directory, socket_file,
};
use crate::mysql_family::{OS_USER, REPLICATION_USER, history, quote};

/// It answers within this time.
const START_MAX: Duration = Duration::from_secs(600);

impl Mysql {
    /// Makes a new, empty database with the cluster's users in place.
    pub(super) async fn make_first(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.kill_server().await?;
        self.write_config(assignment)?;
        make_new()?;
        let data = data_in(new_root());
        let alone = self.start_alone(&data).await?;
        let users = first_users(assignment);
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        let made = self.act.execute(&users).await;
        made.map_err(|_| Failure::transient("the first users could not be made"))?;
        self.stop_alone(alone).await?;
        Mark::Complete.set_in(new_root(), "")?;
        put_in_place(None)
    }

    /// Makes data in that directory and starts an engine over it that only the agent reaches.
    pub(super) async fn start_alone(&self, data: &Path) -> Result<Child, Failure> {
        crate::files::remove(data)?;
        OS_USER.own_directory(data)?;
        let directory = format!("--datadir={}", data.display());
        let mut make = self.processes.command(self.words.program);
        make.args(["--no-defaults", "--initialize-insecure", &directory]);
        self.processes.run(&mut make, "mysqld --initialize-insecure").await?;
        self.run_alone(data).await
    }

    /// Starts an engine over the data in that directory that only the agent reaches. It writes no
    /// log, follows nobody, and knows which transactions there are.
    pub(super) async fn run_alone(&self, data: &Path) -> Result<Child, Failure> {
        let directory = format!("--datadir={}", data.display());
        crate::files::remove(socket_directory())?;
        OS_USER.own_directory(socket_directory())?;
        let mut alone = self
            .processes
            .command(self.words.program)
            .args(["--no-defaults", "--skip-networking", "--skip-log-bin", "--mysqlx=OFF"])
            .args(["--skip-replica-start", "--gtid-mode=ON", "--enforce-gtid-consistency=ON"])
            .args(["--secure-file-priv=NULL", "--plugin-load-add=auth_socket.so;mysql_clone.so"])
            .arg(&directory)
            .arg(format!("--socket={}", socket_file().display()))
            .arg(format!("--pid-file={}/alone.pid", socket_directory().display()))
            .arg(format!("--loose-clone-ssl-ca={}/ca.pem", conf().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::permanent(format!("mysqld: {error}")))?;
        let end = Instant::now() + START_MAX;
        self.act.forget().await;
        while self.act.query("SELECT 1").await.is_err() {
            if matches!(alone.try_wait(), Ok(Some(_))) {
                return Err(Failure::transient("an engine alone ended while it started"));
            }
            if Instant::now() > end {
                return Err(Failure::transient("an engine alone does not come to answer"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(alone)
    }

    /// Stops it in an orderly way.
    pub(super) async fn stop_alone(&self, mut alone: Child) -> Result<(), Failure> {
        self.act.execute(&["SHUTDOWN"]).await?;
        self.act.forget().await;
        match tokio::time::timeout(START_MAX, alone.wait()).await {
            Ok(Ok(ended)) if ended.success() => Ok(()),
            _ => Err(Failure::transient("an engine alone did not stop in an orderly way")),
        }
    }
}

/// The users that every node has, made with the data.
fn first_users(assignment: &Assignment) -> Vec<String> {
    let secrets = &assignment.secrets;
    let user = format!("{}@'%'", quote(&secrets.user));
    let database = secrets.database.replace('`', "``");
    let pattern = database.replace('_', "\\_");
    let replication = quote(&secrets.replication_password);
    let password = quote(&secrets.user_password);
    vec![
        "CREATE DATABASE bellwether".to_owned(),
        history::MAKE.to_owned(),
        format!("CREATE USER '{REPLICATION_USER}'@'%' IDENTIFIED BY {replication} REQUIRE SSL"),
        format!("GRANT REPLICATION CLIENT, BACKUP_ADMIN ON *.* TO '{REPLICATION_USER}'@'%'"),
        format!("GRANT SELECT ON bellwether.* TO '{REPLICATION_USER}'@'%'"),
        format!("CREATE DATABASE `{database}`"),
        format!("CREATE USER {user} IDENTIFIED BY {password} REQUIRE SSL"),
        format!("GRANT ALL PRIVILEGES ON `{pattern}`.* TO {user}"),
        format!("GRANT ALL PRIVILEGES ON `{pattern}\\_%`.* TO {user}"),
        "ALTER USER 'root'@'localhost' IDENTIFIED WITH auth_socket".to_owned(),
    ]
}
