//! Names people give: short, safe in host names, file names, labels and SQL identifiers.

/// The longest name of a cluster; node names add a number and must still fit 63 characters.
pub const CLUSTER_NAME_LENGTH_MAX: usize = 40;

/// Says what is wrong with a cluster's name, in words for its user.
///
/// # Errors
/// A sentence that names the rule the text breaks.
pub fn check_cluster_name(name: &str) -> Result<(), String> {
    let rule = "use 1 to 40 lower-case letters, digits and hyphens, beginning with a letter";
    if name.is_empty() {
        return Err(format!("a name is needed: {rule}"));
    }
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts_well || name.ends_with('-') || !name.chars().all(is_plain) {
        return Err(format!("`{name}` is not a usable name: {rule}, not ending in a hyphen"));
    }
    if name.len() > CLUSTER_NAME_LENGTH_MAX {
        return Err(format!("the name has {} characters: {rule}", name.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_break_something_are_refused() {
        for good in ["demo", "a", "orders-2", &"a".repeat(40)] {
            assert_eq!(check_cluster_name(good), Ok(()), "{good}");
        }
        for bad in ["", "Demo", "1a", "-a", "a-", "a_b", "a b", "ä", "a/b", &"a".repeat(41)] {
            assert!(check_cluster_name(bad).is_err(), "{bad}");
        }
    }
}
