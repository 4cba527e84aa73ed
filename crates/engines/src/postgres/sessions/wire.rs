//! The two ends of a session: TLS from the client always, to the primary wherever it leaves the
//! node.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client;

use crate::passing::Client;
use crate::tls::Ends;

/// What clients that begin with TLS at once have to name (PostgreSQL's manual, "SSL Session
/// Encryption").
pub(super) const ALPN: &[u8] = b"postgresql";

/// Asks for TLS: the length of the message, and the number that is no version.
const ASK_TLS: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// The primary.
pub(super) enum Server {
    Plain(TcpStream),
    Tls(Box<client::TlsStream<TcpStream>>),
}

/// Who this node is to clients, and whom it believes.
pub(super) struct Tls(pub(super) Arc<Ends>);

impl Tls {
    /// The hash of the certificate, which clients may bind to (RFC 5929).
    pub(super) fn certificate(&self) -> &[u8] {
        &self.0.certificate
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<Client> {
        self.0.acceptor.accept(stream).await.map(Box::new)
    }

    /// Turns a connection to an engine of that name into an encrypted one.
    pub(super) async fn connect(&self, mut stream: TcpStream, name: &str) -> io::Result<Server> {
        stream.write_all(&ASK_TLS).await?;
        if stream.read_u8().await? != b'S' {
            return Err(io::Error::other("the engine does not speak TLS"));
        }
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let stream = self.0.connector.connect(name, stream).await?;
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
