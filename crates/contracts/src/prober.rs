//! One client of ours at every endpoint, so that it is known how long writes really wait.
//!
//! The endpoint knows the way and keeps the time; the engine knows how a write is made that is
//! nobody's data.

use async_trait::async_trait;
use bellwether_model::Term;

use crate::Failure;
use crate::sessions::Way;

/// A client that only writes what is nobody's data, as its engine's `secrets.probe_password` lets
/// it.
#[async_trait]
pub trait Prober: Send + Sync {
    /// One write, the way a client is led; the term of the primary that acknowledged it. Waits
    /// while there is no primary. Given up, it leaves the connection it was made on.
    async fn write(&self, way: &dyn Way) -> Result<Term, Failure>;

    /// Ends when the connection that the last write was made on does; never where there is none.
    async fn ended(&self);
}
