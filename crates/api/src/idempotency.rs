//! Idempotency keys: the same request sent twice makes one thing.

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

/// The key of a request; without one nothing is remembered.
#[derive(Default)]
pub(crate) struct Key {
    record: Option<Idempotency>,
}

impl Key {
    /// Reads the key of a request; `request` is all that makes it the same request.
    ///
    /// # Errors
    /// When the key is no key.
    pub(crate) fn read(caller: &Caller, headers: &HeaderMap, request: &str) -> Result<Self> {
        let Some(value) = headers.get("idempotency-key") else { return Ok(Self::default()) };
        let text = value.to_str().unwrap_or_default();
        if text.is_empty() || text.len() > 200 {
            let words = "the header `Idempotency-Key` is not usable";
            return Err(
                ApiError::new(Code::BadRequest, words).hint("use 1 to 200 plain characters")
            );
        }
        let record = Idempotency {
            key: format!("{}/{text}", caller.user.id),
            request_hash: tokens::hash(request),
            made: String::new(),
            created_at: Timestamp::now(),
        };
        Ok(Self { record: Some(record) })
    }

    /// The id of what the same request made before.
    ///
    /// # Errors
    /// When the key was used for another request.
    pub(crate) fn made(&self, api: &Inner) -> Result<Option<String>> {
        let Some(record) = &self.record else { return Ok(None) };
        let known = api.store.find::<Idempotency>(&record.key).map(|known| known.object);
        match known.filter(|known| !is_old(known)) {
            Some(known) if known.request_hash != record.request_hash => Err(ApiError::new(
                Code::IdempotencyKeyReused,
                "this `Idempotency-Key` was used for another request",
            )
            .hint("use a new key for each new request")),
            known => Ok(known.map(|known| known.made)),
        }
    }

    /// Remembers what was made, in the same commit; forgets what is old.
    pub(crate) fn remember(&self, api: &Inner, txn: Txn, made: &str) -> Txn {
        let Some(record) = &self.record else { return txn };
        let all = api.store.list_where::<Idempotency>(is_old);
        let txn = all.iter().fold(txn, |txn, old| txn.delete::<Idempotency>(&old.object.key, None));
        txn.insert(&Idempotency { made: made.to_owned(), ..record.clone() })
    }
}

fn is_old(known: &Idempotency) -> bool {
    Timestamp::now().millis_since(known.created_at) > KEEP_MS
}

/// What a key made is no longer there: making it anew is not what was asked for.
pub(crate) fn is_gone(what: &str) -> ApiError {
    let words = format!("the {what} that this `Idempotency-Key` made is gone");
    ApiError::new(Code::IdempotencyKeyReused, words).hint("use a new key to make another")
}
