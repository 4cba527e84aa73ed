//! Repositories of backups. The tools do deduplication, encryption and storage; here they are run:
//! gently, without a secret among their arguments, ended with whoever runs them.

mod borg;
mod export;
mod restic;
mod tool;

use std::sync::Arc;

use bellwether_contracts::Repository;
use bellwether_contracts::repository::OpenRepository;
use bellwether_model::repository::Place;
use bellwether_protocol::repository::Access;

/// The way into that repository.
#[must_use]
pub fn repository(access: &Access) -> Arc<dyn Repository> {
    match &access.place {
        Place::S3 { .. } => Arc::new(restic::Restic::new(access)),
        Place::Borg { .. } => Arc::new(borg::Borg::new(access)),
    }
}

/// The same, for whoever is handed it.
#[must_use]
pub fn opener() -> OpenRepository {
    Arc::new(repository)
}

/// The same, where an answer may take so many seconds, whatever the way in says.
#[must_use]
pub fn patient_opener(answer_seconds: u32) -> OpenRepository {
    Arc::new(move |access| repository(&Access { answer_seconds, ..access.clone() }))
}
