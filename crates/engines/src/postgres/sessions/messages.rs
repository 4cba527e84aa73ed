//! Messages of the protocol, version 3.0 (PostgreSQL's manual, "Message Formats").

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest message that is read whole: those of a login, and answers to our own questions.
const BYTES_MAX: usize = 16 << 20;

/// One message: its kind, and what follows the length.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) body: Vec<u8>,
}

impl Message {
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let kind = from.read_u8().await?;
        let length = from.read_u32().await? as usize;
        let length = length.checked_sub(4).filter(|length| *length <= BYTES_MAX);
        let length = length.ok_or_else(|| io::Error::other("a message of an impossible length"))?;
        let mut body = vec![0; length];
        from.read_exact(&mut body).await?;
        Ok(Self { kind, body })
    }

    /// As it was on the wire.
    pub(super) fn bytes(&self) -> Vec<u8> {
        message(self.kind, &self.body)
    }

    /// Of an error or a notice: the field with that code.
    pub(super) fn field(&self, code: u8) -> Option<String> {
        let fields = self.body.split(|byte| *byte == 0);
        let field = fields.filter_map(<[u8]>::split_first).find(|(first, _)| **first == code)?;
        Some(String::from_utf8_lossy(field.1).into_owned())
    }

    /// Of a row: its columns.
    pub(super) fn columns(&self) -> Option<Vec<Option<Vec<u8>>>> {
        let (count, mut rest) = self.body.split_first_chunk::<2>()?;
        let mut columns = Vec::new();
        for _ in 0..u16::from_be_bytes(*count) {
            let (length, after) = rest.split_first_chunk::<4>()?;
            // -1 stands for no value.
            let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
                columns.push(None);
                rest = after;
                continue;
            };
            columns.push(Some(after.get(..length)?.to_vec()));
            rest = &after[length..];
        }
        Some(columns)
    }

    /// The 32-bit number that an answer to a login begins with.
    pub(super) fn number(&self) -> Option<u32> {
        Some(u32::from_be_bytes(*self.body.first_chunk::<4>()?))
    }
}

/// A message as it is on the wire.
pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&[kind], length.to_be_bytes().as_slice(), body].concat()
}

/// A simple query.
pub(super) fn query(text: &[u8]) -> Vec<u8> {
    message(b'Q', &[text, &[0]].concat())
}

/// An answer to a login.
pub(super) fn authentication(number: u32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[number.to_be_bytes().as_slice(), rest].concat())
}

/// The end of a session, in words.
pub(super) fn fatal(code: &str, words: &str) -> Vec<u8> {
    let fields = [("S", "FATAL"), ("V", "FATAL"), ("C", code), ("M", words)];
    let mut body: Vec<u8> =
        fields.iter().flat_map(|(name, text)| format!("{name}{text}\0").into_bytes()).collect();
    body.push(0);
    message(b'E', &body)
}

/// Two texts, each ended by a zero.
pub(super) fn pair(body: &[u8]) -> Option<(String, String)> {
    let mut parts = body.split(|byte| *byte == 0);
    let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    Some((text(parts.next()?), text(parts.next()?)))
}

/// Finds the messages in bytes that pass by in pieces.
#[derive(Default)]
pub(super) struct Scan {
    /// The beginning of a message whose length is not known yet.
    head: Vec<u8>,
    kind: u8,
    /// Bytes of the body that have not come yet.
    missing: usize,
}

/// A piece of a message.
pub(super) struct Piece<'a> {
    pub(super) kind: u8,
    pub(super) body: &'a [u8],
    pub(super) is_first: bool,
    pub(super) is_last: bool,
}

impl Scan {
    /// Whether everything that passed was whole messages.
    pub(super) fn is_whole(&self) -> bool {
        self.head.is_empty() && self.missing == 0
    }

    /// Shows the pieces of messages in these bytes, in order.
    pub(super) fn pass(&mut self, mut bytes: &[u8], mut see: impl FnMut(Piece<'_>)) {
        while !bytes.is_empty() {
            let is_first = self.missing == 0;
            if is_first {
                let length = match bytes.first_chunk::<5>().filter(|_| self.head.is_empty()) {
                    Some([kind, length @ ..]) => {
                        self.kind = *kind;
                        bytes = &bytes[5..];
                        u32::from_be_bytes(*length)
                    }
                    None => {
                        let wanted = (5 - self.head.len()).min(bytes.len());
                        self.head.extend(&bytes[..wanted]);
                        bytes = &bytes[wanted..];
                        let Some([kind, length @ ..]) = self.head.first_chunk::<5>() else {
                            return;
                        };
                        (self.kind, self.missing) = (*kind, 0);
                        let length = u32::from_be_bytes(*length);
                        self.head.clear();
                        length
                    }
                };
                self.missing = (length as usize).saturating_sub(4);
            }
            let here = self.missing.min(bytes.len());
            self.missing -= here;
            let is_last = self.missing == 0;
            let piece = Piece { kind: self.kind, body: &bytes[..here], is_first, is_last };
            bytes = &bytes[here..];
            see(piece);
            if !is_last {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_however_the_bytes_are_cut() {
        let long = vec![b'x'; 300];
        let bytes = [message(b'Q', b"a"), message(b'S', b""), message(b'd', &long)].concat();
        for size in [1, 2, 3, 4, 5, 6, 7, 11, 100, 1000] {
            let mut scan = Scan::default();
            let mut found: Vec<(u8, Vec<u8>)> = Vec::new();
            let mut is_ended = true;
            for piece in bytes.chunks(size) {
                scan.pass(piece, |piece| {
                    assert_eq!(piece.is_first, is_ended || piece.body.is_empty());
                    if is_ended {
                        found.push((piece.kind, Vec::new()));
                    }
                    is_ended = piece.is_last;
                    found.last_mut().expect("begun").1.extend(piece.body);
                });
            }
            assert!(scan.is_whole());
            let expected = vec![(b'Q', b"a".to_vec()), (b'S', vec![]), (b'd', long.clone())];
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn fields_and_columns_are_read() {
        let bytes = fatal("57P01", "the end");
        let error = Message { kind: bytes[0], body: bytes[5..].to_vec() };
        assert_eq!(error.field(b'C').as_deref(), Some("57P01"));
        assert_eq!(error.field(b'M').as_deref(), Some("the end"));
        assert_eq!(error.bytes(), bytes);
        let body = [&[0, 2], [255; 4].as_slice(), &[0, 0, 0, 1], b"x"].concat();
        let row = Message { kind: b'D', body };
        assert_eq!(row.columns(), Some(vec![None, Some(b"x".to_vec())]));
        let cut = Message { kind: b'D', body: vec![0, 1, 0, 0, 0, 9] };
        assert_eq!(cut.columns(), None);
    }
}
