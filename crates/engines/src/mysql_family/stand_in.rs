//! Standing in for a voter: the node's own engine is told that it holds the log up to a place.
//!
//! An engine takes a replica that asks for its log from a place on to hold everything before it.
//! Replicas themselves ask by global transaction ids, which say nothing of that. So the agent asks
//! from the place, over the engine's socket, and confirms nothing that comes after it.

use std::time::Duration;

use bellwether_contracts::Failure;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::place::socket_file;

/// A place in an engine's log: a file, and where in it. Files are numbered with leading zeros.
pub(crate) type LogPlace = (String, u64);

/// The engine answers within this time.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// So long it stays: an engine whose stand-in is gone at once may wait for its end for good.
const STAY: Duration = Duration::from_secs(1);

/// Our protocol, passwords in the newer form, and named ways to prove who one is.
const CAPABILITIES: u32 = 0x0000_0200 | 0x0000_8000 | 0x0008_0000;
const PACKET_BYTES_MAX: u32 = 1 << 24;
const UTF8MB4: u8 = 45;
const UNUSED: [u8; 23] = [0; 23];

/// Kinds of packets, of ours and the engine's.
const QUERY: u8 = 0x03;
const ASK_FOR_LOG: u8 = 0x12;
const PROVE_OTHERWISE: u8 = 0xfe;
const ERROR: u8 = 0xff;

/// Tells it, as a replica with that server id. `introduction`: what a replica that confirms says
/// first.
pub(crate) async fn stand_in(
    introduction: &'static str,
    server_id: u32,
    place: LogPlace,
) -> Result<(), Failure> {
    let asking = async {
        let mut wire = Wire(UnixStream::connect(socket_file()).await?);
        wire.log_in().await?;
        wire.write(0, &[&[QUERY], introduction.as_bytes()].concat()).await?;
        wire.read().await?;
        wire.write(0, &request(server_id, &place)).await?;
        wire.read().await?;
        Ok::<_, std::io::Error>(wire)
    };
    let asked = tokio::time::timeout(ANSWER_MAX, asking).await;
    let asked = asked.map_err(|_| Failure::transient("the engine does not answer"))?;
    let mut wire = asked.map_err(|error| Failure::transient(format!("the engine: {error}")))?;
    let _ = tokio::time::timeout(STAY, async { while wire.read().await.is_ok() {} }).await;
    Ok(())
}

/// Asks for the log from there on.
fn request(server_id: u32, (file, place): &LogPlace) -> Vec<u8> {
    let place = u32::try_from(*place).unwrap_or(u32::MAX);
    let mut request = vec![ASK_FOR_LOG];
    request.extend(place.to_le_bytes());
    // It waits for more at the end.
    request.extend(0_u16.to_le_bytes());
    request.extend(server_id.to_le_bytes());
    request.extend(file.as_bytes());
    request
}

struct Wire(UnixStream);

impl Wire {
    /// As the superuser, which the socket proves.
    async fn log_in(&mut self) -> std::io::Result<()> {
        self.read().await?;
        let mut hello = CAPABILITIES.to_le_bytes().to_vec();
        hello.extend(PACKET_BYTES_MAX.to_le_bytes());
        hello.push(UTF8MB4);
        hello.extend(UNUSED);
        hello.extend(b"root\0\0auth_socket\0");
        self.write(1, &hello).await?;
        loop {
            let (number, answer) = self.read().await?;
            if answer.first() != Some(&PROVE_OTHERWISE) {
                return Ok(());
            }
            self.write(number.wrapping_add(1), &[]).await?;
        }
    }

    /// The next packet, with its number; a failure that it tells is one.
    async fn read(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let head = self.0.read_u32_le().await?;
        let mut body = vec![0; (head & 0x00ff_ffff) as usize];
        self.0.read_exact(&mut body).await?;
        if body.first() == Some(&ERROR) {
            let text = String::from_utf8_lossy(body.get(3..).unwrap_or_default()).into_owned();
            return Err(std::io::Error::other(text));
        }
        Ok(((head >> 24) as u8, body))
    }

    async fn write(&mut self, number: u8, body: &[u8]) -> std::io::Result<()> {
        let head = u32::from(number) << 24 | body.len() as u32;
        self.0.write_all(&[&head.to_le_bytes(), body].concat()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_the_place_and_who_asks() {
        let asked = request(u32::MAX - 2, &("binlog.000002".to_owned(), 1038));
        assert_eq!(asked[..11], [0x12, 0x0e, 0x04, 0, 0, 0, 0, 0xfd, 0xff, 0xff, 0xff]);
        assert_eq!(&asked[11..], b"binlog.000002");
    }
}
