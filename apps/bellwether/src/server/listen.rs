//! The server's two listeners: TLS for everybody, plain HTTP on loopback for people of this
//! machine.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use bellwether_api::OverTls;
use bellwether_control::authority::fingerprint;
use bellwether_control::sessions::PeerFingerprint;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;
use tracing::debug;

use super::{SharedWorld, canonical};

/// A client that has not finished its TLS handshake by then is given up.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// Binds an address for both families where it is `[::]`, at once also after a restart.
pub(super) fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket
        .bind(address)
        .map_err(|error| anyhow::anyhow!("{address} cannot be listened on: {error}"))?;
    Ok(socket.listen(1024)?)
}

/// Serves TLS; requests carry the fingerprint of the client's key where a certificate was shown.
pub(super) async fn serve_tls(
    listener: TcpListener,
    router: Router,
    world: SharedWorld,
) -> anyhow::Result<()> {
    loop {
        let Some((stream, peer)) = accept(&listener).await else { continue };
        let (router, world) = (router.clone(), world.clone());
        tokio::spawn(async move {
            let Ok(own) = stream.local_addr() else { return };
            let config = match world.authority.server_config(canonical(own)) {
                Ok(config) => config,
                Err(error) => return tracing::error!("TLS for {own}: {error}"),
            };
            let handshake = TlsAcceptor::from(config).accept(stream);
            match tokio::time::timeout(HANDSHAKE_MAX, handshake).await {
                Ok(Ok(stream)) => {
                    let certificates = stream.get_ref().1.peer_certificates();
                    let shown = certificates.and_then(|chain| chain.first());
                    let shown = shown.and_then(fingerprint).map(PeerFingerprint);
                    serve_connection(stream, router, peer, Some(shown)).await;
                }
                Ok(Err(error)) => debug!("{peer}: no TLS handshake: {error}"),
                Err(_) => debug!("{peer}: no TLS handshake in time"),
            }
        });
    }
}

/// Serves plain HTTP on loopback.
pub(super) async fn serve_local(listener: TcpListener, router: Router) -> anyhow::Result<()> {
    loop {
        let Some((stream, peer)) = accept(&listener).await else { continue };
        let router = router.clone();
        tokio::spawn(async move { serve_connection(stream, router, peer, None).await });
    }
}

async fn accept(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Leases and events are small and urgent.
            let _ = stream.set_nodelay(true);
            Some((stream, peer))
        }
        Err(error) => {
            // Out of descriptors, most likely: others close some meanwhile.
            debug!("a connection could not be accepted: {error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// `tls` is none over plain HTTP, and has the key that the client showed over TLS.
async fn serve_connection<S>(
    stream: S,
    router: Router,
    peer: SocketAddr,
    tls: Option<Option<PeerFingerprint>>,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some(shown) = &tls {
            request.extensions_mut().insert(OverTls);
            shown.clone().map(|shown| request.extensions_mut().insert(shown));
        }
        router.clone().oneshot(request)
    });
    let mut builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(Duration::from_secs(15));
    let result = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
    if let Err(error) = result {
        debug!("{peer}: {error}");
    }
}
