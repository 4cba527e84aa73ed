//! How an endpoint leads clients whose engine's protocol it understands: their sessions go on with
//! the next primary when the change is planned.
//!
//! The endpoint knows the way to the primary; the engine knows what is said on it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bellwether_model::Term;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// An engine's way with the sessions of clients.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// What a client is told that waited in vain for a primary, in the engine's own form.
    fn refusal(&self, words: &str) -> Vec<u8>;

    /// Whether clients can be led so just now. Otherwise their bytes are passed on unread.
    async fn is_ready(&self) -> bool;

    /// Leads one client until its session has ended.
    async fn lead(&self, client: TcpStream, way: Arc<dyn Way>);
}

/// The way to the primary.
#[async_trait]
pub trait Way: Send + Sync {
    /// Reaches the primary, and waits while there is none or a planned change holds clients back.
    async fn reach(&self) -> Reached;

    /// Who leads, whenever that changes.
    fn led(&self) -> watch::Receiver<Led>;

    /// Sessions that may say something to the primary.
    fn open(&self) -> &Count;

    /// How long a client waits for a primary before it is told that there is none.
    fn wait_max(&self) -> Duration;
}

/// What is known of the primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Led {
    /// Counts primaries: sessions with one of an earlier term are over.
    pub term: Term,
    /// A planned change is under way: what a client begins now waits.
    pub is_held: bool,
}

/// A connection to the primary.
pub struct Reached {
    pub stream: TcpStream,
    pub term: Term,
    /// The name that its certificate bears.
    pub name: String,
    /// It is on this same node.
    pub is_here: bool,
    /// Counts the session from before it was looked whether clients are held back.
    pub counted: Counted,
}

/// How many sessions may say something to the primary.
#[derive(Clone, Default)]
pub struct Count(Arc<watch::Sender<usize>>);

/// One of them, until it is dropped.
pub struct Counted(Count);

impl Count {
    #[must_use]
    pub fn begin(&self) -> Counted {
        self.0.send_modify(|count| *count += 1);
        Counted(self.clone())
    }

    #[must_use]
    pub fn watch(&self) -> watch::Receiver<usize> {
        self.0.subscribe()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}
