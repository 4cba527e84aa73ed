//! Secrets at rest: AES-256-GCM under a key derived for each secret from the server's master key
//! and a random salt, so that no nonce is ever used twice; the purpose is authenticated with it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::Error;

const SALT_BYTES: usize = 32;

/// A sealed secret; base64 of salt and cipher text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(String);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed(..)")
    }
}

pub(crate) struct Key {
    master: [u8; 32],
}

impl Key {
    /// Reads the master key, or makes it at the first start (mode 0600). Once there is a database a
    /// new key would open nothing in it.
    pub(crate) fn open(directory: &Path, has_database: bool) -> Result<Self, Error> {
        let path = directory.join("master.key");
        let io = |source| Error::Path { path: path.clone(), source };
        if !path.try_exists().map_err(io)? {
            if has_database {
                return Err(Error::KeyMissing(path));
            }
            make(&directory.join("master.key.new"), &path).map_err(io)?;
            crate::sqlite::sync_directory(directory)?;
        }
        let bytes = std::fs::read(&path).map_err(io)?;
        let master = bytes.try_into().map_err(|_| Error::KeyDamaged(path))?;
        Ok(Self { master })
    }

    /// A key that is kept by the caller.
    pub(crate) fn from_bytes(master: [u8; 32]) -> Self {
        Self { master }
    }

    fn derive(&self, salt: &[u8]) -> LessSafeKey {
        let key = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&self.master);
        let okm = key.expand(&[b"bellwether-seal"], &AES_256_GCM).expect("the length is the key's");
        LessSafeKey::new(UnboundKey::from(okm))
    }

    pub(crate) fn seal(&self, context: &str, secret: &[u8]) -> Sealed {
        let mut salt = [0; SALT_BYTES];
        SystemRandom::new().fill(&mut salt).expect("the system gives random bytes");
        // The key is used once, so that a fixed nonce is one.
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let mut text = secret.to_vec();
        self.derive(&salt)
            .seal_in_place_append_tag(nonce, Aad::from(context.as_bytes()), &mut text)
            .expect("the secret is short");
        Sealed(BASE64.encode([&salt[..], &text].concat()))
    }

    pub(crate) fn open_sealed(&self, context: &str, sealed: &Sealed) -> Result<Vec<u8>, Error> {
        let bytes = BASE64.decode(&sealed.0).map_err(|_| Error::Sealed)?;
        let (salt, text) = bytes.split_at_checked(SALT_BYTES).ok_or(Error::Sealed)?;
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let mut text = text.to_vec();
        let plain = self
            .derive(salt)
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut text)
            .map_err(|_| Error::Sealed)?;
        Ok(plain.to_vec())
    }
}

/// A new random key in a file for its owner, whole or not at all.
fn make(new: &Path, path: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut master = [0; 32];
    SystemRandom::new()
        .fill(&mut master)
        .map_err(|_| std::io::Error::other("the system gave no random bytes"))?;
    // A crash may have left one behind.
    match std::fs::remove_file(new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    file.write_all(&master)?;
    file.sync_all()?;
    std::fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key { master: [3; 32] }
    }

    #[test]
    fn a_secret_opens_for_its_purpose_only() {
        let sealed = key().seal("one", b"secret");
        assert_eq!(key().open_sealed("one", &sealed).unwrap(), b"secret");
        assert!(matches!(key().open_sealed("two", &sealed), Err(Error::Sealed)));
        let other = Key { master: [4; 32] };
        assert!(matches!(other.open_sealed("one", &sealed), Err(Error::Sealed)));
        let empty = key().seal("one", b"");
        assert_eq!(key().open_sealed("one", &empty).unwrap(), b"");
    }

    #[test]
    fn a_changed_secret_does_not_open() {
        let sealed = key().seal("one", b"secret");
        let bytes = BASE64.decode(&sealed.0).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            let changed = Sealed(BASE64.encode(changed));
            assert!(key().open_sealed("one", &changed).is_err(), "byte {index}");
        }
        for short in [0, SALT_BYTES, bytes.len() - 1] {
            let short = Sealed(BASE64.encode(&bytes[..short]));
            assert!(key().open_sealed("one", &short).is_err());
        }
        assert!(key().open_sealed("one", &Sealed("no base64!".to_owned())).is_err());
    }

    #[test]
    fn the_same_secret_is_never_sealed_alike_and_never_shown() {
        let (one, two) = (key().seal("one", b"secret"), key().seal("one", b"secret"));
        assert_ne!(one, two);
        assert_eq!(format!("{one:?}"), "Sealed(..)");
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Sealed>(&text).unwrap(), one);
    }
}
