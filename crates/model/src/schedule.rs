//! When backups are taken by themselves, and for how long they are kept.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Backups that begin by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupSchedule {
    /// When, in UTC: `hourly`, `daily`, `weekly`, `monthly`, or as cron has it: minute, hour, day
    /// of the month, month, day of the week.
    #[schema(example = "daily")]
    pub schedule: String,
    /// The repository's name.
    pub repository: String,
    #[serde(default)]
    pub keep: Retention,
    /// Kilobytes a second that are sent at most; 0 for no limit.
    #[serde(default)]
    pub rate_kib: u64,
    /// Every backup is restored in a scratch node and looked through.
    #[serde(default)]
    pub verify: bool,
    /// The log is kept, too, so that any moment can be restored.
    #[serde(default)]
    pub point_in_time: bool,
}

/// Which backups are kept. What one of these counts is kept, and the newest proven one always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// The last so many.
    pub last: u32,
    /// The last of each of so many hours, days, weeks and months that have one.
    pub hourly: u32,
    pub daily: u32,
    pub weekly: u32,
    pub monthly: u32,
    /// How many days back any moment can be restored, where the log is kept and the backups to
    /// begin with are. Of backups alone it keeps none.
    pub log_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { last: 3, hourly: 0, daily: 7, weekly: 4, monthly: 6, log_days: 7 }
    }
}

impl Retention {
    /// Whether nothing would be kept by it.
    #[must_use]
    pub fn keeps_nothing(&self) -> bool {
        let counts = [self.last, self.hourly, self.daily, self.weekly, self.monthly];
        counts.iter().all(|count| *count == 0)
    }
}
