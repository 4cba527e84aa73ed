//! The client that measures how long writes wait.
//!
//! Its writes change nothing: the engine treats them as writes, and refuses them where it would
//! refuse new data, but they are in no log, so that none is told as lost with a primary, and none
//! waits for replicas. MariaDB's copy of the data waits for every commit that does, and a replica
//! that is still to be made by such a copy could never confirm one.

use async_trait::async_trait;
use bellwether_contracts::sessions::Way;
use bellwether_contracts::{Failure, Prober};
use bellwether_model::Term;
use bellwether_protocol::local::Routes;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::MysqlSessions;
use super::ask::ask;
use super::enter::{Entered, Stopped};
use super::greeting::Wish;
use super::packets::error_words;
use super::proofs::Shown;
use crate::mysql_family::probes::{PROBE_USER, TOUCH};

/// Measures one endpoint.
pub(crate) struct MysqlProber {
    sessions: MysqlSessions,
    password: Zeroizing<String>,
    kept: Mutex<Option<Entered>>,
}

impl MysqlProber {
    /// With what these routes tell.
    pub(crate) fn new(routes: &Routes) -> Self {
        Self {
            sessions: MysqlSessions::default(),
            password: Zeroizing::new(routes.probe_password.0.clone()),
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
        let mut shown = Shown::Password(Zeroizing::new(self.password.as_bytes().to_vec()));
        let entered = self.sessions.enter(way, &Wish::of(PROBE_USER), &mut shown, None).await;
        entered.map_err(|stopped| match stopped {
            Stopped::Refused(said) => {
                let words = error_words(&said);
                Failure::transient(format!("the engine does not let the prober in: {words}"))
            }
            _ => Failure::transient("there is no primary"),
        })
    }
}

#[async_trait]
impl Prober for MysqlProber {
    async fn write(&self, way: &dyn Way) -> Result<Term, Failure> {
        let mut session = self.session(way).await?;
        let written = ask(&mut session.server, TOUCH.as_bytes()).await;
        let written = written.map_err(|error| Failure::transient(error.to_string()))?;
        let term = session.term;
        *self.kept.lock().await = Some(session);
        match written {
            Ok(_) => Ok(term),
            Err(said) => Err(Failure::transient(said.words)),
        }
    }

    async fn ended(&self) {
        let mut kept = self.kept.lock().await;
        match kept.as_mut() {
            Some(session) => {
                // What it says unasked is its last word.
                let _ = session.server.read_u8().await;
                *kept = None;
            }
            None => {
                drop(kept);
                std::future::pending().await
            }
        }
    }
}
