//! The audit log's chain: each entry's hash covers the one before.

pub use bellwether_model::audit::AuditEntry;
use bellwether_model::audit::AuditVerification;

use crate::tokens::hash;

/// The hash of an entry that follows one with that hash; the first follows an empty one.
#[must_use]
pub fn link(previous: &str, entry: &AuditEntry) -> String {
    let AuditEntry { id, at, user, source, action, object, detail, result, .. } = entry;
    let all = (previous, id, at, user, source, action, object, detail, result);
    hash(&serde_json::to_string(&all).expect("plain data"))
}

/// Looks through a chain, the oldest entry first.
#[derive(Default)]
pub struct Verifier {
    previous: String,
    found: AuditVerification,
}

impl Verifier {
    /// Takes the next entry in.
    pub fn next(&mut self, entry: &AuditEntry) {
        if self.found.broken_at.is_none() && link(&self.previous, entry) != entry.hash {
            self.found.broken_at = Some(entry.id);
        }
        self.found.entries += 1;
        self.found.last_id = Some(entry.id);
        self.found.last_hash = Some(entry.hash.clone());
        self.previous.clone_from(&entry.hash);
    }

    /// What was found.
    #[must_use]
    pub fn end(self) -> AuditVerification {
        AuditVerification { whole: self.found.broken_at.is_none(), ..self.found }
    }
}

#[cfg(test)]
mod tests {
    use bellwether_model::Timestamp;

    use super::*;

    fn chain() -> Vec<AuditEntry> {
        let mut previous = String::new();
        let entry = |id: i64| {
            let mut entry = AuditEntry {
                id,
                at: Timestamp::from_millis(id),
                user: "ada".to_owned(),
                source: "192.0.2.1".to_owned(),
                action: "cluster.create".to_owned(),
                object: format!("demo-{id}"),
                detail: String::new(),
                result: "ok".to_owned(),
                hash: String::new(),
            };
            entry.hash = link(&previous, &entry);
            previous.clone_from(&entry.hash);
            entry
        };
        (1..=4).map(entry).collect()
    }

    fn broken_at(entries: &[AuditEntry]) -> Option<i64> {
        let mut verifier = Verifier::default();
        entries.iter().for_each(|entry| verifier.next(entry));
        let found = verifier.end();
        assert_eq!(found.whole, found.broken_at.is_none());
        found.broken_at
    }

    #[test]
    fn what_was_changed_or_taken_out_is_found() {
        assert_eq!(broken_at(&chain()), None);
        let mut changed = chain();
        changed[1].user = "eve".to_owned();
        assert_eq!(broken_at(&changed), Some(2));
        let mut rehashed = changed.clone();
        rehashed[1].hash = link(&rehashed[0].hash, &rehashed[1]);
        assert_eq!(broken_at(&rehashed), Some(3), "the next one does not follow any more");
        let mut shorter = chain();
        shorter.remove(2);
        assert_eq!(broken_at(&shorter), Some(4));
        let mut swapped = chain();
        swapped.swap(1, 2);
        assert_eq!(broken_at(&swapped), Some(3));
    }

    #[test]
    fn the_hash_is_one_that_others_can_compute() {
        // printf '["",1,"1970-01-01T00:00:00.001Z","ada",...,"ok"]' | sha256sum
        let entry = &chain()[0];
        let (at, what) = ("1970-01-01T00:00:00.001Z", "cluster.create");
        let text = format!(r#"["",1,"{at}","ada","192.0.2.1","{what}","demo-1","","ok"]"#);
        assert_eq!(entry.hash, hash(&text));
    }
}
