//! What a node of a replication group is (`Actual`), what it shall be (`Target`), how far it is
//! (`Position`), and what the group promises about acknowledged writes (`ReplicationMode`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::id::NodeId;

/// Counts the primaries of a replication group. Durable before any effect, never reused.
pub type Term = u64;

/// How far a node's data reaches: first by history, then by place in it. Each engine says it in
/// its own terms, and only places of one cluster are compared:
///
/// - PostgreSQL: its timeline, which a promotion gives the number of the term, and the LSN.
/// - Valkey, Redis, KeyDB: the term of the primary whose history the data is, which the driver
///   keeps beside the data, and the replication offset.
/// - MariaDB, MySQL: the term of the last promotion that the data knows of, and how many
///   transactions it holds.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
pub struct Position {
    /// Counts forks of the history; a larger one was made by a later promotion.
    pub timeline: u64,
    /// The place in it, in the unit that the engine's log counts (`LogFacts::unit`).
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:X}/{:X}", self.timeline, self.offset >> 32, self.offset & 0xffff_ffff)
    }
}

/// What the group promises about a write that was acknowledged to a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReplicationMode {
    /// The primary alone acknowledges. A lost primary may lose the last writes; the loss is
    /// reported.
    #[default]
    Async,
    /// One replica confirms while one can; writes go on without when none does.
    Prefer,
    /// One replica confirms every write; without a replica writes wait.
    Strict,
    /// So many replicas confirm every write; with fewer, writes wait.
    Quorum(u32),
}

impl ReplicationMode {
    /// How many replicas have to confirm before a commit is acknowledged, when all is well.
    #[must_use]
    pub fn acks(self) -> u32 {
        match self {
            Self::Async => 0,
            Self::Prefer | Self::Strict => 1,
            Self::Quorum(acks) => acks,
        }
    }

    /// Whether writes wait when too few replicas can confirm.
    #[must_use]
    pub fn is_strict(self) -> bool {
        matches!(self, Self::Strict | Self::Quorum(_))
    }
}

impl fmt::Display for ReplicationMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Async => f.write_str("async"),
            Self::Prefer => f.write_str("prefer"),
            Self::Strict => f.write_str("strict"),
            Self::Quorum(acks) => write!(f, "quorum({acks})"),
        }
    }
}

impl FromStr for ReplicationMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let acks = |text: &str| {
            text.strip_prefix("quorum(")?.strip_suffix(')')?.parse().ok().filter(|acks| *acks > 0)
        };
        match text {
            "async" => Ok(Self::Async),
            "prefer" => Ok(Self::Prefer),
            "strict" => Ok(Self::Strict),
            other => acks(other).map(Self::Quorum).ok_or_else(|| {
                format!(
                    "`{other}` is not a replication mode: use async, prefer, strict or quorum(N) \
                     with N from 1"
                )
            }),
        }
    }
}

impl Serialize for ReplicationMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ReplicationMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A visitor, so that readers of text files can say on which line it stands.
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = ReplicationMode;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("async, prefer, strict or quorum(N)")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ReplicationMode, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// What the server wants a node to be. The agent is sent the whole of it, again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    /// Accept writes under this term. `create` allows an empty node to begin a new history.
    Primary { term: Term, create: bool },
    /// Follow that node under this term; seed, rewind or copy first where needed.
    Replica { upstream: NodeId, term: Term },
    /// Give the role up: gate closed, no more writes, final position reported. Data stays.
    Demoted { term: Term },
    /// A former primary whose engine died: start it in recovery, following nobody and behind closed
    /// gates, so that the candidate of this term takes from its log what it lacks.
    Source { term: Term },
    /// Be a member of a group whose members all accept writes. `from`: whose data is copied where
    /// there is none here. None: begin the group with the data here, once, for the others to join.
    /// `begun`: since when there is this group; one without the majority that is of an earlier
    /// term stops, to say where its data ends.
    Member { term: Term, begun: Term, from: Option<NodeId> },
    /// Engine stopped, data kept.
    Stopped,
    /// Engine stopped and data removed. The token names the operation that may do so.
    Gone { token: String },
}

impl Target {
    /// The name used in logs, tables and the API.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Primary { .. } => "primary",
            Self::Replica { .. } => "replica",
            Self::Demoted { .. } => "demoted",
            Self::Source { .. } => "source",
            Self::Member { .. } => "member",
            Self::Stopped => "stopped",
            Self::Gone { .. } => "gone",
        }
    }
}

/// What a node is, as its agent found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actual {
    /// The agent has just begun and has not looked yet.
    Unknown,
    /// There is no data.
    Absent,
    /// There is data; the engine does not run. `was_primary`: its data was last written as a
    /// primary.
    Stopped { was_primary: bool },
    /// The engine runs in recovery. `upstream` is whom it follows, none while it follows nobody.
    Replica { upstream: Option<NodeId>, streaming: bool },
    /// The engine accepts writes (through the gate, which may be closed) under this term.
    Primary { term: Term },
    /// Data is being copied or rewound from that node.
    Seeding { upstream: NodeId },
    /// The last attempt failed; the reason is in words.
    Failed { reason: String },
}

impl Actual {
    /// The name used in logs, tables and the API.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Absent => "absent",
            Self::Stopped { .. } => "stopped",
            Self::Replica { .. } => "replica",
            Self::Primary { .. } => "primary",
            Self::Seeding { .. } => "seeding",
            Self::Failed { .. } => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_history_is_ahead_whatever_its_length() {
        let fork = Position { timeline: 2, offset: 10 };
        assert!(fork > Position { timeline: 1, offset: 99 });
    }

    #[test]
    fn modes_are_read_and_written_alike() {
        for text in ["async", "prefer", "strict", "quorum(2)"] {
            assert_eq!(text.parse::<ReplicationMode>().map(|m| m.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "sync", "quorum", "quorum(0)", "quorum(x)"] {
            assert!(text.parse::<ReplicationMode>().is_err(), "{text}");
        }
    }
}
