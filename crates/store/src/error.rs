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
    #[error(
        "{} is not there, and without it no stored secret opens; restore it from a backup of the \
         server", .0.display()
    )]
    KeyMissing(PathBuf),
    #[error("{} is not a key of 32 bytes; restore it from a backup of the server", .0.display())]
    KeyDamaged(PathBuf),
    #[error("the database is damaged: {0}; restore it from a backup of the server")]
    Damaged(String),
    #[error(
        "the database was written by a later version of the server (schema {0}); start that version"
    )]
    TooNew(i64),
    #[error("the database refused: {0}")]
    Database(rusqlite::Error),
    #[error("the change could not be saved: {0}")]
    NotSaved(String),
    #[error("a sealed secret does not open: wrong key, wrong purpose or changed")]
    Sealed,
    #[error("the store is closed")]
    Closed,
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Database(error),
        }
    }
}
