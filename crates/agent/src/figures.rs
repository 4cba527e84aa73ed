//! CPU, memory and disk of the node: from its cgroup where it is limited by one, else from the
//! machine's own files.

use std::path::Path;
use std::time::Instant;

use bellwether_model::Timestamp;
use bellwether_protocol::local::HostFigures;

use crate::DATA;
use crate::growth::Growth;

/// Without a limit, version 1 of cgroups says a number near this.
const NO_LIMIT: u64 = 1 << 60;

/// Reads figures; the processor's share is of the time since the last reading.
#[derive(Default)]
pub struct Figures {
    last: Option<(Instant, u64, f64)>,
    percent: Option<f64>,
    growth: Growth,
}

/// Between two readings of the processor's time.
const CPU_EVERY_MS: u128 = 1_000;

fn number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The value of a line `name value` of a file.
fn line(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.trim().parse().ok()
}

fn is_v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

impl Figures {
    /// The figures now.
    pub fn read(&mut self) -> HostFigures {
        let (memory_used, memory_limit) = memory();
        let (disk_used, disk_size) = disk();
        let disk_growth = disk_used.and_then(|used| self.growth.rate(Timestamp::now(), used));
        HostFigures {
            cpu_percent: self.cpu_percent(),
            memory_used,
            memory_limit,
            disk_used,
            disk_size,
            disk_growth,
        }
    }

    fn cpu_percent(&mut self) -> Option<f64> {
        if self.last.is_some_and(|(at, _, _)| at.elapsed().as_millis() < CPU_EVERY_MS) {
            return self.percent;
        }
        let used = cpu_used_ns()?;
        let cores = cores();
        let now = Instant::now();
        if let Some((at, before, _)) = self.last.replace((now, used, cores)) {
            let passed = (now - at).as_nanos() as f64 * cores;
            let percent = used.saturating_sub(before) as f64 * 100.0 / passed;
            self.percent = Some((percent * 10.0).round() / 10.0);
        }
        self.percent
    }
}

fn cpu_used_ns() -> Option<u64> {
    if is_v2() {
        return line("/sys/fs/cgroup/cpu.stat", "usage_usec").map(|usec| usec * 1_000);
    }
    number("/sys/fs/cgroup/cpuacct/cpuacct.usage")
}

/// Cores this node may use; fractions where it is limited.
fn cores() -> f64 {
    let all = std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64);
    let (quota, period) = if is_v2() {
        let text = std::fs::read_to_string("/sys/fs/cgroup/cpu.max").unwrap_or_default();
        let mut parts = text.split_whitespace().map(str::parse::<f64>);
        (parts.next().and_then(Result::ok), parts.next().and_then(Result::ok))
    } else {
        let read = |name: &str| number(&format!("/sys/fs/cgroup/cpu/{name}")).map(|n| n as f64);
        (read("cpu.cfs_quota_us"), read("cpu.cfs_period_us"))
    };
    match (quota, period) {
        (Some(quota), Some(period)) if period > 0.0 => (quota / period).min(all),
        _ => all,
    }
}

fn memory() -> (Option<u64>, Option<u64>) {
    let (used, limit, cache) = if is_v2() {
        (
            number("/sys/fs/cgroup/memory.current"),
            number("/sys/fs/cgroup/memory.max"),
            line("/sys/fs/cgroup/memory.stat", "inactive_file"),
        )
    } else {
        (
            number("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
            number("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
            line("/sys/fs/cgroup/memory/memory.stat", "total_inactive_file"),
        )
    };
    match (used, limit.filter(|limit| *limit < NO_LIMIT)) {
        (Some(used), Some(limit)) => (Some(used.saturating_sub(cache.unwrap_or(0))), Some(limit)),
        _ => machine_memory(),
    }
}

fn machine_memory() -> (Option<u64>, Option<u64>) {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1_024)
    };
    let total = kib("MemTotal:");
    (total.zip(kib("MemAvailable:")).map(|(all, free)| all.saturating_sub(free)), total)
}

fn disk() -> (Option<u64>, Option<u64>) {
    match rustix::fs::statvfs(DATA) {
        Ok(stat) => {
            let size = stat.f_blocks * stat.f_frsize;
            (Some(size - stat.f_bfree * stat.f_frsize), Some(size))
        }
        Err(_) => (None, None),
    }
}
