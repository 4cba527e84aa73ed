//! How long operations and their steps have been under way, by a clock that nobody sets. It counts
//! anew after a start of the server.

use std::collections::HashMap;
use std::sync::Mutex;

use bellwether_model::OperationId;
use tokio::time::Instant;

#[derive(Default)]
pub struct Stopwatch {
    since: Mutex<HashMap<OperationId, HashMap<String, Instant>>>,
}

impl Stopwatch {
    /// Milliseconds since this was first asked for that part of the operation.
    pub fn age_ms(&self, operation: &OperationId, part: &str) -> u64 {
        let begun = self.begun_at(operation, part);
        u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// When this was first asked for that part of the operation.
    pub fn begun_at(&self, operation: &OperationId, part: &str) -> Instant {
        let mut since = self.since.lock().expect("nothing panics while it is held");
        let parts = since.entry(operation.clone()).or_default();
        *parts.entry(part.to_owned()).or_insert_with(Instant::now)
    }

    pub fn forget(&self, operation: &OperationId) {
        self.since.lock().expect("nothing panics while it is held").remove(operation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_part_counts_from_its_own_beginning() {
        let (watch, operation) = (Stopwatch::default(), OperationId::from("o"));
        assert_eq!(watch.age_ms(&operation, "a"), 0);
        tokio::time::advance(std::time::Duration::from_millis(70)).await;
        assert_eq!((watch.age_ms(&operation, "a"), watch.age_ms(&operation, "b")), (70, 0));
        watch.forget(&operation);
        assert_eq!(watch.age_ms(&operation, "a"), 0);
    }
}
