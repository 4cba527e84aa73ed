//! A repository of backups, of which a test says what is in it.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bellwether_contracts::repository::{Archive, Part, Progress, Stored};
use bellwether_contracts::{Failure, Repository};

#[derive(Default)]
pub(crate) struct Vault {
    archives: Mutex<Vec<Archive>>,
    is_shut: AtomicBool,
}

impl Vault {
    pub(crate) fn hold(&self, archives: Vec<Archive>) {
        *self.archives.lock().expect("held") = archives;
    }

    pub(crate) fn set_shut(&self, is_shut: bool) {
        self.is_shut.store(is_shut, Ordering::SeqCst);
    }
}

fn never<T>() -> Result<T, Failure> {
    Err(Failure::permanent("the API must neither store nor remove anything"))
}

#[async_trait]
impl Repository for Vault {
    fn is_here(&self) -> bool {
        true
    }

    async fn open(&self, _make: bool) -> Result<(), Failure> {
        match self.is_shut.load(Ordering::SeqCst) {
            true => Err(Failure::needs_person("the key does not open the repository")),
            false => Ok(()),
        }
    }

    async fn put(&self, _: &Part, _: Progress<'_>) -> Result<Stored, Failure> {
        never()
    }

    async fn get(&self, _: &Archive, _: &Path, _: Progress<'_>) -> Result<(), Failure> {
        never()
    }

    async fn export(
        &self,
        archives: &[Archive],
        name: &str,
        mut out: Box<dyn std::io::Write + Send>,
    ) -> Result<(), Failure> {
        self.open(false).await?;
        let parts: Vec<&str> = archives.iter().map(|archive| archive.part.as_str()).collect();
        let text = format!("{name}: {}", parts.join(", "));
        let written = tokio::task::spawn_blocking(move || {
            out.write_all(text.as_bytes())?;
            out.flush()
        });
        let written = written.await.expect("nothing panics");
        written.map_err(|error| Failure::transient(error.to_string()))
    }

    async fn list(&self) -> Result<Vec<Archive>, Failure> {
        Ok(self.archives.lock().expect("held").clone())
    }

    async fn remove(&self, _: &[String]) -> Result<(), Failure> {
        never()
    }

    async fn verify(&self) -> Result<(), Failure> {
        never()
    }
}
