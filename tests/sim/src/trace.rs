//! What happened, for people and for comparing runs.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Prints lines, or keeps a digest of them, or does nothing.
#[derive(Default)]
pub struct Trace {
    pub prints: bool,
    pub digests: bool,
    hasher: DefaultHasher,
    pub lines: u64,
}

impl Trace {
    /// One that prints every line.
    #[must_use]
    pub fn printing() -> Self {
        Self { prints: true, digests: true, ..Self::default() }
    }

    /// One that keeps a digest of every line.
    #[must_use]
    pub fn digesting() -> Self {
        Self { digests: true, ..Self::default() }
    }

    pub fn is_on(&self) -> bool {
        self.prints || self.digests
    }

    pub fn line(&mut self, now: u64, words: &str) {
        self.lines += 1;
        if self.prints {
            println!("{:>9.3}  {words}", now as f64 / 1_000.0);
        }
        if self.digests {
            (now, words).hash(&mut self.hasher);
        }
    }

    pub fn digest(&self) -> u64 {
        self.hasher.finish()
    }
}

/// Lets what the product itself logs be told with the time of the run.
pub fn attach(_: &crate::hub::Hub) {}
