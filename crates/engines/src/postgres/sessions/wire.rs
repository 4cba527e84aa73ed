//! The two ends of a session: TLS from the client always, to the primary wherever it leaves the
//! node.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// What clients that begin with TLS at once have to name (PostgreSQL's manual, "SSL Session
/// Encryption").
const ALPN: &[u8] = b"postgresql";

/// Asks for TLS: the length of the message, and the number that is no version.
const ASK_TLS: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// A client.
pub(super) type Client = Box<server::TlsStream<TcpStream>>;

/// The primary.
pub(super) enum Server {
    Plain(TcpStream),
    Tls(Box<client::TlsStream<TcpStream>>),
}

/// Who this node is to clients, and whom it believes.
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    /// The hash of the certificate, which clients may bind to.
    pub(super) certificate: Vec<u8>,
}

impl Tls {
    /// Reads certificate, key and authority of that directory.
    pub(super) fn read(directory: &Path) -> io::Result<Self> {
        let wrong = io::Error::other::<Box<dyn std::error::Error + Send + Sync>>;
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_file_iter(directory.join("engine.pem"))
                .map_err(|e| wrong(e.into()))?
                .collect::<Result<_, _>>()
                .map_err(|e| wrong(e.into()))?;
        let own = certificates.first().ok_or_else(|| wrong("engine.pem is empty".into()))?;
        // The authority signs with SHA-256, which is then what is bound to (RFC 5929).
        let hash = ring::digest::digest(&ring::digest::SHA256, own).as_ref().to_vec();
        let key = PrivateKeyDer::from_pem_file(directory.join("engine.key"));
        let key = key.map_err(|e| wrong(e.into()))?;
        let mut server = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .map_err(|e| wrong(e.into()))?;
        server.alpn_protocols = vec![ALPN.to_vec()];
        // Sessions of databases live long; tickets are two more messages for each.
        server.send_tls13_tickets = 0;
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(directory.join("ca.pem"));
        roots.add(authority.map_err(|e| wrong(e.into()))?).map_err(|e| wrong(e.into()))?;
        let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
            certificate: hash,
        })
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<Client> {
        self.acceptor.accept(stream).await.map(Box::new)
    }

    /// Turns a connection to an engine of that name into an encrypted one.
    pub(super) async fn connect(&self, mut stream: TcpStream, name: &str) -> io::Result<Server> {
        stream.write_all(&ASK_TLS).await?;
        if stream.read_u8().await? != b'S' {
            return Err(io::Error::other("the engine does not speak TLS"));
        }
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let stream = self.connector.connect(name, stream).await?;
        Ok(Server::Tls(Box::new(stream)))
    }
}

impl AsyncRead for Server {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Server {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
