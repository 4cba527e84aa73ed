//! One client's session, from its first request to its end.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bellwether_contracts::sessions::{Counted, Led, Way};
use bellwether_model::Term;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::{TlsConnector, client, server};

use super::scan::Scan;
use super::talk::Talk;

/// Of each direction.
const BUFFER_BYTES: usize = 16 << 10;

/// Answers wait for a client that does not listen; with so many the primary is not listened to.
const DOWN_BYTES_MAX: usize = 8 << 20;

/// Making a session anew at the next primary.
const ENTER_MAX: Duration = Duration::from_secs(2);

/// Between two attempts to enter.
const RETRY_EVERY: Duration = Duration::from_millis(10);

/// The end of a session, in words for its client; none when it is gone, or was told.
type End = Option<String>;

/// A primary that was entered.
struct Entered {
    stream: client::TlsStream<TcpStream>,
    term: Term,
    _counted: Counted,
}

/// Why passing on stopped.
enum Stop {
    /// Clients are held back, and nothing is under way.
    Held,
    /// The primary is gone, or another is.
    Lost,
    End(End),
}

pub(super) struct Session<'a> {
    pub(super) client: server::TlsStream<TcpStream>,
    way: Arc<dyn Way>,
    led: watch::Receiver<Led>,
    connector: &'a TlsConnector,
    talk: Talk,
    requests: Scan,
    answers: Scan,
    /// What the client said and nobody was told yet.
    kept: Vec<u8>,
    /// What it was answered and was not told yet.
    down: Vec<u8>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        client: server::TlsStream<TcpStream>,
        way: Arc<dyn Way>,
        connector: &'a TlsConnector,
    ) -> Self {
        Self {
            client,
            led: way.led(),
            way,
            connector,
            talk: Talk::default(),
            requests: Scan::of_requests(),
            answers: Scan::of_answers(),
            kept: Vec::new(),
            down: Vec::new(),
        }
    }

    /// Runs to the end.
    pub(super) async fn run(&mut self) -> End {
        loop {
            // Nobody is led anywhere before he has something to say.
            while self.kept.is_empty() {
                if let Err(end) = self.listen().await {
                    return end;
                }
            }
            let mut entered = match self.enter().await {
                Ok(entered) => entered,
                Err(end) => return end,
            };
            let stop = self.pass(&mut entered).await;
            drop(entered);
            if self.tell_rest().await.is_err() {
                return None;
            }
            match stop {
                Stop::Held => {}
                Stop::Lost if self.can_go_on() => {}
                Stop::Lost => return Some(self.lost_words()),
                Stop::End(end) => return end,
            }
        }
    }

    async fn listen(&mut self) -> Result<(), End> {
        self.kept.reserve(BUFFER_BYTES);
        match self.client.read_buf(&mut self.kept).await {
            Ok(1..) => Ok(()),
            Ok(0) | Err(_) => Err(None),
        }
    }

    fn can_go_on(&self) -> bool {
        self.talk.is_idle() && !self.requests.is_inside() && !self.answers.is_inside()
    }

    fn lost_words(&self) -> String {
        match self.talk.unanswered() {
            0 => "MASTERDOWN the primary was lost, and with it what this session had begun".into(),
            count => format!(
                "MASTERDOWN the primary was lost; whether it did the last {count} of what it was \
                 asked is not known"
            ),
        }
    }

    /// Enters the primary, whoever that is, and makes the session there what it was.
    async fn enter(&mut self) -> Result<Entered, End> {
        let wait = self.way.wait_max();
        let words = || {
            let seconds = wait.as_secs();
            Some(format!(
                "MASTERDOWN the cluster has had no primary for {seconds} s that this node can \
                 reach; try again later"
            ))
        };
        let entering = async {
            loop {
                let way = self.way.clone();
                let reached = way.reach().await;
                let term = reached.term;
                let (stream, counted) = (reached.stream, reached.counted);
                let attempt = self.connect(stream, reached.name);
                match tokio::time::timeout(ENTER_MAX, attempt).await {
                    Ok(Ok(stream)) => return Ok(Entered { stream, term, _counted: counted }),
                    Ok(Err(Refused::Said(said))) => return Err(Some(said)),
                    Ok(Err(Refused::Broke)) | Err(_) => tokio::time::sleep(RETRY_EVERY).await,
                }
            }
        };
        let entered =
            tokio::time::timeout(wait, entering).await.unwrap_or_else(|_| Err(words()))?;
        // What it was told of what it caches may have changed unheard of.
        if self.talk.tracks() {
            let all = b">2\r\n$10\r\ninvalidate\r\n_\r\n";
            self.client.write_all(all).await.map_err(|_| None)?;
        }
        Ok(entered)
    }

    async fn connect(
        &self,
        stream: TcpStream,
        name: String,
    ) -> Result<client::TlsStream<TcpStream>, Refused> {
        let name = ServerName::try_from(name).map_err(|_| Refused::Broke)?;
        let mut stream = self.connector.connect(name, stream).await?;
        let mut answers = Scan::of_answers();
        for setting in self.talk.settings() {
            stream.write_all(setting).await?;
            stream.flush().await?;
            let mut left = true;
            while left {
                let mut piece = [0; 4096];
                let read = stream.read(&mut piece).await?;
                if read == 0 {
                    return Err(Refused::Broke);
                }
                let mut bytes = &piece[..read];
                while !bytes.is_empty() {
                    let taken = answers.take(bytes).map_err(|_| Refused::Broke)?;
                    bytes = &bytes[taken.0..];
                    match taken.1 {
                        Some(frame) if frame.kind() == b'-' => {
                            let said = String::from_utf8_lossy(&frame.bytes[1..]);
                            return Err(Refused::Said(said.trim().to_owned()));
                        }
                        Some(frame) if frame.kind() != b'>' => left = false,
                        _ => {}
                    }
                }
            }
        }
        Ok(stream)
    }

    /// Passes on requests and answers until something stops it.
    async fn pass(&mut self, entered: &mut Entered) -> Stop {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let led = *self.led.borrow_and_update();
            if led.term > entered.term {
                return Stop::Lost;
            }
            if led.is_held
                && let Some(why) = self.talk.bound()
            {
                return Stop::End(Some(format!(
                    "MASTERDOWN the primary changes as planned, and this session cannot go on \
                     with the next one: it has {why}"
                )));
            }
            if led.is_held && self.can_go_on() {
                return Stop::Held;
            }
            match self.send(entered, led.is_held).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(stop) => return stop,
            }
            // While clients are held back, only what belongs to what has begun is listened to.
            let listens = self.kept.is_empty()
                && (!led.is_held || self.talk.has_more() || self.requests.is_inside());
            tokio::select! {
                read = entered.stream.read(&mut buffer), if self.down.len() < DOWN_BYTES_MAX => {
                    match read {
                        Ok(read @ 1..) => {
                            if let Err(stop) = self.answer(&buffer[..read]) {
                                return stop;
                            }
                        }
                        Ok(0) | Err(_) => return Stop::Lost,
                    }
                }
                moved = exchange(&mut self.client, &mut self.down, &mut self.kept, listens) => {
                    if moved.is_err() {
                        return Stop::End(None);
                    }
                }
                changed = self.led.changed() => if changed.is_err() {
                    return Stop::End(None);
                },
            }
        }
    }

    /// Sends what the client said; whether there may be more. While clients are held back only up
    /// to where nothing is under way.
    async fn send(&mut self, entered: &mut Entered, is_held: bool) -> Result<bool, Stop> {
        if self.kept.is_empty() {
            return Ok(false);
        }
        let mut end = 0;
        while end < self.kept.len() {
            let may_go_on = !is_held || self.requests.is_inside() || self.talk.has_more();
            if !may_go_on {
                break;
            }
            let taken = self.requests.take(&self.kept[end..]);
            let (taken, frame) = taken.map_err(|_| {
                Stop::End(Some("ERR Protocol error: the endpoint does not understand it".into()))
            })?;
            end += taken;
            if let Some(frame) = frame {
                self.talk.ask(&frame);
            }
        }
        if end == 0 {
            return Ok(false);
        }
        let sent = async {
            entered.stream.write_all(&self.kept[..end]).await?;
            entered.stream.flush().await
        };
        let result: io::Result<()> = sent.await;
        self.kept.drain(..end);
        result.map(|()| true).map_err(|_| Stop::Lost)
    }

    fn answer(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Ok((taken, frame)) = self.answers.take(rest) else {
                return Err(Stop::End(None));
            };
            rest = &rest[taken..];
            if let Some(frame) = frame {
                self.talk.answer(&frame);
            }
        }
        self.down.extend_from_slice(bytes);
        Ok(())
    }

    /// Tells the client the rest of what it was answered.
    async fn tell_rest(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.down);
        self.client.write_all(&rest).await?;
        self.client.flush().await
    }
}

/// Tells the client some of what is to be told, or hears some of what it says, whichever can be: a
/// client may say very much before it listens.
async fn exchange(
    client: &mut server::TlsStream<TcpStream>,
    down: &mut Vec<u8>,
    kept: &mut Vec<u8>,
    listens: bool,
) -> io::Result<()> {
    poll_fn(|cx| {
        if !down.is_empty() {
            match Pin::new(&mut *client).poll_write(cx, down) {
                Poll::Ready(Ok(written)) => {
                    down.drain(..written);
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        // What was written may still be on its way out.
        if let Poll::Ready(Err(error)) = Pin::new(&mut *client).poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        if !listens {
            return Poll::Pending;
        }
        let mut piece = [0; BUFFER_BYTES];
        let mut buffer = ReadBuf::new(&mut piece);
        match Pin::new(&mut *client).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()))
            }
            Poll::Ready(Ok(())) => {
                kept.extend_from_slice(buffer.filled());
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Why a primary was not entered.
enum Refused {
    Broke,
    /// What it said to what makes the session anew.
    Said(String),
}

impl From<io::Error> for Refused {
    fn from(_: io::Error) -> Self {
        Self::Broke
    }
}
