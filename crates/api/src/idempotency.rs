//! Idempotency keys: the same create sent twice makes one thing.

use axum::http::HeaderMap;
use bellwether_model::Timestamp;
use bellwether_model::problem::Code;
use bellwether_store::idempotency::Idempotency;
use bellwether_store::{Txn, tokens};

use crate::Inner;
use crate::auth::Caller;
use crate::error::{ApiError, Result};

/// An answer is kept so long.
const KEEP_MS: u64 = 24 * 3_600_000;

/// A key of a request, and what was made for it before.
pub(crate) struct Key {
    record: Option<Idempotency>,
    /// The id of what an earlier request with this key made.
    pub(crate) made: Option<String>,
}

/// Reads the key of a request.
///
/// # Errors
/// When the key is no key, or was used for another request.
pub(crate) fn read(
    api: &Inner,
    caller: &Caller,
    headers: &HeaderMap,
    request: &str,
) -> Result<Key> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(Key { record: None, made: None });
    };
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > 200 {
        return Err(ApiError::new(Code::BadRequest, "the header `Idempotency-Key` is not usable")
            .hint("use 1 to 200 plain characters"));
    }
    let record = Idempotency {
        key: format!("{}/{text}", caller.user.id),
        request_hash: tokens::hash(request),
        made: String::new(),
        created_at: Timestamp::now(),
    };
    let known = api.store.find::<Idempotency>(&record.key).map(|known| known.object);
    match known {
        Some(known) if known.request_hash != record.request_hash => Err(ApiError::new(
            Code::IdempotencyKeyReused,
            "this `Idempotency-Key` was used for another request",
        )
        .hint("use a new key for each new request")),
        known => Ok(Key { record: Some(record), made: known.map(|known| known.made) }),
    }
}

impl Key {
    /// Remembers what was made, in the same commit; forgets what is old.
    pub(crate) fn remember(&self, api: &Inner, txn: Txn, made: &str) -> Txn {
        let Some(record) = &self.record else { return txn };
        let now = Timestamp::now();
        let old = api
            .store
            .list::<Idempotency>()
            .into_iter()
            .filter(|known| now.millis_since(known.object.created_at) > KEEP_MS);
        let txn = old.fold(txn, |txn, known| txn.delete::<Idempotency>(&known.object.key, None));
        txn.insert(&Idempotency { made: made.to_owned(), ..record.clone() })
    }
}
