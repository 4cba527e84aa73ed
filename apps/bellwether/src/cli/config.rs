//! What `login` remembers: `config.toml`, readable by its owner only.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::failure::{Failure, Result};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) url: Option<String>,
    pub(super) token: Option<String>,
    pub(super) ca: Option<PathBuf>,
}

pub(super) struct Config {
    path: PathBuf,
}

impl Config {
    pub(super) fn open(given: Option<PathBuf>) -> Result<Self> {
        let base = || {
            let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
            config.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")))
        };
        let path = given.or_else(|| Some(base()?.join("bellwether").join("config.toml")));
        let path = path.ok_or_else(|| Failure::usage("--config is needed: HOME is not set"))?;
        Ok(Self { path })
    }

    pub(super) fn read(&self) -> Result<Settings> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => toml::from_str(&text).map_err(|error| self.wrong(&text, &error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Settings::default()),
            Err(error) => Err(Failure::usage(format!("{}: {error}", self.path.display()))),
        }
    }

    /// Names the line without showing it: the token may be on it.
    fn wrong(&self, text: &str, error: &toml::de::Error) -> Failure {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let (path, message) = (self.path.display(), error.message());
        let message = message.lines().next().unwrap_or_default();
        Failure::usage(format!("{path}, line {line}: {message}"))
            .hint("mend the file, or remove it and sign in again")
    }

    pub(super) fn write(&self, settings: &Settings) -> Result {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let failed = |error: std::io::Error| {
            Failure::unexpected(format!("{}: {error}", self.path.display()))
        };
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory).map_err(failed)?;
        }
        let text = toml::to_string(settings).map_err(|e| Failure::unexpected(e.to_string()))?;
        let new = self.path.with_extension("new");
        let _ = std::fs::remove_file(&new);
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&new);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
        std::fs::rename(&new, &self.path).map_err(failed)
    }
}
