//! Server-sent events.

use bellwether_model::event::Event;
use futures_util::StreamExt as _;

use crate::{Error, Result};

/// The events of a server, as they come.
pub struct Events {
    body: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    buffer: Vec<u8>,
}

impl Events {
    pub(crate) fn new(response: reqwest::Response) -> Self {
        Self { body: Box::pin(response.bytes_stream()), buffer: Vec::new() }
    }

    /// The next event; none at the end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = take(&mut self.buffer) {
                return Ok(Some(event));
            }
            match self.body.next().await {
                None => return Ok(None),
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Err(error)) => return Err(Error::Unexpected(error.to_string())),
            }
        }
    }
}

/// Takes the first whole event; comments and events that are not known are passed over.
fn take(buffer: &mut Vec<u8>) -> Option<Event> {
    while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
        let message: Vec<u8> = buffer.drain(..end + 2).collect();
        let text = String::from_utf8_lossy(&message);
        let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data:")).collect();
        if let Ok(event) = serde_json::from_str(data.join("\n").trim()) {
            return Some(event);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_taken_whole_and_comments_passed_over() {
        let mut buffer = b": hello\n\nevent: hello\ndata: {\"kind\":\"hello\",".to_vec();
        assert_eq!(take(&mut buffer), None);
        buffer.extend(b"\"version\":\"1\"}\n\nevent: x");
        assert_eq!(take(&mut buffer), Some(Event::Hello { version: "1".into() }));
        assert_eq!(take(&mut buffer), None);
    }
}
