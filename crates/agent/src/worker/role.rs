//! What the worker must not forget: the term its data was last primary of, and the one it gave up.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bellwether_model::Term;
use bellwether_model::backup::BackupReport;
use bellwether_protocol::Assignment;
use bellwether_protocol::local::{CertificateReport, ClientsReport, HostFigures};
use bellwether_protocol::session::Surrender;
use serde::{Deserialize, Serialize};

use super::clients::Clients;
use super::pulse::Pulse;
use crate::figures::Figures;
use crate::join::renew;
use crate::paths::Paths;
use crate::{DATA, files};

/// Kept on the node's disk, beside the data it speaks of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Role {
    /// The term this node's engine was started or promoted for.
    pub primary_term: Term,
    pub surrendered: Option<Surrender>,
    /// The last drill that was carried out here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drilled: Option<String>,
    /// How the last backup that was taken here ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupReport>,
}

/// What the worker uses of its machine beside the engine.
pub trait Place: Send {
    /// The role as it was last written.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn read_role(&mut self) -> std::io::Result<Role>;

    /// Durable when it returns.
    ///
    /// # Errors
    /// When the disk refuses.
    fn write_role(&mut self, role: &Role) -> std::io::Result<()>;

    fn figures(&mut self) -> HostFigures;

    /// Who is connected, and who was not let in; none before that was looked at.
    fn clients(&mut self, assignment: &Assignment) -> Option<ClientsReport>;

    /// How many writes the disk under the data has taken of those that are made all the time to
    /// see whether it takes any.
    fn disk_beats(&mut self) -> u64;

    /// The node's certificate as it lies there for the engine to take.
    fn certificate(&mut self) -> Option<CertificateReport>;
}

/// A real machine.
#[derive(Default)]
pub(super) struct Host {
    figures: Figures,
    pulse: Option<Pulse>,
    clients: Option<Clients>,
    certificate: Option<(Instant, Option<CertificateReport>)>,
}

/// For so long nobody looks for another certificate.
const CERTIFICATE_FOR: Duration = Duration::from_secs(1);

fn path() -> PathBuf {
    Path::new(DATA).join("bellwether").join("role.json")
}

impl Place for Host {
    fn read_role(&mut self) -> std::io::Result<Role> {
        Ok(files::read_json(&path())?.unwrap_or_default())
    }

    fn write_role(&mut self, role: &Role) -> std::io::Result<()> {
        files::write_json(&path(), role)
    }

    fn figures(&mut self) -> HostFigures {
        self.figures.read()
    }

    fn clients(&mut self, assignment: &Assignment) -> Option<ClientsReport> {
        self.clients.get_or_insert_with(Clients::watch).found(assignment)
    }

    fn disk_beats(&mut self) -> u64 {
        let path = Path::new(DATA).join("bellwether").join("pulse");
        self.pulse.get_or_insert_with(|| Pulse::of(path)).beats()
    }

    fn certificate(&mut self) -> Option<CertificateReport> {
        match self.certificate {
            Some((at, found)) if at.elapsed() < CERTIFICATE_FOR => found,
            _ => {
                let found = renew::report(&Paths::default().identity);
                self.certificate = Some((Instant::now(), found));
                found
            }
        }
    }
}
