//! Ports for servers of a test's own.

use std::net::TcpListener;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

/// Below what kernels take for connections that go out: one of those could take the port between
/// this look and the server's start.
const RANGE: std::ops::Range<u16> = 12_000..32_000;

/// A port that nobody listens on at that address just now.
///
/// # Errors
/// When there is none.
pub fn free_port(address: &str) -> anyhow::Result<u16> {
    let count = u128::from(RANGE.end - RANGE.start);
    let (process, tries) = (u128::from(std::process::id()), 0..1_000);
    let mut candidates = tries.map(|_| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        RANGE.start + ((now / 7 + process * 7_919) % count) as u16
    });
    let is_free = |port: &u16| TcpListener::bind((address, *port)).is_ok();
    candidates.find(is_free).with_context(|| format!("no port of {address} is free"))
}
