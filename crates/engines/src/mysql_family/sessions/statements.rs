//! Statements that a session's client has prepared. Each server gives them numbers of its own; the
//! client knows the first.

use std::collections::BTreeMap;

/// Longer ones are not kept.
pub(super) const TEXT_BYTES_MAX: usize = 256 * 1024;

/// Where two servers gave the same number, the client is told one from here on.
const FIRST_OWN_ID: u32 = 1 << 30;

/// One statement.
#[derive(Debug, Default)]
pub(super) struct Statement {
    /// The number that the server it is with now knows it by.
    pub(super) id: u32,
    /// None: too long to be kept.
    pub(super) text: Option<Vec<u8>>,
    pub(super) parameters: u16,
    /// The types of its parameters, as they were said last. A client says them once.
    types: Vec<u8>,
    /// The server that it is with now was not told them.
    is_untyped: bool,
    /// Its client has said a part of a parameter.
    pub(super) has_part: bool,
    /// Its rows are fetched little by little.
    pub(super) has_cursor: bool,
}

/// All of a session, by the numbers that its client knows.
#[derive(Debug, Default)]
pub(super) struct Statements {
    known: BTreeMap<u32, Statement>,
    own: u32,
}

impl Statements {
    /// Takes one in; the number that the client is told.
    pub(super) fn add(&mut self, id: u32, text: Option<Vec<u8>>, parameters: u16) -> u32 {
        let mut told = id;
        if self.known.contains_key(&id) {
            told = FIRST_OWN_ID + self.own;
            self.own += 1;
        }
        self.known.insert(told, Statement { id, text, parameters, ..Statement::default() });
        told
    }

    pub(super) fn get(&mut self, told: u32) -> Option<&mut Statement> {
        self.known.get_mut(&told)
    }

    pub(super) fn remove(&mut self, told: u32) {
        self.known.remove(&told);
    }

    pub(super) fn clear(&mut self) {
        self.known.clear();
    }

    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Statement> {
        self.known.values_mut()
    }

    /// Whether a parameter is half said.
    pub(super) fn are_begun(&self) -> bool {
        self.known.values().any(|statement| statement.has_part)
    }

    pub(super) fn have_cursors(&self) -> bool {
        self.known.values().any(|statement| statement.has_cursor)
    }
}

impl Statement {
    /// It is with another server now, under that number.
    pub(super) fn moved(&mut self, id: u32) {
        self.id = id;
        self.is_untyped = true;
    }

    /// Looks at a command to execute it, which is in `out` from there on, and says the types of its
    /// parameters where the client does not and the server does not know them.
    pub(super) fn execute(&mut self, out: &mut Vec<u8>, from: usize) {
        (self.has_part, self.has_cursor) = (false, false);
        let count = usize::from(self.parameters);
        if count == 0 {
            return;
        }
        // Command, number, flags, a count that is always 1, and a bit for each NULL.
        let flag = from + 10 + count.div_ceil(8);
        match out.get(flag) {
            Some(1) => {
                if let Some(types) = out.get(flag + 1..flag + 1 + 2 * count) {
                    self.types = types.to_vec();
                    self.is_untyped = false;
                }
            }
            Some(0) if self.is_untyped && !self.types.is_empty() => {
                out[flag] = 1;
                out.splice(flag + 1..flag + 1, self.types.iter().copied());
                self.is_untyped = false;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_two_servers_gave_are_told_apart() {
        let mut statements = Statements::default();
        assert_eq!(statements.add(1, None, 0), 1);
        let other = statements.add(1, None, 0);
        assert_ne!(other, 1);
        statements.get(1).expect("the first").moved(9);
        assert_eq!(statements.get(1).expect("the first").id, 9);
        assert_eq!(statements.get(other).expect("the second").id, 1);
    }

    #[test]
    fn types_that_were_said_once_are_said_again_elsewhere() {
        let mut statement = Statement { parameters: 2, ..Statement::default() };
        let head = [0x17, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        let typed = [&head[..], &[1, 8, 0, 253, 0], b"values"].concat();
        let untyped = [&head[..], &[0], b"values"].concat();
        let mut said = typed.clone();
        statement.execute(&mut said, 0);
        assert_eq!(said, typed);
        let mut said = untyped.clone();
        statement.execute(&mut said, 0);
        assert_eq!(said, untyped, "the server knows them");
        statement.moved(7);
        let mut said = [b"head", &untyped[..]].concat();
        statement.execute(&mut said, 4);
        assert_eq!(said[4..], typed);
    }
}
