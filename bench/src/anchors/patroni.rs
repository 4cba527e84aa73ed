//! Patroni on three nodes with three of etcd and HAProxy before them, with the shortest times that
//! Patroni accepts (`ttl` 20, `loop_wait` 1, `retry_timeout` 3).

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellwether_testkit::docker::inside;
use bellwether_testkit::wait::until;

use super::containers::{Containers, address, connect};
use super::writer::Open;

const IMAGE: &str = "bellwether/bench-patroni";

const READY_MAX: Duration = Duration::from_secs(180);

pub(super) struct Patroni {
    containers: Containers,
    /// HAProxy.
    address: String,
}

impl Patroni {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let mut containers = Containers::new("patroni")?;
        for number in 1..=3 {
            containers.run(&format!("etcd{number}"), IMAGE, &etcd(number))?;
        }
        for number in 1..=3 {
            containers.run(&format!("node{number}"), IMAGE, &node(number))?;
        }
        let haproxy = containers.run("haproxy", IMAGE, &haproxy())?;
        let peer = Self { address: address(&haproxy)?, containers };
        peer.whole().await?;
        Ok(peer)
    }

    /// Waits until all three run, one of them as primary.
    pub(super) async fn whole(&self) -> anyhow::Result<()> {
        until("Patroni is whole", READY_MAX, || async {
            self.primary().await?;
            for number in 1..=3 {
                let name = self.containers.name(&format!("node{number}"));
                let state = inside(&name, "curl --silent http://127.0.0.1:8008/")?;
                let is_there = state.contains("\"replication_state\": \"streaming\"")
                    || state.contains("\"role\": \"primary\"");
                ensure!(is_there, "node{number}: {state}");
            }
            Ok(())
        })
        .await
    }

    /// The primary's container.
    pub(super) async fn primary(&self) -> anyhow::Result<String> {
        let asked = "curl --silent --output /dev/null --write-out '%{http_code}' \
                     http://127.0.0.1:8008/primary";
        let names = (1..=3).map(|number| self.containers.name(&format!("node{number}")));
        let found = names.into_iter().find(|name| inside(name, asked).is_ok_and(|s| s == "200"));
        found.context("nobody is primary")
    }

    pub(super) fn open(&self) -> Open {
        let text = format!("host={} port=5000 password=postgres", self.address);
        Box::new(move |_| {
            let text = text.clone();
            Box::pin(async move { connect(&text).await })
        })
    }
}

fn etcd(number: u32) -> String {
    format!(
        "exec etcd --name etcd{number} --data-dir /data/etcd \
         --listen-client-urls http://0.0.0.0:2379 \
         --advertise-client-urls http://etcd{number}:2379 \
         --listen-peer-urls http://0.0.0.0:2380 \
         --initial-advertise-peer-urls http://etcd{number}:2380 --initial-cluster \
         etcd1=http://etcd1:2380,etcd2=http://etcd2:2380,etcd3=http://etcd3:2380"
    )
}

fn node(number: u32) -> String {
    format!(
        r#"cat >/etc/patroni.yml <<'END'
scope: bench
name: node{number}
restapi:
  listen: 0.0.0.0:8008
  connect_address: node{number}:8008
etcd3:
  hosts: [etcd1:2379, etcd2:2379, etcd3:2379]
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 1
    retry_timeout: 3
    maximum_lag_on_failover: 1048576
    postgresql:
      use_pg_rewind: true
      use_slots: true
      parameters: {{wal_log_hints: 'on', max_connections: 100}}
  initdb: [{{encoding: UTF8}}, data-checksums]
postgresql:
  listen: 0.0.0.0:5432
  connect_address: node{number}:5432
  data_dir: /data/postgresql
  bin_dir: /usr/lib/postgresql/17/bin
  pg_hba: ['local all all trust', 'host all,replication all 0.0.0.0/0 scram-sha-256']
  authentication:
    superuser: {{username: postgres, password: postgres}}
    replication: {{username: replication, password: replication}}
  parameters: {{unix_socket_directories: /tmp, shared_buffers: 128MB}}
END
exec setpriv --reuid postgres --regid postgres --init-groups \
  env HOME=/tmp patroni /etc/patroni.yml"#
    )
}

fn haproxy() -> String {
    let servers: String = (1..=3)
        .map(|n| format!("  server node{n} node{n}:5432 check port 8008 resolvers docker\n"))
        .collect();
    format!(
        "cat >/etc/haproxy.cfg <<'END'
defaults
  mode tcp
  retries 2
  timeout client 30m
  timeout connect 4s
  timeout server 30m
  timeout check 5s
resolvers docker
  nameserver docker 127.0.0.11:53
  hold valid 1s
listen primary
  bind *:5000
  option httpchk OPTIONS /primary
  http-check expect status 200
  default-server init-addr libc,none inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
{servers}END
exec haproxy -db -f /etc/haproxy.cfg"
    )
}
