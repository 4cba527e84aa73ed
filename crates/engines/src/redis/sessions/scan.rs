//! Finds where requests and answers begin and end in bytes that pass by in pieces.

/// A request that is longer is kept in its beginning only: none that a session remembers is.
const KEPT_BYTES_MAX: usize = 4 << 10;

/// A header line that is longer is none.
const LINE_BYTES_MAX: usize = 64 << 10;

/// What has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Its bytes; only the beginning of a long one.
    pub(super) bytes: Vec<u8>,
    pub(super) is_whole: bool,
}

impl Frame {
    /// The kind of an answer.
    pub(super) fn kind(&self) -> u8 {
        self.bytes.first().copied().unwrap_or_default()
    }

    /// The words of a request, as far as they were kept.
    pub(super) fn words(&self) -> Vec<&[u8]> {
        if self.kind() != b'*' {
            let words = self.bytes.split(u8::is_ascii_whitespace);
            return words.filter(|word| !word.is_empty()).collect();
        }
        let mut words = Vec::new();
        let mut rest = skip_line(&self.bytes);
        while let Some(bytes) = rest {
            let Some(length) = number(bytes) else { break };
            let Some(text) = skip_line(bytes) else { break };
            let Some(word) = text.get(..length) else { break };
            words.push(word);
            rest = text.get(length + 2..).filter(|rest| !rest.is_empty());
        }
        words
    }
}

fn skip_line(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    bytes.get(end + 1..)
}

/// The number after the first byte of a line.
fn number(line: &[u8]) -> Option<usize> {
    let end = line.iter().position(|byte| *byte == b'\r')?;
    std::str::from_utf8(line.get(1..end)?).ok()?.parse().ok()
}

/// Of one direction.
#[derive(Default)]
pub(super) struct Scan {
    kept: Vec<u8>,
    /// Bytes of the frame that is under way.
    seen: usize,
    line: Vec<u8>,
    /// Bytes of a text that have not come yet, its end of line included.
    text_left: u64,
    /// Parts of the frame that have not come yet.
    parts_left: u64,
    is_request: bool,
}

/// What passes by is not the protocol.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong;

impl Scan {
    pub(super) fn of_requests() -> Self {
        Self { is_request: true, ..Self::default() }
    }

    pub(super) fn of_answers() -> Self {
        Self::default()
    }

    /// Whether a frame has begun and not ended.
    pub(super) fn is_inside(&self) -> bool {
        self.seen > 0
    }

    /// Takes in bytes up to the end of the frame: how many, and the frame if it has ended.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(usize, Option<Frame>), Wrong> {
        let mut at = 0;
        while at < bytes.len() {
            let from = at;
            if self.text_left > 0 {
                at += usize::try_from(self.text_left).unwrap_or(usize::MAX).min(bytes.len() - at);
                self.text_left -= (at - from) as u64;
            } else {
                let end = bytes[at..].iter().position(|byte| *byte == b'\n');
                at = end.map_or(bytes.len(), |end| at + end + 1);
                self.line.extend_from_slice(&bytes[from..at]);
                if self.line.len() > LINE_BYTES_MAX {
                    return Err(Wrong);
                }
                if end.is_some() {
                    self.header()?;
                }
            }
            self.keep(&bytes[from..at]);
            if self.text_left == 0 && self.parts_left == 0 && self.line.is_empty() {
                let is_whole = self.seen == self.kept.len();
                self.seen = 0;
                return Ok((at, Some(Frame { bytes: std::mem::take(&mut self.kept), is_whole })));
            }
        }
        Ok((at, None))
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.seen += bytes.len();
        let room = KEPT_BYTES_MAX.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// A line is complete.
    fn header(&mut self) -> Result<(), Wrong> {
        let line = std::mem::take(&mut self.line);
        let is_first = self.seen == 0 || (self.parts_left == 0 && self.text_left == 0);
        if is_first {
            self.parts_left = 1;
        }
        self.parts_left -= 1;
        let kind = line.first().copied().unwrap_or_default();
        if self.is_request && is_first && kind != b'*' {
            // Typed in by hand: the line is all.
            return Ok(());
        }
        let count = || {
            let text = std::str::from_utf8(&line[1..]).map_err(|_| Wrong)?.trim_end();
            text.parse::<i64>().map_err(|_| Wrong)
        };
        match kind {
            b'$' | b'=' | b'!' => {
                self.text_left = u64::try_from(count()?).map_or(0, |length| length + 2);
            }
            b'*' | b'~' | b'>' => self.parts_left += u64::try_from(count()?).unwrap_or(0),
            b'%' => self.parts_left += u64::try_from(count()?).unwrap_or(0) * 2,
            // Said of the answer that follows.
            b'|' => self.parts_left += u64::try_from(count()?).unwrap_or(0) * 2 + 1,
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => {}
            _ => return Err(Wrong),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(mut scan: Scan, bytes: &[u8], piece: usize) -> Vec<Frame> {
        let mut found = Vec::new();
        for mut part in bytes.chunks(piece) {
            while !part.is_empty() {
                let (taken, frame) = scan.take(part).expect("the protocol");
                found.extend(frame);
                part = &part[taken..];
            }
        }
        assert!(!scan.is_inside());
        found
    }

    #[test]
    fn requests_are_found_however_they_are_cut() {
        let bytes = b"*2\r\n$4\r\nAUTH\r\n$3\r\na\r\n\r\nPING now\r\n*1\r\n$4\r\nQUIT\r\n";
        for piece in 1..bytes.len() {
            let found = frames(Scan::of_requests(), bytes, piece);
            let words: Vec<Vec<&[u8]>> = found.iter().map(Frame::words).collect();
            assert_eq!(words.len(), 3, "in pieces of {piece}");
            assert_eq!(words[0], [&b"AUTH"[..], b"a\r\n"]);
            assert_eq!(words[1], [&b"PING"[..], b"now"]);
        }
    }

    #[test]
    fn answers_of_both_versions_are_found_however_they_are_cut() {
        let bytes = b"+OK\r\n$-1\r\n*2\r\n:1\r\n*1\r\n$2\r\n\r\n\r\n%1\r\n+a\r\n_\r\n\
                      |1\r\n+k\r\n+v\r\n:7\r\n>2\r\n+message\r\n,1.5\r\n-ERR x\r\n*0\r\n";
        for piece in 1..bytes.len() {
            let found = frames(Scan::of_answers(), bytes, piece);
            let kinds: Vec<u8> = found.iter().map(Frame::kind).collect();
            assert_eq!(kinds, b"+$*%|>-*", "in pieces of {piece}");
        }
    }

    #[test]
    fn what_is_long_is_kept_in_its_beginning_only() {
        let text = vec![b'x'; 100_000];
        let mut bytes = b"*2\r\n$3\r\nSET\r\n$100000\r\n".to_vec();
        bytes.extend(text);
        bytes.extend(b"\r\n");
        let found = frames(Scan::of_requests(), &bytes, 1_000);
        assert_eq!((found.len(), found[0].is_whole), (1, false));
        assert_eq!(found[0].words(), [b"SET"]);
        assert_eq!(Scan::of_answers().take(b"what\r\n"), Err(Wrong));
    }
}
