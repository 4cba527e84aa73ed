//! How a new agent becomes a node: `POST /v1/agents/join`, over TLS pinned to the server's
//! authority; and how a node's certificates are renewed.

use bellwether_model::{ClusterId, NodeId};
use serde::{Deserialize, Serialize};

/// The path of the request.
pub const PATH: &str = "/v1/agents/join";

/// The path of a renewal. It is asked for with the agent's certificate, which may have ended.
pub const RENEW_PATH: &str = "/v1/agents/renew";

/// What a joining agent sends. Private keys never leave the node.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// The one-time token from the agent's configuration.
    pub token: String,
    /// The agent's public key: the raw point of an ECDSA P-256 key, base64.
    pub agent_key: String,
    /// The engine's public key, likewise.
    pub engine_key: String,
    pub agent_version: String,
}

/// What it gets back.
#[derive(Clone, Serialize, Deserialize)]
pub struct JoinAnswer {
    pub cluster: ClusterId,
    pub node: NodeId,
    pub node_name: String,
    pub certificates: Certificates,
}

/// What an agent sends whose certificates are to be renewed, for the keys that it has.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewRequest {
    /// As in [`JoinRequest`].
    pub agent_key: String,
    pub engine_key: String,
}

/// What the authority signed for a node.
#[derive(Clone, Serialize, Deserialize)]
pub struct Certificates {
    /// The certificates of every authority that is trusted, PEM, the one that signed first.
    pub ca_certificate: String,
    /// For dialling the server (client authentication), PEM.
    pub agent_certificate: String,
    /// For the engine (server authentication, with the node's addresses and names), PEM.
    pub engine_certificate: String,
    /// Both certificates of the node end so long from now.
    pub good_for_seconds: u64,
    /// Counts what changes them beside time: who is trusted, and who signs.
    #[serde(default)]
    pub issue: u64,
}

/// The agent's configuration file, `/etc/bellwether/agent.json`, written when the machine is made.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// Where the server is: `https://10.87.3.1:7443`. Several are tried in turn.
    pub servers: Vec<String>,
    /// The authorities of which one signed the server's certificate, PEM.
    pub ca_certificate: String,
    /// The one-time join token; worthless once the agent has joined.
    pub token: String,
}
