//! What the texts of a session's statements tell of its state that the engine does not show.
//!
//! The engine lists a session's settings, but not those with a dot in their names that no
//! extension has declared; it does not list which sequences a session has asked, nor libraries that
//! it has loaded.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// More names of settings than this are not followed.
const NAMES_MAX: usize = 64;

/// So much of a text's end is kept, for a word that is cut in two.
const KEPT_BYTES: usize = 160;

static WORDS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let words = ["set", "currval", "lastval", "load"];
    let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(words);
    automaton.expect("four words")
});

/// What was found so far.
#[derive(Default)]
pub(super) struct Words {
    /// Settings with a dot in their names that the session may have set.
    pub(super) names: BTreeSet<String>,
    /// Why the session cannot go on elsewhere.
    pub(super) bound: Option<&'static str>,
    /// The end of a text that goes on.
    kept: Vec<u8>,
}

impl Words {
    /// Looks through a piece of a statement's text.
    pub(super) fn see(&mut self, piece: &[u8], is_first: bool, is_last: bool) {
        if is_first && is_last {
            return self.look(piece);
        }
        if is_first {
            self.kept.clear();
        }
        // Found twice is found once.
        let text = [self.kept.as_slice(), piece].concat();
        self.look(&text);
        let from = text.len().saturating_sub(KEPT_BYTES);
        self.kept = if is_last { Vec::new() } else { text[from..].to_vec() };
    }

    fn look(&mut self, text: &[u8]) {
        for found in WORDS.find_iter(text) {
            let is_begun = found.start().checked_sub(1).is_some_and(|at| is_word(text[at]));
            let after = &text[found.end()..];
            if is_begun {
                continue;
            }
            match found.pattern().as_usize() {
                0 => self.note_setting(after),
                1 | 2 if !after.first().is_some_and(|byte| is_word(*byte)) => {
                    self.bound = Some("it has asked a sequence for its last value");
                }
                3 if skip_space(after).is_some_and(|rest| is_literal(rest).is_some()) => {
                    self.bound = Some("it has loaded a library");
                }
                _ => {}
            }
        }
    }

    /// Notes what is set: `set` was read.
    fn note_setting(&mut self, after: &[u8]) {
        if let Some(rest) = strip(after, b"_config") {
            let Some(rest) = skip_space(rest).unwrap_or(rest).strip_prefix(b"(") else { return };
            let rest = skip_space(rest).unwrap_or(rest);
            match is_literal(rest) {
                Some(text) => self.note(text),
                None => self.bound = Some("it has set parameters whose names are not known"),
            }
            return;
        }
        let Some(mut rest) = skip_space(after) else { return };
        for word in [b"session".as_slice(), b"local"] {
            if let Some(after) = strip(rest, word).and_then(skip_space) {
                rest = after;
            }
        }
        // `"app".user` and `app.user` are the same.
        let is_name = |byte: &&u8| is_word(**byte) || matches!(**byte, b'.' | b'"');
        let name: Vec<u8> =
            rest.iter().take_while(is_name).copied().filter(|byte| *byte != b'"').collect();
        self.note(&name);
    }

    fn note(&mut self, name: &[u8]) {
        let Ok(name) = std::str::from_utf8(name) else { return };
        if !name.contains('.') {
            return;
        }
        if self.names.len() >= NAMES_MAX {
            self.bound = Some("it has set too many parameters of its own");
            return;
        }
        self.names.insert(name.to_ascii_lowercase());
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn strip<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let begin = text.get(..word.len())?;
    begin.eq_ignore_ascii_case(word).then(|| &text[word.len()..])
}

/// What follows white space; none where there is none.
fn skip_space(text: &[u8]) -> Option<&[u8]> {
    let rest = text.trim_ascii_start();
    (rest.len() < text.len()).then_some(rest)
}

/// What stands in quotes, where the text begins with a quote.
fn is_literal(text: &[u8]) -> Option<&[u8]> {
    let text = strip(text, b"e'").map_or(text, |_| &text[1..]);
    text.strip_prefix(b"'")?.split(|byte| *byte == b'\'').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Words {
        let mut whole = Words::default();
        whole.see(text.as_bytes(), true, true);
        let mut cut = Words::default();
        let count = text.len();
        for (place, byte) in text.as_bytes().iter().enumerate() {
            cut.see(&[*byte], place == 0, place + 1 == count);
        }
        assert!(whole.names.is_subset(&cut.names), "{text}: {:?}", cut.names);
        assert!(whole.bound.is_none() || cut.bound.is_some(), "{text}");
        whole
    }

    #[test]
    fn settings_of_ones_own_are_found() {
        for (text, name) in [
            ("SET app.user = 'x'", "app.user"),
            ("begin; set  local App.User to 1", "app.user"),
            ("SET SESSION \"app\".user = 1", "app.user"),
            ("SELECT set_config('app.user', $1, false)", "app.user"),
            ("SELECT pg_catalog.SET_CONFIG ( 'app.user', 'x', true)", "app.user"),
        ] {
            assert_eq!(seen(text).names.into_iter().collect::<Vec<_>>(), [name], "{text}");
        }
        for text in ["UPDATE t SET a = 1", "SET work_mem = '1MB'", "SELECT offset.x", "SET"] {
            let words = seen(text);
            assert!(words.names.is_empty() && words.bound.is_none(), "{text}");
        }
    }

    #[test]
    fn what_binds_a_session_is_found() {
        for text in [
            "SELECT currval('s')",
            "select LastVal()",
            "LOAD 'auto_explain'",
            "SELECT set_config($1, $2, false)",
        ] {
            assert!(seen(text).bound.is_some(), "{text}");
        }
        for text in
            ["SELECT load FROM t", "SELECT my_lastval()", "SELECT lastvalue", "download 'x'"]
        {
            assert!(seen(text).bound.is_none(), "{text}");
        }
    }
}
