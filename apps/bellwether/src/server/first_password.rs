//! The first password: shown once, and kept in a file for its owner until it was changed.

use std::path::{Path, PathBuf};

use bellwether_api::{ensure_first_administrator, is_first_password_in_use};
use bellwether_store::{Error, Store};
use tokio::sync::broadcast::error::RecvError;
use tracing::warn;

/// At the first start: makes the administrator, writes the password to its file and prints it.
pub(super) async fn ensure(store: &Store, data: &Path) -> Result<(), Error> {
    let path = path(data);
    // Written before the administrator is: an end between the two leaves nobody locked out.
    let keep = |password: &str| {
        if let Err(error) = write(&path, password) {
            warn!("the first password could not be written to {}: {error}", path.display());
        }
    };
    let Some(password) = ensure_first_administrator(store, keep).await? else { return Ok(()) };
    println!("The first administrator is `admin` with the password {password}");
    println!("It is also in {} until it is changed; change it first.", path.display());
    Ok(())
}

/// Removes the file once the password was changed, which may have been before this start.
pub(super) async fn remove_when_changed(store: Store, data: PathBuf) {
    let path = path(&data);
    let mut changes = store.watch();
    while path.exists() {
        if !is_first_password_in_use(&store) {
            if let Err(error) = std::fs::remove_file(&path) {
                warn!("{} could not be removed: {error}", path.display());
            }
            return;
        }
        // Who has missed some changes looks all the same.
        if let Err(RecvError::Closed) = changes.recv().await {
            return;
        }
    }
}

fn path(data: &Path) -> PathBuf {
    data.join("first-password")
}

fn write(path: &Path, password: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{password}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use bellwether_store::users::{User, find_by_name};
    use bellwether_store::{Options, Txn};

    use super::*;

    fn open(data: &Path) -> Store {
        Store::open(Options { directory: data.to_owned() }).expect("a store")
    }

    async fn change_password(store: &Store) {
        let mut user = find_by_name(store, "admin").expect("an administrator");
        user.object.must_change_password = false;
        store.commit(Txn::new().update::<User>(&user)).await.expect("saved");
    }

    #[tokio::test]
    async fn the_file_goes_when_the_password_is_changed() {
        use std::os::unix::fs::PermissionsExt as _;
        let data = tempfile::tempdir().expect("a directory");
        let store = open(data.path());
        ensure(&store, data.path()).await.expect("an administrator");
        let file = path(data.path());
        let mode = file.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = std::fs::read_to_string(&file).expect("a file");
        assert_eq!(text.trim().len(), 20);
        ensure(&store, data.path()).await.expect("nothing to do");
        assert_eq!(std::fs::read_to_string(&file).expect("a file"), text, "written once");

        let watch = tokio::spawn(remove_when_changed(store.clone(), data.path().to_owned()));
        tokio::task::yield_now().await;
        assert!(file.exists());
        change_password(&store).await;
        watch.await.expect("it ends");
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn a_file_that_was_left_behind_goes_at_the_next_start() {
        let data = tempfile::tempdir().expect("a directory");
        let store = open(data.path());
        ensure(&store, data.path()).await.expect("an administrator");
        change_password(&store).await;
        remove_when_changed(store, data.path().to_owned()).await;
        assert!(!path(data.path()).exists());
    }
}
