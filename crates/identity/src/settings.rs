//! What the server is told of its identity provider: a file, readable by its owner only.

use std::path::{Path, PathBuf};

use bellwether_contracts::identity::IdentityFacts;
use bellwether_model::identity::Rule;
use serde::Deserialize;

/// What is wrong with the file, and where.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(String);

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    issuer: String,
    client_id: String,
    client_secret: Option<String>,
    client_secret_file: Option<PathBuf>,
    title: String,
    addresses: Vec<String>,
    #[serde(default = "usual_scopes")]
    scopes: Vec<String>,
    #[serde(default = "usual_groups_claim")]
    groups_claim: String,
    #[serde(default = "usual_days")]
    days: u32,
    authority: Option<PathBuf>,
    #[serde(default)]
    access: Vec<Rule>,
}

fn usual_scopes() -> Vec<String> {
    ["profile", "email"].map(str::to_owned).to_vec()
}

fn usual_groups_claim() -> String {
    "groups".to_owned()
}

fn usual_days() -> u32 {
    30
}

/// What a provider is used with.
#[derive(Clone)]
pub struct Settings {
    pub facts: IdentityFacts,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) groups_claim: String,
    /// PEM of an authority to trust for the provider's certificate, and no other.
    pub(crate) authority: Option<Vec<u8>>,
}

impl Settings {
    /// Reads the file and those it names. Names in it are relative to it.
    ///
    /// # Errors
    /// What is wrong, and where; without showing any secret.
    pub fn read(path: &Path) -> Result<Self, Wrong> {
        let text = read_text(path)?;
        let file: File = toml::from_str(&text).map_err(|error| unreadable(path, &text, &error))?;
        let base = path.parent().unwrap_or(Path::new("."));
        let wrong =
            |field: &str, words: &str| Wrong(format!("{}: {field}: {words}", path.display()));
        file.check().map_err(|(field, words)| wrong(field, &words))?;
        if file.client_secret.is_some() || file.client_secret_file.is_some() {
            let holder = file.client_secret_file.as_ref().map(|name| base.join(name));
            check_private(holder.as_deref().unwrap_or(path))?;
        }
        let client_secret = match &file.client_secret_file {
            Some(name) => Some(read_text(&base.join(name))?.trim().to_owned()),
            None => file.client_secret,
        };
        if client_secret.as_ref().is_some_and(String::is_empty) {
            return Err(wrong("client_secret", "it is empty"));
        }
        let authority = file.authority.map(|name| {
            let path = base.join(name);
            std::fs::read(&path).map_err(|error| Wrong(format!("{}: {error}", path.display())))
        });
        let trimmed = |address: &String| address.trim_end_matches('/').to_owned();
        Ok(Self {
            facts: IdentityFacts {
                title: file.title,
                issuer: file.issuer,
                addresses: file.addresses.iter().map(trimmed).collect(),
                days: file.days,
                rules: file.access,
            },
            client_id: file.client_id,
            client_secret,
            scopes: file.scopes,
            groups_claim: file.groups_claim,
            authority: authority.transpose()?,
        })
    }
}

impl File {
    /// The first field that cannot be right, and what would be.
    fn check(&self) -> Result<(), (&'static str, String)> {
        check_address(&self.issuer).map_err(|words| ("issuer", words))?;
        if self.client_id.is_empty() {
            return Err(("client_id", "it is empty".to_owned()));
        }
        if self.client_secret.is_some() && self.client_secret_file.is_some() {
            return Err(("client_secret", "there is `client_secret_file` too".to_owned()));
        }
        if self.title.trim().is_empty() || self.title.chars().count() > 40 {
            return Err(("title", "use 1 to 40 characters, for example the company's".to_owned()));
        }
        if self.addresses.is_empty() {
            let words = "name where browsers find the dashboard, for example \
                         `https://bellwether.example.com:7443`";
            return Err(("addresses", words.to_owned()));
        }
        for address in &self.addresses {
            let words = check_address(address).err().or_else(|| {
                let path = reqwest::Url::parse(address).ok()?.path().len();
                (path > 1).then(|| format!("`{address}` has a path; leave it out"))
            });
            words.map_or(Ok(()), |words| Err(("addresses", words)))?;
        }
        if self.days == 0 || self.days > 365 {
            return Err(("days", "use 1 to 365".to_owned()));
        }
        if self.access.is_empty() {
            let words = "there is no [[access]]: nobody could do anything";
            return Err(("access", words.to_owned()));
        }
        Ok(())
    }
}

/// Passwords and codes pass there: not over the network in the clear.
fn check_address(text: &str) -> Result<(), String> {
    let url = reqwest::Url::parse(text).map_err(|error| format!("`{text}`: {error}"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let address = host.parse::<std::net::IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_here => Ok(()),
        _ => Err(format!("`{text}` must be https, or on loopback")),
    }
}

fn read_text(path: &Path) -> Result<String, Wrong> {
    std::fs::read_to_string(path).map_err(|error| Wrong(format!("{}: {error}", path.display())))
}

fn check_private(path: &Path) -> Result<(), Wrong> {
    use std::os::unix::fs::PermissionsExt as _;
    let failed = |error: std::io::Error| Wrong(format!("{}: {error}", path.display()));
    let mode = path.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(Wrong(format!("{path} has a secret that others may read; `chmod 600 {path}`")))
}

/// Names the line without showing it: the secret may be on it.
fn unreadable(path: &Path, text: &str, error: &toml::de::Error) -> Wrong {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let message = error.message().lines().next().unwrap_or_default();
    Wrong(format!("{}, line {line}: {message}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const GOOD: &str = "issuer = \"https://id.example.com/realm\"\n\
        client_id = \"bellwether\"\n\
        client_secret = \"the-secret\"\n\
        title = \"Example\"\n\
        addresses = [\"https://bellwether.example.com:7443/\", \"http://127.0.0.1:7480\"]\n\
        [[access]]\n\
        group = \"dba\"\n\
        role = \"admin\"\n";

    fn read(text: &str, mode: u32) -> Result<Settings, String> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("identity.toml");
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("a mode");
        std::fs::write(directory.path().join("secret"), "from-the-file\n").expect("written");
        let secret = directory.path().join("secret");
        std::fs::set_permissions(secret, PermissionsExt::from_mode(mode)).expect("a mode");
        Settings::read(&path).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn a_whole_file_is_read_with_the_files_that_it_names() {
        let settings = read(GOOD, 0o600).expect("good");
        assert_eq!(settings.facts.addresses[0], "https://bellwether.example.com:7443");
        assert_eq!(settings.facts.days, 30);
        assert_eq!(settings.client_secret.as_deref(), Some("the-secret"));
        let named =
            GOOD.replace("client_secret = \"the-secret\"", "client_secret_file = \"secret\"");
        let settings = read(&named, 0o600).expect("good");
        assert_eq!(settings.client_secret.as_deref(), Some("from-the-file"));
        assert!(read(&GOOD.replace("client_secret = \"the-secret\"\n", ""), 0o644).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_is_shown() {
        for (from, to, named) in [
            ("issuer = \"https://id.example.com/realm\"\n", "", "missing field `issuer`"),
            ("https://id.example.com", "http://id.example.com", "issuer: `http://id"),
            ("title = \"Example\"", "title = \"\"", "title: "),
            ("title = \"Example\"", "colour = 1", "line 4: unknown field `colour`"),
            ("\"the-secret\"", "\"the-secret", "line 3"),
            ("\"the-secret\"", "\"\"", "client_secret: it is empty"),
            ("7443/", "7443/bellwether", "has a path"),
            ("role = \"admin\"", "role = \"king\"", "line 8: "),
            ("[[access]]\ngroup = \"dba\"\nrole = \"admin\"\n", "", "access: there is no"),
        ] {
            let words = read(&GOOD.replace(from, to), 0o600).map(|_| ()).expect_err(named);
            assert!(words.contains(named), "{named}: {words}");
            assert!(!words.contains("the-secret"), "{words}");
        }
        let words = read(GOOD, 0o644).map(|_| ()).expect_err("others may read it");
        assert!(words.contains("chmod 600"), "{words}");
    }
}
