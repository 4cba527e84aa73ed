//! Copies for other members: whoever knows the replication password is sent a physical copy of the
//! running engine's data, over TLS with the node's own certificate.
//!
//! The answer is a row of pieces, each after its length. The first says how many bytes there are
//! about; an empty one ends the copy, and one more byte says whether it is whole.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_protocol::Assignment;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::Mariadb;
use crate::files::size_of;
use crate::mysql_family::place::{conf, data_in, root, socket_file, temporary};
use crate::tls::Ends;

/// A request is at most so long, and comes within this time.
const REQUEST_BYTES_MAX: usize = 256;
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// At once.
const COPIES_MAX: usize = 2;

/// Of a copy, sent in one piece.
const PIECE_BYTES: usize = 128 << 10;

/// Ends a copy that is whole, and one that is not.
pub(super) const WHOLE: u8 = 1;
const BROKEN: u8 = 0;

/// The listener for copies, while the engine runs.
#[derive(Default)]
pub(super) struct Donor(Mutex<Option<(String, JoinSet<()>)>>);

impl Donor {
    /// Listens from now on, for who knows this password. `further`: arguments of the copy.
    fn listen(&self, port: u16, password: &str, further: &'static [&'static str]) {
        let mut listening = self.0.lock().expect("nothing panics while it is held");
        if listening.as_ref().is_some_and(|(known, _)| known == password) {
            return;
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(port, password.to_owned(), further));
        *listening = Some((password.to_owned(), tasks));
    }
}

impl Mariadb {
    /// Lets other members copy from here.
    pub(super) fn listen_for_copies(&self, assignment: &Assignment) {
        // A member of a group learns up to which change the copy goes.
        let further: &[&str] = if self.is_of_group { &["--galera-info"] } else { &[] };
        self.donor.listen(self.donor_port, &assignment.secrets.replication_password, further);
    }
}

async fn serve(port: u16, password: String, further: &'static [&'static str]) {
    let listener = loop {
        match TcpListener::bind(("::", port)).await {
            Ok(listener) => break listener,
            Err(error) => {
                warn!("copies cannot be offered: {error}");
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
    };
    let copies = Arc::new(Semaphore::new(COPIES_MAX));
    let mut clients = JoinSet::new();
    loop {
        let Ok((stream, from)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        while clients.try_join_next().is_some() {}
        let Ok(permit) = copies.clone().try_acquire_owned() else { continue };
        let password = password.clone();
        clients.spawn(async move {
            let _permit = permit;
            if let Err(error) = answer(stream, &password, further).await {
                warn!("the copy for {}: {error}", from.ip());
            }
        });
    }
}

/// Proves who asks, and sends the copy.
async fn answer(stream: TcpStream, password: &str, further: &[&str]) -> std::io::Result<()> {
    let refused = || std::io::Error::other("who asked did not know the password");
    let acceptor = Ends::read(conf(), &[])?.acceptor;
    let request = async {
        let mut stream = acceptor.accept(stream).await?;
        let mut request = Vec::new();
        while request.last() != Some(&b'\n') && request.len() < REQUEST_BYTES_MAX {
            request.push(stream.read_u8().await?);
        }
        Ok::<_, std::io::Error>((stream, request))
    };
    let (mut stream, request) = tokio::time::timeout(REQUEST_MAX, request).await??;
    if !is_same(&request, format!("{password}\n").as_bytes()) {
        return Err(refused());
    }
    info!("a copy of the data is sent");
    let size = tokio::task::spawn_blocking(|| size_of(&data_in(root()))).await.unwrap_or(0);
    send_piece(&mut stream, &size.to_be_bytes()).await?;
    let mut backup = Command::new("/usr/bin/mariadb-backup")
        .args(["--no-defaults", "--backup", "--stream=mbstream", "--user=root"])
        .args(further)
        .arg(format!("--socket={}", socket_file().display()))
        .arg(format!("--datadir={}", data_in(root()).display()))
        .arg(format!("--target-dir={}", temporary().join("copy").display()))
        .arg(format!("--tmpdir={}", temporary().display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut output) = backup.stdout.take() {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let read = output.read(&mut piece).await?;
            if read == 0 {
                break;
            }
            send_piece(&mut stream, &piece[..read]).await?;
        }
    }
    let ended = backup.wait().await?;
    send_piece(&mut stream, &[]).await?;
    stream.write_u8(if ended.success() { WHOLE } else { BROKEN }).await?;
    stream.shutdown().await
}

async fn send_piece(
    stream: &mut (impl tokio::io::AsyncWrite + Unpin),
    piece: &[u8],
) -> std::io::Result<()> {
    stream.write_u32(u32::try_from(piece.len()).unwrap_or_default()).await?;
    stream.write_all(piece).await?;
    stream.flush().await
}

/// Compares in a time that says nothing of where they differ.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"compare");
    ring::hmac::verify(&key, one, ring::hmac::sign(&key, other).as_ref()).is_ok()
}

/// A failure of the way to a donor.
pub(super) fn broken(error: std::io::Error) -> Failure {
    Failure::transient(format!("the copy failed: {error}"))
}
