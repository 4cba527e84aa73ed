//! The client that measures how long writes wait.
//!
//! Its write is a message in the log that belongs to a transaction: durable and confirmed by
//! replicas as every commit, and nobody's data; no table is touched, and no room is taken but in
//! the log. Where the engine refuses new data it refuses this too.

use async_trait::async_trait;
use bellwether_contracts::sessions::Way;
use bellwether_contracts::{Failure, Prober};
use bellwether_model::Term;
use bellwether_protocol::local::Routes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;

use super::PostgresSessions;
use super::enter::{Entered, Stopped};
use super::login::Startup;
use super::messages::{Message, query};
use super::scram::Shown;
use crate::postgres::{PROBE_PREFIX, PROBE_USER};

/// Measures one endpoint.
pub struct PostgresProber {
    sessions: PostgresSessions,
    startup: Startup,
    shown: Shown,
    kept: Mutex<Option<Entered>>,
}

impl PostgresProber {
    /// With what these routes tell.
    #[must_use]
    pub fn new(routes: &Routes) -> Self {
        let parameters = [
            ("user", PROBE_USER),
            ("database", "postgres"),
            ("application_name", "bellwether-prober"),
        ];
        Self {
            sessions: PostgresSessions::new(routes.private_port),
            startup: Startup::of(&parameters),
            shown: Shown::by(&routes.probe_password.0),
            kept: Mutex::default(),
        }
    }

    /// A session with the primary that leads now.
    async fn session(&self, way: &dyn Way) -> Result<Entered, Failure> {
        let kept = self.kept.lock().await.take();
        let led = way.led().borrow().term;
        if let Some(kept) = kept.filter(|kept| kept.term >= led) {
            return Ok(kept);
        }
        let entered = self.sessions.enter(way, &self.startup, &self.shown).await;
        entered.map_err(|stopped| match stopped {
            Stopped::Refused(_) => Failure::transient("the engine does not let the prober in"),
            Stopped::NoPrimary => Failure::transient("there is no primary"),
        })
    }
}

#[async_trait]
impl Prober for PostgresProber {
    async fn write(&self, way: &dyn Way) -> Result<Term, Failure> {
        let mut session = self.session(way).await?;
        let is_taken = write(&mut session).await;
        let is_taken = is_taken.map_err(|error| Failure::transient(error.to_string()))?;
        let term = session.term;
        *self.kept.lock().await = Some(session);
        match is_taken {
            true => Ok(term),
            false => Err(Failure::transient("the engine refuses new data")),
        }
    }

    async fn ended(&self) {
        let mut kept = self.kept.lock().await;
        match kept.as_mut() {
            Some(session) => {
                let mut said = [0; 256];
                // What it says unasked is seldom more than its last word; whoever has said
                // something else is entered anew.
                let _ = session.server.read(&mut said).await;
                *kept = None;
            }
            None => {
                drop(kept);
                std::future::pending().await
            }
        }
    }
}

/// Whether it was taken; an error when the session is over.
async fn write(session: &mut Entered) -> std::io::Result<bool> {
    let statement = format!(
        "SELECT CASE current_setting('transaction_read_only') WHEN 'off' \
         THEN pg_catalog.pg_logical_emit_message(true, '{PROBE_PREFIX}', '') END"
    );
    session.server.write_all(&query(statement.as_bytes())).await?;
    session.server.flush().await?;
    let mut is_taken = false;
    loop {
        let said = Message::read(&mut session.server).await?;
        match said.kind {
            b'D' => {
                let columns = said.columns().unwrap_or_default();
                is_taken = columns.first().is_some_and(Option::is_some);
            }
            b'E' => is_taken = false,
            b'Z' => return Ok(is_taken),
            _ => {}
        }
    }
}
