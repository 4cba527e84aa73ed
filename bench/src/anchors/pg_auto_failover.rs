//! pg_auto_failover: a monitor and three nodes, with short times at the monitor; clients name every
//! node and ask for the one that takes writes, as its manual says.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bellwether_testkit::docker::inside;
use bellwether_testkit::wait::until;

use super::containers::{Containers, address, connect};
use super::writer::Open;

const IMAGE: &str = "bellwether/bench-pg-auto-failover";

const READY_MAX: Duration = Duration::from_secs(240);

/// Its programs as the engine's user, with directories of their own.
const AS_POSTGRES: &str = "setpriv --reuid postgres --regid postgres --init-groups env \
    PATH=/usr/lib/postgresql/18/bin:/usr/bin:/bin HOME=/data PGDATA=/data/postgresql \
    XDG_RUNTIME_DIR=/run/autoctl XDG_CONFIG_HOME=/data/config XDG_DATA_HOME=/data/share";

/// The monitor's settings, in milliseconds.
const FAST: [(&str, u32); 6] = [
    ("health_check_period", 1_000),
    ("health_check_timeout", 1_000),
    ("health_check_retry_delay", 500),
    ("health_check_max_retries", 1),
    ("node_considered_unhealthy_timeout", 3_000),
    ("primary_demote_timeout", 3_000),
];

pub(super) struct PgAutoFailover {
    containers: Containers,
    monitor: String,
}

impl PgAutoFailover {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let mut containers = Containers::new("auto")?;
        let monitor = containers.run("monitor", IMAGE, &script("create monitor", "monitor"))?;
        let peer = Self { containers, monitor };
        until("the monitor answers", READY_MAX, || async { peer.state() }).await?;
        let sql = FAST
            .map(|(name, value)| format!("ALTER SYSTEM SET pgautofailover.{name} = {value};\n"));
        let psql = format!(
            "{AS_POSTGRES} psql --quiet --host /run/postgresql --dbname pg_auto_failover <<'END'\n\
             {}SELECT pg_reload_conf();\nEND",
            sql.concat()
        );
        // It has been started once to be made, and may be about to end before it is run.
        until("the monitor takes its settings", READY_MAX, || async {
            inside(&peer.monitor, &psql)
        })
        .await?;
        let mut peer = peer;
        for number in 1..=3 {
            let name = format!("node{number}");
            let create = format!(
                "create postgres --name {name} --monitor \
                 postgres://autoctl_node@monitor:5432/pg_auto_failover"
            );
            peer.containers.run(&name, IMAGE, &script(&create, &name))?;
            // One after the other: the first of them becomes the primary.
            until("the node has registered", READY_MAX, || async {
                ensure!(peer.state()?.lines().any(|line| line.contains(&name)), "{name} has not");
                Ok(())
            })
            .await?;
        }
        peer.whole().await?;
        for number in 1..=3 {
            let reload = format!("{AS_POSTGRES} pg_ctl reload --silent");
            let hba = "echo 'host all all 0.0.0.0/0 trust' >>/data/postgresql/pg_hba.conf";
            let name = peer.containers.name(&format!("node{number}"));
            inside(&name, &format!("{hba} && {reload}"))?;
        }
        Ok(peer)
    }

    fn state(&self) -> anyhow::Result<String> {
        inside(&self.monitor, &format!("{AS_POSTGRES} pg_autoctl show state"))
    }

    /// The nodes' names and the states they have and shall have.
    fn nodes(&self) -> anyhow::Result<Vec<(String, String, String)>> {
        let text = self.state()?;
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect();
        let rows = text.lines().map(cells).filter(|row: &Vec<String>| row.len() >= 7);
        let nodes = rows.filter(|row| row[0].starts_with("node") && row[1].parse::<u32>().is_ok());
        Ok(nodes.map(|row| (row[0].clone(), row[5].clone(), row[6].clone())).collect())
    }

    /// Waits until all three are where they shall be, one of them as primary.
    pub(super) async fn whole(&self) -> anyhow::Result<()> {
        until("pg_auto_failover is whole", READY_MAX, || async {
            let nodes = self.nodes()?;
            let is_settled = |(_, is, shall): &(String, String, String)| {
                is == shall && ["primary", "secondary"].contains(&is.as_str())
            };
            ensure!(nodes.len() == 3 && nodes.iter().all(is_settled), "{nodes:?}");
            ensure!(nodes.iter().any(|(_, is, _)| is == "primary"), "{nodes:?}");
            Ok(())
        })
        .await
    }

    /// The primary's container.
    pub(super) async fn primary(&self) -> anyhow::Result<String> {
        let nodes = self.nodes()?;
        let found = nodes.iter().find(|(_, is, _)| is == "primary");
        let (name, ..) = found.with_context(|| format!("nobody is primary: {nodes:?}"))?;
        Ok(self.containers.name(name))
    }

    pub(super) fn open(&self) -> Open {
        let names: Vec<String> =
            (1..=3).map(|number| self.containers.name(&format!("node{number}"))).collect();
        Box::new(move |attempt| {
            let names = names.clone();
            Box::pin(async move {
                for place in 0..names.len() {
                    let name = &names[(attempt + place) % names.len()];
                    let Ok(address) = address(name) else { continue };
                    let text = format!(
                        "host={address} port=5432 target_session_attrs=read-write \
                         connect_timeout=1"
                    );
                    if let Ok(client) = connect(&text).await {
                        return Ok(client);
                    }
                }
                bail!("no node takes writes")
            })
        })
    }
}

/// Makes what is not there, and runs it. A number of a process from before a kill is no process.
fn script(create: &str, name: &str) -> String {
    format!(
        "rm -rf /run/autoctl; install -d -o postgres /run/autoctl /run/postgresql; \
         [ -d /data/postgresql ] || {AS_POSTGRES} pg_autoctl {create} --auth trust --no-ssl \
         --hostname {name} --pgport 5432; exec {AS_POSTGRES} pg_autoctl run"
    )
}
