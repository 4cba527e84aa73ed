//! Settings that wait for a start of the engine, and starts that did not succeed with them.

use std::time::Duration;

use bellwether_contracts::driver::{Probe, ProcessState};
use bellwether_contracts::{Class, Failure};
use bellwether_model::settings::SettingsReport;
use bellwether_protocol::Assignment;
use tokio::time::Instant;

use super::converge::Act;

/// Between two starts of a replica's engine for the same settings: what keeps them from coming into
/// force may go away.
const RESTART_PAUSE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Settings {
    /// For which settings the engine was stopped to be started again, and when.
    restarted_for: Option<(u64, Instant)>,
    /// With which settings the step that runs began.
    begun_with: u64,
    /// The engine could not be started: with which settings, and what it said.
    not_started: Option<(u64, String)>,
}

impl Settings {
    /// Whether settings wait for a start of the engine that was ordered.
    pub(super) fn need_restart(&self, assignment: &Assignment, probe: &Probe) -> bool {
        let version = assignment.engine.parameters_version;
        let waits = probe.settings.as_ref().is_some_and(|settings| {
            settings.version == version && settings.differs.iter().any(|drift| drift.needs_restart)
        });
        let is_done = self
            .restarted_for
            .is_some_and(|(of, at)| of == version && at.elapsed() < RESTART_PAUSE);
        assignment.engine.restart && waits && !is_done
    }

    pub(super) fn note_begin(&mut self, act: &Act, assignment: &Assignment, probe: &Probe) {
        self.begun_with = assignment.engine.parameters_version;
        if *act == Act::Stop && self.need_restart(assignment, probe) {
            self.restarted_for = Some((self.begun_with, Instant::now()));
        }
    }

    /// An engine that ends while it is started may not take its settings. Whether the step would be
    /// taken with others now.
    pub(super) fn note_failure(&mut self, version: u64, act: &Act, failure: &Failure) -> bool {
        if is_start(act) && failure.class != Class::NeedsPerson {
            self.not_started = Some((self.begun_with, failure.text.clone()));
        }
        is_start(act) && self.begun_with != version
    }

    pub(super) fn note_success(&mut self, act: &Act) {
        if is_start(act) {
            self.not_started = None;
        }
    }

    /// What the engine says of its settings, or why it does not run with them.
    pub(super) fn report(&self, version: u64, probe: &Probe) -> Option<SettingsReport> {
        let refused = self.not_started.as_ref().filter(|(of, _)| *of == version);
        match refused {
            // One that runs and does not answer in time says nothing of them.
            Some((_, words)) if probe.process == ProcessState::Down => {
                let refused = Some(words.clone());
                Some(SettingsReport { version, differs: Vec::new(), refused })
            }
            _ => probe.settings.clone(),
        }
    }
}

fn is_start(act: &Act) -> bool {
    matches!(act, Act::StartPrimary(_) | Act::StartReplica(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_fails_is_told_of_the_settings_it_was_made_with_until_one_succeeds() {
        let mut settings = Settings { begun_with: 3, ..Settings::default() };
        let start = Act::StartReplica(None);
        let in_state = |process| Probe { process, ..Probe::default() };
        let down = in_state(ProcessState::Down);
        let failure = Failure::transient("the engine ended: FATAL");
        settings.note_failure(3, &Act::Seed("other".into()), &failure);
        assert_eq!(settings.report(3, &down), None, "a copy says nothing of settings");
        settings.note_failure(3, &start, &Failure::needs_person("the disk is full"));
        assert_eq!(settings.report(3, &down), None, "nor does a full disk");
        assert!(!settings.note_failure(3, &start, &failure), "it waits before it tries again");
        assert!(settings.note_failure(4, &start, &failure), "with others it need not");
        let report = settings.report(3, &down).expect("told");
        assert_eq!(report.refused.as_deref(), Some("the engine ended: FATAL"));
        assert_eq!(settings.report(4, &down), None, "others may do");
        assert_eq!(settings.report(3, &in_state(ProcessState::Starting)), None, "it runs");
        settings.note_success(&start);
        assert_eq!(settings.report(3, &down), None);
    }
}
