//! How a new agent becomes a node: it makes its keys, shows its token, and is given certificates.

pub(crate) mod renew;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bellwether_model::{ClusterId, NodeId};
use bellwether_protocol::join::{AgentConfig, Certificates, JoinAnswer, JoinRequest, PATH};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::{info, warn};

use crate::files;
use crate::paths::Paths;

/// One attempt to join.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);

/// Before the next attempt: at first, and at most; after a refusal a person has to act first.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
const AFTER_REFUSAL: Duration = Duration::from_secs(10);

/// A server that leaves what it is sent unanswered for so long is gone.
const UNANSWERED_MS_MAX: u32 = 4_000;

/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Written last: with it the node has joined.
const IDENTITY: &str = "identity.json";

/// Who this node is, and its keys: `identity.json` beside the PEM files the engine reads.
#[derive(Clone, Serialize, Deserialize)]
pub struct Identity {
    pub cluster: ClusterId,
    pub node: NodeId,
    pub node_name: String,
    pub ca_certificate: String,
    pub agent_certificate: String,
    pub agent_key: String,
}

/// Reads who this node is; none before it has joined.
///
/// # Errors
/// When the file is damaged.
pub fn identity(paths: &Paths) -> anyhow::Result<Option<Identity>> {
    files::read_json(&paths.identity.join(IDENTITY)).context("read the identity")
}

/// Reads the configuration.
///
/// # Errors
/// When it is missing or damaged, or names no server.
pub fn config(paths: &Paths) -> anyhow::Result<AgentConfig> {
    let name = paths.config.display();
    let config = files::read_json(&paths.config).with_context(|| format!("read {name}"))?;
    let config: AgentConfig = config.with_context(|| format!("{name} is missing"))?;
    anyhow::ensure!(!config.servers.is_empty(), "`servers` in {name} is empty; it needs one");
    Ok(config)
}

/// Joins, however often it takes.
pub async fn until_joined(paths: &Paths) {
    let mut back_off = BACK_OFF.0;
    let mut said = String::new();
    while !matches!(identity(paths), Ok(Some(_))) {
        let error = match tokio::time::timeout(ATTEMPT_MAX, join(paths)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(_) => anyhow::anyhow!("the server did not answer in time"),
        };
        let words = format!("{error:#}");
        // The same once more is no news.
        if words != said {
            warn!("not joined yet: {words}");
            said = words;
        }
        let is_refused = error.downcast_ref::<Refused>().is_some();
        tokio::time::sleep(if is_refused { AFTER_REFUSAL } else { back_off }).await;
        back_off = (back_off * 2).min(BACK_OFF.1);
    }
}

/// The server's refusal, in its words.
#[derive(Debug, thiserror::Error)]
#[error("the server refuses this agent: {0}")]
struct Refused(String);

async fn join(paths: &Paths) -> anyhow::Result<()> {
    let config = config(paths)?;
    let agent = key(&paths.identity.join("agent.key"))?;
    let engine = key(&paths.identity.join("engine.key"))?;
    let request = JoinRequest {
        token: config.token.clone(),
        agent_key: BASE64.encode(agent.der_bytes()),
        engine_key: BASE64.encode(engine.der_bytes()),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut last = anyhow::anyhow!("no server is configured");
    for server in &config.servers {
        let answer = post(server, &config.ca_certificate, None, (PATH, &request)).await;
        match answer {
            Ok(answer) => return keep(&answer, &agent, &paths.identity),
            Err(error) => last = error.context(format!("at {server}")),
        }
    }
    Err(last)
}

/// The key of that file, made at the first attempt to join: an answer that was lost can be asked
/// for again with the same key.
fn key(path: &Path) -> anyhow::Result<KeyPair> {
    if let Ok(text) = std::fs::read_to_string(path)
        && let Ok(key) = KeyPair::from_pem(&text)
    {
        return Ok(key);
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    files::replace(path, key.serialize_pem().as_bytes(), 0o600)
        .with_context(|| format!("write {}", path.display()))?;
    Ok(key)
}

fn keep(answer: &JoinAnswer, agent: &KeyPair, directory: &Path) -> anyhow::Result<()> {
    let certificates = &answer.certificates;
    let identity = Identity {
        cluster: answer.cluster.clone(),
        node: answer.node.clone(),
        node_name: answer.node_name.clone(),
        ca_certificate: certificates.ca_certificate.clone(),
        agent_certificate: certificates.agent_certificate.clone(),
        agent_key: agent.serialize_pem(),
    };
    keep_certificates(certificates, &identity, directory)?;
    info!("joined as {}", answer.node_name);
    Ok(())
}

/// Writes what the authority signed, the files of the engine first.
fn keep_certificates(
    certificates: &Certificates,
    identity: &Identity,
    directory: &Path,
) -> anyhow::Result<()> {
    for (name, text) in [
        ("ca.pem", &certificates.ca_certificate),
        ("agent.pem", &certificates.agent_certificate),
        ("engine.pem", &certificates.engine_certificate),
    ] {
        files::replace(&directory.join(name), text.as_bytes(), 0o644)
            .with_context(|| format!("write {name}"))?;
    }
    renew::note(certificates, directory).context("write when they end")?;
    files::write_json(&directory.join(IDENTITY), identity).context("write the identity")
}

async fn post<Q: Serialize, A: serde::de::DeserializeOwned>(
    server: &str,
    ca: &str,
    identity: Option<&Identity>,
    (path, request): (&str, &Q),
) -> anyhow::Result<A> {
    let mut stream = dial(server, ca, identity).await?;
    let body = serde_json::to_vec(request)?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: bellwether\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    let mut answer = Vec::new();
    // A peer that closes without saying good-bye in TLS has said everything in HTTP.
    let _ = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").context("the server's answer is no HTTP")?;
    let status: u16 = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    if status == 200 {
        return serde_json::from_str(body).context("the server's answer");
    }
    let problem: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let detail = problem["detail"].as_str().unwrap_or("no reason given").to_owned();
    match status {
        400..=499 => bail!(Refused(detail)),
        _ => bail!("the server answered {status}: {detail}"),
    }
}

/// Dials the server over TLS pinned to its authority, with the agent's certificate where there is
/// one.
///
/// # Errors
/// When the server cannot be reached or is another.
pub async fn dial(
    server: &str,
    ca: &str,
    identity: Option<&Identity>,
) -> anyhow::Result<TlsStream<TcpStream>> {
    let address = server.strip_prefix("https://").unwrap_or(server).trim_end_matches('/');
    let (host, _) = address.rsplit_once(':').context("a server is https://host:port")?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(certificate?)?;
    }
    let builder = rustls::ClientConfig::builder().with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = CertificateDer::pem_slice_iter(identity.agent_certificate.as_bytes())
                .collect::<Result<Vec<_>, _>>()?;
            let key = PrivateKeyDer::from_pem_slice(identity.agent_key.as_bytes())?;
            builder.with_client_auth_cert(chain, key)?
        }
    };
    let stream = TcpStream::connect(address).await.with_context(|| format!("dial {address}"))?;
    stream.set_nodelay(true)?;
    // Without it, a server that fell silent would be waited for through minutes of resending.
    rustix::net::sockopt::set_tcp_user_timeout(&stream, UNANSWERED_MS_MAX)?;
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    connecting.await.with_context(|| format!("greet {address}"))
}

#[cfg(test)]
mod tests;
