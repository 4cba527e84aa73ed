//! Packets: how the protocol's bytes are cut, and what is in them.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The longest packet of a login that is read.
const LOGIN_BYTES_MAX: usize = 64 * 1024;

/// A packet of this length goes on in the next.
pub(super) const PACKET_BYTES_MAX: usize = 0xff_ffff;

/// First bytes of what a server says.
pub(super) const OK: u8 = 0x00;
pub(super) const MORE: u8 = 0x01;
pub(super) const EOF: u8 = 0xfe;
pub(super) const ERROR: u8 = 0xff;

/// One side of a login, or the primary that we ask something ourselves: packets are numbered.
pub(super) struct Link<S> {
    pub(super) stream: S,
    /// The number of the next packet.
    pub(super) number: u8,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// At the beginning of an exchange.
    pub(super) fn new(stream: S) -> Self {
        Self { stream, number: 0 }
    }

    pub(super) async fn read(&mut self) -> io::Result<Vec<u8>> {
        self.read_within(LOGIN_BYTES_MAX).await
    }

    /// Reads one packet, if it is no longer than that.
    pub(super) async fn read_within(&mut self, bytes_max: usize) -> io::Result<Vec<u8>> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await?;
        let length = length(&head);
        if length > bytes_max {
            return Err(io::Error::other("a packet is too long"));
        }
        self.number = head[3].wrapping_add(1);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(body)
    }

    pub(super) async fn write(&mut self, body: &[u8]) -> io::Result<()> {
        self.stream.write_all(&packet(self.number, body)).await?;
        self.number = self.number.wrapping_add(1);
        self.stream.flush().await
    }
}

/// The length that the head of a packet tells.
pub(super) fn length(head: &[u8; 4]) -> usize {
    usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16
}

/// A packet of that number.
pub(super) fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes();
    [&length[..3], &[number], body].concat()
}

/// An error, as the engine says it.
pub(super) fn error(code: u16, state: &str, words: &str) -> Vec<u8> {
    [&[ERROR][..], &code.to_le_bytes(), b"#", state.as_bytes(), words.as_bytes()].concat()
}

/// The number of an error that was said.
pub(super) fn error_code(body: &[u8]) -> Option<u16> {
    match body {
        [ERROR, low, high, ..] => Some(u16::from_le_bytes([*low, *high])),
        _ => None,
    }
}

/// The words of an error that was said.
pub(super) fn error_words(body: &[u8]) -> String {
    let rest = body.get(3..).unwrap_or_default();
    let words = if rest.first() == Some(&b'#') { rest.get(6..) } else { Some(rest) };
    String::from_utf8_lossy(words.unwrap_or_default()).into_owned()
}

/// Reads what is in a packet, from its beginning to its end.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    pub(super) fn short(&mut self) -> Option<u16> {
        let bytes = self.bytes(2)?;
        Some(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn word(&mut self) -> Option<u32> {
        let bytes = self.bytes(4)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// Up to a zero, which is passed over.
    pub(super) fn until_zero(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let taken = self.bytes(end)?;
        self.bytes(1)?;
        Some(taken)
    }

    /// A number whose first byte tells its length; none also for NULL.
    pub(super) fn number(&mut self) -> Option<u64> {
        let count = match self.byte()? {
            0xfc => 2,
            0xfd => 3,
            0xfe => 8,
            0xfb | 0xff => return None,
            small => return Some(u64::from(small)),
        };
        let mut all = [0; 8];
        all[..count].copy_from_slice(self.bytes(count)?);
        Some(u64::from_le_bytes(all))
    }

    /// A text after its length.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.bytes(usize::try_from(length).ok()?)
    }
}

/// A length before a text.
pub(super) fn with_length(text: &[u8]) -> Vec<u8> {
    let length = text.len() as u64;
    let bytes = length.to_le_bytes();
    let head = match length {
        0..0xfb => vec![bytes[0]],
        0xfb..0x1_0000 => vec![0xfc, bytes[0], bytes[1]],
        0x1_0000..0x100_0000 => vec![0xfd, bytes[0], bytes[1], bytes[2]],
        _ => [&[0xfe], &bytes[..]].concat(),
    };
    [head, text.to_vec()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_and_read() {
        for length in [0, 250, 251, 65_535, 65_536, 20_000_000] {
            let text = vec![b'x'; length];
            let written = with_length(&text);
            let mut reader = Reader(&written);
            assert_eq!(reader.text(), Some(&*text));
            assert!(reader.0.is_empty());
        }
        assert_eq!(Reader(&[0xfb]).text(), None);
        assert_eq!(Reader(&[5, b'x']).text(), None, "cut off");
    }

    #[test]
    fn errors_say_their_number_and_words() {
        let said = error(1053, "08S01", "the end");
        assert_eq!((error_code(&said), error_words(&said)), (Some(1053), "the end".to_owned()));
        assert_eq!(error_words(&[ERROR, 1, 4, b'n', b'o']), "no");
    }
}
