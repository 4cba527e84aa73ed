//! Files of the binary log, as far as it is wanted which transactions they hold: where each of
//! them lies, which one it is, and when it was committed. What is in them is the engine's matter.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read as _};
use std::path::Path;

use bellwether_contracts::Failure;

use crate::files::at;

const MAGIC: [u8; 4] = [0xfe, b'b', b'i', b'n'];

/// Time (4), kind, server id (4), length (4), the place after it (4), flags (2).
const HEAD_BYTES: usize = 19;

const CHECKSUM_BYTES: usize = 4;

/// Kinds of events.
const QUERY: u8 = 2;
const FORMAT: u8 = 15;
const COMMITTED: u8 = 16;
const PREPARED: u8 = 38;
/// MySQL's: a whole transaction, compressed.
const WHOLE: u8 = 40;
/// MariaDB's.
const COMPRESSED_QUERY: u8 = 165;

/// Of a query: before its variables.
const QUERY_HEAD_BYTES: usize = 13;

/// How an engine's log tells its transactions.
pub(crate) struct LogFormat {
    /// The kind of event near the beginning of a file that tells what was before it.
    pub(crate) before_kind: u8,
    /// How many transactions that were. `purged`: what the engine says that is in no file any more.
    pub(crate) before: fn(body: &[u8], purged: &str) -> Option<u64>,
    /// Asks for that, as `purged`.
    pub(crate) purged: &'static str,
    /// What an event says that begins a transaction; none for any other.
    pub(crate) begin: fn(kind: u8, body: &[u8]) -> Option<Begin>,
}

/// How a transaction begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Begin {
    /// How many transactions there are with it; none: one more than before.
    pub(crate) offset: Option<u64>,
    /// It goes on until it is committed, and is not over with one statement.
    pub(crate) is_open: bool,
    /// When it was committed, in microseconds since 1970, where the log says so.
    pub(crate) committed: Option<i64>,
}

/// A transaction in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    /// How many transactions there are with it.
    pub(crate) offset: u64,
    /// Its bytes in the file.
    pub(crate) begins: u64,
    pub(crate) ends: u64,
    /// When it was committed, in microseconds since 1970, where the log says so.
    pub(crate) committed: Option<i64>,
    /// The second in which its last statement was begun.
    pub(crate) begun: i64,
}

/// How many transactions were before a file of the log. None where it does not say.
pub(crate) fn before(
    file: &Path,
    format: &LogFormat,
    purged: &str,
) -> Result<Option<u64>, Failure> {
    let mut reader = Reader::open(file, format)?;
    while let Some(event) = reader.next()? {
        if event.kind == format.before_kind {
            return Ok((format.before)(&event.body, purged));
        }
        if (format.begin)(event.kind, &event.body).is_some() {
            break;
        }
    }
    Ok(None)
}

/// The transactions that a file holds whole, after `before` others.
pub(crate) fn transactions(
    file: &Path,
    format: &LogFormat,
    before: u64,
) -> Result<Vec<Logged>, Failure> {
    let mut reader = Reader::open(file, format)?;
    let mut all = Vec::new();
    let mut open: Option<(Logged, bool)> = None;
    let mut count = before;
    while let Some(event) = reader.next()? {
        if let Some(begin) = (format.begin)(event.kind, &event.body) {
            // Whatever was there ended before it.
            all.extend(open.take().map(|(logged, _)| Logged { ends: event.begins, ..logged }));
            count = begin.offset.unwrap_or(count + 1);
            let logged = Logged {
                offset: count,
                begins: event.begins,
                ends: event.ends,
                committed: begin.committed,
                begun: event.at,
            };
            open = Some((logged, begin.is_open));
            continue;
        }
        let Some((logged, is_open)) = &mut open else { continue };
        match said(&event, *is_open) {
            Said::Begins => *is_open = true,
            Said::Ends => {
                all.push(Logged { ends: event.ends, ..*logged });
                open = None;
            }
            Said::Goes => {}
        }
    }
    Ok(all)
}

/// What an event means for the transaction that it is in.
enum Said {
    Begins,
    Goes,
    Ends,
}

fn said(event: &Event, is_open: bool) -> Said {
    match event.kind {
        COMMITTED | PREPARED | WHOLE => Said::Ends,
        COMPRESSED_QUERY if !is_open => Said::Ends,
        QUERY => match statement(&event.body) {
            b"COMMIT" | b"ROLLBACK" => Said::Ends,
            b"BEGIN" => Said::Begins,
            text if text.starts_with(b"XA START") => Said::Begins,
            _ if is_open => Said::Goes,
            _ => Said::Ends,
        },
        _ => Said::Goes,
    }
}

/// The text of a query: after its variables, which their length precedes, and its database.
fn statement(body: &[u8]) -> &[u8] {
    let Some(head) = body.get(..QUERY_HEAD_BYTES) else { return &[] };
    let (database, variables) = (usize::from(head[8]), u16::from_le_bytes([head[11], head[12]]));
    body.get(QUERY_HEAD_BYTES + usize::from(variables) + database + 1..).unwrap_or_default()
}

struct Event {
    kind: u8,
    /// Seconds since 1970.
    at: i64,
    begins: u64,
    ends: u64,
    /// Without its checksum; empty where nothing is read of that kind.
    body: Vec<u8>,
}

struct Reader<'a> {
    format: &'a LogFormat,
    path: &'a Path,
    input: BufReader<File>,
    place: u64,
    length: u64,
    has_checksums: bool,
}

impl<'a> Reader<'a> {
    fn open(path: &'a Path, format: &'a LogFormat) -> Result<Self, Failure> {
        let file = File::open(path).map_err(|e| at(path, &e))?;
        let length = file.metadata().map_err(|e| at(path, &e))?.len();
        let mut input = BufReader::with_capacity(256 << 10, file);
        let mut magic = [0; MAGIC.len()];
        let read = input.read_exact(&mut magic);
        let reader =
            Self { format, path, input, place: MAGIC.len() as u64, length, has_checksums: false };
        match read {
            Ok(()) if magic == MAGIC => Ok(reader),
            // It is only being begun.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(reader),
            Ok(()) => Err(reader.damaged()),
            Err(error) => Err(at(path, &error)),
        }
    }

    fn damaged(&self) -> Failure {
        let (path, place) = (self.path.display(), self.place);
        Failure::permanent(format!("the log is damaged: {path} at {place}"))
    }

    /// The next event; none at the end, and where what is there is not whole.
    fn next(&mut self) -> Result<Option<Event>, Failure> {
        if self.place + HEAD_BYTES as u64 > self.length {
            return Ok(None);
        }
        let mut head = [0; HEAD_BYTES];
        self.input.read_exact(&mut head).map_err(|e| at(self.path, &e))?;
        let number = |from: usize| {
            u32::from_le_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]])
        };
        let (kind, size) = (head[4], number(9));
        let rest = (size as usize).checked_sub(HEAD_BYTES).ok_or_else(|| self.damaged())?;
        let (begins, ends) = (self.place, self.place + u64::from(size));
        if ends > self.length {
            return Ok(None);
        }
        let body = match self.is_read(kind) {
            true => self.read_body(kind, rest)?,
            false => {
                let skipped = self.input.seek_relative(rest as i64);
                skipped.map_err(|e| at(self.path, &e))?;
                Vec::new()
            }
        };
        self.place = ends;
        Ok(Some(Event { kind, at: i64::from(number(0)), begins, ends, body }))
    }

    fn is_read(&self, kind: u8) -> bool {
        // An event that begins a transaction is known by its kind alone.
        let begins = (self.format.begin)(kind, &[0; 64]).is_some();
        begins || kind == FORMAT || kind == QUERY || kind == self.format.before_kind
    }

    fn read_body(&mut self, kind: u8, bytes: usize) -> Result<Vec<u8>, Failure> {
        let mut body = vec![0; bytes];
        self.input.read_exact(&mut body).map_err(|e| at(self.path, &e))?;
        if kind == FORMAT {
            // How the others are checked, before its own checksum.
            let how = bytes.checked_sub(CHECKSUM_BYTES + 1).and_then(|place| body.get(place));
            self.has_checksums = how == Some(&1);
        } else if self.has_checksums {
            body.truncate(bytes.saturating_sub(CHECKSUM_BYTES));
        }
        Ok(body)
    }
}

/// A number of so many bytes, the lowest first, at a place in a body.
pub(crate) fn number(body: &[u8], from: usize, bytes: usize) -> Option<u64> {
    let part = body.get(from..from + bytes)?;
    Some(part.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An event with a checksum that nobody looks at.
    pub(crate) fn event(kind: u8, at: u32, body: &[u8]) -> Vec<u8> {
        let size = (HEAD_BYTES + body.len() + CHECKSUM_BYTES) as u32;
        let mut event = at.to_le_bytes().to_vec();
        event.push(kind);
        event.extend(1_u32.to_le_bytes());
        event.extend(size.to_le_bytes());
        event.extend([0; 6]);
        event.extend(body);
        event.extend([0xaa; CHECKSUM_BYTES]);
        event
    }

    pub(crate) fn query(text: &str) -> Vec<u8> {
        let mut body = vec![0; QUERY_HEAD_BYTES];
        (body[8], body[11]) = (3, 2);
        body.extend(b"vvapp\0");
        body.extend(text.as_bytes());
        event(QUERY, 7, &body)
    }

    /// The beginning of a file.
    pub(crate) fn head() -> Vec<u8> {
        [MAGIC.to_vec(), event(FORMAT, 7, &[1])].concat()
    }

    /// Begins with the kind 200, which tells the offset and whether it is open.
    static FORMAT_OF_TEST: LogFormat = LogFormat {
        before_kind: 201,
        before: |body, _| number(body, 0, 8),
        purged: "",
        begin: |kind, body| {
            (kind == 200).then(|| Begin {
                offset: number(body, 0, 8),
                is_open: body[8] == 1,
                committed: None,
            })
        },
    };

    fn begin(offset: u64, is_open: bool) -> Vec<u8> {
        let body = [offset.to_le_bytes().as_slice(), &[u8::from(is_open)]].concat();
        event(200, 40 + offset as u32, &body)
    }

    fn read(parts: &[Vec<u8>]) -> Vec<Logged> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("binlog.000001");
        std::fs::write(&path, parts.concat()).expect("written");
        transactions(&path, &FORMAT_OF_TEST, 0).expect("read")
    }

    #[test]
    fn whole_transactions_are_found_with_their_places() {
        let rows = event(30, 7, &[0; 50]);
        let parts = [
            head(),
            begin(5, false),
            query("CREATE TABLE a (b int)"),
            begin(6, true),
            rows.clone(),
            query("SAVEPOINT a"),
            event(COMMITTED, 7, &[0; 8]),
            begin(7, true),
            rows.clone(),
            query("COMMIT"),
            begin(8, true),
            rows,
        ];
        let found = read(&parts);
        let offsets: Vec<u64> = found.iter().map(|logged| logged.offset).collect();
        assert_eq!(offsets, [5, 6, 7], "the last one is not whole");
        let length = |until: usize| parts[..until].concat().len() as u64;
        assert_eq!((found[1].begins, found[1].ends), (length(3), length(7)));
        assert_eq!((found[2].begins, found[2].ends, found[2].begun), (length(7), length(10), 47));
        // A file that ends within an event.
        let mut cut = parts[..7].concat();
        cut.pop();
        assert_eq!(read(&[cut]).len(), 1);
    }

    #[test]
    fn a_file_says_what_was_before_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("binlog.000002");
        let told = event(201, 7, &41_u64.to_le_bytes());
        std::fs::write(&path, [head(), told].concat()).expect("written");
        assert_eq!(before(&path, &FORMAT_OF_TEST, "").expect("read"), Some(41));
        std::fs::write(&path, head()).expect("written");
        assert_eq!(before(&path, &FORMAT_OF_TEST, "").expect("read"), None);
        std::fs::write(&path, b"text").expect("written");
        assert!(before(&path, &FORMAT_OF_TEST, "").is_err());
    }
}
