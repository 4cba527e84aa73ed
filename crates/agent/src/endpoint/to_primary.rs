//! The way to the primary, for sessions that are not passed on unread.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bellwether_contracts::sessions::{Count, Led, Reached, Way};
use bellwether_protocol::local::{ENDPOINT_SOURCE, Routes};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Mutex, watch};

use super::{CONNECT_MAX, RETRY_EVERY, prepare};

/// Between two attempts of the one that tries for all.
const SCOUT_EVERY: Duration = Duration::from_millis(3);

/// Where the primary is, as the sentry tells it.
pub(super) struct ToPrimary {
    routes: watch::Receiver<Routes>,
    led: watch::Sender<Led>,
    pub(super) open: Count,
    /// Of those that wait for a gate to open one tries often, and tells the others.
    scout: Arc<Mutex<()>>,
    reached: watch::Sender<()>,
}

impl ToPrimary {
    pub(super) fn new(routes: watch::Receiver<Routes>) -> Self {
        Self {
            routes,
            led: watch::Sender::default(),
            open: Count::default(),
            scout: Arc::default(),
            reached: watch::Sender::default(),
        }
    }

    /// Until the next attempt of one whose last has failed.
    async fn pause(&self) {
        let mut reached = self.reached.subscribe();
        match self.scout.try_lock() {
            Ok(_turn) => tokio::time::sleep(SCOUT_EVERY).await,
            Err(_) => tokio::select! {
                _ = reached.changed() => {}
                () = tokio::time::sleep(RETRY_EVERY) => {}
            },
        }
    }

    /// The same way for one of ours, whose sessions nobody waits for.
    pub(super) fn uncounted(&self) -> Self {
        Self {
            routes: self.routes.clone(),
            led: self.led.clone(),
            open: Count::default(),
            scout: self.scout.clone(),
            reached: self.reached.clone(),
        }
    }

    /// Takes what is about to be in force.
    pub(super) fn take(&self, routes: &Routes) {
        let led = Led { term: routes.term, is_held: routes.is_held };
        self.led.send_if_modified(|known| std::mem::replace(known, led) != led);
    }
}

#[async_trait]
impl Way for ToPrimary {
    async fn reach(&self) -> Reached {
        let mut routes = self.routes.clone();
        let mut has_failed = false;
        loop {
            // Counted before it is looked whether clients are held back.
            let counted = self.open.begin();
            let now = routes.borrow_and_update().clone();
            if let Some((address, port)) = now.primary.clone() {
                tokio::select! {
                    tried = tokio::time::timeout(CONNECT_MAX, connect(&address, port)) => {
                        if let Ok(Ok((stream, is_here))) = tried {
                            prepare(&stream);
                            if has_failed {
                                self.reached.send_replace(());
                            }
                            let (term, name) = (now.term, now.primary_name);
                            return Reached { stream, term, name, is_here, counted };
                        }
                    }
                    // A machine that is gone does not even refuse; its successor is known by now.
                    Ok(()) = routes.changed() => continue,
                }
            }
            drop(counted);
            has_failed = true;
            tokio::select! {
                _ = routes.changed() => {}
                () = self.pause() => {}
            }
        }
    }

    fn led(&self) -> watch::Receiver<Led> {
        self.led.subscribe()
    }

    fn open(&self) -> &Count {
        &self.open
    }

    fn wait_max(&self) -> Duration {
        Duration::from_millis(self.routes.borrow().connect_wait_ms)
    }
}

/// To this node's own engine from the address that says where from.
async fn connect(address: &str, port: u16) -> std::io::Result<(TcpStream, bool)> {
    let address: IpAddr = address.parse().map_err(std::io::Error::other)?;
    let to = SocketAddr::new(address, port);
    if !address.is_loopback() {
        return Ok((TcpStream::connect(to).await?, false));
    }
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(ENDPOINT_SOURCE.into(), 0))?;
    Ok((socket.connect(to).await?, true))
}
