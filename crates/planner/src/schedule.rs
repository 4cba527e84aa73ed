//! When something is due: schedules as cron has them, or in a word.

use bellwether_model::Timestamp;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;

/// Words for what is meant most often.
const WORDS: &[(&str, &str)] = &[
    ("hourly", "0 * * * *"),
    ("daily", "0 2 * * *"),
    ("weekly", "0 2 * * 0"),
    ("monthly", "0 2 1 * *"),
];

/// Whether that is a schedule.
///
/// # Errors
/// What is wrong with it.
pub fn check_schedule(text: &str) -> Result<(), String> {
    let cron = parse(text).map_err(|error| {
        format!(
            "`{text}` is no schedule: {error}; minute, hour, day of the month, month and day of \
             the week are needed, like `0 4 * * 0`, or hourly, daily, weekly or monthly"
        )
    })?;
    let from = civil(Timestamp::from_millis(0));
    cron.find_next_occurrence(&from, false).map(|_| ()).map_err(|_| format!("`{text}` never comes"))
}

/// The next moment of that schedule.
#[must_use]
pub fn next_after(text: &str, after: Timestamp) -> Option<Timestamp> {
    let found = parse(text).ok()?.find_next_occurrence(&civil(after), false).ok()?;
    moment(found)
}

/// The last moment of that schedule until then.
#[must_use]
pub fn last_until(text: &str, until: Timestamp) -> Option<Timestamp> {
    let found = parse(text).ok()?.find_previous_occurrence(&civil(until), true).ok()?;
    moment(found)
}

fn parse(text: &str) -> Result<Cron, croner::errors::CronError> {
    let text = WORDS.iter().find(|(word, _)| *word == text).map_or(text, |(_, cron)| cron);
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(text)
}

/// In UTC; whole seconds, which is finer than any schedule.
fn civil(at: Timestamp) -> DateTime {
    let seconds = at.as_millis().div_euclid(1_000);
    let at = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    jiff::tz::Offset::UTC.to_datetime(at)
}

fn moment(civil: DateTime) -> Option<Timestamp> {
    let at = jiff::tz::Offset::UTC.to_timestamp(civil).ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_schedule() {
        let at = Timestamp::from_millis(0);
        assert!(check_schedule("daily").is_ok() && check_schedule("dayly").is_err());
        let next = next_after("daily", at).expect("there is one");
        assert_eq!(next.to_string(), "1970-01-01T02:00:00Z");
        assert_eq!(last_until("hourly", next), Some(next));
    }
}
