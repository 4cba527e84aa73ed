//! A transaction that is open on a primary.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a planned change of primary waits for, or ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Transaction {
    /// The number of the engine's process that runs it.
    pub process: u32,
    pub user: String,
    pub database: String,
    /// What the client calls itself.
    pub application: String,
    /// Milliseconds since it began.
    pub age_ms: u64,
}

impl Transaction {
    /// Which one, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { process, user, database, application, age_ms } = self;
        let by =
            if application.is_empty() { user.clone() } else { format!("{user}, {application}") };
        format!("process {process} ({by}, in {database}) for {} s", age_ms / 1_000)
    }

    /// How many they are and which, the first three by name.
    #[must_use]
    pub fn list(all: &[Self]) -> String {
        let named: Vec<_> = all.iter().take(3).map(Self::words).collect();
        let (noun, rest) = match all.len() {
            1 => ("transaction", String::new()),
            2..=3 => ("transactions", String::new()),
            more => ("transactions", format!(" and {} more", more - 3)),
        };
        format!("{} {noun}: {}{rest}", all.len(), named.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_named_up_to_the_third() {
        let one = Transaction {
            process: 7,
            user: "app".into(),
            database: "orders".into(),
            application: "psql".into(),
            age_ms: 12_900,
        };
        let words = "process 7 (app, psql, in orders) for 12 s";
        assert_eq!(
            Transaction::list(std::slice::from_ref(&one)),
            format!("1 transaction: {words}")
        );
        let other = Transaction { application: String::new(), ..one.clone() };
        assert_eq!(other.words(), "process 7 (app, in orders) for 12 s");
        let many = Transaction::list(&vec![one; 5]);
        assert!(many.starts_with("5 transactions: ") && many.ends_with(" and 2 more"), "{many}");
    }
}
