//! What can go wrong between a client and a server.

use bellwether_model::problem::Problem;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    #[error("the server at {url} cannot be reached: {}", root(source))]
    Unreachable { url: String, source: reqwest::Error },
    #[error("{0}")]
    Unexpected(String),
    #[error("{0}")]
    Settings(String),
}

/// The innermost cause says what happened; the outer ones repeat the address.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

impl Error {
    /// What to do about it; empty when nothing is known.
    #[must_use]
    pub fn hint(&self) -> &str {
        match self {
            Self::Refused(problem) => &problem.hint,
            Self::Unreachable { .. } => "does it run? `make run` starts it; --url names another",
            Self::Unexpected(_) | Self::Settings(_) => "",
        }
    }
}
