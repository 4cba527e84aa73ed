//! Work that takes longer than a step may: calls to providers. A step asks for it by key, again and
//! again, until it has ended; other steps of the cluster, and safety rules, are not kept waiting.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bellwether_contracts::{Class, Failure};

/// Before something transient is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

type Slots = Arc<Mutex<HashMap<String, Option<Result<String, Failure>>>>>;

/// Keyed tasks that run beside the loops.
#[derive(Clone, Default)]
pub struct Background {
    slots: Slots,
}

impl Background {
    /// Starts the work of that key unless it runs; its result, once, when it has ended.
    pub fn run<F>(
        &self,
        key: &str,
        wake: impl FnOnce() + Send + 'static,
        work: impl FnOnce() -> F,
    ) -> Option<Result<String, Failure>>
    where
        F: Future<Output = Result<String, Failure>> + Send + 'static,
    {
        let mut slots = self.slots.lock().expect("nothing panics while it is held");
        match slots.get(key) {
            Some(None) => return None,
            Some(Some(_)) => return slots.remove(key).flatten(),
            None => slots.insert(key.to_owned(), None),
        };
        let (work, key, slots) = (work(), key.to_owned(), self.slots.clone());
        tokio::spawn(async move {
            // A panic in an adapter must not leave the operation waiting for ever.
            let result = tokio::spawn(work)
                .await
                .unwrap_or_else(|_| Err(Failure::permanent("the provider's adapter broke")));
            if result.as_ref().is_err_and(|failure| failure.class == Class::Transient) {
                tokio::time::sleep(RETRY_AFTER).await;
            }
            slots.lock().expect("nothing panics while it is held").insert(key, Some(result));
            wake();
        });
        None
    }
}
