//! A backup as one file: what its parts hold, read from the repository and sent on as it comes.
//! Nothing of it is kept here.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bellwether_contracts::Repository;
use bellwether_contracts::repository::Archive;
use bellwether_model::Backup;
use bellwether_model::backup::{BackupFacts, DOWNLOAD_SIZE};
use bellwether_model::problem::{Code, Problem};
use bellwether_store::repositories;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;

use crate::auth::Caller;
use crate::backups::{complete, find};
use crate::error::{ApiError, Result};
use crate::extract::{Nothing, Path, Query};
use crate::{Inner, State};

/// The tools that read take the server's memory and processor.
pub(crate) const AT_ONCE: usize = 2;

/// So much is sent in one piece, and so many pieces wait for whoever takes them.
const PIECE_BYTES: usize = 256 << 10;
const PIECES: usize = 8;

/// The bytes of a file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it stands for what is sent piece by piece")]
struct TarFile(Vec<u8>);

/// A backup as one tar file, whose size is about that of the header `Bellwether-Size`. It is the
/// data itself, without the repository's encryption. An answer that ends early is no backup.
#[utoipa::path(get, path = "/v1/backups/{backup}/download", tag = "backups",
    operation_id = "download_backup", params(("backup" = String, Path)), responses(
    (status = 200, body = TarFile, content_type = "application/x-tar"),
    (status = 400, body = Problem), (status = 401, body = Problem),
    (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
))]
pub(crate) async fn download(
    Extract(api): State,
    caller: Caller,
    _: Query<Nothing>,
    Path(id): Path<String>,
) -> Result<Response> {
    let backup = find(&api, &id)?.object;
    let facts = complete(&backup)?;
    let (repository, parts) = reach(&api, &backup).await?;
    let permit = api.downloads.clone().try_acquire_owned().map_err(|_| {
        refused(format!("{AT_ONCE} backups are being downloaded already"))
            .hint("wait until one of them has ended")
    })?;
    api.store.append_audit(caller.entry("backup.download", &id)).await?;
    let name = name_of(facts);
    let (sender, receiver) = mpsc::channel(PIECES);
    let out = Box::new(Pieces { piece: Vec::new(), sender: sender.clone() });
    let directory = name.clone();
    tokio::spawn(async move {
        let _permit = permit;
        let exported = tokio::select! {
            exported = repository.export(&parts, &directory, out) => exported,
            () = sender.closed() => return tracing::info!("nobody takes the backup {id} any more"),
        };
        if let Err(failure) = exported {
            tracing::warn!("the download of the backup {id}: {failure}");
            let _ = sender.send(Err(io::Error::other(failure.text))).await;
        }
    });
    let mut pieces = ReceiverStream::new(receiver);
    // What fails at once is told in words.
    let first = pieces.next().await.unwrap_or_else(|| Err(io::Error::other("it is empty")));
    let first = first.map_err(|error| refused(error.to_string()))?;
    let headers = [
        (CONTENT_TYPE, "application/x-tar".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.tar\"")),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    let size = [(DOWNLOAD_SIZE, facts.size.to_string())];
    let pieces = tokio_stream::once(Ok(first)).chain(pieces);
    Ok((headers, size, Body::from_stream(pieces)).into_response())
}

/// What is to be read, in the order in which it was stored.
async fn reach(api: &Inner, backup: &Backup) -> Result<(Arc<dyn Repository>, Vec<Archive>)> {
    let access = repositories::access(&api.store, &backup.repository);
    let access = access.ok_or_else(|| refused("its repository is not known here any more"))?;
    let repository = (api.repositories)(&access);
    if !repository.is_here() {
        return Err(refused("this server has not got the tool that reads the repository")
            .hint("install restic, or Borg, on it; or read the repository with it yourself"));
    }
    let mut parts = repository.list().await.map_err(|failure| refused(failure.text))?;
    parts.retain(|part| backup.archives.contains(&part.id));
    if parts.is_empty() || parts.len() != backup.archives.len() {
        return Err(refused(format!("the repository has no complete backup {}", backup.id)));
    }
    Ok((repository, parts))
}

fn refused(words: impl Into<String>) -> ApiError {
    ApiError::new(Code::OperationRefused, words)
}

/// `orders-2026-03-01T12-00-00`, which every file system takes.
fn name_of(facts: &BackupFacts) -> String {
    let moment = facts.taken_at.to_string().replace(':', "-");
    let moment = moment.split(['.', 'Z']).next().unwrap_or_default();
    format!("{}-{moment}", facts.cluster_name)
}

/// What is written becomes pieces of the answer; it waits while nobody takes them.
struct Pieces {
    piece: Vec<u8>,
    sender: mpsc::Sender<io::Result<Vec<u8>>>,
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::take(&mut self.piece);
        if piece.is_empty() {
            return Ok(());
        }
        let sent = self.sender.blocking_send(Ok(piece));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}
