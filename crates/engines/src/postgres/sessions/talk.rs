//! What passes between a client and its primary, as far as it matters for where the session can
//! pause and go on.

use std::collections::{BTreeMap, VecDeque};

use super::messages::{Piece, Scan, message, pair};
use super::words::Words;
use crate::passing::Conversation;

/// A longer unnamed statement is not kept.
const UNNAMED_BYTES_MAX: usize = 256 * 1024;

/// What an answer that ends with `ReadyForQuery` is awaited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Query,
    Sync,
}

/// One session's conversation.
#[derive(Default)]
pub(super) struct Talk {
    from_client: Scan,
    from_server: Scan,
    awaited: VecDeque<Asked>,
    /// Something was said since the last `Sync`.
    is_begun: bool,
    /// The server takes in a COPY and ignores every `Sync` meanwhile.
    is_copying: bool,
    /// `I`: no transaction; `T`: in one; `E`: in one that has failed.
    status: u8,
    last_kind: u8,
    /// A message that matters, as far as it has come.
    heard: Vec<u8>,
    saying: Vec<u8>,
    is_unnamed: bool,
    /// The last statement that was prepared without a name.
    pub(super) unnamed: Option<Vec<u8>>,
    /// What the client was told of the server.
    pub(super) told: BTreeMap<String, String>,
    pub(super) words: Words,
}

impl Talk {
    /// A session that has just been let in.
    pub(super) fn new() -> Self {
        Self { status: b'I', ..Self::default() }
    }

    fn is_between(&self) -> bool {
        let is_whole = self.from_client.is_whole() && self.from_server.is_whole();
        is_whole && !self.is_begun && !self.is_copying
    }

    /// Whether the server was asked for something that it has not answered.
    pub(super) fn is_owed(&self) -> bool {
        !self.awaited.is_empty() || self.is_begun || self.status != b'I'
    }

    /// The server's last word was an error, which the client has heard.
    pub(super) fn has_ended_in_error(&self) -> bool {
        self.last_kind == b'E'
    }

    fn said(&mut self, piece: &Piece<'_>) {
        if matches!(piece.kind, b'Q' | b'P') {
            self.words.see(piece.body, piece.is_first, piece.is_last);
        }
        if piece.kind == b'P' {
            self.note_parse(piece);
        }
        if !piece.is_last {
            return;
        }
        match piece.kind {
            b'Q' => {
                // A simple query ends the unnamed statement.
                self.unnamed = None;
                self.awaited.push_back(Asked::Query);
            }
            b'F' => self.awaited.push_back(Asked::Query),
            b'S' if !self.is_copying => {
                self.awaited.push_back(Asked::Sync);
                self.is_begun = false;
            }
            b'P' | b'B' | b'D' | b'E' | b'C' | b'H' => self.is_begun = true,
            b'c' | b'f' => self.is_copying = false,
            _ => {}
        }
    }

    fn note_parse(&mut self, piece: &Piece<'_>) {
        if piece.is_first {
            self.is_unnamed = piece.body.first() == Some(&0);
            self.saying.clear();
        }
        if !self.is_unnamed {
            return;
        }
        self.saying.extend(piece.body);
        if self.saying.len() > UNNAMED_BYTES_MAX {
            (self.is_unnamed, self.unnamed) = (false, None);
        } else if piece.is_last {
            self.unnamed = Some(message(b'P', &self.saying));
        }
    }

    fn heard(&mut self, piece: &Piece<'_>) {
        if matches!(piece.kind, b'Z' | b'S') {
            if piece.is_first {
                self.heard.clear();
            }
            self.heard.extend(piece.body);
        }
        if !piece.is_last {
            return;
        }
        self.last_kind = piece.kind;
        match piece.kind {
            b'Z' => {
                self.awaited.pop_front();
                self.status = self.heard.first().copied().unwrap_or(b'E');
            }
            b'S' => {
                if let Some((name, value)) = pair(&self.heard) {
                    self.told.insert(name, value);
                }
            }
            b'G' if self.awaited.front() != Some(&Asked::Query) => {
                // Those that were sent with it are ignored.
                self.awaited.clear();
                (self.is_copying, self.is_begun) = (true, true);
            }
            // Replication: there is no end but that of the session.
            b'W' => self.words.bound = Some("it replicates"),
            b'E' => self.is_copying = false,
            _ => {}
        }
    }
}

impl Conversation for Talk {
    fn say(&mut self, bytes: &mut Vec<u8>) {
        let mut scan = std::mem::take(&mut self.from_client);
        scan.pass(bytes, |piece| self.said(&piece));
        self.from_client = scan;
    }

    fn hear(&mut self, bytes: &mut Vec<u8>) {
        let mut scan = std::mem::take(&mut self.from_server);
        scan.pass(bytes, |piece| self.heard(&piece));
        self.from_server = scan;
    }

    fn is_idle(&self) -> bool {
        self.status == b'I' && self.is_between() && self.awaited.is_empty()
    }

    fn may_wait(&self) -> bool {
        self.is_between() && (self.status == b'I' || !self.awaited.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages::query;
    use super::*;

    fn say(talk: &mut Talk, bytes: &[u8]) {
        talk.say(&mut bytes.to_vec());
    }

    fn hear(talk: &mut Talk, bytes: &[u8]) {
        talk.hear(&mut bytes.to_vec());
    }

    fn ready(status: u8) -> Vec<u8> {
        message(b'Z', &[status])
    }

    #[test]
    fn a_session_is_idle_between_transactions_only() {
        let mut talk = Talk::new();
        assert!(talk.is_idle());
        say(&mut talk, &query(b"begin"));
        assert!(!talk.is_idle() && talk.may_wait() && talk.is_owed());
        hear(&mut talk, &ready(b'T'));
        assert!(!talk.is_idle() && !talk.may_wait());
        say(&mut talk, &query(b"commit"));
        let end = ready(b'I');
        hear(&mut talk, &end[..3]);
        assert!(!talk.is_idle());
        hear(&mut talk, &end[3..]);
        assert!(talk.is_idle() && !talk.is_owed());
        say(&mut talk, &query(b"half")[..3]);
        assert!(!talk.is_idle() && !talk.may_wait());
    }

    #[test]
    fn pipelines_end_with_their_last_sync() {
        let mut talk = Talk::new();
        let bind = message(b'B', b"\0\0");
        say(&mut talk, &bind);
        assert!(!talk.may_wait() && talk.is_owed());
        say(&mut talk, &[message(b'S', b""), bind, message(b'S', b"")].concat());
        hear(&mut talk, &ready(b'I'));
        assert!(!talk.is_idle() && talk.may_wait());
        hear(&mut talk, &ready(b'I'));
        assert!(talk.is_idle());
    }

    #[test]
    fn a_copy_is_in_the_middle_until_it_is_done() {
        let mut talk = Talk::new();
        // Extended: the Sync with it is ignored by the server.
        say(&mut talk, &[message(b'E', b"\0\0\0\0\0"), message(b'S', b"")].concat());
        hear(&mut talk, &message(b'G', b"\0\0\0"));
        assert!(!talk.may_wait());
        say(&mut talk, &message(b'd', b"1\n"));
        say(&mut talk, &[message(b'c', b""), message(b'S', b"")].concat());
        assert!(!talk.is_idle() && talk.may_wait());
        hear(&mut talk, &ready(b'I'));
        assert!(talk.is_idle());
        // Simple: the query's own end comes after it.
        say(&mut talk, &query(b"copy t from stdin"));
        hear(&mut talk, &message(b'G', b"\0\0\0"));
        say(&mut talk, &[message(b'd', b"1\n"), message(b'c', b"")].concat());
        assert!(!talk.is_idle());
        hear(&mut talk, &ready(b'I'));
        assert!(talk.is_idle());
    }

    #[test]
    fn the_unnamed_statement_is_kept_until_a_simple_query() {
        let mut talk = Talk::new();
        let named = message(b'P', b"a\0select 1\0\0\0");
        let unnamed = message(b'P', b"\0select 2\0\0\0");
        say(&mut talk, &named);
        assert_eq!(talk.unnamed, None);
        say(&mut talk, &unnamed[..7]);
        say(&mut talk, &unnamed[7..]);
        assert_eq!(talk.unnamed.as_ref(), Some(&unnamed));
        say(&mut talk, &query(b"select 3"));
        assert_eq!(talk.unnamed, None);
    }

    #[test]
    fn what_the_server_tells_of_itself_is_kept() {
        let mut talk = Talk::new();
        hear(&mut talk, &message(b'S', b"TimeZone\0UTC\0"));
        assert_eq!(talk.told["TimeZone"], "UTC");
    }
}
