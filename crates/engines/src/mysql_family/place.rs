//! Where things lie on the node's disk. The data with its log and what is known of it is one
//! directory, which a copy replaces by renaming.

use std::path::{Path, PathBuf};

use bellwether_contracts::Failure;
use bellwether_contracts::driver::DataState;
use bellwether_model::Term;
use bellwether_model::node::CopyOrder;

use super::OS_USER;
use crate::files::{DATA, at, remove, remove_file, sync_directory};

/// Data and log.
pub(crate) fn root() -> &'static Path {
    Path::new("/data/db")
}

/// A copy that is not complete yet.
pub(crate) fn new_root() -> &'static Path {
    Path::new("/data/db.new")
}

/// What a copy under an order replaced.
pub(crate) fn former_root() -> &'static Path {
    Path::new("/data/db.former")
}

/// Within a root: the engine's data directory.
pub(crate) fn data_in(root: &Path) -> PathBuf {
    root.join("data")
}

/// Within a root: the binary log and the relay log.
pub(crate) fn log_in(root: &Path) -> PathBuf {
    root.join("log")
}

/// Configuration and keys of this node's engine.
pub(crate) fn conf() -> &'static Path {
    Path::new("/data/conf")
}

/// The engine's configuration file.
pub(crate) fn config_file() -> PathBuf {
    conf().join("server.cnf")
}

/// What the engine sorts.
pub(crate) fn temporary() -> &'static Path {
    Path::new("/data/tmp")
}

/// The directory of the engine's Unix socket.
pub(crate) fn socket_directory() -> &'static Path {
    Path::new("/run/bellwether/mysql")
}

pub(crate) fn socket_file() -> PathBuf {
    socket_directory().join("server.sock")
}

/// What is known of the data, a file each within the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It is complete.
    Complete,
    /// It is a replica's.
    Replica,
    /// Its primary has handed its role over; which term's.
    HandedOver,
    /// The token of the order that it was copied under.
    Copied,
    /// It was copied and begins at this place, which the engine is to be told.
    BeginsAt,
    /// What was received before the engine ended may not be applied in full.
    Unapplied,
    /// It was restored: its users have the passwords of the cluster that it was taken from.
    Restored,
    /// It was restored, and logins that were asked for are not let in yet.
    LoginsOff,
    /// The token of the order under which it was set aside to take the place of other data.
    Brought,
}

impl Mark {
    fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Replica => "replica",
            Self::HandedOver => "handed_over",
            Self::Copied => "copied",
            Self::BeginsAt => "begins_at",
            Self::Unapplied => "unapplied",
            Self::Restored => "restored",
            Self::LoginsOff => "logins_off",
            Self::Brought => "brought",
        }
    }

    fn path(self, root: &Path) -> PathBuf {
        root.join(self.name())
    }

    pub(crate) fn is_set(self) -> bool {
        self.path(root()).exists()
    }

    pub(crate) fn read(self) -> Option<String> {
        self.read_in(root())
    }

    pub(crate) fn set(self, text: &str) -> Result<(), Failure> {
        self.set_in(root(), text)
    }

    pub(crate) fn set_in(self, root: &Path, text: &str) -> Result<(), Failure> {
        let path = self.path(root);
        if std::fs::read_to_string(&path).is_ok_and(|known| known == text) {
            return Ok(());
        }
        OS_USER.write_durably(&path, text)
    }

    pub(crate) fn clear(self) -> Result<(), Failure> {
        if !self.is_set() {
            return Ok(());
        }
        remove_file(&self.path(root()))?;
        sync_directory(root())
    }

    pub(crate) fn read_in(self, root: &Path) -> Option<String> {
        std::fs::read_to_string(self.path(root)).ok()
    }
}

/// The term that was handed over, if the data's primary did so.
pub(crate) fn handed_over() -> Option<Term> {
    Mark::HandedOver.read()?.trim().parse().ok()
}

pub(crate) fn data_state() -> DataState {
    if Mark::Complete.is_set() {
        return DataState::Present { was_primary: !Mark::Replica.is_set(), clean: false };
    }
    if new_root().exists() || root().exists() { DataState::Partial } else { DataState::Absent }
}

/// Makes the directories of data that is about to be there.
pub(crate) fn make_new() -> Result<(), Failure> {
    remove(new_root())?;
    OS_USER.own_directory(Path::new(DATA))?;
    OS_USER.own_directory(new_root())?;
    OS_USER.own_directory(&data_in(new_root()))?;
    OS_USER.own_directory(&log_in(new_root()))
}

/// Whether a complete copy under this order waits to be put in place.
pub(crate) fn is_waiting(order: &CopyOrder) -> bool {
    Mark::Complete.read_in(new_root()).is_some()
        && Mark::Copied.read_in(new_root()).is_some_and(|token| token == order.token)
}

/// Puts complete data in the place of the old. That goes only now, or is kept aside while an order
/// stands; of several the first, which is the one that once followed.
pub(crate) fn put_in_place(order: Option<&CopyOrder>) -> Result<(), Failure> {
    let keeps = order.is_some_and(|order| !order.erase_first)
        && Mark::Complete.is_set()
        && !former_root().exists();
    if keeps {
        std::fs::rename(root(), former_root()).map_err(|e| at(former_root(), &e))?;
    } else {
        remove(root())?;
    }
    std::fs::rename(new_root(), root()).map_err(|e| at(root(), &e))?;
    sync_directory(Path::new(DATA))
}
