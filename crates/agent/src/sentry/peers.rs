//! What sentries send each other: datagrams with a keyed digest, so that nobody else has a say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bellwether_model::{ClusterId, NodeId};
use bellwether_protocol::Assignment;
use bellwether_protocol::peer::{PeerBody, PeerMessage};
use ring::hmac;
use tokio::net::UdpSocket;
use tracing::error;

/// The longest datagram that is looked at.
const DATAGRAM_BYTES_MAX: usize = 1_024;

/// After the socket reported an error.
const ERROR_PAUSE: Duration = Duration::from_millis(20);

/// The way to the other sentries of the cluster.
pub(super) struct Peers {
    cluster: ClusterId,
    node: NodeId,
    seal: Option<Seal>,
    socket: Option<(UdpSocket, u16)>,
    /// Rises from start to start too, as far as the wall clock does.
    nonce: u64,
}

impl Peers {
    pub(super) fn new(cluster: ClusterId, node: NodeId) -> Self {
        let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let nonce = started.map_or(0, |age| u64::try_from(age.as_micros()).unwrap_or(0));
        Self { cluster, node, seal: None, socket: None, nonce }
    }

    /// Key and port as assigned.
    pub(super) fn assign(&mut self, assignment: &Assignment) {
        self.seal = Seal::new(&assignment.secrets.peer_key);
        if self.seal.is_none() {
            error!("`secrets.peer_key` is not 32 bytes in hexadecimal, so no sentry is asked");
        }
        let port = assignment.engine.ports.peer;
        if self.socket.as_ref().is_none_or(|(_, bound)| *bound != port) {
            self.socket = None;
            match bind(port) {
                Ok(socket) => self.socket = Some((socket, port)),
                Err(error) => error!("the port {port} for other sentries: {error}"),
            }
        }
    }

    /// A number that was never used before.
    pub(super) fn nonce(&mut self) -> u64 {
        self.nonce += 1;
        self.nonce
    }

    /// Sends to one sentry; a datagram that is lost costs one heartbeat.
    pub(super) fn send(&self, assignment: &Assignment, to: &NodeId, body: PeerBody) {
        let (Some(seal), Some((socket, port))) = (&self.seal, &self.socket) else { return };
        let Some(member) = assignment.group.member(to) else { return };
        let text = seal.seal(&PeerMessage {
            cluster: self.cluster.clone(),
            from: self.node.clone(),
            to: to.clone(),
            body,
        });
        let is_v6 = socket.local_addr().is_ok_and(|own| own.is_ipv6());
        for address in [&member.address, &member.address6] {
            let address = match address.parse() {
                Ok(IpAddr::V4(v4)) if is_v6 => IpAddr::V6(v4.to_ipv6_mapped()),
                Ok(address) => address,
                Err(_) => continue,
            };
            if socket.try_send_to(&text, SocketAddr::new(address, *port)).is_ok() {
                return;
            }
        }
    }

    /// The next message of another sentry; never, before there is a port to listen on.
    pub(super) async fn receive(&self) -> (NodeId, PeerBody) {
        let (Some((socket, _)), Some(seal)) = (&self.socket, &self.seal) else {
            return std::future::pending().await;
        };
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        loop {
            let Ok((length, _)) = socket.recv_from(&mut datagram).await else {
                tokio::time::sleep(ERROR_PAUSE).await;
                continue;
            };
            let Some(message) = seal.open(&datagram[..length]) else { continue };
            if message.cluster == self.cluster && message.to == self.node {
                return (message.from, message.body);
            }
        }
    }
}

fn bind(port: u16) -> std::io::Result<UdpSocket> {
    let bind = |address: IpAddr| {
        let socket = std::net::UdpSocket::bind((address, port))?;
        socket.set_nonblocking(true)?;
        UdpSocket::from_std(socket)
    };
    // Both families, or IPv4 alone on a machine without the other.
    bind(Ipv6Addr::UNSPECIFIED.into()).or_else(|_| bind(Ipv4Addr::UNSPECIFIED.into()))
}

/// Seals and opens datagrams with the cluster's key.
struct Seal {
    key: hmac::Key,
}

impl Seal {
    /// From the hexadecimal key of the assignment.
    fn new(hex: &str) -> Option<Self> {
        let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
        let key: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
        let key = key.filter(|key| key.len() == 32)?;
        Some(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &key) })
    }

    fn seal(&self, message: &PeerMessage) -> Vec<u8> {
        let mut text = serde_json::to_vec(message).expect("plain data");
        let tag = hmac::sign(&self.key, &text);
        text.push(b' ');
        text.extend(tag.as_ref().iter().flat_map(|byte| format!("{byte:02x}").into_bytes()));
        text
    }

    fn open(&self, datagram: &[u8]) -> Option<PeerMessage> {
        let at = datagram.len().checked_sub(65)?;
        let (text, rest) = datagram.split_at(at);
        let tag = std::str::from_utf8(rest.strip_prefix(b" ")?).ok()?;
        let tag: Option<Vec<u8>> = (0..64)
            .step_by(2)
            .map(|at| u8::from_str_radix(tag.get(at..at + 2)?, 16).ok())
            .collect();
        hmac::verify(&self.key, text, &tag?).ok()?;
        serde_json::from_slice(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_with_the_key_opens() {
        let seal = Seal::new(&"ab".repeat(32)).expect("a key");
        let message = PeerMessage {
            cluster: "c".into(),
            from: "a".into(),
            to: "b".into(),
            body: PeerBody::LeaseRequest { term: 3, nonce: 9 },
        };
        let mut datagram = seal.seal(&message);
        assert_eq!(seal.open(&datagram), Some(message));
        let other = Seal::new(&"cd".repeat(32)).expect("a key");
        assert_eq!(other.open(&datagram), None);
        datagram[5] ^= 1;
        assert_eq!(seal.open(&datagram), None);
        for garbage in [&b""[..], b" ", b"x", &[0xff; 100]] {
            assert_eq!(seal.open(garbage), None);
        }
        assert!(Seal::new("short").is_none());
    }

    /// A node of the cluster `c` whose two members are at these ports of the loopback.
    fn peers(cluster: &str, node: &str) -> Peers {
        let socket = bind(0).expect("a port");
        let port = socket.local_addr().expect("bound").port();
        Peers {
            seal: Seal::new(&"ab".repeat(32)),
            socket: Some((socket, port)),
            ..Peers::new(cluster.into(), node.into())
        }
    }

    #[tokio::test]
    async fn messages_of_other_clusters_and_for_others_are_not_heard() {
        let receiver = peers("c", "b");
        let port = receiver.socket.as_ref().expect("bound").1;
        let seal = Seal::new(&"ab".repeat(32)).expect("a key");
        let sender = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let wanted = PeerBody::LeaseRequest { term: 7, nonce: 1 };
        for (cluster, to, body) in [
            ("other", "b", PeerBody::LeaseRequest { term: 8, nonce: 1 }),
            ("c", "other", PeerBody::LeaseRequest { term: 9, nonce: 1 }),
            ("c", "b", wanted),
        ] {
            let message =
                PeerMessage { cluster: cluster.into(), from: "a".into(), to: to.into(), body };
            let text = seal.seal(&message);
            sender.send_to(&text, ("127.0.0.1", port)).await.expect("sent");
        }
        assert_eq!(receiver.receive().await, ("a".into(), wanted));
    }

    #[test]
    fn nonces_rise_from_start_to_start() {
        let mut first = Peers::new("c".into(), "a".into());
        let used: Vec<u64> = (0..10).map(|_| first.nonce()).collect();
        assert!(used.is_sorted());
        std::thread::sleep(std::time::Duration::from_millis(1));
        assert!(Peers::new("c".into(), "a".into()).nonce() > used[9]);
    }
}
