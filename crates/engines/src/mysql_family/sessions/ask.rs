//! What we ask a primary ourselves in a client's session, when nothing else is under way in it.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use super::packets::{EOF, Link, OK, PACKET_BYTES_MAX, Reader, error_code, error_words};

/// Commands (MySQL's manual, "Command Phase").
pub(super) const QUERY: u8 = 0x03;

/// A packet that ends rows is shorter than this; a row that begins alike is longer.
pub(super) const EOF_BYTES_MAX: usize = 9;

/// What the engine says against something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) code: u16,
    pub(super) words: String,
}

/// Rows, and the types of their columns.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) types: Vec<u8>,
    pub(super) rows: Vec<Vec<Option<Vec<u8>>>>,
    /// Of the session after it (`status::…`).
    pub(super) status: u16,
}

/// Asks a question; an error is that of the connection.
pub(super) async fn ask(
    server: &mut (impl AsyncRead + AsyncWrite + Unpin),
    question: &[u8],
) -> io::Result<Result<Answer, Said>> {
    command(server, QUERY, question).await
}

/// Says a command whose answer is a word, or rows.
pub(super) async fn command(
    server: &mut (impl AsyncRead + AsyncWrite + Unpin),
    command: u8,
    body: &[u8],
) -> io::Result<Result<Answer, Said>> {
    let mut link = Link::new(server);
    link.write(&[&[command], body].concat()).await?;
    let mut answer = Answer::default();
    let first = link.read_within(PACKET_BYTES_MAX).await?;
    if let Some(said) = said(&first) {
        return Ok(Err(said));
    }
    let malformed = || io::Error::other("the engine's answer is malformed");
    if matches!(first.first(), Some(&OK | &EOF)) {
        answer.status = status(&first).ok_or_else(malformed)?;
        return Ok(Ok(answer));
    }
    let count = Reader(&first).number().ok_or_else(malformed)?;
    for _ in 0..count {
        let column = link.read().await?;
        answer.types.push(type_of(&column).ok_or_else(malformed)?);
    }
    link.read().await?;
    loop {
        let row = link.read_within(PACKET_BYTES_MAX).await?;
        if let Some(said) = said(&row) {
            return Ok(Err(said));
        }
        if row.first() == Some(&EOF) && row.len() < EOF_BYTES_MAX {
            answer.status = status(&row).ok_or_else(malformed)?;
            return Ok(Ok(answer));
        }
        let mut reader = Reader(&row);
        answer.rows.push((0..count).map(|_| reader.text().map(<[u8]>::to_vec)).collect());
    }
}

/// Prepares a statement: the number that the server gives it, and how many parameters it takes.
pub(super) async fn prepare(
    server: &mut (impl AsyncRead + AsyncWrite + Unpin),
    text: &[u8],
) -> io::Result<Result<(u32, u16), Said>> {
    let mut link = Link::new(server);
    link.write(&[&[super::requests::PREPARE], text].concat()).await?;
    let first = link.read().await?;
    if let Some(said) = said(&first) {
        return Ok(Err(said));
    }
    let read = || {
        let mut reader = Reader(first.get(1..)?);
        Some((reader.word()?, reader.short()?, reader.short()?))
    };
    let malformed = || io::Error::other("the engine's answer is malformed");
    let (id, columns, parameters) = read().ok_or_else(malformed)?;
    for count in [parameters, columns] {
        // Each of them, and the end of them.
        for _ in 0..usize::from(count) + usize::from(count > 0) {
            link.read().await?;
        }
    }
    Ok(Ok((id, parameters)))
}

fn said(packet: &[u8]) -> Option<Said> {
    error_code(packet).map(|code| Said { code, words: error_words(packet) })
}

/// What a packet that ends an answer tells of the session.
pub(super) fn status(packet: &[u8]) -> Option<u16> {
    let mut reader = Reader(packet);
    match reader.byte()? {
        OK => {
            reader.number()?;
            reader.number()?;
        }
        EOF => {
            reader.short()?;
        }
        _ => return None,
    }
    reader.short()
}

/// The type of a column, from its definition.
fn type_of(column: &[u8]) -> Option<u8> {
    let mut reader = Reader(column);
    // Catalogue, database, table and column, both under two names.
    for _ in 0..6 {
        reader.text()?;
    }
    // The length of the rest, character set, and the width.
    reader.number()?;
    reader.short()?;
    reader.word()?;
    reader.byte()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_tell_the_state_of_the_session() {
        assert_eq!(status(&[OK, 0xfc, 0, 1, 0, 0x03, 0, 0, 0]), Some(3));
        assert_eq!(status(&[EOF, 0, 0, 0x22, 0x40]), Some(0x4022));
        assert_eq!(status(&[OK]), None);
    }
}
