//! A repository: where backups are kept. Registered once, used by many clusters.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::RepositoryId;
use crate::time::Timestamp;

/// Where a repository is. Its secrets are kept apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Place {
    /// A bucket of an S3-compatible store, written by restic.
    S3 {
        /// The store's address: `https://s3.example.com`.
        endpoint: String,
        bucket: String,
        /// The directory within the bucket; empty for the bucket itself.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        prefix: String,
        /// Where the store wants one named.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        region: String,
        access_key: String,
    },
    /// A directory on a host that is reached by SSH, written by Borg.
    Borg {
        user: String,
        host: String,
        #[serde(default = "ssh_port")]
        port: u16,
        /// The directory on that host, from its root.
        path: String,
        /// The host's public key, as `ssh-keyscan` prints it after the host: it is trusted alone.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        host_key: String,
    },
}

fn ssh_port() -> u16 {
    22
}

impl Place {
    /// The stored name of the kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::S3 { .. } => "s3",
            Self::Borg { .. } => "borg",
        }
    }

    /// Where it is, in the words of the tool that writes it.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::S3 { endpoint, bucket, prefix, .. } => {
                let base = format!("s3:{}/{bucket}", endpoint.trim_end_matches('/'));
                let prefix = prefix.trim_matches('/');
                if prefix.is_empty() { base } else { format!("{base}/{prefix}") }
            }
            Self::Borg { user, host, port, path, .. } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                format!("ssh://{user}@{host}:{port}/{}", path.trim_start_matches('/'))
            }
        }
    }
}

/// The stored repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    pub id: RepositoryId,
    pub name: String,
    pub place: Place,
    pub created_at: Timestamp,
    /// When it was last reached with its credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Timestamp>,
    /// Who reached it: `server`, or a node's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub checked_by: String,
    /// The public half of the SSH key that opens the host.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub public_key: String,
}

/// A repository as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepositoryView {
    pub id: RepositoryId,
    pub name: String,
    pub place: Place,
    /// Where it is, in the words of the tool that writes it.
    pub address: String,
    pub created_at: Timestamp,
    /// When it was last reached with its credentials.
    pub checked_at: Option<Timestamp>,
    /// Who reached it: `server`, or a node's name.
    pub checked_by: String,
    /// What has to be added to the host's `authorized_keys`, where it is reached by SSH.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub public_key: String,
    /// Complete backups in it.
    pub backups: u64,
}

/// A request for a repository: `POST /v1/repositories`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRepository {
    /// 1 to 40 lower-case letters, digits and hyphens; unique on the server.
    pub name: String,
    pub place: Place,
    /// For `s3`: the secret of the access key. For `borg`: the private SSH key in OpenSSH's form.
    #[serde(default)]
    pub secret: String,
    /// The encryption key of a repository that is there already: the backups in it are listed from
    /// then on. A new repository gets a new key when it is left out.
    #[serde(default)]
    pub key: String,
}

impl std::fmt::Debug for NewRepository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewRepository({})", self.name)
    }
}

/// The encryption key of a repository. Without it nobody reads what is in it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RepositoryKey {
    pub repository: String,
    pub address: String,
    pub key: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_as_their_tool_wants_them() {
        let s3 = |endpoint: &str, prefix: &str| Place::S3 {
            endpoint: endpoint.into(),
            bucket: "b".into(),
            prefix: prefix.into(),
            region: String::new(),
            access_key: String::new(),
        };
        assert_eq!(s3("http://10.0.0.1:9000/", "").address(), "s3:http://10.0.0.1:9000/b");
        assert_eq!(s3("https://s3.example.com", "/a/").address(), "s3:https://s3.example.com/b/a");
        let borg = Place::Borg {
            user: "u".into(),
            host: "fd00::1".into(),
            port: 2222,
            path: "/srv/b".into(),
            host_key: String::new(),
        };
        assert_eq!(borg.address(), "ssh://u@[fd00::1]:2222/srv/b");
    }
}
