//! Copying the data from another member.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_model::replication::Position;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::donor::{WHOLE, broken};
use super::{Mariadb, group, gtid};
use crate::files::{remove, remove_file};
use crate::mysql_family::OS_USER;
use crate::mysql_family::driver::Hands as _;
use crate::mysql_family::place::{
    Mark, conf, data_in, is_waiting, make_new, new_root, put_in_place, root,
};
use crate::process::NO_ROOM;
use crate::tls::Ends;

/// Reaching the donor.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// A donor that copies says something within this time.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A piece is no larger.
const PIECE_BYTES_MAX: u32 = 1 << 20;

/// Where a copy says what ids it goes up to.
pub(super) const BEGINS_AT: [&str; 2] = ["mariadb_backup_binlog_info", "xtrabackup_binlog_info"];

impl Mariadb {
    /// Copies the data into a new directory and puts it in the place of the old.
    pub(super) async fn copy_all(
        &self,
        assignment: &Assignment,
        upstream: &Member,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), Failure> {
        self.write_config(assignment)?;
        let order = assignment.copy.as_ref();
        if order.is_some_and(is_waiting) {
            return put_in_place(order);
        }
        let mut donor = self.reach(assignment, upstream).await?;
        if order.is_some_and(|order| order.erase_first) {
            // Worth less than the room that the copy needs, now that there is what to copy.
            remove(root())?;
        }
        make_new()?;
        if let Err(failure) = self.receive(&mut donor, progress).await {
            remove(new_root())?;
            return Err(failure);
        }
        let mut prepare = self.command("mariadb-backup");
        prepare
            .args(["--no-defaults", "--prepare"])
            .arg(format!("--target-dir={}", data_in(new_root()).display()));
        self.processes.run(&mut prepare, "the copy cannot be made ready").await?;
        if assignment.multi_primary {
            group::note_copied(&data_in(new_root()))?;
        } else {
            let ids = begins_at(&data_in(new_root()))?;
            Mark::BeginsAt.set_in(new_root(), &ids)?;
            Mark::Replica.set_in(new_root(), "")?;
        }
        if let Some(order) = order {
            Mark::Copied.set_in(new_root(), &order.token)?;
        }
        Mark::Complete.set_in(new_root(), "")?;
        put_in_place(order)
    }

    /// A connection on which the copy comes.
    async fn reach(
        &self,
        assignment: &Assignment,
        upstream: &Member,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        let connector = Ends::read(conf(), &[]).map_err(broken)?.connector;
        let name = ServerName::try_from(upstream.name.clone())
            .map_err(|error| Failure::permanent(format!("the name of the upstream: {error}")))?;
        let reach = async {
            let stream = TcpStream::connect((upstream.address.as_str(), self.donor_port)).await?;
            let mut stream = connector.connect(name, stream).await?;
            let request = format!("{}\n", assignment.secrets.replication_password);
            stream.write_all(request.as_bytes()).await?;
            stream.flush().await?;
            Ok(stream)
        };
        match tokio::time::timeout(CONNECT_MAX, reach).await {
            Ok(reached) => reached.map_err(broken),
            Err(_) => Err(Failure::transient("the copy failed: the upstream does not answer")),
        }
    }

    async fn receive(
        &self,
        donor: &mut TlsStream<TcpStream>,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<(), Failure> {
        let size = next(donor).await?;
        let size = size.try_into().map(u64::from_be_bytes).unwrap_or(0);
        let mut unpack = self
            .command("mbstream")
            .arg("-x")
            .current_dir(data_in(new_root()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(broken)?;
        let mut done = 0;
        let mut is_open = true;
        if let Some(mut input) = unpack.stdin.take() {
            loop {
                let piece = next(donor).await?;
                if piece.is_empty() {
                    break;
                }
                done += piece.len() as u64;
                progress(done, size.max(done));
                // What it says when it ends early is told below.
                is_open = is_open && input.write_all(&piece).await.is_ok();
                if !is_open {
                    break;
                }
            }
        }
        let is_whole = is_open && donor.read_u8().await.map_err(broken)? == WHOLE;
        let ended = unpack.wait_with_output().await.map_err(broken)?;
        let said = String::from_utf8_lossy(&ended.stderr);
        if said.contains(NO_ROOM) || said.contains("errno: 28") {
            // Every attempt copies as much as there is room for.
            return Err(Failure::permanent(
                "the node's disk is full: it is too small for a copy of the data",
            ));
        }
        if !ended.status.success() {
            let last = said.lines().last().unwrap_or("no reason is given");
            return Err(Failure::transient(format!("the copy failed: {last}")));
        }
        if !is_whole {
            return Err(Failure::transient("the copy failed at the node it was made of"));
        }
        Ok(())
    }
}

async fn next(donor: &mut TlsStream<TcpStream>) -> Result<Vec<u8>, Failure> {
    let piece = async {
        let length = donor.read_u32().await?;
        if length > PIECE_BYTES_MAX {
            return Err(std::io::Error::other("a piece is too large"));
        }
        let mut piece = vec![0; length as usize];
        donor.read_exact(&mut piece).await?;
        Ok(piece)
    };
    match tokio::time::timeout(SILENCE_MAX, piece).await {
        Ok(piece) => piece.map_err(broken),
        Err(_) => Err(Failure::transient("the copy failed: the upstream says nothing any more")),
    }
}

/// The ids that the copy goes up to: `binlog.000001 1070 0-1-4`.
pub(super) fn begins_at(directory: &Path) -> Result<String, Failure> {
    let text = BEGINS_AT.iter().find_map(|name| std::fs::read_to_string(directory.join(name)).ok());
    let ids = text.as_deref().and_then(|text| text.lines().next()?.split('\t').nth(2));
    match ids.map(str::trim).filter(|ids| !ids.is_empty()) {
        Some(ids) => Ok(ids.to_owned()),
        None => Err(Failure::transient("the copy does not say where it begins")),
    }
}

/// Has it go up to that place.
pub(super) fn note_end(directory: &Path, end: Position) -> Result<(), Failure> {
    let [name, former] = BEGINS_AT;
    remove_file(&directory.join(former))?;
    OS_USER.write_durably(&directory.join(name), &format!("log\t0\t{}\n", gtid::id(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_says_what_ids_it_goes_up_to() {
        let directory = tempfile::tempdir().expect("a directory");
        let said = "binlog.000001\t1070\t0-1-4\n";
        std::fs::write(directory.path().join(BEGINS_AT[1]), said).expect("written");
        assert_eq!(begins_at(directory.path()).ok().as_deref(), Some("0-1-4"));
    }
}
