//! What can be done about something that did not work.

use serde::{Deserialize, Serialize};

/// What can be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Trying again later may help.
    Transient,
    /// Trying the same again will not help.
    Permanent,
    /// A person has to do something first.
    NeedsPerson,
}
