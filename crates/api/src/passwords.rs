//! Passwords: Argon2id, and the first administrator's.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use bellwether_model::{Timestamp, UserId};
use bellwether_store::users::{self, User};
use bellwether_store::{Store, Txn};
use rand::Rng as _;

use crate::Inner;
use crate::error::{ApiError, Result};

/// The shortest password a person may choose.
pub(crate) const LENGTH_MIN: usize = 12;

/// Without letters and digits that look alike.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The name of the first administrator.
const FIRST: &str = "admin";

fn hash_now(password: &str) -> Option<String> {
    Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}

/// Hashes a password; takes its time and memory on purpose.
pub(crate) async fn hash(state: &Inner, password: String) -> Result<String> {
    let _turn = state.hashing.acquire().await;
    let hashed = tokio::task::spawn_blocking(move || hash_now(&password)).await;
    let hashed = hashed.ok().flatten();
    hashed.ok_or_else(|| ApiError::internal("the password could not be hashed"))
}

/// Whether it is the password. Takes as long for a user that does not exist.
pub(crate) async fn verify(state: &Inner, password: String, known: Option<String>) -> bool {
    let _turn = state.hashing.acquire().await;
    let check = move || {
        let Some(known) = known else {
            hash_now(&password);
            return false;
        };
        PasswordHash::new(&known)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    };
    tokio::task::spawn_blocking(check).await.unwrap_or(false)
}

/// So many random letters and digits.
pub(crate) fn random(length: usize) -> String {
    let mut random = rand::rng();
    (0..length).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect()
}

/// At the first start: makes the administrator and returns the one-time password to show.
///
/// # Errors
/// When the store refuses.
pub async fn ensure_first_administrator(
    store: &Store,
) -> std::result::Result<Option<String>, bellwether_store::Error> {
    if users::find_by_name(store, FIRST).is_some() || !store.list::<User>().is_empty() {
        return Ok(None);
    }
    let password = random(20);
    let clear = password.clone();
    let hashed = tokio::task::spawn_blocking(move || hash_now(&clear)).await.ok().flatten();
    let user = User {
        id: UserId::generate(),
        name: FIRST.to_owned(),
        password_hash: hashed.ok_or(bellwether_store::Error::Sealed)?,
        must_change_password: true,
        created_at: Timestamp::now(),
    };
    store.commit(Txn::new().insert(&user)).await?;
    Ok(Some(password))
}
