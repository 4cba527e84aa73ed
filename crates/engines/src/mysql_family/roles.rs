//! Following, and being primary.

use bellwether_contracts::Failure;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use tracing::warn;

use super::clients;
use super::driver::{FamilyDriver, Hands};
use super::history::row;
use super::node::{own, term};
use super::place::Mark;
use super::probes::keep_prober;
use super::replication::LET_GO_MAX;
use super::session::Session;

impl<H: Hands> FamilyDriver<H> {
    /// Starts the engine as a replica.
    pub(super) async fn start_following(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        Mark::Replica.set("")?;
        Mark::HandedOver.clear()?;
        self.start(assignment).await?;
        if let Err(failure) = self.0.adopt(assignment).await {
            // It is not what it shall be, and is looked at by nobody before it is.
            self.0.kill_server().await?;
            return Err(failure);
        }
        self.0.apply_received().await?;
        self.follow_member(assignment, upstream).await
    }

    async fn start(&self, assignment: &Assignment) -> Result<(), Failure> {
        self.0.write_config(assignment)?;
        self.0.start(&self.0.arguments(assignment)?).await
    }

    /// Makes the running engine follow that member, or nobody.
    pub(super) async fn follow_member(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<(), Failure> {
        let hands = &self.0;
        let own = own(assignment)?;
        if !Mark::Replica.is_set() {
            hands.peers.forget();
            run(&hands.act, &H::closing(own)).await?;
            Mark::Replica.set("")?;
            Mark::HandedOver.clear()?;
        }
        let Some(upstream) = upstream else { return hands.let_go().await };
        hands.confirm_or_not(assignment).await?;
        let logged = hands.logged().await?;
        let statements = H::following(assignment, own, upstream, logged);
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        hands.act.execute_within(&statements, LET_GO_MAX).await
    }

    /// Makes a running replica the primary of the assigned term.
    pub(super) async fn become_primary(&self, assignment: &Assignment) -> Result<(), Failure> {
        let hands = &self.0;
        let _opening = hands.begin_opening();
        hands.let_go().await?;
        // Sessions of readers are a replica's.
        clients::end(&hands.act).await?;
        let off = format!("SET GLOBAL {} = OFF", hands.words.confirms_setting);
        hands.act.execute(&[&off]).await?;
        Mark::Replica.clear()?;
        self.open(assignment).await
    }

    /// Starts the engine with a primary's data to accept writes.
    pub(super) async fn start_serving(&self, assignment: &Assignment) -> Result<(), Failure> {
        if Mark::Replica.is_set() {
            return Err(Failure::permanent("a replica's data is promoted, never just started"));
        }
        let _opening = self.0.begin_opening();
        self.start(assignment).await?;
        // Received in an earlier life.
        self.0.act.execute(&[self.0.words.reset]).await?;
        Mark::Unapplied.clear()?;
        self.open(assignment).await
    }

    /// Lets a fenced engine accept writes as the primary of the assigned term.
    pub(super) async fn open(&self, assignment: &Assignment) -> Result<(), Failure> {
        let hands = &self.0;
        let term = term(assignment)?;
        hands.begin_anew();
        let last = hands.logged().await?;
        // Clients cannot write yet, and the row of the term waits for nobody.
        let off = format!("SET GLOBAL {} = OFF", hands.words.requires_setting);
        hands.act.execute(&[&off]).await?;
        run(&hands.act, &H::opening(term)).await?;
        hands.keep_users(assignment).await?;
        if last.timeline != term {
            hands.act.execute(&[&row(term, last)]).await?;
        }
        hands.let_logins_in(assignment).await?;
        if let Err(failure) = keep_prober(&hands.act, assignment).await {
            warn!("{failure}");
        }
        hands.require_confirmations(assignment).await?;
        Mark::HandedOver.clear()?;
        hands.act.execute(&["SET GLOBAL read_only = OFF"]).await?;
        hands.peers.ask(assignment, hands.port);
        Ok(())
    }
}

async fn run(session: &Session, statements: &[String]) -> Result<(), Failure> {
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    session.execute(&statements).await
}
