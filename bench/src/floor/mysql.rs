//! The floor of MariaDB and MySQL.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_testkit::docker::{docker, inside};
use bellwether_testkit::wait::until;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder, Row, SslOpts};

/// How one of the two is set up by hand.
struct Words {
    image: &'static str,
    install: &'static str,
    server: &'static str,
    client: &'static str,
    follow: &'static str,
    status: &'static str,
    receives: &'static str,
    promote: [&'static str; 2],
}

const MARIADB: Words = Words {
    image: "bellwether/node-mariadb:11.8",
    install: "mariadb-install-db --no-defaults --skip-test-db --datadir=/bare/data \
              --auth-root-authentication-method=normal",
    server: "mariadbd --no-defaults --gtid-strict-mode=ON",
    client: "mariadb",
    follow: "CHANGE MASTER TO MASTER_HOST = '{host}', MASTER_USER = 'bare', \
             MASTER_PASSWORD = 'bare', MASTER_USE_GTID = slave_pos, \
             MASTER_SSL_VERIFY_SERVER_CERT = 0; START SLAVE",
    status: "SHOW SLAVE STATUS",
    receives: "Slave_IO_Running",
    promote: ["STOP SLAVE", "RESET SLAVE ALL"],
};

const MYSQL: Words = Words {
    image: "bellwether/node-mysql:9.7",
    install: "mysqld --no-defaults --initialize-insecure --datadir=/bare/data",
    server: "mysqld --no-defaults --gtid-mode=ON --enforce-gtid-consistency=ON --mysqlx=OFF \
             --secure-file-priv=NULL",
    client: "mysql",
    follow: "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{host}', SOURCE_USER = 'bare', \
             SOURCE_PASSWORD = 'bare', SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 1; START REPLICA",
    status: "SHOW REPLICA STATUS",
    receives: "Replica_IO_Running",
    promote: ["STOP REPLICA", "RESET REPLICA ALL"],
};

/// A container with an engine in it; removed when dropped.
struct Bare {
    words: &'static Words,
    container: String,
    address: String,
}

impl Bare {
    fn start(words: &'static Words, id: u32) -> anyhow::Result<Self> {
        let run = ["run", "--detach", "--rm", "--entrypoint", "sleep", words.image, "600"];
        let container = docker(&run)?;
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let address = docker(&["inspect", "--format", format, &container])?;
        let bare = Self { words, container, address };
        let as_user = "setpriv --reuid=mysql --regid=mysql --clear-groups";
        inside(&bare.container, "install -d -o mysql /bare")?;
        inside(&bare.container, &format!("{as_user} {}", words.install))?;
        let serve = format!(
            "{as_user} {} --datadir=/bare/data --socket=/bare/socket --pid-file=/bare/pid \
             --server-id={id} --log-bin=/bare/binlog --skip-name-resolve >/bare/out 2>&1 &",
            words.server
        );
        inside(&bare.container, &serve)?;
        Ok(bare)
    }

    /// What its superuser says to it.
    fn say(&self, statements: &str) -> anyhow::Result<String> {
        let client = self.words.client;
        let line = ["exec", &self.container, client, "--no-defaults", "--user=root"];
        docker(&[&line[..], &["--socket=/bare/socket", "-e", statements]].concat())
    }

    async fn connect(&self) -> anyhow::Result<Conn> {
        let options = OptsBuilder::default()
            .ip_or_hostname(self.address.clone())
            .user(Some("bare"))
            .pass(Some("bare"))
            .prefer_socket(false)
            .ssl_opts(Some(SslOpts::default().with_danger_accept_invalid_certs(true)));
        Ok(tokio::time::timeout(Duration::from_secs(2), Conn::new(options)).await??)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", "--volumes", &self.container]);
    }
}

pub(super) async fn measure(engine: &str) -> anyhow::Result<f64> {
    let words = if engine == "mysql" { &MYSQL } else { &MARIADB };
    let (primary, replica) = tokio::task::block_in_place(|| {
        anyhow::Ok((Bare::start(words, 1)?, Bare::start(words, 2)?))
    })?;
    let user = "SET sql_log_bin = OFF; CREATE USER bare@'%' IDENTIFIED BY 'bare'; \
                GRANT ALL ON *.* TO bare@'%'";
    for bare in [&primary, &replica] {
        until("the engine answers", Duration::from_secs(30), || async { bare.say(user) }).await?;
    }
    replica.say(&words.follow.replace("{host}", &primary.address))?;
    let mut promoter = replica.connect().await?;
    let mut writer = primary.connect().await?;
    writer.query_drop("CREATE DATABASE bare").await?;
    writer.query_drop("CREATE TABLE bare.written (id BIGINT AUTO_INCREMENT PRIMARY KEY)").await?;
    until("the replica follows", Duration::from_secs(30), || async {
        let mut asking = replica.connect().await?;
        let row: Option<Row> = asking.query_first(words.status).await?;
        let receives = row.and_then(|row| row.get::<String, _>(words.receives));
        ensure!(receives.as_deref() == Some("Yes"), "{receives:?}");
        asking.query_drop("SELECT * FROM bare.written").await?;
        Ok(())
    })
    .await?;
    let container = primary.container.clone();
    let mut kill = tokio::task::spawn_blocking(move || docker(&["kill", &container]));
    let insert = "INSERT INTO bare.written VALUES ()";
    let mut last = Instant::now();
    while matches!(
        tokio::time::timeout(Duration::from_secs(1), writer.query_drop(insert)).await,
        Ok(Ok(()))
    ) {
        last = Instant::now();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for statement in words.promote {
        promoter.query_drop(statement).await?;
    }
    let mut writer = replica.connect().await?;
    writer.query_drop(insert).await.context("the first write")?;
    let gap = last.elapsed();
    (&mut kill).await??;
    Ok(gap.as_secs_f64() * 1_000.0)
}
