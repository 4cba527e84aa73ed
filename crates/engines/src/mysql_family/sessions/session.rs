//! One client's session, from being let in to its end.

use std::sync::Arc;
use std::time::Duration;

use bellwether_contracts::sessions::{Led, Way};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;

use super::carry::Carried;
use super::enter::{Entered, Stopped};
use super::greeting::Wish;
use super::login::{Came, no_primary};
use super::packets::{error, packet};
use super::proofs::Shown;
use super::requests::QUIT;
use super::talk::Talk;
use super::{MysqlSessions, REFUSED, STATE};
use crate::led::{overtaken, released};
use crate::passing::{Buffer, Client, Passing, Stop};

/// Looking at a session that pauses.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// The end of a session: an error for its client; none when it has been told, or is gone.
type End = Option<Vec<u8>>;

pub(super) struct Session<'a> {
    sessions: &'a MysqlSessions,
    client: Client,
    wish: Wish,
    shown: Shown,
    /// The number that the client knows its connection by.
    id: u32,
    way: Arc<dyn Way>,
    led: watch::Receiver<Led>,
    talk: Talk,
    up: Buffer,
    down: Buffer,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.sessions.ids.lock().expect("nothing panics while it is held").remove(&self.id);
    }
}

impl<'a> Session<'a> {
    /// A client's session, and where it has come in.
    pub(super) fn new(
        sessions: &'a MysqlSessions,
        came: Came,
        way: Arc<dyn Way>,
    ) -> (Self, Entered) {
        let mut talk = Talk::new(sessions.ids.clone());
        if matches!(came.shown, Shown::Nothing) {
            talk.state.bound = Some("what its user shows of itself no other primary takes");
        }
        let session = Self {
            sessions,
            client: came.client,
            wish: came.wish,
            shown: came.shown,
            id: came.id,
            led: way.led(),
            way,
            talk,
            up: Buffer::default(),
            down: Buffer::default(),
        };
        session.note(&came.entered);
        (session, came.entered)
    }

    /// Runs to the end, of which the client is told.
    pub(super) async fn run(mut self, entered: Entered) {
        if let Some(words) = self.run_from(entered).await {
            // In answer to what it has said.
            let said = packet(self.talk.state.number, &words);
            let _ = self.client.write_all(&said).await;
        }
        let _ = self.client.shutdown().await;
    }

    async fn run_from(&mut self, mut entered: Entered) -> End {
        loop {
            if let Err(end) = self.pass(&mut entered).await {
                return end;
            }
            entered = match self.pause(entered).await {
                Ok(entered) => entered,
                Err(end) => return end,
            };
        }
    }

    /// The client's number of its connection stands for the primary's.
    fn note(&self, entered: &Entered) {
        let mut ids = self.sessions.ids.lock().expect("nothing panics while it is held");
        ids.insert(self.id, entered.id);
    }

    /// Passes packets on until a planned change finds nothing under way.
    async fn pass(&mut self, entered: &mut Entered) -> Result<(), End> {
        loop {
            let led = *self.led.borrow_and_update();
            if led.term > entered.term {
                return Err(self.lost());
            }
            if led.is_held && self.talk.state.is_raw {
                let bound = self.talk.state.bound.unwrap_or_default();
                return Err(Some(moved(bound)));
            }
            let mut passing = Passing {
                client: &mut self.client,
                server: &mut entered.server,
                talk: &mut self.talk,
                up: &mut self.up,
                down: &mut self.down,
            };
            tokio::select! {
                biased;
                Ok(()) = self.led.changed() => {}
                stop = passing.run(led.is_held) => match stop {
                    Stop::Idle => return Ok(()),
                    Stop::ClientGone => return Err(None),
                    // Its own last words were passed on.
                    Stop::ServerGone if self.has_been_told() => return Err(None),
                    Stop::ServerGone => return Err(self.lost()),
                },
            }
        }
    }

    fn has_been_told(&self) -> bool {
        self.talk.state.has_ended_in_error || self.talk.state.has_quit
    }

    /// Pauses until the client has something to say and may say it: to the same primary, or to the
    /// next one, where the session is made anew.
    async fn pause(&mut self, mut entered: Entered) -> Result<Entered, End> {
        let looking = Carried::look(&mut entered, &mut self.talk.state);
        let carried = match tokio::time::timeout(LOOK_MAX, looking).await {
            Ok(Ok(carried)) => carried,
            Ok(Err(_)) | Err(_) => return Err(self.lost()),
        };
        entered.counted = None;
        // Whoever only says goodbye needs no primary, and whoever has said nothing hears nothing.
        let has_more = self.up.await_more(&mut self.client).await;
        if !has_more || self.up.rest().get(4) == Some(&QUIT) {
            return Err(None);
        }
        // Whatever is said now answers the first packet of a command.
        self.talk.state.number = 1;
        let resumed = self.resume(entered).await?;
        let entered = match (resumed, carried) {
            (Some(entered), _) => entered,
            (None, Ok(carried)) => self.go_on(&carried).await?,
            (None, Err(bound)) => return Err(Some(moved(&bound))),
        };
        self.up.is_said(&mut self.talk);
        if self.talk.state.words.asks_back {
            return Err(Some(moved("it asks what its last statement did")));
        }
        Ok(entered)
    }

    /// Goes on with the same primary once nothing is held back, if it is still the primary.
    async fn resume(&mut self, mut entered: Entered) -> Result<Option<Entered>, End> {
        let released = released(self.way.as_ref(), &mut self.led, entered.term).await;
        let Ok(counted) = released else { return Err(Some(no_primary(self.way.as_ref()))) };
        let Some(counted) = counted else { return Ok(None) };
        entered.counted = Some(counted);
        // Whatever a server says unasked is its last word.
        let is_end = |_: &[u8]| true;
        let is_served = self.down.is_served(&mut entered.server, &mut self.talk, is_end).await;
        Ok(is_served.then_some(entered))
    }

    /// Enters the next primary and makes the session there what it was.
    async fn go_on(&mut self, carried: &Carried) -> Result<Entered, End> {
        let limit = self.way.wait_max();
        let going_on = async {
            loop {
                let mut entered = self.enter().await?;
                let term = entered.term;
                let led = self.led.clone();
                let restoring = carried.restore(&mut entered, &mut self.talk.state);
                let restored = tokio::select! {
                    restored = restoring => restored,
                    () = overtaken(led, term) => continue,
                };
                match restored {
                    Ok(Ok(())) => return Ok(entered),
                    Ok(Err(bound)) => return Err(Some(moved(&bound))),
                    // This primary is gone too; another is entered.
                    Err(_) => {}
                }
            }
        };
        let entered = tokio::time::timeout(limit, going_on).await;
        let entered = entered.unwrap_or_else(|_| Err(Some(no_primary(self.way.as_ref()))))?;
        self.note(&entered);
        Ok(entered)
    }

    async fn enter(&mut self) -> Result<Entered, End> {
        let way = self.way.as_ref();
        let entering = self.sessions.enter(way, &self.wish, &mut self.shown, None);
        entering.await.map_err(|stopped| match stopped {
            Stopped::Refused(said) => Some(said),
            Stopped::NoPrimary => Some(no_primary(way)),
            Stopped::ClientGone => None,
        })
    }

    /// The primary is gone, and the session with it. A client that awaits nothing is told by the
    /// end of its connection.
    fn lost(&self) -> End {
        let words =
            "the primary was lost while a statement ran; whether it took effect is not known";
        let awaits = !self.talk.state.asked.is_empty();
        (awaits && self.talk.is_owed()).then(|| error(REFUSED, STATE, words))
    }
}

/// The primary has changed as planned, and this session could not go along.
fn moved(bound: &(impl AsRef<str> + ?Sized)) -> Vec<u8> {
    let bound: &str = bound.as_ref();
    let words = format!("the primary has changed, and this session could not go along: {bound}");
    error(REFUSED, STATE, &words)
}
