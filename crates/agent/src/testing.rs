//! A server for tests: an authority, and TLS on a port of the loopback.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::join::Identity;

pub(crate) struct TestServer {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    /// `https://127.0.0.1:port`.
    pub(crate) url: String,
    pub(crate) ca_certificate: String,
    /// An agent that this authority knows.
    pub(crate) identity: Identity,
}

fn signed(issuer: &Issuer<'_, KeyPair>, names: &[&str]) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let params = CertificateParams::new(names).expect("parameters");
    (params.signed_by(&key, issuer).expect("signed"), key)
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ca_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let mut params = CertificateParams::new(vec![]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&ca_key).expect("signed");
        let ca_certificate = ca.pem();
        let issuer = Issuer::from_params(&params, ca_key);
        let (certificate, key) = signed(&issuer, &["127.0.0.1"]);
        let (agent_certificate, agent_key) = signed(&issuer, &["agent"]);
        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone()).expect("added");
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated();
        let config = rustls::ServerConfig::builder()
            .with_client_cert_verifier(verifier.build().expect("a verifier"))
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            )
            .expect("a configuration");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}", listener.local_addr().expect("bound"));
        let identity = Identity {
            cluster: "c".into(),
            node: "n".into(),
            node_name: "demo-1".into(),
            ca_certificate: ca_certificate.clone(),
            agent_certificate: agent_certificate.pem(),
            agent_key: agent_key.serialize_pem(),
        };
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self { listener, acceptor, url, ca_certificate, identity }
    }

    /// The next client that completes the greeting.
    pub(crate) async fn accept(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let (stream, _) = self.listener.accept().await?;
        self.acceptor.accept(stream).await
    }
}
