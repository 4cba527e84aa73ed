//! Pages of lists.

use bellwether_model::event::Page;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::{ApiError, Result};

const LIMIT_MAX: u16 = 500;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paging {
    /// At most so many, 1 to 500; 100 when left out.
    #[param(minimum = 1, maximum = 500)]
    pub(crate) limit: Option<u16>,
    /// The `next` of the page before.
    pub(crate) after: Option<String>,
}

/// How many a page may have.
pub(crate) fn limit(asked: Option<u16>) -> Result<usize> {
    match asked.unwrap_or(100) {
        0 => Err(ApiError::parameter("limit", "0 is too few; use 1 to 500")),
        many if many > LIMIT_MAX => {
            Err(ApiError::parameter("limit", format!("{many} is too many; use 1 to 500")))
        }
        limit => Ok(usize::from(limit)),
    }
}

/// A page of a list that is in the order of its keys. It begins behind the key `after`, whether
/// that is still in the list or not: what goes meanwhile makes nothing come twice.
pub(crate) fn page<T, V>(
    items: Vec<T>,
    key: impl Fn(&T) -> String,
    is_behind: impl Fn(&str, &str) -> bool,
    paging: &Paging,
    show: impl Fn(T) -> Option<V>,
) -> Result<Page<V>> {
    let limit = limit(paging.limit)?;
    let after = paging.after.as_deref();
    let mut rest: Vec<T> = items
        .into_iter()
        .filter(|item| after.is_none_or(|after| is_behind(&key(item), after)))
        .take(limit + 1)
        .collect();
    let has_more = rest.len() > limit;
    rest.truncate(limit);
    let next = rest.last().filter(|_| has_more).map(&key);
    Ok(Page { items: rest.into_iter().filter_map(show).collect(), next })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(items: &[&str], limit: u16, after: Option<&str>) -> (Vec<String>, Option<String>) {
        let paging = Paging { limit: Some(limit), after: after.map(str::to_owned) };
        let items = items.iter().map(|text| (*text).to_owned()).collect();
        let page = page(items, String::clone, |key, after| key > after, &paging, Some);
        let page = page.expect("a page");
        (page.items, page.next)
    }

    #[test]
    fn pages_follow_each_other_also_when_their_end_is_gone() {
        let (first, next) = read(&["a", "b", "c", "d"], 2, None);
        assert_eq!((first.len(), next.as_deref()), (2, Some("b")));
        let (second, next) = read(&["a", "c", "d"], 2, next.as_deref());
        assert_eq!((second, next), (vec!["c".to_owned(), "d".to_owned()], None));
    }

    #[test]
    fn a_limit_that_cannot_be_kept_is_refused() {
        assert!(limit(Some(0)).is_err() && limit(Some(501)).is_err());
        assert_eq!(limit(None).expect("the usual"), 100);
    }
}
