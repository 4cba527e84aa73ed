//! What every test begins and ends with.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellwether_model::NodeView;
use bellwether_testkit::docker::{container_of, docker};
use bellwether_testkit::wait::until;
use bellwether_testkit::{Api, History, Server, Writer};

/// A cluster that is whole again is so within this.
pub(crate) const WHOLE_MAX: Duration = Duration::from_secs(90);

/// A cluster with two clients that write all the time.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) api: Api,
    /// Through the node of the first primary.
    pub(crate) near: Writer,
    /// Through another node.
    pub(crate) far: Writer,
}

impl Scene {
    pub(crate) async fn start(nodes: u32, mode: &str) -> anyhow::Result<Self> {
        let (server, api) = Server::start().await?;
        api.create("orders", nodes, mode).await?;
        let connection = api.connection("orders").await?;
        let primary = primary(&api).await?;
        let is_near = |address: &String| address.starts_with(&format!("{}:", primary.address));
        let places = &connection.read_write;
        let near = places.iter().position(is_near).context("the primary's own")?;
        let far = places.iter().position(|address| !is_near(address)).context("another's")?;
        let near = Writer::through(connection.clone(), near, "near").await?;
        let far = Writer::through(connection, far, "far").await?;
        far.progress(50).await?;
        Ok(Self { server, api, near, far })
    }

    pub(crate) async fn primary(&self) -> anyhow::Result<NodeView> {
        primary(&self.api).await
    }

    /// Everybody else.
    pub(crate) async fn replicas(&self) -> anyhow::Result<Vec<NodeView>> {
        let primary = self.primary().await?.id;
        let mut nodes = self.api.nodes("orders").await?;
        nodes.retain(|node| node.id != primary);
        Ok(nodes)
    }

    /// Waits until another node than that is primary.
    pub(crate) async fn replaced(&self, former: &NodeView) -> anyhow::Result<()> {
        until("another is primary", WHOLE_MAX, || async {
            let now = self.primary().await?;
            ensure!(now.id != former.id, "it is still {}", now.name);
            Ok(())
        })
        .await
    }

    pub(crate) async fn failovers(&self) -> anyhow::Result<usize> {
        let operations = self.api.operations("orders").await?;
        Ok(operations.iter().filter(|o| o.kind.word() == "failover").count())
    }

    /// Whether the client at the other node was acknowledged something after that moment.
    pub(crate) fn goes_on_after(&self, moment: Instant) -> bool {
        let history = self.far.history();
        history.attempts.iter().any(|attempt| attempt.acknowledged && attempt.began > moment)
    }

    /// The cluster is whole again, takes writes, and nothing it promised to keep is missing.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        assert_eq!(self.end_with_loss().await?, 0, "acknowledged writes are missing");
        Ok(())
    }

    /// The same where some may be missing: how many are.
    pub(crate) async fn end_with_loss(self) -> anyhow::Result<usize> {
        self.api.healthy("orders", WHOLE_MAX).await?;
        self.far.progress(50).await?;
        let (near, near_found) = self.near.stop().await?;
        let (far, far_found) = self.far.stop().await?;
        let lost = [near.lost(&near_found), far.lost(&far_found)];
        println!("lost near and far: {lost:?}");
        assert_eq!(History::overlaps(&[&near, &far]), 0, "two nodes took writes");
        self.server.check_log()?;
        Ok(lost.iter().map(Vec::len).sum())
    }
}

async fn primary(api: &Api) -> anyhow::Result<NodeView> {
    let primary = api.cluster("orders").await?.primary.context("there is no primary")?;
    let nodes = api.nodes("orders").await?;
    nodes.into_iter().find(|node| node.id == primary).context("the primary's node")
}

pub(crate) fn container(node: &NodeView) -> anyhow::Result<String> {
    container_of(node.id.as_str())
}

/// Does this to the node's container: `kill`, `start`, `pause` …
pub(crate) fn act(action: &str, node: &NodeView) -> anyhow::Result<()> {
    docker(&[action, &container(node)?]).map(|_| ())
}

/// Runs for so long while a fault lasts: the fault is the time, not a wait for something.
pub(crate) async fn lasts(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
