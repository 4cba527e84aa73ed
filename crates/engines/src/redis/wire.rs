//! Connections for data that is passed on as it is, bytes for bytes: to the node's own engine, and
//! over TLS to another member's.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bellwether_contracts::Failure;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite,
    AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpStream, UnixStream};

use crate::tls::authorities;

/// A line that is longer is nobody's answer.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// The engine itself has no longer texts.
const TEXT_BYTES_MAX: usize = 512 << 20;

/// The answers to what was sent come within this time.
const ANSWER_MAX: Duration = Duration::from_secs(10);

const CONNECT_MAX: Duration = Duration::from_secs(3);

/// A command: its words.
pub(super) type Command = Vec<Vec<u8>>;

/// A command from words of which each is text or bytes.
pub(super) fn words(words: &[&[u8]]) -> Command {
    words.iter().map(|word| word.to_vec()).collect()
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Bytes(Vec<u8>),
    Error(String),
    Integer(i64),
    Nothing,
    List(Vec<Answer>),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(super) struct Wire(BufReader<Box<dyn Stream>>);

impl Wire {
    /// To the node's own engine.
    pub(super) async fn local(socket: &Path, user: &str, password: &str) -> Result<Self, Failure> {
        let connecting = async {
            let stream: Box<dyn Stream> = Box::new(UnixStream::connect(socket).await?);
            Ok(stream)
        };
        Self::enter(within(connecting).await?, user, password).await
    }

    /// To another's; `directory` has the authority's certificate.
    pub(super) async fn remote(
        (address, port): (&str, u16),
        directory: &Path,
        user: &str,
        password: &str,
    ) -> Result<Self, Failure> {
        let connecting = async {
            let roots = authorities(directory)?;
            let config =
                ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
            let name = ServerName::try_from(address.to_owned()).map_err(io::Error::other)?;
            let stream = TcpStream::connect((address, port)).await?;
            stream.set_nodelay(true)?;
            let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
            let stream: Box<dyn Stream> = Box::new(connector.connect(name, stream).await?);
            Ok(stream)
        };
        Self::enter(within(connecting).await?, user, password).await
    }

    async fn enter(stream: Box<dyn Stream>, user: &str, password: &str) -> Result<Self, Failure> {
        let mut wire = Self(BufReader::new(stream));
        wire.run(words(&[b"AUTH", user.as_bytes(), password.as_bytes()])).await?;
        Ok(wire)
    }

    /// Runs a command; an error of the engine is a failure.
    pub(super) async fn run(&mut self, command: Command) -> Result<Answer, Failure> {
        let answers = self.run_all(&[command]).await?;
        answers.into_iter().next().ok_or_else(|| Failure::transient("the engine says nothing"))
    }

    /// Runs commands, all of which are sent before any is answered; likewise.
    pub(super) async fn run_all(&mut self, commands: &[Command]) -> Result<Vec<Answer>, Failure> {
        let asking = tokio::time::timeout(ANSWER_MAX, self.ask(commands));
        let asked = asking.await.map_err(|_| Failure::transient("the engine does not answer"))?;
        let answers = asked.map_err(|error| Failure::transient(format!("the engine: {error}")))?;
        let error = answers.iter().find_map(|answer| match answer {
            Answer::Error(said) => Some(said),
            _ => None,
        });
        match error {
            Some(said) => Err(Failure::transient(format!("the engine says: {said}"))),
            None => Ok(answers),
        }
    }

    async fn ask(&mut self, commands: &[Command]) -> io::Result<Vec<Answer>> {
        let mut bytes = Vec::new();
        commands.iter().for_each(|command| write(&mut bytes, command));
        self.0.write_all(&bytes).await?;
        self.0.flush().await?;
        let mut answers = Vec::with_capacity(commands.len());
        for _ in commands {
            answers.push(read(&mut self.0).await?);
        }
        Ok(answers)
    }
}

async fn within(
    connecting: impl Future<Output = io::Result<Box<dyn Stream>>>,
) -> Result<Box<dyn Stream>, Failure> {
    match tokio::time::timeout(CONNECT_MAX, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Failure::transient(format!("the engine: {error}"))),
        Err(_) => Err(Failure::transient("the engine is not reached")),
    }
}

fn write(bytes: &mut Vec<u8>, command: &Command) {
    bytes.extend(format!("*{}\r\n", command.len()).into_bytes());
    for word in command {
        bytes.extend(format!("${}\r\n", word.len()).into_bytes());
        bytes.extend(word);
        bytes.extend(b"\r\n");
    }
}

async fn read<R: AsyncBufRead + Unpin + Send>(reader: &mut R) -> io::Result<Answer> {
    let wrong = |words: &str| io::Error::new(io::ErrorKind::InvalidData, words.to_owned());
    let mut line = Vec::new();
    let mut limited = (&mut *reader).take(LINE_BYTES_MAX);
    limited.read_until(b'\n', &mut line).await?;
    let line = line.strip_suffix(b"\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let (kind, rest) = line.split_first().ok_or_else(|| wrong("an empty line"))?;
    let text = || String::from_utf8_lossy(rest).into_owned();
    let number = || text().parse::<i64>().map_err(|_| wrong("no number"));
    match kind {
        b'+' => Ok(Answer::Bytes(rest.to_vec())),
        b'-' => Ok(Answer::Error(text())),
        b':' => Ok(Answer::Integer(number()?)),
        b'$' => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Answer::Nothing) };
            if length > TEXT_BYTES_MAX {
                return Err(wrong("too long a text"));
            }
            let mut bytes = vec![0; length + 2];
            reader.read_exact(&mut bytes).await?;
            bytes.truncate(length);
            Ok(Answer::Bytes(bytes))
        }
        b'*' => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Answer::Nothing) };
            let mut items = Vec::new();
            for _ in 0..length {
                items.push(Box::pin(read(reader)).await?);
            }
            Ok(Answer::List(items))
        }
        _ => Err(wrong("an unknown kind of answer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_stay_as_they_are() {
        let mut bytes = Vec::new();
        write(&mut bytes, &words(&[b"GET", b"\xff\r\n\x00"]));
        assert_eq!(bytes, b"*2\r\n$3\r\nGET\r\n$4\r\n\xff\r\n\x00\r\n");
        let mut said = &b"*4\r\n$4\r\n\xff\r\n\x00\r\n:7\r\n$-1\r\n-ERR no\r\n"[..];
        let items = match read(&mut said).await.expect("an answer") {
            Answer::List(items) => items,
            other => panic!("{other:?}"),
        };
        let first = Answer::Bytes(b"\xff\r\n\x00".to_vec());
        let rest = [Answer::Integer(7), Answer::Nothing, Answer::Error("ERR no".into())];
        assert_eq!((&items[0], &items[1..]), (&first, &rest[..]));
        assert!(read(&mut said).await.is_err(), "the end");
    }
}
