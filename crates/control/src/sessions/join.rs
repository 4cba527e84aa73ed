//! How an agent becomes a node, by the token that its machine was made with; how its certificates
//! are renewed; and who an agent is.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bellwether_model::{Cluster, Node};
use bellwether_protocol::join::{Certificates, JoinAnswer, JoinRequest, RenewRequest};
use bellwether_store::Txn;
use bellwether_store::join_tokens::JoinToken;
use bellwether_store::secrets::Secret;
use tracing::{info, warn};

use super::PeerFingerprint;
use crate::authority;
use crate::operations::nodes::{self, join_secret};
use crate::world::World;

/// Times a join is tried when the node is changed meanwhile.
const JOIN_TRIES: usize = 20;

pub(super) fn refuse(status: StatusCode, code: &str, detail: &str) -> Response {
    let body = serde_json::json!({
        "type": format!("/docs/errors/{code}"),
        "status": status.as_u16(),
        "code": code,
        "title": "the agent is refused",
        "detail": detail,
        "request_id": "",
    });
    let kind = [("content-type", "application/problem+json")];
    (status, kind, body.to_string()).into_response()
}

pub(super) async fn accept(
    State(world): State<Arc<World>>,
    request: Result<Json<JoinRequest>, axum::extract::rejection::JsonRejection>,
) -> Response {
    let request = match request {
        Ok(Json(request)) => request,
        Err(error) => return refuse(error.status(), "bad-request", &error.body_text()),
    };
    match admit(&world, &request).await {
        Ok(answer) => Json(answer).into_response(),
        Err((status, code, detail)) => {
            warn!("an agent could not join: {detail}");
            refuse(status, code, &detail)
        }
    }
}

type Refusal = (StatusCode, &'static str, String);

/// The loop writes to the same node at the same time: then it is tried again.
async fn admit(world: &World, request: &JoinRequest) -> Result<JoinAnswer, Refusal> {
    let mut tries = 0;
    loop {
        match admit_once(world, request).await {
            Err((StatusCode::CONFLICT, ..)) if tries < JOIN_TRIES => tries += 1,
            other => return other,
        }
    }
}

async fn admit_once(world: &World, request: &JoinRequest) -> Result<JoinAnswer, Refusal> {
    let invalid =
        |detail: &str| (StatusCode::UNAUTHORIZED, "join-token-invalid", detail.to_owned());
    let hash = bellwether_store::tokens::hash(&request.token);
    let mut token = world
        .store
        .find::<JoinToken>(&hash)
        .ok_or_else(|| invalid("the join token is not known here"))?;
    if token.object.used_at.is_some() {
        return Err(invalid("the join token was used already; each is good for one agent"));
    }
    if token.object.expires_at < world.now() {
        return Err(invalid("the join token has expired"));
    }
    let mut node = world
        .store
        .find::<Node>(token.object.node.as_str())
        .ok_or_else(|| invalid("the node of this join token is gone"))?;
    let certificates = certify(world, &node.object, (&request.agent_key, &request.engine_key))?;
    let fingerprint = authority::key_fingerprint(&request.agent_key);
    token.object.used_at = Some(world.now());
    node.object.fingerprint = fingerprint;
    node.object.joined_at = Some(world.now());
    let sealed = Secret::key_of(&node.object.cluster, &join_secret(&node.object.id));
    let txn = Txn::new().update(&token).update(&node).delete::<Secret>(&sealed, None);
    world.store.commit(txn).await.map_err(|error| match error {
        bellwether_store::Error::Conflict { .. } => {
            (StatusCode::CONFLICT, "internal", error.to_string())
        }
        other => internal(&other),
    })?;
    info!(node = %node.object.name, "its agent has joined");
    Ok(JoinAnswer {
        cluster: node.object.cluster.clone(),
        node: node.object.id.clone(),
        node_name: node.object.name.clone(),
        certificates,
    })
}

fn internal(error: &dyn std::fmt::Display) -> Refusal {
    (StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string())
}

/// Signs for a node's keys.
fn certify(world: &World, node: &Node, keys: (&str, &str)) -> Result<Certificates, Refusal> {
    let cluster = world.store.find::<Cluster>(node.cluster.as_str());
    let network = cluster.and_then(|cluster| cluster.object.network);
    let addresses = network.as_ref().map(nodes::addresses).unwrap_or_default();
    let names = [node.name.clone(), "localhost".to_owned()]
        .into_iter()
        .chain(addresses.into_iter().flat_map(|(v4, v6)| [v4, v6]))
        .collect();
    world.authority.certify(node.id.as_str(), keys, names).map_err(|error| match error {
        authority::Error::PublicKey(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid-field", error.to_string())
        }
        other => internal(&other),
    })
}

/// The node whose agent this is.
pub(super) fn node_of(
    world: &World,
    peer: Option<Extension<PeerFingerprint>>,
) -> Result<Node, Refusal> {
    let Some(Extension(PeerFingerprint(fingerprint))) = peer else {
        let detail = "this needs the agent's client certificate";
        return Err((StatusCode::UNAUTHORIZED, "unauthenticated", detail.to_owned()));
    };
    let nodes = world.store.list::<Node>();
    let node = nodes.into_iter().find(|n| n.object.fingerprint.as_ref() == Some(&fingerprint));
    node.map(|node| node.object).ok_or_else(|| {
        let detail = "no node has this certificate; it was removed, or it is another server's";
        (StatusCode::FORBIDDEN, "forbidden", detail.to_owned())
    })
}

pub(super) async fn accept_renewal(
    State(world): State<Arc<World>>,
    peer: Option<Extension<PeerFingerprint>>,
    request: Result<Json<RenewRequest>, axum::extract::rejection::JsonRejection>,
) -> Response {
    let request = match request {
        Ok(Json(request)) => request,
        Err(error) => return refuse(error.status(), "bad-request", &error.body_text()),
    };
    let renewed = node_of(&world, peer).and_then(|node| {
        if authority::key_fingerprint(&request.agent_key) != node.fingerprint {
            let detail = "`agent_key` is not the key of the certificate that was shown";
            return Err((StatusCode::UNPROCESSABLE_ENTITY, "invalid-field", detail.to_owned()));
        }
        info!(node = %node.name, "its certificates are renewed");
        certify(&world, &node, (&request.agent_key, &request.engine_key))
    });
    match renewed {
        Ok(certificates) => Json(certificates).into_response(),
        Err((status, code, detail)) => {
            warn!("certificates are not renewed: {detail}");
            refuse(status, code, &detail)
        }
    }
}
