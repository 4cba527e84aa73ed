//! Where the agent keeps its files, all below one directory in tests.

use std::path::PathBuf;

/// The agent's files and sockets.
#[derive(Clone, Debug)]
pub struct Paths {
    /// Written when the machine is made: servers, authority, token.
    pub config: PathBuf,
    /// Certificates, keys and who this node is.
    pub identity: PathBuf,
    /// What the sentry must not forget.
    pub sentry_state: PathBuf,
    /// How full the disk was.
    pub growth: PathBuf,
    /// Where the sentry listens for worker and endpoint.
    pub socket: PathBuf,
}

impl Paths {
    /// Below that directory; `/` on a node.
    #[must_use]
    pub fn below(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let state = root.join("var/lib/bellwether");
        Self {
            config: root.join("etc/bellwether/agent.json"),
            identity: state.join("identity"),
            sentry_state: state.join("sentry.json"),
            growth: state.join("growth.json"),
            socket: root.join("run/bellwether/sentry.sock"),
        }
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self::below("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_node_they_are_where_others_look_for_them() {
        let paths = Paths::default();
        assert_eq!(paths.socket, PathBuf::from(bellwether_protocol::local::SOCKET));
        assert_eq!(paths.identity, PathBuf::from("/var/lib/bellwether/identity"));
    }
}
