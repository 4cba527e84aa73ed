//! Who may reach a cluster's client ports: addresses and ranges, enforced by the nodes' kernels.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::FieldProblem;
use crate::time::Timestamp;

/// Stands for the machine that this server runs on, whatever address nodes see it under.
pub const SERVER: &str = "server";

/// More would be a network, not a list.
pub const ENTRIES_MAX: usize = 256;

/// The longest note, in characters.
const NOTE_LENGTH_MAX: usize = 200;

/// Whom a cluster lets in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowEntry {
    /// An IPv4 or IPv6 address, a range such as `10.0.0.0/8` or `fd00::/8`, or `server`: the
    /// machine that this server runs on.
    pub address: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// From then on it counts no more; never when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl AllowEntry {
    /// One for good.
    #[must_use]
    pub fn of(address: &str) -> Self {
        Self { address: address.to_owned(), note: String::new(), expires_at: None }
    }

    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// A list that takes the former one's place again unless it is confirmed. Written by the API; the
/// control loop, and the nodes by themselves, go back when the time has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PendingAllowlist {
    /// None: everybody was let in.
    pub before: Option<Vec<AllowEntry>>,
    pub revert_at: Timestamp,
}

/// `PUT /v1/clusters/{cluster}/allowlist`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAllowlist {
    /// All of them; empty lets in nobody.
    pub entries: Vec<AllowEntry>,
    /// The former list is in force again after so many seconds, 10 to 3600, unless this one is
    /// confirmed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 10, maximum = 3600)]
    pub revert_after_seconds: Option<u32>,
}

/// How long a change may wait for its confirmation, in seconds.
pub const REVERT_AFTER: std::ops::RangeInclusive<u32> = 10..=3_600;

/// `POST /v1/clusters/{cluster}/allowlist/decision`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowlistDecision {
    /// The new list stays; otherwise the former one is in force again at once.
    pub keep: bool,
}

/// Who may reach a cluster's client ports, and who does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AllowlistView {
    /// Everybody is let in: the cluster was made before there were allowlists.
    pub open: bool,
    pub entries: Vec<AllowEntry>,
    /// When the former list is in force again, unless this one is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revert_at: Option<Timestamp>,
    /// The client addresses that are connected now, as far as the nodes have told.
    pub clients: Vec<ConnectedClient>,
    /// Attempts that were not let in since the nodes' agents were started.
    pub blocked: u64,
    /// Where they came from, the latest first.
    pub blocked_sources: Vec<BlockedSource>,
    /// Nodes whose kernel is not known to have this list yet.
    pub awaited: Vec<String>,
    /// What the list calls whoever asks.
    pub caller: String,
    /// What a change has to name.
    pub generation: u64,
}

/// An address with connections of clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectedClient {
    pub address: String,
    pub connections: u32,
    /// The nodes it is connected to.
    pub nodes: Vec<String>,
}

/// An address that was not let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockedSource {
    pub address: String,
    pub attempts: u64,
    pub last_at: Timestamp,
}

/// What a new list would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AllowlistPlan {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    /// Clients that are connected now and would be cut off.
    pub cut: Vec<ConnectedClient>,
    /// Whoever asks would not be let in.
    pub excludes_caller: bool,
    /// Nodes that have not told who is connected to them.
    pub unknown: Vec<String>,
}

/// A range of addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cidr {
    base: IpAddr,
    bits: u8,
}

impl Cidr {
    /// Reads an address or a range.
    ///
    /// # Errors
    /// What is wrong, in words for its user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let usual = "use an address, a range such as 10.0.0.0/8 or fd00::/8, or `server`";
        let base: IpAddr =
            address.parse().map_err(|_| format!("`{text}` is no address; {usual}"))?;
        if let IpAddr::V6(v6) = base
            && let Some(v4) = v6.to_ipv4_mapped()
        {
            return Err(format!("`{text}` is an IPv4 address in IPv6 form; write {v4}"));
        }
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits: u8 = match bits {
            None => most,
            Some(bits) => {
                let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
                let bits = bits.parse().ok().filter(|bits| is_number && *bits <= most);
                bits.ok_or_else(|| format!("`{text}`: after the slash use 0 to {most}"))?
            }
        };
        let range = Self { base, bits };
        let first = range.first();
        if first != base {
            let whole = Self { base: first, bits };
            return Err(format!(
                "`{text}` names an address within a range; write {base} for the one or {whole} \
                 for all of them"
            ));
        }
        Ok(range)
    }

    /// The addresses at both ends, as numbers.
    #[must_use]
    pub fn ends(&self) -> (u128, u128) {
        let (base, most) = match self.base {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
            IpAddr::V6(v6) => (u128::from(v6), 128),
        };
        let free = most - u32::from(self.bits);
        let below = 1_u128.checked_shl(free).map_or(u128::MAX, |count| count - 1);
        (base & !below, base | below)
    }

    fn first(&self) -> IpAddr {
        let (first, _) = self.ends();
        match self.base {
            IpAddr::V4(_) => Ipv4Addr::from(u32::try_from(first).unwrap_or(u32::MAX)).into(),
            IpAddr::V6(_) => Ipv6Addr::from(first).into(),
        }
    }

    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        self.base.is_ipv4()
    }

    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (first, last) = self.ends();
        let number = match address.to_canonical() {
            IpAddr::V4(v4) => u128::from(u32::from(v4)),
            IpAddr::V6(v6) => u128::from(v6),
        };
        self.is_ipv4() == address.to_canonical().is_ipv4() && (first..=last).contains(&number)
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let most = if self.base.is_ipv4() { 32 } else { 128 };
        match self.bits {
            bits if bits == most => self.base.fmt(f),
            bits => write!(f, "{}/{bits}", self.base),
        }
    }
}

/// Writes every address in the one way, where it can be read.
pub fn canonicalise(entries: &mut [AllowEntry]) {
    for entry in entries {
        let address = entry.address.trim();
        entry.address = match Cidr::parse(address) {
            Ok(range) => range.to_string(),
            Err(_) => address.to_owned(),
        };
        entry.note = entry.note.trim().to_owned();
    }
}

/// What is wrong with a list whose field has this name.
#[must_use]
pub fn check(field: &str, entries: &[AllowEntry]) -> Vec<FieldProblem> {
    let problem = |field: String, message: String| FieldProblem { field, message };
    let mut problems = Vec::new();
    if entries.len() > ENTRIES_MAX {
        problems.push(problem(field.to_owned(), format!("use at most {ENTRIES_MAX} entries")));
    }
    for (index, entry) in entries.iter().enumerate() {
        let at = |name: &str| format!("{field}[{index}].{name}");
        if entry.address != SERVER
            && let Err(words) = Cidr::parse(&entry.address)
        {
            problems.push(problem(at("address"), words));
        } else if entries[..index].iter().any(|other| other.address == entry.address) {
            let words = format!("`{}` is there twice", entry.address);
            problems.push(problem(at("address"), words));
        }
        let is_plain = !entry.note.chars().any(char::is_control);
        if !is_plain || entry.note.chars().count() > NOTE_LENGTH_MAX {
            let words =
                format!("use at most {NOTE_LENGTH_MAX} characters and no control characters");
            problems.push(problem(at("note"), words));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_ranges_are_read_and_written_in_one_way() {
        for (text, written) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            assert_eq!(Cidr::parse(text).map(|range| range.to_string()), Ok(written.into()));
        }
        for wrong in ["", "ten", "10.0.0.0/33", "10.0.0.5/24", "::1/129", "10.0.0.0/", "1.2.3.4/+8"]
        {
            assert!(Cidr::parse(wrong).is_err(), "{wrong}");
        }
        let words = Cidr::parse("10.0.0.5/24").expect_err("within a range");
        assert!(words.contains("10.0.0.0/24"), "{words}");
        assert!(Cidr::parse("::ffff:10.0.0.1").expect_err("mapped").contains("10.0.0.1"));
    }

    #[test]
    fn a_range_contains_what_is_between_its_ends() {
        let contains = |range: &str, address: &str| {
            let address = address.parse().expect("an address");
            Cidr::parse(range).expect("a range").contains(address)
        };
        assert!(contains("10.0.0.0/8", "10.255.255.255"));
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(!contains("10.0.0.0/8", "11.0.0.0"));
        assert!(!contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "ffff::1"));
        assert!(contains("fd00::/8", "fd42::1"));
        assert!(!contains("fd00::/8", "fe00::"));
    }

    #[test]
    fn what_is_wrong_with_a_list_is_named_by_its_place() {
        let entries = ["server", "10.0.0.1", "nonsense", "10.0.0.1"].map(AllowEntry::of).to_vec();
        let fields: Vec<String> = check("entries", &entries).into_iter().map(|p| p.field).collect();
        assert_eq!(fields, ["entries[2].address", "entries[3].address"]);
    }
}
