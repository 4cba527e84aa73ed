//! What a client says: commands (MySQL's manual, "Command Phase").

use super::ask::QUERY;
use super::scan::{Part, Side};
use super::statements::TEXT_BYTES_MAX;
use super::talk::{Asked, State};

pub(super) const QUIT: u8 = 0x01;
pub(super) const USE: u8 = 0x02;
const FIELDS: u8 = 0x04;
const REFRESH: u8 = 0x07;
const SHUTDOWN: u8 = 0x08;
const STATISTICS: u8 = 0x09;
const PROCESSES: u8 = 0x0a;
const KILL: u8 = 0x0c;
const DEBUG: u8 = 0x0d;
const PING: u8 = 0x0e;
const CHANGE_USER: u8 = 0x11;
pub(super) const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
const SEND_PART: u8 = 0x18;
const CLOSE: u8 = 0x19;
const RESET_STATEMENT: u8 = 0x1a;
pub(super) const SET_OPTION: u8 = 0x1b;
const FETCH: u8 = 0x1c;
const RESET: u8 = 0x1f;

/// A command and the number of a statement or connection.
const HEAD_BYTES: usize = 5;

/// A longer statement does not just end a connection.
const SHORT_BYTES: usize = 64;

pub(super) struct Requests<'a>(pub(super) &'a mut State);

impl Side for Requests<'_> {
    fn wanted(&self, first: u8, length: usize) -> usize {
        match first {
            EXECUTE => length,
            QUERY if length <= SHORT_BYTES => length,
            _ => HEAD_BYTES,
        }
    }

    fn see(&mut self, out: &mut Vec<u8>, from: usize, part: Part) {
        let state = &mut *self.0;
        state.number = part.number.wrapping_add(1);
        if state.is_raw || state.asked.back() == Some(&Asked::User) {
            return;
        }
        if part.is_first {
            let Some(&command) = out.get(from) else { return };
            state.saying = command;
            state.has_ended_in_error = false;
            begin(state, command, out, from);
        }
        let text = out.get(from + usize::from(part.is_first)..).unwrap_or_default();
        match state.saying {
            QUERY => state.words.see(text, part.is_first, part.is_last),
            PREPARE => {
                state.words.see(text, part.is_first, part.is_last);
                if let Some(Asked::Prepare(kept)) = state.asked.back_mut() {
                    let room = kept.as_ref().map_or(0, |kept| TEXT_BYTES_MAX - kept.len());
                    match kept.as_mut().filter(|_| text.len() <= room) {
                        Some(kept) => kept.extend_from_slice(text),
                        None => *kept = None,
                    }
                }
            }
            _ => {}
        }
    }
}

fn begin(state: &mut State, command: u8, out: &mut Vec<u8>, from: usize) {
    let asked = match command {
        QUIT => {
            state.has_quit = true;
            return;
        }
        QUERY => {
            kill_by_text(state, out, from);
            Asked::Query
        }
        PREPARE => Asked::Prepare(Some(Vec::new())),
        PROCESSES => Asked::Query,
        KILL => {
            kill(state, out, from);
            Asked::Word { tells: true }
        }
        USE | REFRESH | SHUTDOWN | DEBUG | PING => Asked::Word { tells: true },
        SET_OPTION => {
            state.option = out.get(from + 1..from + 3).and_then(|bytes| bytes.try_into().ok());
            Asked::Word { tells: true }
        }
        STATISTICS => Asked::Word { tells: false },
        FIELDS => Asked::Fields,
        CHANGE_USER => Asked::User,
        RESET => Asked::Reset,
        EXECUTE | SEND_PART | CLOSE | RESET_STATEMENT | FETCH => {
            let Some(asked) = of_statement(state, command, out, from) else { return };
            asked
        }
        _ => {
            state.is_raw = true;
            state.bound = Some("it replicates, or does what is not known here");
            return;
        }
    };
    state.asked.push_back(asked);
}

/// A command about a statement that was prepared; what it asks for, if anything.
fn of_statement(state: &mut State, command: u8, out: &mut Vec<u8>, from: usize) -> Option<Asked> {
    let at = from + 1..from + HEAD_BYTES;
    let number = out.get(at.clone()).and_then(|bytes| bytes.try_into().ok());
    let told = number.map(u32::from_le_bytes).unwrap_or_default();
    let known = state.statements.get(told);
    if let Some(statement) = &known {
        out[at].copy_from_slice(&statement.id.to_le_bytes());
    }
    match command {
        EXECUTE => {
            if let Some(statement) = known {
                statement.execute(out, from);
            }
            (state.words.is_before, state.words.asks_back) = (false, false);
            Some(Asked::Execute(told))
        }
        FETCH => Some(Asked::Fetch(told)),
        RESET_STATEMENT => {
            if let Some(statement) = known {
                (statement.has_part, statement.has_cursor) = (false, false);
            }
            Some(Asked::Word { tells: true })
        }
        // These are not answered.
        SEND_PART => {
            if let Some(statement) = known {
                statement.has_part = true;
            }
            None
        }
        _ => {
            state.statements.remove(told);
            None
        }
    }
}

/// The primary's number of a connection that clients know by that one.
fn id_of(state: &State, told: u32) -> Option<u32> {
    state.ids.lock().expect("nothing panics while it is held").get(&told).copied()
}

/// Puts the primary's number in the place of the one that the client was told.
fn kill(state: &State, out: &mut [u8], from: usize) {
    let at = from + 1..from + HEAD_BYTES;
    let told = out.get(at.clone()).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    if let Some(id) = told.and_then(|told| id_of(state, told)) {
        out[at].copy_from_slice(&id.to_le_bytes());
    }
}

/// The same in a statement, which is there as a whole if it is short enough.
fn kill_by_text(state: &State, out: &mut Vec<u8>, from: usize) {
    let text = String::from_utf8_lossy(&out[from + 1..]);
    let is_kill = text.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("kill "));
    let digits = text.trim_end_matches([';', ' ', '\n']);
    let Some((before, digits)) = digits.rsplit_once(' ').filter(|_| is_kill) else { return };
    if let Some(id) = digits.parse().ok().and_then(|told| id_of(state, told)) {
        let statement = format!("{before} {id}");
        out.truncate(from + 1);
        out.extend_from_slice(statement.as_bytes());
    }
}
