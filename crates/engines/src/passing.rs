//! Passes what client and primary say to each other, until there is a place to pause or an end.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A client.
pub(crate) type Client = Box<TlsStream<TcpStream>>;

/// A session's conversation, as far as it matters for where it can pause and go on.
pub(crate) trait Conversation {
    /// Notes what the client says, and may put it in other words.
    fn say(&mut self, bytes: &mut Vec<u8>);

    /// Notes what the server says, and may put it in other words.
    fn hear(&mut self, bytes: &mut Vec<u8>);

    /// Neither side expects anything of the other.
    fn is_idle(&self) -> bool;

    /// Whether what the client says next can wait: it is not in the middle of something that only
    /// it can end.
    fn may_wait(&self) -> bool;
}

/// Of each direction of a session: as much as a record of TLS holds.
const BUFFER_BYTES: usize = 16 * 1024;

/// Reads in a row, after which others have their turn.
const TURNS_MAX: usize = 32;

/// Bytes on their way.
#[derive(Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    sent: usize,
    is_unflushed: bool,
}

impl Buffer {
    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Reads more into an empty buffer; how much: 0 at the end of the stream.
    fn poll_fill(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.sent = 0;
        self.bytes.resize(BUFFER_BYTES, 0);
        let mut free = ReadBuf::new(&mut self.bytes);
        let read = Pin::new(from).poll_read(cx, &mut free);
        let filled = free.filled().len();
        self.bytes.truncate(filled);
        std::task::ready!(read)?;
        Poll::Ready(Ok(filled))
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }

    /// What is to be sent.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Writes on; ready once all is written.
    fn poll_drain(
        &mut self,
        to: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let sent = std::task::ready!(Pin::new(&mut *to).poll_write(cx, self.rest()))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            (self.sent, self.is_unflushed) = (self.sent + sent, true);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, to: &mut (impl AsyncWrite + Unpin), cx: &mut Context<'_>) {
        if self.is_unflushed && Pin::new(to).poll_flush(cx).is_ready() {
            self.is_unflushed = false;
        }
    }
}

/// Why passing has stopped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    ClientGone,
    ServerGone,
    /// Nothing is under way, and nothing shall begin.
    Idle,
}

/// Both directions of a session.
pub(crate) struct Passing<'a, S, T> {
    pub(crate) client: &'a mut Client,
    pub(crate) server: &'a mut S,
    pub(crate) talk: &'a mut T,
    pub(crate) up: &'a mut Buffer,
    pub(crate) down: &'a mut Buffer,
}

impl<S: AsyncRead + AsyncWrite + Unpin, T: Conversation> Passing<'_, S, T> {
    /// Passes bytes on. `is_held`: what the client begins anew waits. May be given up and called
    /// again at any time: nothing is lost.
    pub(crate) async fn run(&mut self, is_held: bool) -> Stop {
        poll_fn(|cx| self.poll(cx, is_held)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>, is_held: bool) -> Poll<Stop> {
        for _ in 0..TURNS_MAX {
            let down = self.poll_down(cx);
            let up = self.poll_up(cx, is_held);
            if let Some(stop) = [&down, &up].into_iter().find_map(|way| way.as_ref().err()) {
                return Poll::Ready(match stop {
                    Side::Client => Stop::ClientGone,
                    Side::Server => Stop::ServerGone,
                });
            }
            if is_held && self.talk.is_idle() && self.up.is_empty() && self.down.is_empty() {
                return Poll::Ready(Stop::Idle);
            }
            if (down, up) == (Ok(false), Ok(false)) {
                self.down.poll_flush(self.client, cx);
                self.up.poll_flush(self.server, cx);
                return Poll::Pending;
            }
        }
        self.down.poll_flush(self.client, cx);
        self.up.poll_flush(self.server, cx);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// One turn from the server to the client; whether anything moved.
    fn poll_down(&mut self, cx: &mut Context<'_>) -> Result<bool, Side> {
        let mut has_moved = false;
        if self.down.is_empty() {
            match self.down.poll_fill(self.server, cx) {
                Poll::Ready(Ok(1..)) => self.talk.hear(&mut self.down.bytes),
                Poll::Ready(_) => return Err(Side::Server),
                Poll::Pending => return Ok(false),
            }
            has_moved = true;
        }
        match self.down.poll_drain(self.client, cx) {
            Poll::Ready(Ok(())) => Ok(true),
            Poll::Ready(Err(_)) => Err(Side::Client),
            Poll::Pending => Ok(has_moved),
        }
    }

    /// One turn from the client to the server.
    fn poll_up(&mut self, cx: &mut Context<'_>, is_held: bool) -> Result<bool, Side> {
        let mut has_moved = false;
        if self.up.is_empty() {
            if is_held && self.talk.may_wait() {
                return Ok(false);
            }
            match self.up.poll_fill(self.client, cx) {
                Poll::Ready(Ok(1..)) => self.talk.say(&mut self.up.bytes),
                Poll::Ready(_) => return Err(Side::Client),
                Poll::Pending => return Ok(false),
            }
            has_moved = true;
        }
        match self.up.poll_drain(self.server, cx) {
            Poll::Ready(Ok(())) => Ok(true),
            // What it said last is still to be read, and after it the end.
            Poll::Ready(Err(_)) => {
                self.up.clear();
                Ok(has_moved)
            }
            Poll::Pending => Ok(has_moved),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl Buffer {
    /// Waits for what a client that pauses says next, without passing it on; false at its end.
    pub(crate) async fn await_more(&mut self, client: &mut Client) -> bool {
        if !self.is_empty() {
            return true;
        }
        let read = poll_fn(|cx| self.poll_fill(client, cx)).await;
        matches!(read, Ok(1..))
    }

    /// What was awaited is about to be passed on.
    pub(crate) fn is_said(&mut self, talk: &mut impl Conversation) {
        talk.say(&mut self.bytes);
    }

    /// Whether the server of a session that pauses is still there. What it said meanwhile is for
    /// the client, unless it was the end.
    pub(crate) async fn is_served(
        &mut self,
        server: &mut (impl AsyncRead + Unpin),
        talk: &mut impl Conversation,
        is_end: fn(&[u8]) -> bool,
    ) -> bool {
        let read = poll_fn(|cx| Poll::Ready(self.poll_fill(server, cx))).await;
        match read {
            Poll::Pending => true,
            Poll::Ready(Ok(1..)) if !is_end(self.rest()) => {
                talk.hear(&mut self.bytes);
                true
            }
            Poll::Ready(_) => {
                self.clear();
                false
            }
        }
    }
}
