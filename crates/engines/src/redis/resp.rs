//! The protocol that Valkey, Redis and KeyDB speak (RESP 2), as far as the agent uses it.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// A line that is longer is nobody's answer.
const LINE_BYTES_MAX: usize = 64 << 10;

/// A text that is longer is nobody's answer to the agent.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Error(String),
    Integer(i64),
    Nothing,
    List(Vec<Value>),
}

impl Value {
    /// The text that follows this one somewhere in it: the value of a name.
    pub(super) fn after(&self, name: &str) -> Option<&str> {
        let Self::List(items) = self else { return None };
        let named = items.windows(2).find_map(|pair| match pair {
            [Self::Text(known), Self::Text(value)] if known == name => Some(value.as_str()),
            _ => None,
        });
        named.or_else(|| items.iter().find_map(|item| item.after(name)))
    }
}

/// A command as it is sent.
pub(super) fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).into_bytes());
        bytes.extend(word.as_bytes());
        bytes.extend(b"\r\n");
    }
    bytes
}

/// Reads one answer.
pub(super) async fn read<R: AsyncBufRead + Unpin + Send>(reader: &mut R) -> io::Result<Value> {
    let wrong = |words: &str| io::Error::new(io::ErrorKind::InvalidData, words.to_owned());
    let line = read_line(reader).await?;
    let (kind, rest) = line.split_at_checked(1).ok_or_else(|| wrong("an empty line"))?;
    let number = || rest.parse::<i64>().map_err(|_| wrong("no number"));
    match kind {
        "+" => Ok(Value::Text(rest.to_owned())),
        "-" => Ok(Value::Error(rest.to_owned())),
        ":" => Ok(Value::Integer(number()?)),
        "$" => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Value::Nothing) };
            if length > TEXT_BYTES_MAX {
                return Err(wrong("too long a text"));
            }
            let mut text = vec![0; length + 2];
            reader.read_exact(&mut text).await?;
            text.truncate(length);
            Ok(Value::Text(String::from_utf8_lossy(&text).into_owned()))
        }
        "*" => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Value::Nothing) };
            let mut items = Vec::new();
            for _ in 0..length {
                items.push(Box::pin(read(reader)).await?);
            }
            Ok(Value::List(items))
        }
        _ => Err(wrong("an unknown kind of answer")),
    }
}

async fn read_line<R: AsyncBufRead + Unpin + Send>(reader: &mut R) -> io::Result<String> {
    let mut line = Vec::new();
    let mut limited = reader.take(LINE_BYTES_MAX as u64);
    limited.read_until(b'\n', &mut line).await?;
    match line.strip_suffix(b"\r\n") {
        Some(text) => Ok(String::from_utf8_lossy(text).into_owned()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The value of a name in what `INFO` says.
pub(super) fn info<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_of_every_kind_are_read() {
        let mut bytes =
            &b"*4\r\n+OK\r\n:7\r\n$-1\r\n*2\r\n$11\r\ndescription\r\n$1\r\n9\r\n-ERR no\r\n"[..];
        let list = read(&mut bytes).await.expect("an answer");
        assert_eq!(list.after("description"), Some("9"));
        assert_eq!(list.after("name"), None);
        assert_eq!(read(&mut bytes).await.expect("another"), Value::Error("ERR no".into()));
        assert!(read(&mut bytes).await.is_err(), "the end");
        assert_eq!(command(&["GET", "ä"]), b"*2\r\n$3\r\nGET\r\n$2\r\n\xc3\xa4\r\n");
        assert_eq!(info("# Server\r\nrole:master\r\nmaster_replid:x\r\n", "role"), Some("master"));
    }
}
