//! The few netlink messages that change elements of sets, sent to the kernel without a process in
//! between: the kernel has acted when the call returns, so nothing waits in a queue while the
//! sentry is frozen, to open the gate with a lease that has ended meanwhile.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, netlink, recv, sendto,
    socket_with,
};

const SUBSYSTEM: u16 = 10;
const FAMILY_INET: u8 = 1;

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_ELEMENTS: u16 = (SUBSYSTEM << 8) | 12;
const DELETE_ELEMENTS: u16 = (SUBSYSTEM << 8) | 14;
const ANSWER: u16 = 2;

const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const CREATE: u16 = 0x400;

const NESTED: u16 = 0x8000;
const LIST_TABLE: u16 = 1;
const LIST_SET: u16 = 2;
const LIST_ELEMENTS: u16 = 3;
const LIST_ELEMENT: u16 = 1;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_FLAGS: u16 = 3;
const ELEMENT_TIMEOUT: u16 = 4;
const DATA_VALUE: u16 = 1;

/// An element that is the first one after a range.
const INTERVAL_END: u32 = 1;

/// Of a message's header, and of the netfilter header after it.
const HEADER_BYTES: usize = 16;
const NETFILTER_HEADER_BYTES: usize = 4;

/// An element of a set: its key as it is on the wire, and its time to live.
#[derive(Default)]
pub(super) struct Element {
    pub(super) key: Vec<u8>,
    pub(super) timeout_ms: Option<u64>,
    /// In a set of ranges: the first key after one.
    pub(super) ends_range: bool,
}

/// Changes that take effect together or not at all.
pub(super) struct Transaction {
    table: &'static str,
    bytes: Vec<u8>,
    sequence: u32,
}

impl Transaction {
    pub(super) fn new(table: &'static str) -> Self {
        let mut transaction = Self { table, bytes: Vec::with_capacity(512), sequence: 0 };
        transaction.message(BATCH_BEGIN, REQUEST, 0, SUBSYSTEM, |_| {});
        transaction
    }

    /// Adds elements; one that is there already keeps its timeout.
    pub(super) fn add(&mut self, set: &str, elements: &[Element]) {
        self.change(NEW_ELEMENTS, CREATE, set, elements);
    }

    /// Takes elements out; all of them must be there.
    pub(super) fn delete(&mut self, set: &str, elements: &[Element]) {
        self.change(DELETE_ELEMENTS, 0, set, elements);
    }

    /// Takes every element out.
    pub(super) fn flush(&mut self, set: &str) {
        self.change(DELETE_ELEMENTS, 0, set, &[]);
    }

    fn change(&mut self, kind: u16, flags: u16, set: &str, elements: &[Element]) {
        let table = self.table;
        self.message(kind, REQUEST | ACKNOWLEDGE | flags, FAMILY_INET, 0, |bytes| {
            attribute(bytes, LIST_TABLE, |bytes| text(bytes, table));
            attribute(bytes, LIST_SET, |bytes| text(bytes, set));
            if elements.is_empty() {
                return;
            }
            attribute(bytes, LIST_ELEMENTS | NESTED, |bytes| {
                for element in elements {
                    attribute(bytes, LIST_ELEMENT | NESTED, |bytes| put(bytes, element));
                }
            });
        });
    }

    fn message(
        &mut self,
        kind: u16,
        flags: u16,
        family: u8,
        resource: u16,
        content: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = self.bytes.len();
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(self.sequence.to_ne_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend([family, 0]);
        self.bytes.extend(resource.to_be_bytes());
        content(&mut self.bytes);
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
        self.sequence += 1;
    }
}

fn put(bytes: &mut Vec<u8>, element: &Element) {
    attribute(bytes, ELEMENT_KEY | NESTED, |bytes| {
        attribute(bytes, DATA_VALUE, |bytes| bytes.extend(&element.key));
    });
    if element.ends_range {
        attribute(bytes, ELEMENT_FLAGS, |bytes| bytes.extend(INTERVAL_END.to_be_bytes()));
    }
    if let Some(timeout) = element.timeout_ms {
        attribute(bytes, ELEMENT_TIMEOUT, |bytes| bytes.extend(timeout.to_be_bytes()));
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.as_bytes());
    bytes.push(0);
}

fn attribute(bytes: &mut Vec<u8>, kind: u16, content: impl FnOnce(&mut Vec<u8>)) {
    let start = bytes.len();
    bytes.extend([0; 2]);
    bytes.extend(kind.to_ne_bytes());
    content(bytes);
    let length = (bytes.len() - start) as u16;
    bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// The way to the kernel's packet filter.
pub(super) struct Kernel {
    socket: OwnedFd,
    /// Of the first message of the next transaction, so that late answers are told apart.
    sequence: u32,
}

impl Kernel {
    pub(super) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let protocol = Some(netlink::NETFILTER);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        bind(&socket, &netlink::SocketAddrNetlink::new(0, 0))?;
        Ok(Self { socket, sequence: 1 })
    }

    /// Carries the changes out; they are in force when it returns.
    pub(super) fn commit(&mut self, mut transaction: Transaction) -> io::Result<()> {
        transaction.message(BATCH_END, REQUEST, 0, SUBSYSTEM, |_| {});
        let (first, count) = (self.sequence, transaction.sequence);
        let mut bytes = transaction.bytes;
        number(&mut bytes, first);
        self.sequence = first.wrapping_add(count).max(1);
        let to = netlink::SocketAddrNetlink::new(0, 0);
        sendto(&self.socket, &bytes, SendFlags::empty(), &to)?;
        // All but the two brackets are acknowledged; an error ends the transaction.
        let (mut missing, mut failure) = (count.saturating_sub(2), None);
        let mut buffer = [0; 8 * 1024];
        while missing > 0 {
            let length = match recv(&self.socket, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((length, _)) => length,
                // The kernel answers before it returns from sending: nothing more comes.
                Err(_) => break,
            };
            for (sequence, error) in answers(&buffer[..length]) {
                if sequence.wrapping_sub(first) >= count {
                    continue;
                }
                missing = missing.saturating_sub(1);
                if error != 0 && failure.is_none() {
                    failure = Some(io::Error::from_raw_os_error(-error));
                }
            }
        }
        match failure {
            Some(error) => Err(error),
            None if missing > 0 => Err(io::Error::other("the packet filter did not answer")),
            None => Ok(()),
        }
    }
}

/// Numbers the messages from `first` on.
fn number(bytes: &mut [u8], first: u32) {
    let mut at = 0;
    while at + HEADER_BYTES <= bytes.len() {
        let length = read_u32(bytes, at) as usize;
        let sequence = first.wrapping_add(read_u32(bytes, at + 8));
        bytes[at + 8..at + 12].copy_from_slice(&sequence.to_ne_bytes());
        at += length.max(HEADER_BYTES + NETFILTER_HEADER_BYTES);
    }
}

/// The sequence number and the error, 0 for none, of every answer in a datagram.
fn answers(datagram: &[u8]) -> Vec<(u32, i32)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at + HEADER_BYTES + 4 <= datagram.len() {
        let length = read_u32(datagram, at) as usize;
        let kind = u16::from_ne_bytes([datagram[at + 4], datagram[at + 5]]);
        if kind == ANSWER {
            let error = read_u32(datagram, at + HEADER_BYTES).cast_signed();
            found.push((read_u32(datagram, at + 8), error));
        }
        at += length.max(HEADER_BYTES).next_multiple_of(4);
    }
    found
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_ne_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_framed_aligned_and_numbered() {
        let mut transaction = Transaction::new("table");
        let (key, timeout_ms) = (vec![0x15, 0x38], Some(3_000));
        transaction.add("set", &[Element { key, timeout_ms, ..Element::default() }]);
        transaction.flush("other");
        let mut bytes = transaction.bytes;
        number(&mut bytes, 40);
        let (mut at, mut sequences) = (0, Vec::new());
        while at < bytes.len() {
            let length = read_u32(&bytes, at) as usize;
            assert_eq!(length % 4, 0);
            sequences.push(read_u32(&bytes, at + 8));
            at += length;
        }
        assert_eq!((at, sequences), (bytes.len(), vec![40, 41, 42]));
        let timeout = 3_000u64.to_be_bytes();
        assert!(bytes.windows(8).any(|window| window == timeout));
    }

    #[test]
    fn answers_are_read_whatever_comes() {
        let mut datagram = vec![0; 20];
        datagram[0..4].copy_from_slice(&20u32.to_ne_bytes());
        datagram[4..6].copy_from_slice(&ANSWER.to_ne_bytes());
        datagram[8..12].copy_from_slice(&41u32.to_ne_bytes());
        datagram[16..20].copy_from_slice(&(-2i32).to_ne_bytes());
        assert_eq!(answers(&datagram), vec![(41, -2)]);
        assert!(answers(&datagram[..19]).is_empty());
        assert!(answers(&[0; 64]).is_empty());
    }
}
