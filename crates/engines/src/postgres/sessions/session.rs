//! One client's session, from being let in to its end.

use std::sync::Arc;
use std::time::Duration;

use bellwether_contracts::sessions::{Led, Way};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;

use super::PostgresSessions;
use super::carry::{Bound, Carried};
use super::enter::{Entered, Stopped};
use super::login::Startup;
use super::messages::{authentication, fatal, message};
use super::scram::Shown;
use super::talk::Talk;
use crate::led::{overtaken, released};
use crate::passing::{Buffer, Client, Conversation as _, Passing, Stop};

/// Looking at a session that pauses.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// The end of a session, as its client is told; none when it has been told, or is gone.
type End = Option<Vec<u8>>;

pub(super) struct Session<'a> {
    sessions: &'a PostgresSessions,
    pub(super) client: Client,
    startup: Startup,
    shown: Shown,
    way: Arc<dyn Way>,
    led: watch::Receiver<Led>,
    talk: Talk,
    up: Buffer,
    down: Buffer,
    /// The key that the client was given.
    key: Vec<u8>,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let mut running = self.sessions.running.lock().expect("nothing panics while it is held");
        running.remove(&self.key);
    }
}

impl<'a> Session<'a> {
    pub(super) fn new(
        sessions: &'a PostgresSessions,
        client: Client,
        startup: Startup,
        shown: Shown,
        way: Arc<dyn Way>,
    ) -> Self {
        Self {
            sessions,
            client,
            startup,
            shown,
            led: way.led(),
            way,
            talk: Talk::new(),
            up: Buffer::default(),
            down: Buffer::default(),
            key: Vec::new(),
        }
    }

    /// Runs to the end.
    pub(super) async fn run(&mut self) -> End {
        let mut entered = match self.enter().await {
            Ok(entered) => entered,
            Err(end) => return end,
        };
        if self.greet(&entered).await.is_err() {
            return None;
        }
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

    async fn enter(&mut self) -> Result<Entered, End> {
        let entering = self.sessions.enter(self.way.as_ref(), &self.startup, &self.shown);
        let entered = match entering.await {
            Ok(entered) => entered,
            Err(Stopped::Refused(said)) => return Err(Some(said)),
            Err(Stopped::NoPrimary) => return Err(Some(self.no_primary())),
        };
        if self.key.is_empty() {
            self.key.clone_from(&entered.key);
        }
        let place = (entered.place.clone(), entered.key.clone());
        {
            let running = &self.sessions.running;
            let mut running = running.lock().expect("nothing panics while it is held");
            running.insert(self.key.clone(), place);
        }
        Ok(entered)
    }

    /// Tells the client that it is in.
    async fn greet(&mut self, entered: &Entered) -> std::io::Result<()> {
        let mut bytes = authentication(0, &[]);
        for (name, value) in &entered.told {
            bytes.extend(parameter(name, value));
        }
        self.talk.told.clone_from(&entered.told);
        bytes.extend(&entered.notices);
        bytes.extend(message(b'K', &self.key));
        bytes.extend(message(b'Z', b"I"));
        self.client.write_all(&bytes).await?;
        self.client.flush().await
    }

    /// Passes messages on until a planned change finds nothing under way.
    async fn pass(&mut self, entered: &mut Entered) -> Result<(), End> {
        loop {
            let led = *self.led.borrow_and_update();
            if led.term > entered.term {
                return Err(self.lost());
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
                    Stop::ServerGone if self.talk.has_ended_in_error() => return Err(None),
                    Stop::ServerGone => return Err(self.lost()),
                },
            }
        }
    }

    /// Pauses until the client has something to say and may say it: to the same primary, or to the
    /// next one, where the session is made anew.
    async fn pause(&mut self, mut entered: Entered) -> Result<Entered, End> {
        let mut aside = Vec::new();
        let looking = Carried::look(&mut entered.server, &self.talk, &mut aside);
        let carried = match tokio::time::timeout(LOOK_MAX, looking).await {
            Ok(Ok(carried)) => carried,
            Ok(Err(_)) | Err(_) => return Err(self.lost()),
        };
        entered.counted = None;
        if !aside.is_empty() {
            self.talk.hear(&mut aside);
            self.client.write_all(&aside).await.map_err(|_| None)?;
            self.client.flush().await.map_err(|_| None)?;
        }
        match carried {
            Ok(carried) => {
                // Whoever only says goodbye needs no primary.
                let has_more = self.up.await_more(&mut self.client).await;
                if !has_more || self.up.rest().first() == Some(&b'X') {
                    return Err(None);
                }
                self.up.is_said(&mut self.talk);
                match self.resume(entered).await? {
                    Some(entered) => Ok(entered),
                    None => self.go_on(&carried).await,
                }
            }
            // What the server says unasked may matter to it, so it does not wait for the client.
            Err(bound) => match self.resume(entered).await? {
                Some(entered) => Ok(entered),
                None => Err(Some(moved(&bound))),
            },
        }
    }

    /// Goes on with the same primary once nothing is held back, if it is still the primary.
    async fn resume(&mut self, mut entered: Entered) -> Result<Option<Entered>, End> {
        let released = released(self.way.as_ref(), &mut self.led, entered.term).await;
        let Ok(counted) = released else { return Err(Some(self.no_primary())) };
        let Some(counted) = counted else { return Ok(None) };
        entered.counted = Some(counted);
        let is_end = |said: &[u8]| said.first() == Some(&b'E');
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
                let restoring = carried.restore(&mut entered.server, &mut entered.told);
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
        let entered = match tokio::time::timeout(limit, going_on).await {
            Ok(entered) => entered?,
            Err(_) => return Err(Some(self.no_primary())),
        };
        let news: Vec<u8> = entered
            .told
            .iter()
            .filter(|(name, value)| self.talk.told.get(*name) != Some(value))
            .flat_map(|(name, value)| parameter(name, value))
            .collect();
        self.talk.told.clone_from(&entered.told);
        self.client.write_all(&news).await.map_err(|_| None)?;
        self.client.flush().await.map_err(|_| None)?;
        Ok(entered)
    }

    /// The primary is gone, and the session with it.
    fn lost(&self) -> End {
        Some(match self.talk.is_owed() {
            true => fatal(
                "08007",
                "the primary was lost while a statement ran; whether it took effect is not known",
            ),
            false => fatal("57P01", "the primary was lost, and this session with it"),
        })
    }

    fn no_primary(&self) -> Vec<u8> {
        let seconds = self.way.wait_max().as_secs();
        fatal(
            "57P03",
            &format!(
                "the cluster has had no primary for {seconds} s that this node can reach; \
                 try again later"
            ),
        )
    }
}

/// The primary has changed as planned, and this session could not go along.
fn moved(bound: &Bound) -> Vec<u8> {
    let words = format!("the primary has changed, and this session could not go along: {bound}");
    fatal("57P01", &words)
}

fn parameter(name: &str, value: &str) -> Vec<u8> {
    message(b'S', format!("{name}\0{value}\0").as_bytes())
}
