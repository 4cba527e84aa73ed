//! Ranges of addresses as sets of the kernel hold them: apart from each other, in their order.

use std::net::{Ipv4Addr, Ipv6Addr};

use bellwether_model::allowlist::Cidr;

use super::netlink::Element;

/// The ranges of both families, first and last address as numbers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ranges {
    v4: Vec<(u128, u128)>,
    v6: Vec<(u128, u128)>,
}

impl Ranges {
    /// These ranges; without any, all there is.
    pub(super) fn of(allowed: Option<&[Cidr]>) -> Self {
        let Some(allowed) = allowed else {
            return Self { v4: vec![(0, u128::from(u32::MAX))], v6: vec![(0, u128::MAX)] };
        };
        let of_family = |is_ipv4: bool| {
            let ranges = allowed.iter().filter(|range| range.is_ipv4() == is_ipv4);
            merge(ranges.map(Cidr::ends).collect())
        };
        Self { v4: of_family(true), v6: of_family(false) }
    }

    pub(super) fn words4(&self) -> Vec<String> {
        let word = |(first, last): &(u128, u128)| format!("{}-{}", v4(*first), v4(*last));
        self.v4.iter().map(word).collect()
    }

    pub(super) fn words6(&self) -> Vec<String> {
        let word = |(first, last): &(u128, u128)| {
            format!("{}-{}", Ipv6Addr::from(*first), Ipv6Addr::from(*last))
        };
        self.v6.iter().map(word).collect()
    }

    pub(super) fn elements4(&self) -> Vec<Element> {
        let key = |number: u128| v4(number).octets().to_vec();
        elements(&self.v4, u128::from(u32::MAX), key)
    }

    pub(super) fn elements6(&self) -> Vec<Element> {
        elements(&self.v6, u128::MAX, |number| number.to_be_bytes().to_vec())
    }
}

fn v4(number: u128) -> Ipv4Addr {
    Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Those that touch or overlap become one.
fn merge(mut ranges: Vec<(u128, u128)>) -> Vec<(u128, u128)> {
    ranges.sort_unstable();
    let mut merged: Vec<(u128, u128)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// The first address of each range, and the first one after it, unless there is none.
fn elements(
    ranges: &[(u128, u128)],
    greatest: u128,
    key: impl Fn(u128) -> Vec<u8>,
) -> Vec<Element> {
    let mut all = Vec::new();
    for (first, last) in ranges {
        all.push(Element { key: key(*first), ..Element::default() });
        if *last < greatest {
            all.push(Element { key: key(last + 1), ends_range: true, ..Element::default() });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(texts: &[&str]) -> Ranges {
        let ranges: Vec<Cidr> =
            texts.iter().map(|text| Cidr::parse(text).expect("a range")).collect();
        Ranges::of(Some(&ranges))
    }

    #[test]
    fn ranges_that_touch_or_overlap_become_one() {
        let merged = ranges(&["10.0.1.0/24", "10.0.0.0/24", "10.0.0.7", "192.0.2.1", "::1"]);
        assert_eq!(merged.words4(), ["10.0.0.0-10.0.1.255", "192.0.2.1-192.0.2.1"]);
        assert_eq!(merged.words6(), ["::1-::1"]);
    }

    #[test]
    fn nobody_and_everybody_can_be_said() {
        let nobody = ranges(&[]);
        assert!(nobody.words4().is_empty() && nobody.elements6().is_empty());
        let everybody = Ranges::of(None);
        assert_eq!(everybody, ranges(&["0.0.0.0/0", "::/0"]));
        assert_eq!(everybody.elements4().len(), 1, "there is no address after the last");
        assert_eq!(ranges(&["128.0.0.0/1", "10.0.0.0/8"]).elements4().len(), 3);
    }
}
