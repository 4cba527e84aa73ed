//! TLS of an endpoint that understands its engine's protocol: the server to clients, a client to
//! the primary.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tracing::debug;

/// Who this node is to clients, and whom it believes.
pub(crate) struct Ends {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) connector: TlsConnector,
    /// The SHA-256 of the certificate, which clients may bind to: with it the authority signs.
    pub(crate) certificate: Vec<u8>,
}

/// The same as it is now: read anew when the certificate was renewed.
pub(crate) struct Current {
    directory: PathBuf,
    alpn: &'static [&'static [u8]],
    known: Mutex<Option<(SystemTime, Arc<Ends>)>>,
}

impl Current {
    /// Of that directory.
    pub(crate) fn of(directory: impl Into<PathBuf>, alpn: &'static [&'static [u8]]) -> Self {
        Self { directory: directory.into(), alpn, known: Mutex::default() }
    }

    /// None before the node has a certificate. One that cannot be read leaves the former in force.
    pub(crate) fn ends(&self) -> Option<Arc<Ends>> {
        let mut known = self.known.lock().expect("nothing panics while it is held");
        let written = std::fs::metadata(self.directory.join("engine.pem"));
        let written = written.and_then(|file| file.modified());
        let is_same = |(at, _): &(SystemTime, _)| written.as_ref().is_ok_and(|new| new == at);
        if !known.as_ref().is_some_and(is_same) {
            let read = written.and_then(|at| Ok((at, Arc::new(self.read()?))));
            match read {
                Ok(read) => *known = Some(read),
                Err(error) => debug!("the node's certificate: {error}"),
            }
        }
        known.as_ref().map(|(_, ends)| ends.clone())
    }

    fn read(&self) -> io::Result<Ends> {
        Ends::read(&self.directory, self.alpn)
    }
}

impl Ends {
    /// Reads certificate, key and authority of that directory. `alpn` are the names that clients
    /// may give the protocol.
    pub(crate) fn read(directory: &Path, alpn: &[&[u8]]) -> io::Result<Self> {
        let wrong = io::Error::other::<Box<dyn std::error::Error + Send + Sync>>;
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_file_iter(directory.join("engine.pem"))
                .map_err(|e| wrong(e.into()))?
                .collect::<Result<_, _>>()
                .map_err(|e| wrong(e.into()))?;
        let own = certificates.first().ok_or_else(|| wrong("engine.pem is empty".into()))?;
        let certificate = ring::digest::digest(&ring::digest::SHA256, own).as_ref().to_vec();
        let key = PrivateKeyDer::from_pem_file(directory.join("engine.key"));
        let key = key.map_err(|e| wrong(e.into()))?;
        let mut server = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(|e| wrong(e.into()))?;
        server.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        // Sessions of databases live long; tickets are two more messages for each.
        server.send_tls13_tickets = 0;
        let roots = authorities(directory)?;
        let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
            certificate,
        })
    }
}

/// The authorities that are trusted, of that directory; two of them while one takes the place of
/// the other.
pub(crate) fn authorities(directory: &Path) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(directory.join("ca.pem"));
    for authority in found.map_err(io::Error::other)? {
        roots.add(authority.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    Ok(roots)
}
