//! One kept connection of the agent to its engine, over the Unix socket.

use std::path::PathBuf;
use std::time::Duration;

use bellwether_contracts::Failure;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Mutex;

use super::AGENT_USER;
use super::resp::{Value, command, read};

/// A command of the agent takes at most so long, unless it says otherwise.
const COMMAND_MAX: Duration = Duration::from_secs(2);

pub(super) struct Link {
    socket: PathBuf,
    password: String,
    stream: Mutex<Option<BufReader<UnixStream>>>,
}

impl Link {
    pub(super) fn new(socket: PathBuf, password: String) -> Self {
        Self { socket, password, stream: Mutex::default() }
    }

    /// Lets go of the connection.
    pub(super) async fn forget(&self) {
        *self.stream.lock().await = None;
    }

    /// Runs a command; an error of the engine is a failure.
    pub(super) async fn run(&self, words: &[&str]) -> Result<Value, Failure> {
        self.run_within(words, COMMAND_MAX).await
    }

    pub(super) async fn run_within(
        &self,
        words: &[&str],
        limit: Duration,
    ) -> Result<Value, Failure> {
        let mut slot = self.stream.lock().await;
        let known = slot.take();
        let asking = tokio::time::timeout(limit, self.ask(known, words));
        match asking.await {
            Ok(Ok((stream, answer))) => {
                *slot = Some(stream);
                match answer {
                    Value::Error(said) => {
                        Err(Failure::transient(format!("the engine says: {said}")))
                    }
                    answer => Ok(answer),
                }
            }
            Ok(Err(error)) => Err(Failure::transient(format!("the engine: {error}"))),
            Err(_) => Err(Failure::transient("the engine does not answer")),
        }
    }

    async fn ask(
        &self,
        known: Option<BufReader<UnixStream>>,
        words: &[&str],
    ) -> std::io::Result<(BufReader<UnixStream>, Value)> {
        let mut stream = match known {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        stream.write_all(&command(words)).await?;
        let answer = read(&mut stream).await?;
        Ok((stream, answer))
    }

    async fn connect(&self) -> std::io::Result<BufReader<UnixStream>> {
        let mut stream = BufReader::new(UnixStream::connect(&self.socket).await?);
        stream.write_all(&command(&["AUTH", AGENT_USER, &self.password])).await?;
        match read(&mut stream).await? {
            Value::Error(said) => Err(std::io::Error::other(said)),
            _ => Ok(stream),
        }
    }

    /// What `INFO` says.
    pub(super) async fn info(&self) -> Result<String, Failure> {
        match self.run(&["INFO"]).await? {
            Value::Text(text) => Ok(text),
            _ => Err(Failure::transient("the engine says nothing of itself")),
        }
    }
}
