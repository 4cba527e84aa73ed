//! What a session is beside its commands: what has to be made anew at the next primary, and what
//! cannot be.

use std::collections::VecDeque;

use super::scan::Frame;

/// What makes a session somebody's.
const AUTH: &str = "auth";
const HELLO: &str = "hello";

/// What a request that was not answered yet will have done.
#[derive(Debug)]
enum Asked {
    Plain,
    /// Its answer may take as long as it likes.
    Blocking,
    /// Part of the session once it is answered without an error; the latest of a name counts.
    Setting(&'static str, Vec<u8>),
    Multi,
    /// Ends a transaction and whatever was watched.
    Exec,
    Watch,
    Unwatch,
    /// Everything is as at the beginning.
    Reset,
}

/// A client's session.
#[derive(Default)]
pub(super) struct Talk {
    asked: VecDeque<Asked>,
    /// In the order in which they are made.
    settings: Vec<(&'static str, Vec<u8>)>,
    /// Sent, so that what follows belongs to it.
    is_multi: bool,
    is_watching: bool,
    /// Why it cannot go on elsewhere, and its answers are not told from what is pushed.
    bound: Option<&'static str>,
}

impl Talk {
    /// A request has been passed on.
    pub(super) fn ask(&mut self, request: &Frame) {
        let words = request.words();
        let word =
            |at: usize| words.get(at).map(|word| word.to_ascii_lowercase()).unwrap_or_default();
        let (first, second) = (word(0), word(1));
        // An empty line is no request.
        if first.is_empty() {
            return;
        }
        let asked = match (first.as_slice(), second.as_slice()) {
            (b"subscribe" | b"psubscribe" | b"ssubscribe", _) => return self.bind("subscriptions"),
            (b"monitor", _) => return self.bind("MONITOR"),
            (b"client", b"reply") => return self.bind("CLIENT REPLY"),
            (b"client", b"tracking")
                if words.iter().any(|w| w.eq_ignore_ascii_case(b"redirect")) =>
            {
                return self.bind("CLIENT TRACKING with REDIRECT");
            }
            (b"multi", _) => {
                self.is_multi = true;
                Asked::Multi
            }
            (b"exec" | b"discard", _) => {
                self.is_multi = false;
                Asked::Exec
            }
            (b"watch", _) => {
                self.is_watching = true;
                Asked::Watch
            }
            (b"unwatch", _) => Asked::Unwatch,
            (b"reset", _) => Asked::Reset,
            (b"blpop" | b"brpop" | b"blmove" | b"brpoplpush" | b"blmpop", _)
            | (b"bzpopmin" | b"bzpopmax" | b"bzmpop" | b"wait" | b"waitaof", _) => Asked::Blocking,
            (b"xread" | b"xreadgroup", _)
                if words.iter().any(|word| word.eq_ignore_ascii_case(b"block")) =>
            {
                Asked::Blocking
            }
            _ => match setting(&first, &second).filter(|_| request.is_whole && !self.is_multi) {
                Some(name) => Asked::Setting(name, request.bytes.clone()),
                None => Asked::Plain,
            },
        };
        self.asked.push_back(asked);
    }

    fn bind(&mut self, why: &'static str) {
        self.bound = Some(why);
    }

    /// An answer has come.
    pub(super) fn answer(&mut self, answer: &Frame) {
        // What is pushed answers nothing.
        if answer.kind() == b'>' || self.bound.is_some() {
            return;
        }
        let is_refused = answer.kind() == b'-';
        match self.asked.pop_front() {
            Some(Asked::Setting(name, bytes)) if !is_refused => self.set(name, bytes),
            Some(Asked::Exec | Asked::Unwatch) if !self.is_multi => self.is_watching = false,
            Some(Asked::Multi) if is_refused => self.is_multi = false,
            Some(Asked::Reset) => *self = Self::default(),
            _ => {}
        }
    }

    /// Who a session is comes before everything else, in the order in which it was said.
    fn set(&mut self, name: &'static str, bytes: Vec<u8>) {
        self.settings.retain(|(known, _)| *known != name);
        let is_identity = |name: &str| name == AUTH || name == HELLO;
        let first = self.settings.iter().take_while(|(known, _)| is_identity(known)).count();
        let at = if is_identity(name) { first } else { self.settings.len() };
        self.settings.insert(at, (name, bytes));
    }

    /// Nothing is under way: it can go on elsewhere.
    pub(super) fn is_idle(&self) -> bool {
        self.asked.is_empty() && !self.has_more()
    }

    /// A transaction has begun: what the client says until its end belongs to the same primary.
    pub(super) fn has_more(&self) -> bool {
        self.is_multi || self.is_watching || self.bound.is_some()
    }

    /// Why it has to end now that clients are held back, if it has to.
    pub(super) fn bound(&self) -> Option<&'static str> {
        let is_blocked = matches!(self.asked.front(), Some(Asked::Blocking));
        self.bound.or(is_blocked.then_some("a command that waits"))
    }

    /// How many requests have not been answered.
    pub(super) fn unanswered(&self) -> usize {
        self.asked.len()
    }

    /// What makes the session anew, request by request.
    pub(super) fn settings(&self) -> impl Iterator<Item = &[u8]> {
        self.settings.iter().map(|(_, bytes)| bytes.as_slice())
    }

    /// The client caches what it was told, and is pushed what is no longer so.
    pub(super) fn tracks(&self) -> bool {
        let has = |wanted: &str| self.settings.iter().any(|(name, _)| *name == wanted);
        has("tracking") && has(HELLO)
    }
}

/// What of a session such a request sets.
fn setting(first: &[u8], second: &[u8]) -> Option<&'static str> {
    Some(match (first, second) {
        (b"auth", _) => AUTH,
        (b"hello", _) => HELLO,
        (b"select", _) => "database",
        (b"client", b"setname") => "name",
        (b"client", b"tracking") => "tracking",
        (b"client", b"no-touch") => "no-touch",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Frame {
        Frame { bytes: format!("{line}\r\n").into_bytes(), is_whole: true }
    }

    fn answer(line: &str) -> Frame {
        Frame { bytes: format!("{line}\r\n").into_bytes(), is_whole: true }
    }

    fn said(talk: &mut Talk, line: &str, told: &str) {
        talk.ask(&request(line));
        talk.answer(&answer(told));
    }

    fn settings(talk: &Talk) -> Vec<String> {
        talk.settings().map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned()).collect()
    }

    #[test]
    fn what_was_set_is_made_anew_and_what_was_refused_is_not() {
        let mut talk = Talk::default();
        said(&mut talk, "SELECT 1", "+OK");
        said(&mut talk, "HELLO 3 AUTH app x", "%0");
        said(&mut talk, "SELECT 99", "-ERR out of range");
        said(&mut talk, "CLIENT SETNAME web", "+OK");
        said(&mut talk, "SELECT 2", "+OK");
        said(&mut talk, "GET a", "$-1");
        assert_eq!(settings(&talk), ["HELLO 3 AUTH app x", "CLIENT SETNAME web", "SELECT 2"]);
        assert!(talk.is_idle() && !talk.tracks());
        said(&mut talk, "RESET", "+RESET");
        assert!(settings(&talk).is_empty());
    }

    #[test]
    fn who_a_session_is_is_said_in_the_order_in_which_it_was() {
        let mut talk = Talk::default();
        for line in ["AUTH app x", "SELECT 1", "HELLO 3", "CLIENT TRACKING ON"] {
            said(&mut talk, line, "+OK");
        }
        let expected = ["AUTH app x", "HELLO 3", "SELECT 1", "CLIENT TRACKING ON"];
        assert_eq!((settings(&talk), talk.tracks()), (expected.map(str::to_owned).into(), true));
        said(&mut talk, "AUTH other y", "+OK");
        assert_eq!(settings(&talk)[..2], ["HELLO 3", "AUTH other y"]);
    }

    #[test]
    fn a_transaction_ends_before_its_session_moves() {
        let mut talk = Talk::default();
        said(&mut talk, "WATCH a", "+OK");
        assert!(!talk.is_idle() && talk.has_more() && talk.bound().is_none());
        said(&mut talk, "MULTI", "+OK");
        said(&mut talk, "SELECT 3", "+QUEUED");
        talk.ask(&request("EXEC"));
        assert!(!talk.is_idle(), "not answered yet");
        talk.answer(&answer("*1"));
        assert!(talk.is_idle());
    }

    #[test]
    fn what_waits_or_listens_cannot_move() {
        let mut talk = Talk::default();
        talk.ask(&request("BLPOP a 0"));
        assert_eq!(talk.bound(), Some("a command that waits"));
        talk.answer(&answer(">invalidate"));
        assert_eq!(talk.unanswered(), 1, "what is pushed answers nothing");
        talk.answer(&answer("*-1"));
        assert!(talk.is_idle() && talk.bound().is_none());
        talk.ask(&request("SUBSCRIBE news"));
        assert_eq!(talk.bound(), Some("subscriptions"));
    }
}
