//! What sentries send each other: datagrams with a keyed digest, so that nobody else has a say.

use bellwether_protocol::peer::PeerMessage;
use ring::hmac;

/// The longest datagram that is looked at.
pub(super) const DATAGRAM_BYTES_MAX: usize = 2_048;

/// Seals and opens datagrams with the cluster's key.
pub(super) struct Seal {
    key: hmac::Key,
}

impl Seal {
    /// From the hexadecimal key of the assignment.
    pub(super) fn new(hex: &str) -> Option<Self> {
        let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
        let key: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
        let key = key.filter(|key| key.len() == 32)?;
        Some(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &key) })
    }

    pub(super) fn seal(&self, message: &PeerMessage) -> Vec<u8> {
        let mut text = serde_json::to_vec(message).expect("plain data");
        let tag = hmac::sign(&self.key, &text);
        text.push(b' ');
        text.extend(tag.as_ref().iter().flat_map(|byte| format!("{byte:02x}").into_bytes()));
        text
    }

    pub(super) fn open(&self, datagram: &[u8]) -> Option<PeerMessage> {
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
    use bellwether_protocol::peer::PeerBody;

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
}
