//! pgbench, select-only and read-write, with 1 and 8 clients: to the engine's own port, to the
//! gate, through the endpoint of another node, and through HAProxy in TCP mode, in one run.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use bellwether_testkit::docker::{container_of, inside};
use bellwether_testkit::{Server, wait};
use serde_json::json;

use crate::figures::median;
use crate::pgbench::{number, pgbench};

/// Seconds of each measurement.
const SECONDS: &str = "3";

/// Where HAProxy listens, on loopback.
const HAPROXY_PORT: u16 = 17_432;

struct Haproxy(Child);

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) async fn run(runs: usize) -> anyhow::Result<()> {
    let (_server, api) = Server::start().await?;
    api.create("bench", 2, "async").await?;
    let cluster = api.healthy("bench", Duration::from_secs(60)).await?;
    let nodes = api.nodes("bench").await?;
    let primary = cluster.primary.context("a primary")?;
    let own = nodes.iter().find(|node| node.id == primary).context("the primary's node")?;
    let other = nodes.iter().find(|node| node.id != primary).context("a replica's node")?;
    let connection = api.connection("bench").await?;
    // The engine's private port is for members; the host is let in for this measurement only.
    let host = "nft insert rule inet bellwether gate tcp dport 5431 accept";
    inside(&container_of(primary.as_str())?, host)?;
    let directory = tempfile::tempdir()?;
    let _haproxy = start_haproxy(directory.path(), &own.address).await?;
    let ways = [
        ("direct", own.address.clone(), 5431),
        ("gate", own.address.clone(), 5432),
        ("endpoint", other.address.clone(), 5000),
        ("haproxy", "127.0.0.1".to_owned(), HAPROXY_PORT),
    ];
    pgbench(&connection, &ways[1].1, ways[1].2, &["-i", "-q", "-s", "10"])?;
    let mut samples: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for run in 1..=runs {
        for (kind, script) in [("select", "select-only"), ("write", "tpcb-like")] {
            for clients in ["1", "8"] {
                // One way directly after the other, so that what else goes on meets them all.
                for (way, host, port) in &ways {
                    let load = ["-n", "-M", "prepared", "-j", "2", "-T", SECONDS, "-c", clients];
                    let said =
                        pgbench(&connection, host, *port, &[&load[..], &["-b", script]].concat())?;
                    let tps = number(&said, "tps = ")?;
                    let latency = number(&said, "latency average = ")?;
                    println!("run {run}: {kind} {clients} {way}: {tps:.0} tps, {latency} ms");
                    let mut add = |unit: &str, value| {
                        samples
                            .entry(format!("{way}_{kind}_{clients}_{unit}"))
                            .or_default()
                            .push(value);
                    };
                    add("tps", tps.round());
                    add("latency_ms", latency);
                }
            }
        }
    }
    let mut figures: BTreeMap<String, f64> =
        samples.iter().map(|(name, all)| (name.clone(), median(all))).collect();
    let ratio = |over: &str, under: &str| {
        let sums = ["select_1", "select_8", "write_1", "write_8"].map(|kind| {
            figures[&format!("{over}_{kind}_tps")] / figures[&format!("{under}_{kind}_tps")]
        });
        (sums.iter().product::<f64>().powf(0.25) * 1_000.0).round() / 1_000.0
    };
    let (endpoint, gate) = (ratio("endpoint", "haproxy"), ratio("gate", "direct"));
    figures.insert("endpoint_vs_haproxy_ratio".to_owned(), endpoint);
    figures.insert("gate_vs_direct_ratio".to_owned(), gate);
    let mut line = json!({ "bench": "endpoint", "runs": runs });
    for (name, value) in figures {
        line[name] = json!(value);
    }
    println!("{line}");
    Ok(())
}

async fn start_haproxy(directory: &std::path::Path, primary: &str) -> anyhow::Result<Haproxy> {
    let path = directory.join("haproxy.cfg");
    let text = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n\
         listen primary\n bind 127.0.0.1:{HAPROXY_PORT}\n server primary {primary}:5432\n"
    );
    std::fs::write(&path, text)?;
    let child = Command::new("haproxy")
        .arg("-f")
        .arg(&path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("start haproxy; scripts/ensure-postgresql-client installs it")?;
    let haproxy = Haproxy(child);
    wait::until("haproxy listens", Duration::from_secs(5), || async {
        Ok(tokio::net::TcpStream::connect(("127.0.0.1", HAPROXY_PORT)).await?)
    })
    .await?;
    Ok(haproxy)
}
