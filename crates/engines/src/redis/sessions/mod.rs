//! Sessions of clients that outlive a planned change of primary, and an unplanned one when they
//! have nothing under way.
//!
//! TLS ends at the endpoint and begins anew to the primary. Requests and answers are passed on as
//! they come; only where each begins and ends is looked at, and what a session sets of itself (its
//! user, its database, its name) is remembered to be said again to the next primary. Between two
//! requests a session can go on elsewhere; within a transaction, or while it waits or listens, it
//! cannot: it is let end, or told why it is ended.

mod prober;
mod scan;
mod session;
mod talk;

use std::sync::Arc;

use async_trait::async_trait;
use bellwether_contracts::sessions::{Sessions, Way};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tracing::debug;

pub use self::prober::RedisProber;
use self::session::Session;
use crate::files::IDENTITY;
use crate::tls::Current;

/// The sessions that one endpoint leads.
pub struct RedisSessions {
    tls: Current,
}

impl Default for RedisSessions {
    fn default() -> Self {
        Self { tls: Current::of(IDENTITY, &[]) }
    }
}

#[async_trait]
impl Sessions for RedisSessions {
    fn refusal(&self, words: &str) -> Vec<u8> {
        format!("-MASTERDOWN {words}\r\n").into_bytes()
    }

    async fn is_ready(&self) -> bool {
        self.tls.ends().is_some()
    }

    async fn lead(&self, client: TcpStream, way: Arc<dyn Way>) {
        let Some(tls) = self.tls.ends() else { return };
        let client = match tls.acceptor.accept(client).await {
            Ok(client) => client,
            Err(error) => return debug!("a client did not get in: {error}"),
        };
        let mut session = Session::new(client, way, &tls.connector);
        if let Some(words) = session.run().await {
            let _ = session.client.write_all(format!("-{words}\r\n").as_bytes()).await;
        }
        let _ = session.client.shutdown().await;
    }
}
