//! What the texts of a session's statements tell of its state that the engine does not.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// More user variables than these are not followed.
const NAMES_MAX: usize = 64;

/// So much of a text's end is kept, for a word that is cut in two; and of its beginning.
const KEPT_BYTES: usize = 160;

/// Of a lock, of what the last statement did, and of a user variable.
static WORDS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let words = ["get_lock", "found_rows", "row_count", "temporary", "@"];
    let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(words);
    automaton.expect("five words")
});

/// What was found so far.
#[derive(Default)]
pub(super) struct Words {
    /// User variables that the session may have set.
    pub(super) names: BTreeSet<String>,
    /// Why the session cannot go on elsewhere.
    pub(super) bound: Option<&'static str>,
    /// It holds locks of tables, which only it can end.
    pub(super) is_locking: bool,
    /// It has said how its next transaction shall be.
    pub(super) is_before: bool,
    /// The last statement asks what the one before it did.
    pub(super) asks_back: bool,
    pub(super) has_temporary: bool,
    beginning: Vec<u8>,
    kept: Vec<u8>,
}

impl Words {
    /// Looks through a piece of a statement's text.
    pub(super) fn see(&mut self, piece: &[u8], is_first: bool, is_last: bool) {
        if is_first {
            (self.asks_back, self.is_before) = (false, false);
            self.kept.clear();
            self.beginning.clear();
        }
        let room = KEPT_BYTES.saturating_sub(self.beginning.len()).min(piece.len());
        self.beginning.extend_from_slice(&piece[..room]);
        if self.kept.is_empty() {
            self.look(piece);
            self.kept = piece[piece.len().saturating_sub(KEPT_BYTES)..].to_vec();
        } else {
            // Found twice is found once.
            let text = [self.kept.as_slice(), piece].concat();
            self.look(&text);
            self.kept = text[text.len().saturating_sub(KEPT_BYTES)..].to_vec();
        }
        if is_last {
            self.begun();
        }
    }

    /// What the first words of a statement say.
    fn begun(&mut self) {
        let text = String::from_utf8_lossy(&self.beginning).to_ascii_lowercase();
        let mut words = skip_remarks(&text).split_ascii_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match (first.trim_end_matches(';'), second) {
            ("lock", _) => self.is_locking = true,
            ("flush", _) if text.contains("read lock") || text.contains("for export") => {
                self.is_locking = true;
            }
            ("unlock" | "begin" | "start", _) => self.is_locking = false,
            ("set", "transaction") => self.is_before = true,
            _ => {}
        }
    }

    fn look(&mut self, text: &[u8]) {
        for found in WORDS.find_iter(text) {
            let before = found.start().checked_sub(1).map(|at| text[at]);
            let after = &text[found.end()..];
            if before.is_some_and(is_word) {
                continue;
            }
            match found.pattern().as_usize() {
                0 => self.bound = Some("it has taken named locks (GET_LOCK)"),
                1 | 2 => self.asks_back = true,
                3 => self.has_temporary = true,
                _ if !before.is_some_and(|byte| matches!(byte, b'@' | b'\'' | b'"' | b'`')) => {
                    self.note(after);
                }
                _ => {}
            }
        }
    }

    /// Notes a user variable: `@` was read.
    fn note(&mut self, after: &[u8]) {
        let name: Vec<u8> = match after.first() {
            Some(quote @ (b'`' | b'\'' | b'"')) => {
                after[1..].iter().take_while(|byte| *byte != quote).copied().collect()
            }
            _ => after.iter().take_while(|byte| is_word(**byte)).copied().collect(),
        };
        let Ok(name) = String::from_utf8(name) else { return };
        if name.is_empty() || name.contains(['`', '\\']) {
            return;
        }
        if self.names.len() < NAMES_MAX {
            self.names.insert(name.to_lowercase());
        } else if !self.names.contains(&name.to_lowercase()) {
            self.bound = Some("it has more user variables than are followed");
        }
    }
}

/// Part of a name.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.') || byte >= 0x80
}

/// Past space and remarks before a statement.
fn skip_remarks(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        let end = match text {
            _ if text.starts_with("/*") && !text.starts_with("/*!") => {
                text.find("*/").map(|at| at + 2)
            }
            _ if text.starts_with("-- ") || text.starts_with('#') => {
                text.find('\n').map(|at| at + 1)
            }
            _ => return text,
        };
        text = &text[end.unwrap_or(text.len())..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(texts: &[&str]) -> Words {
        let mut words = Words::default();
        texts.iter().for_each(|text| words.see(text.as_bytes(), true, true));
        words
    }

    #[test]
    fn user_variables_are_found_and_system_variables_are_not() {
        let words =
            after(&["SET @a = 1, @@sql_mode = '', @`b c` := 2", "SELECT 'joe@example.org'"]);
        assert_eq!(words.names.into_iter().collect::<Vec<_>>(), ["a", "b c"]);
        let words = after(&["GRANT SELECT ON *.* TO 'app'@'%'"]);
        assert!(words.names.is_empty());
        let many: String = (0..70).map(|at| format!("@v{at} ")).collect();
        assert!(after(&[&many]).bound.is_some());
    }

    #[test]
    fn a_word_that_is_cut_in_two_is_found() {
        let mut words = Words::default();
        words.see(b"SELECT GET_", true, false);
        words.see(b"LOCK('x', 1), @na", false, false);
        words.see(b"me", false, true);
        assert!(words.bound.is_some() && words.names.contains("name"));
    }

    #[test]
    fn locks_of_tables_last_until_they_are_let_go() {
        let mut words = after(&["/* orm */ LOCK TABLES t WRITE"]);
        assert!(words.is_locking);
        words.see(b"unlock tables;", true, true);
        assert!(!words.is_locking);
        assert!(after(&["flush tables with read lock"]).is_locking);
        assert!(!after(&["SELECT * FROM locks"]).is_locking);
    }

    #[test]
    fn what_belongs_to_the_next_or_to_the_last_statement_is_known() {
        assert!(after(&["SET TRANSACTION READ ONLY"]).is_before);
        assert!(!after(&["SET SESSION TRANSACTION READ ONLY"]).is_before);
        assert!(after(&["SELECT FOUND_ROWS()"]).asks_back);
        assert!(!after(&["SELECT ROW_COUNT()", "SELECT 1"]).asks_back);
        assert!(after(&["CREATE TEMPORARY TABLE t (id INT)"]).has_temporary);
    }
}
