//! Passwords: Argon2id, and the first administrator's.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use bellwether_model::access::Access;
use bellwether_model::{Timestamp, UserId};
use bellwether_store::users::{self, NameClaim, User};
use bellwether_store::{Store, Txn};
use rand::Rng as _;

use crate::Inner;
use crate::auth::Limit;
use crate::error::Result;

/// The shortest password a person may choose.
pub(crate) const LENGTH_MIN: usize = 12;

/// Without letters and digits that look alike.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The name of the first administrator.
const FIRST: &str = "admin";

fn hash_now(password: &str) -> String {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.expect("its own parameters fit every password that is not gigabytes long").to_string()
}

/// Hashes a password; takes its time and memory on purpose.
async fn hash_in_background(password: String) -> String {
    let hashed = tokio::task::spawn_blocking(move || hash_now(&password)).await;
    hashed.expect("hashing does not panic")
}

/// Hashes a password, in its turn.
pub(crate) async fn hash(state: &Inner, password: String) -> String {
    let _turn = state.hashing.acquire().await;
    hash_in_background(password).await
}

/// Whether it is the password; wrong ones are counted under each of `keys`, and too many refused.
/// Takes as long for a user that does not exist.
///
/// # Errors
/// When the caller has to wait after too many wrong ones.
pub(crate) async fn verify(
    state: &Inner,
    keys: &[(String, Limit)],
    password: String,
    known: Option<String>,
) -> Result<bool> {
    let _turn = state.hashing.acquire().await;
    // Looked at in one's turn: a crowd that asks at once is counted like one that asks in a row.
    for (key, limit) in keys {
        state.throttle.check(key, *limit)?;
    }
    let check = move || {
        let Some(known) = known else {
            hash_now(&password);
            return false;
        };
        PasswordHash::new(&known)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    };
    let is_right = tokio::task::spawn_blocking(check).await.unwrap_or(false);
    for (key, _) in keys {
        if is_right {
            state.throttle.succeeded(key);
        } else {
            state.throttle.failed(key);
        }
    }
    Ok(is_right)
}

/// So many random letters and digits.
pub(crate) fn random(length: usize) -> String {
    let mut random = rand::rng();
    (0..length).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect()
}

/// At the first start: makes the administrator and returns the one-time password to show. `keep`
/// is given it before the administrator is saved.
///
/// # Errors
/// When the store refuses.
pub async fn ensure_first_administrator(
    store: &Store,
    keep: impl FnOnce(&str),
) -> std::result::Result<Option<String>, bellwether_store::Error> {
    if !store.list::<User>().is_empty() {
        return Ok(None);
    }
    let password = random(20);
    keep(&password);
    let user = User {
        id: UserId::generate(),
        name: FIRST.to_owned(),
        password_hash: hash_in_background(password.clone()).await,
        must_change_password: true,
        created_at: Timestamp::now(),
        access: Access::owner(),
        second_factor: None,
        identity: None,
    };
    let claim = NameClaim { name: user.name.clone(), user: user.id.clone() };
    store.commit(Txn::new().insert(&user).insert(&claim)).await?;
    Ok(Some(password))
}

/// Whether the administrator's password is still the one that was made at the first start.
#[must_use]
pub fn is_first_password_in_use(store: &Store) -> bool {
    users::find_by_name(store, FIRST).is_some_and(|user| user.object.must_change_password)
}
