//! What is wrong with what is asked for.

use super::{DATABASES_MAX, Grant, Rights, SECOND};
use crate::problem::FieldProblem;

/// MySQL's names of users have 32 characters, and the second login adds two.
const USER_NAME_LENGTH_MAX: usize = 30;

/// PostgreSQL's names have 63, and the roles of a database add a prefix.
const DATABASE_NAME_LENGTH_MAX: usize = 40;

const PATTERN_LENGTH_MAX: usize = 100;

/// Names that are the engines' own, or mean something to them.
const RESERVED: [&str; 21] = [
    "all",
    "current_role",
    "current_user",
    "default",
    "event_scheduler",
    "information_schema",
    "mariadb",
    "mysql",
    "none",
    "performance_schema",
    "postgres",
    "public",
    "replication",
    "root",
    "sameuser",
    "session_user",
    "sys",
    "template0",
    "template1",
    "test",
    "user",
];

/// How names begin that are the engines' or ours.
const RESERVED_PREFIXES: [&str; 3] = ["pg_", "bellwether", "bw_"];

/// Says what is wrong with a new user's name.
///
/// # Errors
/// A sentence that names the rule the text breaks.
pub fn check_user_name(name: &str) -> Result<(), String> {
    check_name(name, USER_NAME_LENGTH_MAX)?;
    if name.ends_with(SECOND) {
        return Err(format!("`{name}` ends in `{SECOND}`, which second logins do"));
    }
    Ok(())
}

/// Says what is wrong with a new database's name.
///
/// # Errors
/// A sentence that names the rule the text breaks.
pub fn check_database_name(name: &str) -> Result<(), String> {
    check_name(name, DATABASE_NAME_LENGTH_MAX)
}

fn check_name(name: &str, length_max: usize) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts_well || name.len() > length_max || !name.chars().all(is_plain) {
        return Err(format!(
            "use 1 to {length_max} lower-case letters, digits and underscores, beginning with a \
             letter"
        ));
    }
    let is_reserved =
        RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if is_reserved {
        return Err(format!("`{name}` is reserved for the engine or for Bellwether"));
    }
    Ok(())
}

/// What is wrong with what a user shall be allowed. `databases` are those that are there; none
/// where the engine knows patterns of keys instead.
#[must_use]
pub fn check_grants(grants: &[Grant], databases: Option<&[String]>) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    if grants.len() > DATABASES_MAX {
        problems.push(problem("grants", format!("use at most {DATABASES_MAX}")));
    }
    for (index, grant) in grants.iter().enumerate() {
        let wrong = match databases {
            Some(databases) if databases.contains(&grant.on) => None,
            Some(databases) => {
                let (on, there) = (&grant.on, databases.join(", "));
                Some(format!("there is no database `{on}`; there are {there}"))
            }
            None => check_pattern(grant).err(),
        };
        let is_twice = grants[..index].iter().any(|other| other.on == grant.on);
        let wrong = wrong.or_else(|| is_twice.then(|| "it is there twice".to_owned()));
        problems.extend(wrong.map(|words| problem(&format!("grants[{index}].on"), words)));
        let differs = databases.is_none() && grant.rights != grants[0].rights;
        if differs {
            let words = "patterns of keys of one user have the same rights; make two users";
            problems.push(problem(&format!("grants[{index}].rights"), words.to_owned()));
        }
    }
    problems
}

fn problem(field: &str, message: String) -> FieldProblem {
    FieldProblem { field: field.to_owned(), message }
}

fn check_pattern(grant: &Grant) -> Result<(), String> {
    let on = &grant.on;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ":_-.*?[]{}/@+#,".contains(c);
    if on.is_empty() || on.len() > PATTERN_LENGTH_MAX || !on.chars().all(is_plain) {
        return Err(format!(
            "a pattern of keys, such as `orders:*`, has 1 to {PATTERN_LENGTH_MAX} letters, digits \
             and `: _ - . * ? [ ] {{ }} / @ + # ,`"
        ));
    }
    if grant.rights == Rights::Owner && on != "*" {
        // It may empty the whole keyspace, which no pattern limits.
        return Err("who owns keys owns all of them: use `*`, or other rights".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(on: &str, rights: Rights) -> Grant {
        Grant { on: on.to_owned(), rights }
    }

    #[test]
    fn names_of_the_engines_and_of_ours_are_refused() {
        for good in ["shop", "a", "orders_2", &"a".repeat(30)] {
            assert_eq!(check_user_name(good), Ok(()), "{good}");
        }
        let bad = [
            "",
            "Shop",
            "1a",
            "a-b",
            "a b",
            "ä",
            "a'b",
            "postgres",
            "root",
            "pg_monitor",
            "public",
            "bellwether_probe",
            "bw_1",
            "default",
            "shop_b",
        ];
        for bad in bad {
            assert!(check_user_name(bad).is_err(), "{bad}");
        }
        assert!(check_user_name(&"a".repeat(31)).is_err());
        assert_eq!(check_database_name("shop_b"), Ok(()));
        assert_eq!(check_database_name(&"a".repeat(40)), Ok(()));
        assert!(check_database_name("information_schema").is_err());
    }

    #[test]
    fn what_a_user_may_is_about_what_is_there() {
        let databases = ["app".to_owned(), "shop".to_owned()];
        let fields = |grants: &[Grant], databases: Option<&[String]>| -> Vec<String> {
            check_grants(grants, databases).into_iter().map(|problem| problem.field).collect()
        };
        let (read, own) = (Rights::ReadOnly, Rights::Owner);
        assert!(fields(&[grant("app", read), grant("shop", own)], Some(&databases)).is_empty());
        let wrong = [grant("app", read), grant("other", read), grant("app", own)];
        assert_eq!(fields(&wrong, Some(&databases)), ["grants[1].on", "grants[2].on"]);
        assert!(fields(&[grant("a:*", read), grant("b:*", read)], None).is_empty());
        assert!(fields(&[grant("*", own)], None).is_empty());
        let wrong = [grant("a b", read), grant("b:*", own)];
        assert_eq!(fields(&wrong, None), ["grants[0].on", "grants[1].on", "grants[1].rights"]);
    }
}
