//! Milliseconds since the machine was started, counting sleep too: leases are measured by it.

use rustix::time::{ClockId, clock_gettime};

/// Now, in milliseconds of `CLOCK_BOOTTIME`.
#[must_use]
pub fn now_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    u64::try_from(now.tv_sec * 1_000 + now.tv_nsec / 1_000_000).unwrap_or(0)
}
