//! Small files written so that a crash leaves the old or the new, never half.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Replaces a file; durable when it returns.
///
/// # Errors
/// When the disk refuses.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(directory)?;
    let new = path.with_extension("new");
    // One that a crash left behind may have another mode.
    let _ = std::fs::remove_file(&new);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    std::fs::File::open(directory)?.sync_all()
}

/// Reads a JSON file; none when there is none.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces a JSON file, readable by its owner only; durable when it returns.
///
/// # Errors
/// When the disk refuses.
pub fn write_json<T: serde::Serialize>(path: &Path, value: &T) -> io::Result<()> {
    replace(path, &serde_json::to_vec(value).map_err(io::Error::other)?, 0o600)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("deep").join("state.json");
        assert_eq!(read_json::<u32>(&path)?, None);
        std::fs::create_dir_all(path.parent().expect("a parent"))?;
        std::fs::write(path.with_extension("new"), "left by a crash")?;
        write_json(&path, &7)?;
        assert_eq!(read_json::<u32>(&path)?, Some(7));
        assert_eq!(std::fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
        Ok(())
    }
}
