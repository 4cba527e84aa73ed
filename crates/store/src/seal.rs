//! Secrets at rest: AES-256-GCM under a key derived for each secret from the server's master key and a
//! random salt, so that no nonce is ever used twice; the purpose is authenticated with it.

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
    /// Reads the master key, or makes it at the first start (mode 0600).
    pub(crate) fn open(directory: &Path) -> Result<Self, Error> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = directory.join("master.key");
        let io = |source| Error::Path { path: path.clone(), source };
        if !path.exists() {
            let mut master = [0; 32];
            SystemRandom::new().fill(&mut master).expect("the system gives random bytes");
            let new = directory.join("master.key.new");
            let mut options = std::fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)
                .map_err(io)?;
            file.write_all(&master).and_then(|()| file.sync_all()).map_err(io)?;
            std::fs::rename(&new, &path).map_err(io)?;
        }
        let bytes = std::fs::read(&path).map_err(io)?;
        let master = bytes.try_into().map_err(|_| Error::Sealed)?;
        Ok(Self { master })
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
