//! What the store refuses.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no {kind} `{key}`")]
    NotFound { kind: String, key: String },
    #[error("the {kind} `{key}` was changed meanwhile")]
    Conflict { kind: String, key: String },
    #[error("another server uses {}; stop it first", .0.display())]
    InUse(PathBuf),
    #[error("{} cannot be used: {source}", path.display())]
    Path { path: PathBuf, source: std::io::Error },
    #[error("the database is damaged: {0}; restore it from a backup of the server")]
    Damaged(String),
    #[error("the database was written by a later version of the server (schema {0})")]
    TooNew(i64),
    #[error("the database refused: {0}")]
    Database(#[from] rusqlite::Error),
    #[error("a sealed secret does not open: wrong key, wrong purpose or changed")]
    Sealed,
    #[error("the store is closed")]
    Closed,
}
