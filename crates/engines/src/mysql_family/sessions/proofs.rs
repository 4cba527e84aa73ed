//! How somebody shows that he knows a password, and what that leaves in our hands.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA1_OUTPUT_LEN, SHA256};
use zeroize::Zeroizing;

use super::greeting::NONCE_BYTES;

pub(super) const NATIVE: &[u8] = b"mysql_native_password";
pub(super) const SHA2: &[u8] = b"caching_sha2_password";

/// What a client has shown of itself: with it its session enters the next primary. It is kept in
/// memory alone, for as long as the session lasts.
pub(super) enum Shown {
    /// The password, as the client said it over TLS: all that `caching_sha2_password` takes from
    /// whoever comes to an engine for the first time.
    Password(Zeroizing<Vec<u8>>),
    /// The hash of the password, with which `mysql_native_password` answers.
    Hash(Zeroizing<[u8; SHA1_OUTPUT_LEN]>),
    /// There is no password.
    Empty,
    /// Nothing that another primary would take.
    Nothing,
}

impl Shown {
    /// The answer to a nonce, by that plugin, if it can be given.
    pub(super) fn answer(&self, plugin: &[u8], nonce: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Empty => Some(Vec::new()),
            Self::Password(password) if plugin == SHA2 => Some(sha2(password, nonce)),
            Self::Password(password) if plugin == NATIVE => {
                let hash = Zeroizing::new(sha1(&[password]));
                Some(native(&hash, nonce))
            }
            Self::Hash(hash) if plugin == NATIVE => Some(native(hash, nonce)),
            _ => None,
        }
    }

    pub(super) fn password(&self) -> Option<&[u8]> {
        match self {
            Self::Password(password) => Some(password),
            _ => None,
        }
    }

    /// What a proof by `mysql_native_password` shows, given what the engine keeps of the password:
    /// the hash of its hash, in hexadecimal digits after a star.
    pub(super) fn by_native(proof: &[u8], nonce: &[u8], kept: &str) -> Option<Self> {
        let kept = unhex(kept.strip_prefix('*')?)?;
        let mask = sha1(&[nonce, &kept]);
        let proof: &[u8; SHA1_OUTPUT_LEN] = proof.try_into().ok()?;
        let hash = Zeroizing::new(std::array::from_fn(|at| proof[at] ^ mask[at]));
        (sha1(&[&hash[..]]) == *kept).then_some(Self::Hash(hash))
    }
}

/// Something new for a client to answer to: no zero, and no `$`, at which some stop reading.
pub(super) fn nonce() -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    let random = ring::rand::SystemRandom::new();
    ring::rand::SecureRandom::fill(&random, &mut nonce).expect("the system has random numbers");
    nonce.map(|byte| match byte & 0x7f {
        0 | b'$' => b'!',
        byte => byte,
    })
}

fn native(hash: &[u8; SHA1_OUTPUT_LEN], nonce: &[u8]) -> Vec<u8> {
    let mask = sha1(&[nonce, &sha1(&[&hash[..]])]);
    hash.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
}

fn sha2(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let digest = |parts: &[&[u8]]| {
        let mut context = Context::new(&SHA256);
        parts.iter().for_each(|part| context.update(part));
        context.finish()
    };
    let hash = digest(&[password]);
    let mask = digest(&[digest(&[hash.as_ref()]).as_ref(), nonce]);
    hash.as_ref().iter().zip(mask.as_ref()).map(|(byte, mask)| byte ^ mask).collect()
}

fn sha1(parts: &[&[u8]]) -> [u8; SHA1_OUTPUT_LEN] {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| context.update(part));
    let mut digest = [0; SHA1_OUTPUT_LEN];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    (digits.len() == 2 * SHA1_OUTPUT_LEN).then(|| digits.chunks(2).map(pair).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `PASSWORD('password')` says.
    const KEPT: &str = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";

    #[test]
    fn what_a_client_shows_lets_its_session_in_elsewhere() {
        let (first, second) = (nonce(), nonce());
        let client = Shown::Password(Zeroizing::new(b"password".to_vec()));
        let proof = client.answer(NATIVE, &first).expect("a proof");
        let shown = Shown::by_native(&proof, &first, KEPT).expect("the right password");
        assert_eq!(shown.answer(NATIVE, &second), client.answer(NATIVE, &second));
        assert!(shown.answer(SHA2, &second).is_none());
        let wrong = Shown::Password(Zeroizing::new(b"passw0rd".to_vec()));
        let proof = wrong.answer(NATIVE, &first).expect("a proof");
        assert!(Shown::by_native(&proof, &first, KEPT).is_none());
        assert!(Shown::by_native(b"", &first, KEPT).is_none());
    }

    #[test]
    fn a_proof_by_sha256_depends_on_the_nonce() {
        let client = Shown::Password(Zeroizing::new(b"password".to_vec()));
        let one = client.answer(SHA2, &[1; 20]).expect("a proof");
        assert_eq!(one.len(), 32);
        assert_ne!(Some(one), client.answer(SHA2, &[2; 20]));
        assert_eq!(Shown::Empty.answer(SHA2, &[1; 20]), Some(Vec::new()));
    }
}
