//! The protocol of MariaDB's and MySQL's clients, as far as the endpoint speaks it.

use std::sync::Arc;

use async_trait::async_trait;
use bellwether_contracts::Sessions;
use bellwether_contracts::sessions::Way;
use tokio::net::TcpStream;

/// `ER_SERVER_SHUTDOWN`: clients know that trying again may help.
const REFUSED: u16 = 1053;

/// Clients' bytes are passed on unread.
pub(crate) struct Unread;

#[async_trait]
impl Sessions for Unread {
    fn refusal(&self, words: &str) -> Vec<u8> {
        let mut body = vec![0xff];
        body.extend(REFUSED.to_le_bytes());
        body.extend(words.as_bytes());
        let mut packet = (body.len() as u32).to_le_bytes().to_vec();
        // Three bytes of length and the number of the packet, which is the first.
        packet[3] = 0;
        packet.extend(body);
        packet
    }

    async fn is_ready(&self) -> bool {
        false
    }

    async fn lead(&self, _: TcpStream, _: Arc<dyn Way>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_packet_of_the_protocol() {
        let packet = Unread.refusal("no primary");
        assert_eq!(packet[..7], [13, 0, 0, 0, 0xff, 0x1d, 0x04]);
        assert_eq!(&packet[7..], b"no primary");
    }
}
