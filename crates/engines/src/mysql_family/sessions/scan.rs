//! Cuts bytes that pass by into packets, however they come.

use super::packets::{PACKET_BYTES_MAX, length};

/// What looks at packets of one direction.
pub(super) trait Side {
    /// How many bytes of a packet are looked at together, given its first and its length.
    fn wanted(&self, first: u8, length: usize) -> usize;

    /// Sees a piece of a packet: what is in `out` from there on. A piece that is the whole of a
    /// packet may become longer or shorter.
    fn see(&mut self, out: &mut Vec<u8>, from: usize, part: Part);
}

/// Which piece of a packet it is.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// The packet's number in its exchange.
    pub(super) number: u8,
    pub(super) length: usize,
    pub(super) is_first: bool,
    pub(super) is_last: bool,
}

#[derive(Default)]
pub(super) struct Scan {
    /// The beginning of a packet, too short to be looked at.
    kept: Vec<u8>,
    /// Bytes that have not come yet of a packet that passes, and what is known of it.
    missing: usize,
    number: u8,
    length: usize,
    /// The packet goes on in the next.
    goes_on: bool,
}

impl Scan {
    /// Whether everything that passed was whole packets.
    pub(super) fn is_whole(&self) -> bool {
        self.kept.is_empty() && self.missing == 0 && !self.goes_on
    }

    /// Shows the packets in these bytes; what remains is what is to be passed on.
    pub(super) fn pass(&mut self, bytes: &mut Vec<u8>, side: &mut impl Side) {
        let mut input = std::mem::take(&mut self.kept);
        input.extend_from_slice(bytes);
        bytes.clear();
        let mut rest = &input[..];
        loop {
            if self.missing > 0 {
                let (piece, after) = rest.split_at(self.missing.min(rest.len()));
                if piece.is_empty() {
                    break;
                }
                (rest, self.missing) = (after, self.missing - piece.len());
                let is_last = self.missing == 0 && !self.goes_on;
                let part =
                    Part { number: self.number, length: self.length, is_first: false, is_last };
                let from = bytes.len();
                bytes.extend_from_slice(piece);
                side.see(bytes, from, part);
                continue;
            }
            let Some(head) = rest.first_chunk::<4>() else { break };
            let (length, number) = (length(head), head[3]);
            let is_first = !self.goes_on;
            let wanted = match rest.get(4) {
                Some(first) if is_first => side.wanted(*first, length).min(length),
                None if length > 0 => break,
                _ => 0,
            };
            let Some(piece) = rest.get(4..4 + wanted) else { break };
            self.goes_on = length == PACKET_BYTES_MAX;
            (self.number, self.length, self.missing) = (number, length, length - wanted);
            let is_last = self.missing == 0 && !self.goes_on;
            let from = bytes.len() + 4;
            bytes.extend_from_slice(head);
            bytes.extend_from_slice(piece);
            rest = &rest[4 + wanted..];
            side.see(bytes, from, Part { number, length, is_first, is_last });
            let now = (bytes.len() - from + self.missing) as u32;
            bytes[from - 4..from - 1].copy_from_slice(&now.to_le_bytes()[..3]);
        }
        self.kept = rest.to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::super::packets::packet;
    use super::*;

    /// Keeps what it sees, and changes short packets.
    #[derive(Default)]
    struct Seen(Vec<Vec<u8>>);

    impl Side for Seen {
        fn wanted(&self, _: u8, length: usize) -> usize {
            if length < 10 { length } else { 5 }
        }

        fn see(&mut self, out: &mut Vec<u8>, from: usize, part: Part) {
            if part.is_first {
                self.0.push(Vec::new());
            }
            self.0.last_mut().expect("begun").extend_from_slice(&out[from..]);
            if part.is_first && part.is_last {
                out.push(b'!');
            }
        }
    }

    #[test]
    fn packets_are_found_however_the_bytes_are_cut() {
        let long = vec![b'x'; 300];
        let bytes = [packet(0, b"abc"), packet(1, &long), packet(2, b"")].concat();
        for size in [1, 2, 3, 4, 5, 6, 7, 11, 100, 1000] {
            let (mut scan, mut seen, mut out) = (Scan::default(), Seen::default(), Vec::new());
            for piece in bytes.chunks(size) {
                let mut piece = piece.to_vec();
                scan.pass(&mut piece, &mut seen);
                out.extend(piece);
            }
            assert!(scan.is_whole());
            assert_eq!(seen.0, [b"abc".to_vec(), long.clone(), Vec::new()], "in pieces of {size}");
            let expected = [packet(0, b"abc!"), packet(1, &long), packet(2, b"!")].concat();
            assert_eq!(out, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_longer_than_a_packet_goes_on_in_the_next() {
        let long = vec![b'x'; PACKET_BYTES_MAX];
        let (mut scan, mut seen) = (Scan::default(), Seen::default());
        let mut first = packet(0, &long);
        scan.pass(&mut first, &mut seen);
        assert!(!scan.is_whole());
        let mut second = packet(1, b"end");
        scan.pass(&mut second, &mut seen);
        assert!(scan.is_whole());
        assert_eq!((second, seen.0.len()), (packet(1, b"end"), 1));
    }
}
