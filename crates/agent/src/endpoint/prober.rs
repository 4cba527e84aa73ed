//! Measures how long writes wait, as a client of this endpoint sees it.
//!
//! Writes are rare while they are acknowledged, so they cost nothing, and close to each other as
//! soon as one waits. What is measured is the time from the last moment at which writes were taken
//! to the first acknowledgement by the primary of a later term. It is kept until the server can be
//! told, and named by that term.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bellwether_contracts::Prober;
use bellwether_contracts::sessions::{Led, Way as _};
use bellwether_model::Term;
use bellwether_model::report::WriteGap;
use tokio::sync::watch;
use tracing::{debug, info};

use super::to_primary::ToPrimary;
use crate::clock::now_ms;

/// Between two writes that are taken.
const CALM_EVERY: Duration = Duration::from_millis(500);

/// Between two attempts while writes wait.
const TENSE_EVERY: Duration = Duration::from_millis(20);

/// Who waits for so long is as well served by rarer attempts.
const TENSE_MS_MAX: u64 = 60_000;

/// A process that was not run for so long measured itself.
const FROZEN_MS: u64 = 750;
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// So many changes of primary are remembered.
const GAPS_MAX: usize = 4;

/// Measures for ever.
pub(super) async fn run(
    prober: Arc<dyn Prober>,
    way: Arc<ToPrimary>,
    gaps: watch::Sender<Vec<WriteGap>>,
) {
    let frozen_at = Arc::new(AtomicU64::new(0));
    tokio::spawn(note_freezes(frozen_at.clone()));
    let mut gauge = Gauge::default();
    let mut led = way.led();
    loop {
        tokio::select! {
            () = tokio::time::sleep(gauge.pause(now_ms())) => {}
            Ok(()) = led.changed() => {}
            () = prober.ended() => gauge.stopped(now_ms()),
        }
        if led.borrow_and_update().is_held {
            gauge.stopped(now_ms());
            if led.wait_for(|led| !led.is_held).await.is_err() {
                return;
            }
        }
        let (begun, known) = (now_ms(), *led.borrow_and_update());
        let result = tokio::select! {
            result = prober.write(way.as_ref()) => result,
            // Whoever it was said to is primary no more, and may never answer.
            () = later(led.clone(), known) => {
                gauge.refused(begun);
                continue;
            }
        };
        let term = match result {
            Ok(term) => term,
            Err(failure) => {
                debug!("a write to measure by: {failure}");
                gauge.refused(begun);
                continue;
            }
        };
        let frozen_at = frozen_at.load(Ordering::Relaxed);
        if let Some(gap) = gauge.taken(term, begun, now_ms(), frozen_at) {
            info!("writes waited {} ms until the primary of term {term} took them", gap.ms);
            gaps.send_modify(|gaps| {
                gaps.insert(0, gap);
                gaps.truncate(GAPS_MAX);
            });
        }
    }
}

async fn later(mut led: watch::Receiver<Led>, known: Led) {
    if led.wait_for(|led| led.term > known.term).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Writes down when this process was not run for a while, with the machine or alone.
async fn note_freezes(frozen_at: Arc<AtomicU64>) {
    let mut last = now_ms();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = now_ms();
        let slept = u64::try_from(LOOK_EVERY.as_millis()).unwrap_or(0);
        if now.saturating_sub(last) > slept + FROZEN_MS {
            frozen_at.store(now, Ordering::Relaxed);
        }
        last = now;
    }
}

/// The arithmetic of it, without clock and network.
#[derive(Default)]
struct Gauge {
    /// The last write that was taken: under which term, and when.
    taken: Option<(Term, u64)>,
    /// Since when writes wait, and how much later that may have begun.
    waits: Option<(u64, u64)>,
}

impl Gauge {
    /// Writes wait from this very moment on, if they did not before.
    fn stopped(&mut self, now: u64) {
        self.waits.get_or_insert((now, 0));
    }

    /// A write that was begun then was not taken.
    fn refused(&mut self, begun: u64) {
        if let Some((_, at)) = self.taken {
            self.waits.get_or_insert((at, begun.saturating_sub(at)));
        }
    }

    /// A write was taken; the gap before it when another primary took it.
    fn taken(&mut self, term: Term, begun: u64, now: u64, frozen_at: u64) -> Option<WriteGap> {
        let before = self.taken.replace((term, now));
        let waits = self.waits.take();
        let (_, at) = before.filter(|(known, _)| *known < term)?;
        let (since, slack_ms) = waits.unwrap_or((at, begun.saturating_sub(at)));
        let gap = WriteGap { term, ms: now.saturating_sub(since), slack_ms };
        // One that stood still itself saw its own absence.
        (frozen_at < since).then_some(gap)
    }

    fn pause(&self, now: u64) -> Duration {
        match self.waits {
            Some((since, _)) if now.saturating_sub(since) < TENSE_MS_MAX => TENSE_EVERY,
            _ => CALM_EVERY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(term: Term, ms: u64, slack_ms: u64) -> Option<WriteGap> {
        Some(WriteGap { term, ms, slack_ms })
    }

    #[test]
    fn a_gap_is_from_the_last_moment_writes_were_taken_to_the_next_primary_that_takes_one() {
        let mut gauge = Gauge::default();
        assert_eq!(gauge.taken(1, 995, 1_000, 0), None, "nothing was taken before");
        gauge.refused(1_400);
        assert_eq!(gauge.pause(1_500), TENSE_EVERY);
        gauge.refused(1_420);
        assert_eq!(gauge.taken(2, 1_790, 1_800, 0), gap(2, 800, 400));
        assert_eq!(gauge.pause(1_900), CALM_EVERY);
        gauge.stopped(2_100);
        gauge.refused(2_120);
        assert_eq!(gauge.taken(4, 2_200, 2_300, 0), gap(4, 200, 0), "its end was seen at once");
        assert_eq!(gauge.taken(5, 2_500, 2_510, 0), gap(5, 210, 200), "nothing else was noticed");
    }

    #[test]
    fn what_the_same_primary_makes_wait_is_no_change_of_primary() {
        let mut gauge = Gauge::default();
        gauge.taken(1, 0, 10, 0);
        gauge.stopped(500);
        assert_eq!(gauge.taken(1, 900, 910, 0), None);
        gauge.stopped(2_000);
        assert_eq!(gauge.taken(2, 2_100, 2_110, 0), gap(2, 110, 0));
    }

    #[test]
    fn who_was_frozen_meanwhile_has_measured_nothing() {
        let mut gauge = Gauge::default();
        gauge.taken(1, 0, 10, 0);
        gauge.stopped(500);
        assert_eq!(gauge.taken(2, 9_000, 9_010, 8_990), None);
        gauge.stopped(9_500);
        assert_eq!(gauge.taken(3, 9_600, 9_700, 8_990), gap(3, 200, 0));
    }

    #[test]
    fn who_waits_for_very_long_asks_less_often() {
        let mut gauge = Gauge::default();
        gauge.taken(1, 0, 10, 0);
        gauge.stopped(500);
        assert_eq!(gauge.pause(500 + TENSE_MS_MAX), CALM_EVERY);
    }
}
