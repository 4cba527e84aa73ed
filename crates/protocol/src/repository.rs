//! The way into a repository of backups, with its secrets.

use bellwether_model::repository::Place;
use serde::{Deserialize, Serialize};

/// What opens a repository. Never logged: `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    pub name: String,
    pub place: Place,
    /// The secret of the access key, or the private SSH key.
    pub secret: String,
    /// What everything in it is encrypted with.
    pub key: String,
    /// Seconds that it may take to answer a question.
    #[serde(default = "answer_seconds")]
    pub answer_seconds: u32,
    /// It was found at its place before. One that is missing there now is not made anew: what was
    /// stored is gone, which is to be said.
    #[serde(default)]
    pub is_made: bool,
    /// What is brought back is a trial: everything else on the machine goes first.
    #[serde(default)]
    pub is_trial: bool,
}

/// What is waited for an answer where nobody said otherwise.
#[must_use]
pub fn answer_seconds() -> u32 {
    60
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Access({})", self.place.address())
    }
}
