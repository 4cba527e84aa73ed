//! What a primary says: answers to commands, and where they end.

use super::ask::{EOF_BYTES_MAX, status};
use super::packets::{EOF, ERROR, OK, Reader, error_code};
use super::scan::{Part, Side};
use super::talk::{Asked, State};

/// What a session's status says of it.
const IN_TRANSACTION: u16 = 1;
const MORE_RESULTS: u16 = 1 << 3;
const HAS_CURSOR: u16 = 1 << 6;
const LAST_ROW: u16 = 1 << 7;

/// So much of a packet tells what it is: an answer's two numbers and its status.
const HEAD_BYTES: usize = 21;

/// `ER_LOCK_DEADLOCK`: the whole transaction was rolled back.
const DEADLOCK: u16 = 1213;

/// Where in an answer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    First,
    /// So many definitions of columns follow, then their end.
    Columns(u64),
    Rows,
    /// So many packets that say nothing.
    Passed(usize),
}

pub(super) struct Answers<'a>(pub(super) &'a mut State);

impl Side for Answers<'_> {
    fn wanted(&self, _: u8, _: usize) -> usize {
        HEAD_BYTES
    }

    fn see(&mut self, out: &mut Vec<u8>, from: usize, part: Part) {
        let state = &mut *self.0;
        state.number = part.number.wrapping_add(1);
        if !part.is_first || state.is_raw {
            return;
        }
        let body = &mut out[from..];
        state.has_ended_in_error = body.first() == Some(&ERROR);
        if state.has_ended_in_error && error_code(body) == Some(DEADLOCK) {
            state.is_in_transaction = false;
        }
        let Some(asked) = state.asked.pop_front() else { return };
        match state.place {
            Place::First => first(state, asked, body, part.length),
            Place::Columns(left) => columns(state, asked, body, left),
            Place::Rows => rows(state, asked, body, part.length),
            Place::Passed(1) => end(state),
            Place::Passed(left) => go_on(state, asked, Place::Passed(left - 1)),
        }
    }
}

/// It goes on there.
fn go_on(state: &mut State, asked: Asked, place: Place) {
    state.place = place;
    state.asked.push_front(asked);
}

/// The answer has ended.
fn end(state: &mut State) {
    state.place = Place::First;
}

fn is_end(body: &[u8], length: usize) -> bool {
    body.first() == Some(&EOF) && length < EOF_BYTES_MAX
}

/// Takes the state of the session from a packet that tells it.
fn tell(state: &mut State, body: &[u8]) -> u16 {
    let status = status(body).unwrap_or_default();
    state.is_in_transaction = status & IN_TRANSACTION > 0;
    status
}

fn first(state: &mut State, asked: Asked, body: &mut [u8], length: usize) {
    let head = body.first().copied();
    if head == Some(ERROR) {
        return end(state);
    }
    match asked {
        Asked::Word { tells: false } => end(state),
        Asked::Word { tells: true } => {
            tell(state, body);
            end(state);
        }
        Asked::Query | Asked::Execute(_) if head == Some(OK) => {
            if tell(state, body) & MORE_RESULTS > 0 {
                return go_on(state, asked, Place::First);
            }
            end(state);
        }
        Asked::Query | Asked::Execute(_) => match Reader(body).number() {
            Some(count) => go_on(state, asked, Place::Columns(count)),
            // It asks for a file of the client's, which it was not offered.
            None => state.is_raw = true,
        },
        Asked::Fetch(_) => rows(state, asked, body, length),
        Asked::Fields if is_end(body, length) => end(state),
        Asked::Fields => go_on(state, asked, Place::First),
        Asked::Prepare(text) => prepared(state, text, body),
        Asked::Reset => {
            state.reset();
            tell(state, body);
            end(state);
        }
        Asked::User if head == Some(OK) => {
            state.reset();
            tell(state, body);
            state.bound = Some("it has changed its user");
            end(state);
        }
        Asked::User => go_on(state, asked, Place::First),
    }
}

/// A statement was prepared: the client is told a number of ours, if the server's is taken.
fn prepared(state: &mut State, text: Option<Vec<u8>>, body: &mut [u8]) {
    let mut reader = Reader(body.get(1..).unwrap_or_default());
    let read = (reader.word(), reader.short(), reader.short());
    let (Some(id), Some(columns), Some(parameters)) = read else { return end(state) };
    let told = state.statements.add(id, text, parameters);
    body[1..5].copy_from_slice(&told.to_le_bytes());
    let each = |count: u16| usize::from(count) + usize::from(count > 0);
    match each(columns) + each(parameters) {
        0 => end(state),
        left => go_on(state, Asked::Word { tells: false }, Place::Passed(left)),
    }
}

fn columns(state: &mut State, asked: Asked, body: &[u8], left: u64) {
    if left > 0 {
        return go_on(state, asked, Place::Columns(left - 1));
    }
    let status = tell(state, body);
    if let Asked::Execute(told) = asked
        && status & HAS_CURSOR > 0
    {
        if let Some(statement) = state.statements.get(told) {
            statement.has_cursor = true;
        }
        return end(state);
    }
    go_on(state, asked, Place::Rows);
}

fn rows(state: &mut State, asked: Asked, body: &[u8], length: usize) {
    if body.first() == Some(&ERROR) {
        return end(state);
    }
    if !is_end(body, length) {
        return go_on(state, asked, Place::Rows);
    }
    let status = tell(state, body);
    if let Asked::Fetch(told) = asked
        && status & LAST_ROW > 0
        && let Some(statement) = state.statements.get(told)
    {
        statement.has_cursor = false;
    }
    if status & MORE_RESULTS > 0 {
        return go_on(state, asked, Place::First);
    }
    end(state);
}
