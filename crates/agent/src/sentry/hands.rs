//! What the sentry can do and notice: the one border between its judgement and the machine.
//!
//! `host` is a real machine's; a simulation puts its own in, with a clock, a packet filter, a disk
//! and a network that misbehave on purpose.

use std::net::IpAddr;

use bellwether_model::NodeId;
use bellwether_model::engine::EnginePorts;
use bellwether_protocol::assignment::Admission;
use bellwether_protocol::local::{FromSentry, ToSentry};
use bellwether_protocol::peer::PeerBody;
use bellwether_protocol::{Assignment, FromAgent, FromServer};
use tokio::sync::mpsc;

use super::core::Durable;

/// What happens to a sentry.
pub enum Event {
    /// Nothing, for as long as it was willing to wait.
    Time,
    Session(FromSession),
    Peer(NodeId, PeerBody),
    Local(FromLocal),
    /// The saving that was begun last has ended.
    Saved(Box<std::io::Result<Durable>>),
}

/// What the session with the server says.
#[derive(Debug)]
pub enum FromSession {
    Connected,
    Disconnected,
    Message(Box<FromServer>),
}

/// What a local process says, with the way to answer it.
pub struct FromLocal {
    pub message: ToSentry,
    pub answer: mpsc::Sender<FromSentry>,
}

/// The sentry's hands and senses.
pub trait Hands: Send {
    type Filter: Filter;

    /// Milliseconds since the machine was started, counting sleep too.
    fn now(&self) -> u64;

    /// What happens next, waited for at most so long.
    ///
    /// # Errors
    /// When the sentry cannot go on at all.
    fn next(&mut self, sleep_ms: u64) -> impl Future<Output = anyhow::Result<Event>> + Send;

    /// Makes the packet filter anew, every gate closed, with these members and clients.
    fn build_filter(
        &mut self,
        wanted: &Wanted,
    ) -> impl Future<Output = anyhow::Result<Self::Filter>> + Send;

    /// Begins to make this durable; `Event::Saved` comes when that has ended. One at a time.
    fn save(&mut self, durable: Durable);

    /// Says something to the server; it may be dropped, the next report holds everything.
    fn tell_server(&mut self, message: FromAgent);

    /// Follows the assignment in how other sentries are reached.
    fn follow(&mut self, assignment: &Assignment);

    /// A number that was never used before, not even by an earlier sentry of this node.
    fn nonce(&mut self) -> u64;

    /// Says something to another sentry; it may be lost.
    fn tell_peer(&mut self, assignment: &Assignment, to: &NodeId, body: PeerBody);
}

/// What the packet filter has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub ports: EnginePorts,
    /// The members' addresses, this node's included.
    pub members: Vec<IpAddr>,
    pub admission: Admission,
}

/// The packet filter, as far as the sentry drives it.
pub trait Filter: Send {
    /// Lets clients in for so long from now, the loopback way of the endpoint with them; 0 shuts
    /// them out now.
    ///
    /// # Errors
    /// When the kernel refuses; the gate then closes by itself.
    fn set_gate(&mut self, for_ms: u64) -> anyhow::Result<()>;

    /// Lets readers in for so long from now; 0 shuts them out now.
    ///
    /// # Errors
    /// When the kernel refuses; the read gate then closes by itself.
    fn set_read_gate(&mut self, for_ms: u64) -> anyhow::Result<()>;

    /// Refuses new clients at the gate for so long from now, while those that are in stay.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn set_hold(&mut self, for_ms: u64) -> anyhow::Result<()>;

    /// The members' addresses, this node's included.
    ///
    /// # Errors
    /// When the kernel refuses: the filter is gone, most likely.
    fn set_members(&mut self, members: &[IpAddr]) -> anyhow::Result<()>;

    /// Whom the ports of clients are open to beside the members, at this moment of the wall clock.
    ///
    /// # Errors
    /// When the kernel refuses: the filter is gone, most likely.
    fn set_admission(&mut self, admission: &Admission) -> anyhow::Result<()>;
}
