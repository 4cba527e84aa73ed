//! Typed identifiers. Each is a UUID version 7 in its hyphenated form: unique without a counter,
//! and sorted by the time of its making.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
        )]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A new identifier, never given before.
            #[must_use]
            pub fn generate() -> Self {
                Self(uuid::Uuid::now_v7().to_string())
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )* };
}

ids! {
    /// Names one cluster for ever, also after its name was given to another.
    ClusterId;
    /// Names one node of one cluster; never reused.
    NodeId;
    /// Names one operation.
    OperationId;
    /// Names one user of the server.
    UserId;
    /// Names one bearer token (never the token itself).
    TokenId;
    /// Names one join token (never the token itself).
    JoinTokenId;
    /// Names one repository of backups.
    RepositoryId;
    /// Names one backup, also in its repository.
    BackupId;
    /// Names one database for ever, also after its name was given to another.
    DatabaseId;
}
