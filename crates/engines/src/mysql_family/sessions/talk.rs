//! What passes between a client and its primary, as far as it matters for where the session can
//! pause and go on.

use std::collections::VecDeque;

use super::Ids;
use super::answers::{Answers, Place};
use super::requests::Requests;
use super::scan::Scan;
use super::statements::Statements;
use super::words::Words;
use crate::passing::Conversation;

/// A command that has not been answered to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Answered by one packet; whether that tells the state of the session.
    Word { tells: bool },
    /// Answered by words and rows.
    Query,
    /// The same of a statement, by the number that the client knows.
    Execute(u32),
    /// More rows of it.
    Fetch(u32),
    /// A statement is prepared; its text, where it can be kept.
    Prepare(Option<Vec<u8>>),
    /// Names of columns.
    Fields,
    /// Another user: an exchange, as in a login.
    User,
    /// The session becomes what it was at its beginning.
    Reset,
}

/// One session's conversation.
pub(super) struct Talk {
    from_client: Scan,
    from_server: Scan,
    pub(super) state: State,
}

/// What is known of it.
pub(super) struct State {
    pub(super) ids: Ids,
    pub(super) asked: VecDeque<Asked>,
    /// Where in the answer to the first of these it is.
    pub(super) place: Place,
    pub(super) is_in_transaction: bool,
    pub(super) statements: Statements,
    pub(super) words: Words,
    /// Whether several statements may come together, as was said last.
    pub(super) option: Option<[u8; 2]>,
    /// Bytes are passed on unread from now on.
    pub(super) is_raw: bool,
    /// Why the session cannot go on elsewhere, if not for its words.
    pub(super) bound: Option<&'static str>,
    pub(super) has_quit: bool,
    /// The command that the client says, or has said last.
    pub(super) saying: u8,
    /// The server's last word was an error, which the client has heard.
    pub(super) has_ended_in_error: bool,
    /// The number of the next packet of this exchange.
    /// The number of the next packet of this exchange.
    pub(super) number: u8,
}

impl Talk {
    /// A session that has just been let in.
    pub(super) fn new(ids: Ids) -> Self {
        let state = State {
            ids,
            asked: VecDeque::new(),
            place: Place::First,
            is_in_transaction: false,
            statements: Statements::default(),
            words: Words::default(),
            option: None,
            is_raw: false,
            bound: None,
            has_quit: false,
            saying: 0,
            has_ended_in_error: false,
            number: 0,
        };
        Self { from_client: Scan::default(), from_server: Scan::default(), state }
    }

    fn is_between(&self) -> bool {
        let is_whole = self.from_client.is_whole() && self.from_server.is_whole();
        let state = &self.state;
        is_whole && !state.is_raw && !state.statements.are_begun() && !state.words.is_before
    }

    /// Whether the server was asked for something that it has not answered.
    pub(super) fn is_owed(&self) -> bool {
        !self.state.asked.is_empty() || self.state.is_in_transaction || self.state.is_raw
    }

    fn is_free(&self) -> bool {
        !self.state.is_in_transaction && !self.state.words.is_locking
    }
}

impl State {
    /// The session is as at its beginning.
    pub(super) fn reset(&mut self) {
        self.statements.clear();
        self.words = Words::default();
        self.bound = None;
        self.is_in_transaction = false;
    }

    /// Why the session cannot go on elsewhere, as far as it is known without asking.
    pub(super) fn bound(&self) -> Option<&'static str> {
        let cursors = self.statements.have_cursors().then_some("it has open cursors");
        self.bound.or(self.words.bound).or(cursors)
    }
}

impl Conversation for Talk {
    fn say(&mut self, bytes: &mut Vec<u8>) {
        if !self.state.is_raw {
            self.from_client.pass(bytes, &mut Requests(&mut self.state));
        }
    }

    fn hear(&mut self, bytes: &mut Vec<u8>) {
        if !self.state.is_raw {
            self.from_server.pass(bytes, &mut Answers(&mut self.state));
        }
    }

    fn is_idle(&self) -> bool {
        self.is_free() && self.is_between() && self.state.asked.is_empty()
    }

    fn may_wait(&self) -> bool {
        self.is_between() && (self.is_free() || !self.state.asked.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::super::packets::{EOF, ERROR, OK, packet};
    use super::*;

    const IN_TRANSACTION: u8 = 1;

    fn talk() -> Talk {
        Talk::new(Ids::default())
    }

    fn say(talk: &mut Talk, body: &[u8]) -> Vec<u8> {
        let mut bytes = packet(0, body);
        talk.say(&mut bytes);
        bytes[4..].to_vec()
    }

    fn hear(talk: &mut Talk, bodies: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, body) in bodies.iter().enumerate() {
            bytes.extend(packet(number as u8 + 1, body));
        }
        talk.hear(&mut bytes);
        bytes
    }

    fn ok(status: u8) -> Vec<u8> {
        vec![OK, 0, 0, status, 0, 0, 0]
    }

    fn eof(status: u8) -> Vec<u8> {
        vec![EOF, 0, 0, status, 0]
    }

    #[test]
    fn a_session_is_idle_between_transactions_only() {
        let mut talk = talk();
        assert!(talk.is_idle());
        say(&mut talk, b"\x03begin");
        assert!(!talk.is_idle() && talk.may_wait() && talk.is_owed());
        hear(&mut talk, &[&ok(IN_TRANSACTION)]);
        assert!(!talk.is_idle() && !talk.may_wait() && talk.is_owed());
        say(&mut talk, b"\x03commit");
        hear(&mut talk, &[&ok(0)]);
        assert!(talk.is_idle() && !talk.is_owed());
        let mut half = packet(0, b"\x03select")[..6].to_vec();
        talk.say(&mut half);
        assert!(!talk.is_idle() && !talk.may_wait());
    }

    #[test]
    fn an_answer_ends_after_its_last_rows() {
        let mut talk = talk();
        say(&mut talk, b"\x03select 1; select 2");
        hear(&mut talk, &[&[1], b"\x03def", &eof(0), b"\x011", b"\xfe\0\0\0\0\0\0\0\0x"]);
        assert!(!talk.is_idle());
        hear(&mut talk, &[&eof(8)]);
        assert!(!talk.is_idle(), "there are more results");
        hear(&mut talk, &[&[1], b"\x03def", &eof(0), b"\x012", &eof(2)]);
        assert!(talk.is_idle());
        say(&mut talk, b"\x03select wrong");
        hear(&mut talk, &[&[ERROR, 1, 2]]);
        assert!(talk.is_idle() && talk.state.has_ended_in_error);
    }

    #[test]
    fn a_deadlock_ends_the_transaction() {
        let mut talk = talk();
        say(&mut talk, b"\x03begin");
        hear(&mut talk, &[&ok(IN_TRANSACTION)]);
        say(&mut talk, b"\x03update t");
        hear(&mut talk, &[&[ERROR, 0xbd, 0x04]]);
        assert!(talk.is_idle());
    }

    #[test]
    fn prepared_statements_keep_the_number_that_the_client_knows() {
        let mut talk = talk();
        say(&mut talk, b"\x16select ?");
        let prepared = [OK, 5, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0];
        hear(&mut talk, &[&prepared, b"\x03def", &eof(0), b"\x03def"]);
        assert!(!talk.is_idle());
        hear(&mut talk, &[&eof(0)]);
        assert!(talk.is_idle());
        let statement = talk.state.statements.get(5).expect("known");
        assert_eq!(statement.text.as_deref(), Some(&b"select ?"[..]));
        statement.moved(9);
        let execute = [0x17, 5, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(say(&mut talk, &execute)[1..5], [9, 0, 0, 0]);
        hear(&mut talk, &[&[1], b"\x03def", &eof(0x40)]);
        assert!(talk.is_idle() && talk.state.bound().is_some(), "its rows are fetched");
        assert_eq!(say(&mut talk, &[0x1c, 5, 0, 0, 0, 9, 0, 0, 0])[1..5], [9, 0, 0, 0]);
        hear(&mut talk, &[b"\0\x01", &eof(0x80)]);
        assert!(talk.is_idle() && talk.state.bound().is_none());
        // Another server may give a number that is known already.
        say(&mut talk, b"\x16select 2");
        let told = hear(&mut talk, &[&[OK, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]);
        assert_ne!(told[5..9], [5, 0, 0, 0]);
        say(&mut talk, &[0x19, 5, 0, 0, 0]);
        assert!(talk.is_idle() && talk.state.statements.get(5).is_none());
    }

    #[test]
    fn a_reset_forgets_what_the_session_was() {
        let mut talk = talk();
        say(&mut talk, b"\x03select get_lock('a', 1), @b");
        hear(&mut talk, &[&ok(0)]);
        assert!(talk.state.bound().is_some());
        say(&mut talk, b"\x1f");
        hear(&mut talk, &[&ok(0)]);
        assert!(talk.state.bound().is_none() && talk.state.words.names.is_empty());
    }

    #[test]
    fn a_statement_is_ended_by_the_number_that_the_client_was_told() {
        let ids = Ids::default();
        ids.lock().expect("whole").insert(0x8000_0001, 42);
        let mut talk = Talk::new(ids);
        assert_eq!(say(&mut talk, b"\x03KILL QUERY 2147483649"), b"\x03KILL QUERY 42");
        assert_eq!(say(&mut talk, b"\x03KILL 7"), b"\x03KILL 7");
        assert_eq!(say(&mut talk, b"\x0c\x01\0\0\x80"), b"\x0c\x2a\0\0\0");
    }
}
