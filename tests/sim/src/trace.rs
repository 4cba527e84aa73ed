//! What happened, for people; with a digest, for comparing two runs of one seed.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write;

use tracing::subscriber::DefaultGuard;

use crate::hub::Hub;

/// Prints lines and keeps a digest of them, or does nothing.
#[derive(Default)]
pub struct Trace {
    pub prints: bool,
    hasher: DefaultHasher,
}

impl Trace {
    /// One that prints every line.
    #[must_use]
    pub fn printing() -> Self {
        Self { prints: true, ..Self::default() }
    }

    pub fn line(&mut self, now: u64, words: &str) {
        if self.prints {
            let _ = writeln!(std::io::stdout(), "{:>9.3}  {words}", now as f64 / 1_000.0);
            (now, words).hash(&mut self.hasher);
        }
    }

    pub fn digest(&self) -> u64 {
        self.hasher.finish()
    }
}

/// Lets what the product itself logs be told with the time of the run, as long as the guard lives.
#[must_use]
pub fn attach(hub: &Hub) -> Option<DefaultGuard> {
    if !hub.lock().trace.prints {
        return None;
    }
    let hub = hub.clone();
    let subscriber = tracing_subscriber::fmt()
        .without_time()
        .with_target(false)
        .with_level(false)
        .with_ansi(false)
        .with_writer(move || Lines { hub: hub.clone(), text: Vec::new() })
        .finish();
    Some(tracing::subscriber::set_default(subscriber))
}

/// One line of a log.
struct Lines {
    hub: Hub,
    text: Vec<u8>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text).trim().to_owned();
        if !text.is_empty() {
            self.hub.lock().note(|_| format!("    {text}"));
        }
    }
}
