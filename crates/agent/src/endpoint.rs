//! Leads clients to where they belong: on every node one port to the primary, one to the replicas.
//!
//! A new connection waits while the primary changes, up to a limit. Sessions of clients that write
//! are the engine's part (`bellwether_contracts::Sessions`): they go on with the next primary when
//! the change is planned. Otherwise bytes are passed on unread. Until a node has answered for the
//! first time, what its client said is kept, and said again to the next node when the first one
//! turns out to be frozen, gone or replaced.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use bellwether_contracts::{Prober, Sessions};
use bellwether_model::report::WriteGap;
use bellwether_protocol::local::Routes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tracing::{error, info, warn};

use self::sentry_link::{SentryLink, follow_sentry};
use self::to_primary::ToPrimary;
use crate::paths::Paths;

/// Finds the engine's way with the sessions of its clients.
pub type SessionsFactory = Box<dyn Fn(&Routes) -> Option<Arc<dyn Sessions>> + Send>;

/// Finds the engine's way to measure how long writes wait.
pub type ProberFactory = Box<dyn Fn(&Routes) -> Option<Arc<dyn Prober>> + Send>;

/// One attempt to reach a node.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// A replica that answers nothing for so long is passed over.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// A client that says more before it is answered is led by the first node alone.
const SAID_BYTES_MAX: usize = 16 * 1024;

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
pub async fn run(
    paths: &Paths,
    sessions: SessionsFactory,
    probers: ProberFactory,
) -> anyhow::Result<()> {
    let (sender, routes) = watch::channel(Routes::default());
    let to_primary = Arc::new(ToPrimary::new(routes.clone()));
    let (gaps, measured) = watch::channel(Vec::new());
    let link = SentryLink { routes: sender, to_primary: to_primary.clone(), gaps: measured };
    tokio::spawn(follow_sentry(paths.socket.clone(), link));
    tokio::spawn(measure(probers, routes.clone(), Arc::new(to_primary.uncounted()), gaps));
    let mut ports = routes.clone();
    let first = ports.wait_for(|routes| routes.read_write_port != 0).await?.clone();
    let load = Arc::new(Load::default());
    let read_write = listen(first.read_write_port)?;
    let read_only = listen(first.read_only_port)?;
    info!(
        "leading clients: {} to the primary, {} to replicas",
        first.read_write_port, first.read_only_port
    );
    let leader = Leader { routes, load, sessions: sessions(&first), to_primary };
    tokio::select! {
        () = serve(read_write, Kind::ReadWrite, leader.clone()) => {}
        () = serve(read_only, Kind::ReadOnly, leader) => {}
    }
    Ok(())
}

/// Measures how long writes wait, once it is known how.
async fn measure(
    probers: ProberFactory,
    mut routes: watch::Receiver<Routes>,
    way: Arc<ToPrimary>,
    gaps: watch::Sender<Vec<WriteGap>>,
) {
    let is_told = |routes: &Routes| !routes.probe_password.0.is_empty();
    let Ok(first) = routes.wait_for(is_told).await.map(|routes| routes.clone()) else { return };
    if let Some(prober) = probers(&first) {
        prober::run(prober, way, gaps).await;
    }
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

/// What it takes to lead clients.
#[derive(Clone)]
struct Leader {
    routes: watch::Receiver<Routes>,
    load: Arc<Load>,
    sessions: Option<Arc<dyn Sessions>>,
    to_primary: Arc<ToPrimary>,
}

async fn serve(listener: TcpListener, kind: Kind, leader: Leader) {
    loop {
        match listener.accept().await {
            // Whoever knows several nodes goes on to the next.
            Ok(_) if leader.routes.borrow().is_drained => {}
            Ok((client, _)) => {
                tokio::spawn(leader.clone().lead(client, kind));
            }
            Err(error) => {
                // Out of descriptors, most likely: others close some meanwhile.
                warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

impl Leader {
    /// Leads one client.
    async fn lead(self, client: TcpStream, kind: Kind) {
        prepare(&client);
        match self.sessions {
            Some(sessions) if kind == Kind::ReadWrite && sessions.is_ready().await => {
                sessions.lead(client, self.to_primary).await;
            }
            sessions => lead_unread(client, self.routes, kind, self.load, sessions).await,
        }
    }
}

/// Leads one client without knowing what it says.
async fn lead_unread(
    mut client: TcpStream,
    mut routes: watch::Receiver<Routes>,
    kind: Kind,
    load: Arc<Load>,
    sessions: Option<Arc<dyn Sessions>>,
) {
    let wait = Duration::from_millis(routes.borrow().connect_wait_ms);
    let mut route =
        match tokio::time::timeout(wait, open(&mut client, &mut routes, kind, &load)).await {
            Ok(Some(route)) => route,
            // Who hangs up while waiting needs nothing any more.
            Ok(None) => return,
            Err(_) => return refuse(client, wait, sessions.as_deref()).await,
        };
    let overtaken = overtaken(routes, route.term, route.is_primary);
    let sizes = BUFFER_BYTES;
    tokio::select! {
        _ = tokio::io::copy_bidirectional_with_sizes(
            &mut client, &mut route.stream, sizes, sizes,
        ) => {}
        () = overtaken => {}
    }
}

/// Ends when a later term than that of the primary that is led to is known. Replicas' read gates
/// close by themselves.
async fn overtaken(mut routes: watch::Receiver<Routes>, term: u64, is_primary: bool) {
    if !is_primary || routes.wait_for(|routes| routes.term > term).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Leads a client to the first node that answers it; none when the client hangs up before.
async fn open(
    client: &mut TcpStream,
    routes: &mut watch::Receiver<Routes>,
    kind: Kind,
    load: &Arc<Load>,
) -> Option<Route> {
    let mut said = Vec::new();
    let mut passed_over = Vec::new();
    loop {
        let mut route = tokio::select! {
            route = find(routes, kind, load, &passed_over) => route,
            () = has_hung_up(client) => return None,
        };
        match await_answer(client, &mut route, routes.clone(), &mut said).await {
            Answer::Came => return Some(route),
            Answer::HungUp => return None,
            Answer::None if route.is_primary => tokio::time::sleep(RETRY_EVERY).await,
            Answer::None => passed_over.push((route.address, route.port)),
        }
    }
}

enum Answer {
    Came,
    None,
    /// The client's end is closed.
    HungUp,
}

/// Says to a node what the client has said and goes on to say, until it answers.
async fn await_answer(
    client: &mut TcpStream,
    route: &mut Route,
    routes: watch::Receiver<Routes>,
    said: &mut Vec<u8>,
) -> Answer {
    if route.stream.write_all(said).await.is_err() {
        return Answer::None;
    }
    let mut overtaken = std::pin::pin!(overtaken(routes, route.term, route.is_primary));
    let mut is_late = std::pin::pin!(tokio::time::sleep(ANSWER_MAX));
    let mut byte = [0];
    loop {
        let known = said.len();
        tokio::select! {
            answer = route.stream.peek(&mut byte) => {
                return if matches!(answer, Ok(1..)) { Answer::Came } else { Answer::None };
            }
            read = client.read_buf(said) => {
                if !matches!(read, Ok(1..)) {
                    return Answer::HungUp;
                }
                if route.stream.write_all(&said[known..]).await.is_err() {
                    return Answer::None;
                }
                if said.len() > SAID_BYTES_MAX {
                    return Answer::Came;
                }
            }
            () = &mut overtaken => return Answer::None,
            // A client that has said nothing awaits nothing; a primary is the only one there is.
            () = &mut is_late, if !route.is_primary && !said.is_empty() => return Answer::None,
        }
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
    address: String,
    port: u16,
    term: u64,
    is_primary: bool,
    _load: LoadGuard,
}

/// Tries until somebody answers.
async fn find(
    routes: &mut watch::Receiver<Routes>,
    kind: Kind,
    load: &Arc<Load>,
    passed_over: &[(String, u16)],
) -> Route {
    loop {
        let now = routes.borrow_and_update().clone();
        for (address, port, is_primary) in candidates(&now, kind, load) {
            if passed_over.iter().any(|(a, p)| (a, p) == (&address, &port)) {
                continue;
            }
            let guard = load.begin(&address);
            let attempt = TcpStream::connect((address.as_str(), port));
            tokio::select! {
                tried = tokio::time::timeout(CONNECT_MAX, attempt) => {
                    if let Ok(Ok(stream)) = tried {
                        prepare(&stream);
                        let term = now.term;
                        return Route { stream, address, port, term, is_primary, _load: guard };
                    }
                }
                // A machine that is gone does not even refuse; its successor is known by now.
                Ok(()) = routes.changed() => break,
            }
        }
        tokio::select! {
            _ = routes.changed() => {}
            () = tokio::time::sleep(RETRY_EVERY) => {}
        }
    }
}

/// Whom to try, in order: replicas by their load, the primary last. Where all accept writes, those
/// who do are led to one of them as long as it is reached.
fn candidates(routes: &Routes, kind: Kind, load: &Load) -> Vec<(String, u16, bool)> {
    let primary = routes.primary.iter().map(|(address, port)| (address.clone(), *port, true));
    match kind {
        Kind::ReadWrite => {
            let writers =
                routes.writers.iter().map(|(address, port)| (address.clone(), *port, true));
            primary.chain(writers).collect()
        }
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

/// Tells the client why, in the engine's own form, and closes.
async fn refuse(mut client: TcpStream, waited: Duration, sessions: Option<&dyn Sessions>) {
    let words = format!(
        "the cluster has had no primary for {} s that this node can reach; try again later",
        waited.as_secs()
    );
    let message = sessions.map(|sessions| sessions.refusal(&words)).unwrap_or_default();
    let said = tokio::time::timeout(Duration::from_secs(1), client.write_all(&message)).await;
    if said.is_err() {
        error!("a client could not be told that there is no primary");
    }
    let _ = client.shutdown().await;
}

mod prober;
mod sentry_link;
mod to_primary;

#[cfg(test)]
mod tests;
