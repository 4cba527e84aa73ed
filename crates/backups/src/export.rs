//! A backup as one tar file, made of what the tools print of its parts. What is between is this
//! process's memory: nothing of it is written to a disk.

use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use bellwether_contracts::Failure;
use tar::{Archive, Builder, Entry, Header};

/// What is written.
pub(crate) struct Export {
    builder: Builder<Box<dyn Write + Send>>,
    name: PathBuf,
}

impl Export {
    /// Begins a file whose content is below a directory of that name.
    pub(crate) fn begin(name: &str, out: Box<dyn Write + Send>) -> Self {
        Self { builder: Builder::new(out), name: PathBuf::from(name) }
    }

    /// Adds what is below a directory in another tar file.
    pub(crate) fn add(&mut self, from: impl Read, below: &Path) -> io::Result<()> {
        let below = plain(below);
        let mut archive = Archive::new(from);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = plain(&entry.path()?);
            if let Ok(rest) = path.strip_prefix(&below) {
                self.put(&mut entry, &self.name.join(rest))?;
            }
        }
        // Whoever prints it may not be done with saying nothing more.
        io::copy(&mut archive.into_inner(), &mut io::sink()).map(drop)
    }

    fn put(&mut self, entry: &mut Entry<'_, impl Read>, path: &Path) -> io::Result<()> {
        let known = entry.header();
        let kind = known.entry_type();
        // Whose it was is a number of a machine that may be gone.
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(known.mode()? & 0o7777);
        header.set_mtime(known.mtime()?);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        let link = entry.link_name()?.map(std::borrow::Cow::into_owned);
        match link {
            Some(link) if kind.is_symlink() => self.builder.append_link(&mut header, path, link),
            _ if kind.is_dir() => self.builder.append_data(&mut header, path, io::empty()),
            _ if kind.is_file() => {
                header.set_size(entry.size());
                self.builder.append_data(&mut header, path, entry)
            }
            _ => unknown(path),
        }
    }

    /// Ends the file.
    pub(crate) fn end(self) -> io::Result<()> {
        self.builder.into_inner()?.flush()
    }
}

fn unknown(path: &Path) -> io::Result<()> {
    let words = format!("{} is neither a file nor a directory", path.display());
    Err(io::Error::other(words))
}

/// Without what does not name anything: `/data/./a` is `data/a`.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// Ends a file on a thread that may wait for whoever takes it.
pub(crate) async fn end(export: Export) -> Result<(), Failure> {
    let ended = tokio::task::spawn_blocking(|| export.end()).await;
    ended.map_err(|_| Failure::transient("the end broke"))?.map_err(|error| broke(&error))
}

/// A failure to write or read, in words.
pub(crate) fn broke(error: &io::Error) -> Failure {
    Failure::transient(format!("the download broke: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar_of(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (path, text) in files {
            let mut header = Header::new_ustar();
            header.set_mode(0o100_600);
            header.set_mtime(7);
            header.set_size(text.len() as u64);
            builder.append_data(&mut header, path, text.as_bytes()).expect("written");
        }
        builder.into_inner().expect("written")
    }

    #[test]
    fn parts_lie_one_over_the_other_below_one_directory() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("it.tar");
        let out = std::fs::File::create(&path).expect("made");
        let mut export = Export::begin("orders", Box::new(out));
        let long = format!("data/pgdata/{}", "x".repeat(150));
        let first = tar_of(&[("data/pgdata/a", "1"), ("data/pgdata/b", "2"), (&long, "3")]);
        export.add(first.as_slice(), Path::new("/data/pgdata")).expect("added");
        export.add(tar_of(&[("./b", "4")]).as_slice(), Path::new("")).expect("added");
        export.end().expect("ended");
        let into = directory.path().join("out");
        let file = std::fs::File::open(&path).expect("there");
        Archive::new(file).unpack(&into).expect("unpacked");
        let read = |name: &str| std::fs::read_to_string(into.join("orders").join(name)).ok();
        assert_eq!(read("a").as_deref(), Some("1"));
        assert_eq!(read("b").as_deref(), Some("4"), "the later part counts");
        assert_eq!(read(&"x".repeat(150)).as_deref(), Some("3"));
    }

    #[test]
    fn a_part_that_ends_early_is_no_part() {
        let whole = tar_of(&[("a", "many bytes of text")]);
        let mut export = Export::begin("orders", Box::new(io::sink()));
        assert!(export.add(&whole[..520], Path::new("")).is_err());
    }
}
