//! Sessions of clients that outlive a planned change of primary.
//!
//! The endpoint is the server to the client: TLS ends here, and begins anew to the primary. The
//! primary alone says who is let in; what the client shows for that is kept while its session
//! lasts, so that it can enter the next primary too. Commands and answers are passed on as they
//! come; only where each begins and ends is looked at. When a planned change holds clients back, a
//! session pauses between two transactions: what it is beside them is looked at, and made again at
//! the next primary once the client has something to say. What cannot be made again is told to the
//! client, in answer to its next command.
//!
//! A primary that is lost unplanned takes its sessions with it, as it always does.

mod answers;
mod ask;
mod carry;
mod enter;
mod greeting;
mod login;
mod packets;
mod prober;
mod proofs;
mod requests;
mod scan;
mod session;
mod statements;
mod talk;
mod words;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bellwether_contracts::Sessions;
use bellwether_contracts::sessions::Way;
use tokio::net::TcpStream;

pub(crate) use self::prober::MysqlProber;

use self::greeting::Greeting;
use self::session::Session;
use super::session::Session as Engine;
use crate::files::IDENTITY;
use crate::tls::Current;

/// `ER_SERVER_SHUTDOWN`: clients know that trying again may help.
const REFUSED: u16 = 1053;
const STATE: &str = "08S01";

/// Users of our own begin so: they are for the nodes alone.
const OWN_PREFIX: &str = "bellwether_";

/// Connections are counted from here on, for their clients: no engine comes to such numbers.
const FIRST_ID: u32 = 1 << 31;

/// Numbers that clients know their connections by, and the primary's.
type Ids = Arc<Mutex<HashMap<u32, u32>>>;

/// The sessions that one endpoint leads.
pub(crate) struct MysqlSessions {
    tls: Current,
    /// The node's own engine, which knows what is kept of users' passwords.
    engine: Engine,
    /// What the last primary said first.
    greeting: Mutex<Option<Greeting>>,
    last_id: AtomicU32,
    ids: Ids,
}

impl Default for MysqlSessions {
    fn default() -> Self {
        Self {
            tls: Current::of(IDENTITY, &[]),
            engine: Engine::local(),
            greeting: Mutex::default(),
            last_id: AtomicU32::new(0),
            ids: Ids::default(),
        }
    }
}

impl MysqlSessions {
    fn next_id(&self) -> u32 {
        FIRST_ID | self.last_id.fetch_add(1, Ordering::Relaxed)
    }
}

#[async_trait]
impl Sessions for MysqlSessions {
    fn refusal(&self, words: &str) -> Vec<u8> {
        packets::packet(0, &packets::error(REFUSED, STATE, words))
    }

    async fn is_ready(&self) -> bool {
        self.tls.ends().is_some()
    }

    async fn lead(&self, client: TcpStream, way: Arc<dyn Way>) {
        if let Ok(came) = self.let_in(client, way.as_ref()).await {
            let (session, entered) = Session::new(self, came, way);
            session.run(entered).await;
        }
    }
}
