//! What the server itself keeps: who it is, and its certificate authority.

use bellwether_model::authority::{AuthorityState, WaitingNode};
use bellwether_model::{Cluster, Node};
use bellwether_planner::authority::waits_for;
use serde::{Deserialize, Serialize};

use crate::{Object, Sealed, Store, Stored, views};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerSettings {
    /// Names this server for ever; machines and networks carry it as their owner.
    pub instance: String,
    /// Of the authority that signs, PEM.
    pub authority_certificate: String,
    pub authority_key: Sealed,
    /// Tells it from those before it, by its name.
    #[serde(default)]
    pub authority_number: u64,
    /// Counts what changes the certificates that nodes have: each shall have those of this issue.
    #[serde(default)]
    pub issue: u64,
    /// Another authority takes the place of the one that signs.
    #[serde(default)]
    pub rotation: Option<Rotation>,
}

/// How far the rotation of the authority is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Rotation {
    /// Somebody asked for it; the other one is to be made.
    Asked,
    /// The other one is trusted, and signs nothing yet.
    Next { certificate: String, key: Sealed, number: u64 },
    /// The other one has signed until now. It is trusted until every node has a certificate of the
    /// one that signs; its key is gone.
    Former { certificate: String },
}

impl ServerSettings {
    /// There is one.
    pub const KEY: &'static str = "server";

    /// Those of this server; none before its first start.
    #[must_use]
    pub fn of(store: &Store) -> Option<Stored<Self>> {
        store.find(Self::KEY)
    }

    /// The authority beside the one that signs.
    #[must_use]
    pub fn other_certificate(&self) -> Option<&str> {
        match self.rotation.as_ref()? {
            Rotation::Asked => None,
            Rotation::Next { certificate, .. } | Rotation::Former { certificate } => {
                Some(certificate)
            }
        }
    }

    /// Every authority that is trusted, PEM, the one that signs first.
    #[must_use]
    pub fn trusted(&self) -> String {
        let other = self.other_certificate().unwrap_or_default();
        format!("{}{other}", self.authority_certificate)
    }

    /// How far the rotation is, with the nodes that do not have the certificates of this issue.
    #[must_use]
    pub fn state(&self, store: &Store) -> (AuthorityState, Vec<WaitingNode>) {
        let wait = |node: Stored<Node>| {
            let facts = views::facts(store, node.object);
            let reason = waits_for(&facts, self.issue)?.to_owned();
            let cluster = store.find::<Cluster>(facts.node.cluster.as_str())?;
            let cluster = cluster.object.spec.name;
            Some(WaitingNode { cluster, node: facts.node.name, reason })
        };
        let mut waiting: Vec<_> = store.list::<Node>().into_iter().filter_map(wait).collect();
        waiting.sort_by(|a, b| (&a.cluster, &a.node).cmp(&(&b.cluster, &b.node)));
        let state = match &self.rotation {
            None => AuthorityState::Settled,
            Some(Rotation::Next { .. }) if waiting.is_empty() => AuthorityState::Introduced,
            Some(Rotation::Asked | Rotation::Next { .. }) => AuthorityState::Introducing,
            Some(Rotation::Former { .. }) => AuthorityState::Replacing,
        };
        // Before the other one is made nobody is told of it.
        if matches!(self.rotation, Some(Rotation::Asked)) {
            waiting.clear();
        }
        (state, waiting)
    }

    /// The other authority is known from now on.
    pub fn introduce(&mut self, number: u64, certificate: String, key: Sealed) {
        self.rotation = Some(Rotation::Next { certificate, key, number });
        self.issue += 1;
    }

    /// The other authority signs from now on; false where there is none that could.
    pub fn change_over(&mut self) -> bool {
        match self.rotation.take() {
            Some(Rotation::Next { certificate, key, number }) => {
                let former = std::mem::replace(&mut self.authority_certificate, certificate);
                (self.authority_key, self.authority_number) = (key, number);
                self.rotation = Some(Rotation::Former { certificate: former });
                self.issue += 1;
                true
            }
            other => {
                self.rotation = other;
                false
            }
        }
    }

    /// Only the one that signs is trusted from now on.
    pub fn end_rotation(&mut self) {
        if !matches!(self.rotation.take(), None | Some(Rotation::Asked)) {
            self.issue += 1;
        }
    }
}

impl Object for ServerSettings {
    const KIND: &'static str = "settings";

    fn key(&self) -> String {
        Self::KEY.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Store};

    #[test]
    fn another_authority_takes_the_place_of_the_one_that_signs() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Options { directory: directory.path().to_owned() };
        let store = Store::open(options).expect("open");
        let mut settings = ServerSettings {
            instance: "one".to_owned(),
            authority_certificate: "A\n".to_owned(),
            authority_key: store.seal("authority-key", b"a"),
            authority_number: 0,
            issue: 0,
            rotation: Some(Rotation::Asked),
        };
        assert!(!settings.change_over(), "there was none yet");
        assert_eq!((settings.trusted().as_str(), settings.issue), ("A\n", 0));
        let key = store.seal("authority-key", b"b");
        settings.introduce(1, "B\n".to_owned(), key);
        assert_eq!((settings.trusted().as_str(), settings.issue), ("A\nB\n", 1));

        let mut withdrawn = settings.clone();
        withdrawn.end_rotation();
        assert_eq!((withdrawn.trusted().as_str(), withdrawn.issue), ("A\n", 2));

        assert!(settings.change_over());
        assert_eq!((settings.trusted().as_str(), settings.issue), ("B\nA\n", 2));
        assert_eq!(settings.authority_number, 1);
        assert!(!settings.change_over(), "the former one has no key any more");
        settings.end_rotation();
        assert_eq!((settings.trusted().as_str(), settings.issue), ("B\n", 3));
        settings.end_rotation();
        assert_eq!(settings.issue, 3, "nothing was left to end");
    }
}
