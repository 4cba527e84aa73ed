//! Leads clients to where they belong: on every node one port to the primary, one to the replicas.
//!
//! Bytes are passed on unread. A new connection waits while the primary changes, up to a limit; its
//! client's first bytes are read only once there is somewhere to send them.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use bellwether_protocol::local::{FromSentry, Routes, ToSentry};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixStream};
use tokio::sync::watch;
use tracing::{debug, error, info, warn};

use crate::lines;
use crate::paths::Paths;

/// One attempt to reach a node.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// Between two attempts when nothing has changed.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// Unanswered bytes for so long mean that the other side is gone.
const UNANSWERED_MAX: Duration = Duration::from_secs(10);

/// Of each direction of a connection.
const BUFFER_BYTES: usize = 16 * 1024;

/// Runs for ever.
///
/// # Errors
/// When the sentry tells ports that cannot be listened on.
pub async fn run(paths: &Paths) -> anyhow::Result<()> {
    let (sender, routes) = watch::channel(Routes::default());
    tokio::spawn(follow_sentry(paths.socket.clone(), sender));
    let mut ports = routes.clone();
    let first = ports.wait_for(|routes| routes.read_write_port != 0).await?.clone();
    let load = Arc::new(Load::default());
    let read_write = listen(first.read_write_port)?;
    let read_only = listen(first.read_only_port)?;
    info!(
        "leading clients: {} to the primary, {} to replicas",
        first.read_write_port, first.read_only_port
    );
    tokio::select! {
        () = serve(read_write, routes.clone(), Kind::ReadWrite, load.clone()) => {}
        () = serve(read_only, routes, Kind::ReadOnly, load) => {}
    }
    Ok(())
}

async fn follow_sentry(socket: PathBuf, sender: watch::Sender<Routes>) {
    loop {
        if let Err(error) = follow_once(&socket, &sender).await {
            debug!("the sentry: {error:#}");
        }
        // What was known last stays in force.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn follow_once(socket: &Path, sender: &watch::Sender<Routes>) -> anyhow::Result<()> {
    let (read, mut write) = UnixStream::connect(socket).await?.into_split();
    lines::send(&mut write, &ToSentry::IamEndpoint).await?;
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    while let Some(message) = lines::receive::<FromSentry>(&mut read, &mut line).await? {
        if let FromSentry::Routes(routes) = message {
            sender.send_replace(routes);
        }
    }
    Ok(())
}

fn listen(port: u16) -> anyhow::Result<TcpListener> {
    let socket = TcpSocket::new_v6()?;
    socket.set_reuseaddr(true)?;
    socket
        .bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port))
        .with_context(|| format!("listen on port {port}"))?;
    Ok(socket.listen(1024)?)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ReadWrite,
    ReadOnly,
}

async fn serve(
    listener: TcpListener,
    routes: watch::Receiver<Routes>,
    kind: Kind,
    load: Arc<Load>,
) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                tokio::spawn(lead(client, routes.clone(), kind, load.clone()));
            }
            Err(error) => {
                // Out of descriptors, most likely: others close some meanwhile.
                warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Leads one client.
async fn lead(
    mut client: TcpStream,
    mut routes: watch::Receiver<Routes>,
    kind: Kind,
    load: Arc<Load>,
) {
    prepare(&client);
    let wait = Duration::from_millis(routes.borrow().connect_wait_ms);
    let found = tokio::select! {
        found = tokio::time::timeout(wait, find(&mut routes, kind, &load)) => found,
        // Who hangs up while waiting needs nothing any more.
        () = has_hung_up(&client) => return,
    };
    let Ok(mut route) = found else {
        return refuse(client, wait).await;
    };
    let term = route.term;
    let is_overtaken = async {
        // Replicas' read gates close by themselves; what leads to a former primary is closed here.
        let _ = routes.wait_for(|routes| route.is_primary && routes.term > term).await;
    };
    let sizes = BUFFER_BYTES;
    tokio::select! {
        _ = tokio::io::copy_bidirectional_with_sizes(
            &mut client, &mut route.stream, sizes, sizes,
        ) => {}
        () = is_overtaken => {}
    }
}

fn prepare(stream: &TcpStream) {
    let socket = rustix::net::sockopt::set_tcp_user_timeout;
    let _ = stream.set_nodelay(true);
    let _ = socket(stream, u32::try_from(UNANSWERED_MAX.as_millis()).unwrap_or(u32::MAX));
    let _ = rustix::net::sockopt::set_socket_keepalive(stream, true);
    let _ = rustix::net::sockopt::set_tcp_keepidle(stream, Duration::from_secs(5));
    let _ = rustix::net::sockopt::set_tcp_keepintvl(stream, Duration::from_secs(2));
    let _ = rustix::net::sockopt::set_tcp_keepcnt(stream, 3);
}

/// The client's end of the connection, looked at without reading its bytes.
async fn has_hung_up(client: &TcpStream) {
    let mut byte = [0];
    loop {
        match client.peek(&mut byte).await {
            Ok(0) | Err(_) => return,
            // It has sent something and waits for an answer; its end shows later.
            Ok(_) => tokio::time::sleep(Duration::from_millis(250)).await,
        }
    }
}

/// Where a connection leads.
struct Route {
    stream: TcpStream,
    term: u64,
    is_primary: bool,
    _load: LoadGuard,
}

/// Tries until somebody answers.
async fn find(routes: &mut watch::Receiver<Routes>, kind: Kind, load: &Arc<Load>) -> Route {
    loop {
        let now = routes.borrow_and_update().clone();
        for (address, port, is_primary) in candidates(&now, kind, load) {
            let guard = load.begin(&address);
            if let Ok(Ok(stream)) =
                tokio::time::timeout(CONNECT_MAX, TcpStream::connect((address.as_str(), port)))
                    .await
            {
                prepare(&stream);
                return Route { stream, term: now.term, is_primary, _load: guard };
            }
        }
        tokio::select! {
            _ = routes.changed() => {}
            () = tokio::time::sleep(RETRY_EVERY) => {}
        }
    }
}

/// Whom to try, in order: replicas by their load, the primary last.
fn candidates(routes: &Routes, kind: Kind, load: &Load) -> Vec<(String, u16, bool)> {
    let primary = routes.primary.iter().map(|(address, port)| (address.clone(), *port, true));
    match kind {
        Kind::ReadWrite => primary.collect(),
        Kind::ReadOnly => {
            let mut replicas: Vec<(String, u16, bool)> =
                routes.replicas.iter().map(|(a, port)| (a.clone(), *port, false)).collect();
            load.sort(&mut replicas);
            replicas.into_iter().chain(primary).collect()
        }
    }
}

/// How many connections this endpoint leads to each address.
#[derive(Default)]
struct Load {
    counts: Mutex<HashMap<String, usize>>,
}

struct LoadGuard {
    load: Arc<Load>,
    address: String,
}

impl Load {
    fn begin(self: &Arc<Self>, address: &str) -> LoadGuard {
        let mut counts = self.counts.lock().expect("nothing panics while it is held");
        *counts.entry(address.to_owned()).or_default() += 1;
        LoadGuard { load: self.clone(), address: address.to_owned() }
    }

    fn sort(&self, routes: &mut [(String, u16, bool)]) {
        let counts = self.counts.lock().expect("nothing panics while it is held");
        routes.sort_by_key(|(address, _, _)| counts.get(address).copied().unwrap_or(0));
    }
}

impl Drop for LoadGuard {
    fn drop(&mut self) {
        let mut counts = self.load.counts.lock().expect("nothing panics while it is held");
        if let Some(count) = counts.get_mut(&self.address) {
            *count = count.saturating_sub(1);
        }
    }
}

/// Tells the client why, in PostgreSQL's own form, and closes.
async fn refuse(mut client: TcpStream, waited: Duration) {
    let words = format!(
        "the cluster has had no primary for {} s that this node can reach; try again later",
        waited.as_secs()
    );
    let mut fields = Vec::new();
    for (code, text) in [(b'S', "FATAL"), (b'V', "FATAL"), (b'C', "57P03"), (b'M', words.as_str())]
    {
        fields.push(code);
        fields.extend(text.as_bytes());
        fields.push(0);
    }
    fields.push(0);
    let mut message = vec![b'E'];
    message.extend((fields.len() as u32 + 4).to_be_bytes());
    message.extend(fields);
    let said = tokio::time::timeout(Duration::from_secs(1), client.write_all(&message)).await;
    if said.is_err() {
        error!("a client could not be told that there is no primary");
    }
    let _ = client.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    async fn echo(tag: u8) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).await.is_ok() {
                        if stream.write_all(&[tag, byte[0]]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    async fn endpoint(kind: Kind, routes: Routes) -> (SocketAddr, watch::Sender<Routes>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, receiver) = watch::channel(routes);
        tokio::spawn(serve(listener, receiver, kind, Arc::default()));
        (address, sender)
    }

    fn to(address: SocketAddr) -> (String, u16) {
        (address.ip().to_string(), address.port())
    }

    async fn ask(stream: &mut TcpStream) -> Option<u8> {
        stream.write_all(b"x").await.ok()?;
        let mut answer = [0; 2];
        stream.read_exact(&mut answer).await.ok()?;
        Some(answer[0])
    }

    fn routes(wait_ms: u64) -> Routes {
        Routes { term: 1, connect_wait_ms: wait_ms, ..Routes::default() }
    }

    #[tokio::test]
    async fn a_new_connection_waits_for_a_primary_and_an_old_one_ends_with_its_term() {
        let (address, sender) = endpoint(Kind::ReadWrite, routes(10_000)).await;
        let mut client = TcpStream::connect(address).await.expect("accepted");
        let asking = tokio::spawn(async move {
            let answer = ask(&mut client).await;
            (client, answer)
        });
        let primary = echo(1).await;
        sender.send_modify(|routes| routes.primary = Some(to(primary)));
        let (mut client, answer) = asking.await.expect("no panic");
        assert_eq!(answer, Some(1));
        let next = echo(2).await;
        sender.send_modify(|routes| {
            routes.term = 2;
            routes.primary = Some(to(next));
        });
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.expect("closed");
        let mut client = TcpStream::connect(address).await.expect("accepted");
        assert_eq!(ask(&mut client).await, Some(2));
    }

    #[tokio::test]
    async fn after_the_limit_a_client_is_told_why() {
        let (address, _sender) = endpoint(Kind::ReadWrite, routes(50)).await;
        let mut client = TcpStream::connect(address).await.expect("accepted");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("closed");
        let text = String::from_utf8_lossy(&answer);
        assert!(answer[0] == b'E' && text.contains("57P03") && text.contains("no primary"));
    }

    #[tokio::test]
    async fn reads_spread_over_replicas_and_fall_back_to_the_primary() {
        let (primary, one, two) = (echo(0).await, echo(1).await, echo(2).await);
        let mut with = routes(1_000);
        with.primary = Some(to(primary));
        with.replicas = vec![to(one), to(two)];
        // Both at one address count as one in the load, so they are told apart by their order.
        let (address, sender) = endpoint(Kind::ReadOnly, with).await;
        let mut client = TcpStream::connect(address).await.expect("accepted");
        assert_eq!(ask(&mut client).await, Some(1));
        sender.send_modify(|routes| routes.replicas = vec![("127.0.0.1".into(), 1)]);
        let mut client = TcpStream::connect(address).await.expect("accepted");
        assert_eq!(ask(&mut client).await, Some(0));
    }
}
