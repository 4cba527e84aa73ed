//! The chosen settings of a node's engine: what they shall be, and what was found last.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use bellwether_model::Parameter;
use bellwether_model::parameter::ParameterKind;
use bellwether_model::settings::{ParameterDrift, SettingsReport};
use bellwether_protocol::Assignment;

/// Between two looks while everything is as it shall be, and while it is not.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(500));

/// A setting, and what it shall be.
pub(crate) type Wanted = (Parameter, String);

#[derive(Default)]
pub(crate) struct Settings(Mutex<State>);

#[derive(Default)]
struct State {
    version: u64,
    wanted: Vec<Wanted>,
    seen: Option<(Instant, SettingsReport)>,
}

/// Whether it is to be looked at what is in force.
pub(crate) enum Due {
    /// It was of late.
    Known(Option<SettingsReport>),
    /// These of that version shall be.
    Look(u64, Vec<Wanted>),
}

/// What of these the assignment wants, in this version of the engine.
pub(crate) fn wanted(all: Vec<Parameter>, version: &str, assignment: &Assignment) -> Vec<Wanted> {
    let engine = &assignment.engine;
    let known = all.into_iter().filter(|parameter| parameter.is_in(version));
    known
        .map(|parameter| {
            let value = parameter.effective(&engine.parameters, &engine.size);
            (parameter, value)
        })
        .collect()
}

impl Settings {
    /// Remembers what they shall be; what was found before says nothing of them.
    pub(crate) fn note(&self, version: u64, wanted: Vec<Wanted>) {
        let mut state = self.0.lock().expect("nothing panics while it is held");
        if state.version != version || state.wanted != wanted {
            *state = State { version, wanted, seen: None };
        }
    }

    /// What is found next was not found before now.
    pub(crate) fn forget(&self) {
        self.0.lock().expect("nothing panics while it is held").seen = None;
    }

    pub(crate) fn due(&self) -> Due {
        let state = self.0.lock().expect("nothing panics while it is held");
        if let Some((at, report)) = &state.seen {
            let (calm, eager) = LOOK_EVERY;
            let pause = if report.differs.is_empty() { calm } else { eager };
            if at.elapsed() < pause {
                return Due::Known(Some(report.clone()));
            }
        }
        match state.wanted.is_empty() {
            true => Due::Known(None),
            false => Due::Look(state.version, state.wanted.clone()),
        }
    }

    /// Remembers what was found.
    pub(crate) fn keep(&self, report: &SettingsReport) {
        let mut state = self.0.lock().expect("nothing panics while it is held");
        if state.version == report.version {
            state.seen = Some((Instant::now(), report.clone()));
        }
    }
}

/// What is not in force of what shall be; `in_force` says what is, in canonical form.
pub(crate) fn drifts(
    wanted: &[Wanted],
    in_force: impl Fn(&Parameter) -> Option<String>,
) -> Vec<ParameterDrift> {
    let drift = |(parameter, wanted): &Wanted| {
        let in_force = in_force(parameter).filter(|in_force| in_force != wanted)?;
        Some(ParameterDrift {
            name: parameter.name.clone(),
            wanted: wanted.clone(),
            in_force,
            needs_restart: parameter.restart,
        })
    };
    wanted.iter().filter_map(drift).collect()
}

/// How an engine writes `on` and `off`, and the milliseconds of its unit for a time.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    pub(crate) booleans: [&'static str; 2],
    pub(crate) unit_ms: f64,
}

impl Form {
    /// A canonical value as the engine reads it.
    pub(crate) fn written(self, parameter: &Parameter, value: &str) -> String {
        match (parameter.kind, parameter.amount(value)) {
            (ParameterKind::Boolean, _) => self.booleans[usize::from(value == "on")].to_owned(),
            (ParameterKind::Duration, Some(ms)) if ms > 0.0 => (ms / self.unit_ms).to_string(),
            (_, Some(amount)) => amount.to_string(),
            (_, None) => value.to_owned(),
        }
    }

    /// A value as the engine tells it, in its canonical form.
    pub(crate) fn read(self, parameter: &Parameter, told: &str) -> String {
        match (parameter.kind, told.parse::<f64>()) {
            (ParameterKind::Boolean, _) => {
                let is_on = ["1", "yes", "on"].contains(&told.to_ascii_lowercase().as_str());
                if is_on { "on".to_owned() } else { "off".to_owned() }
            }
            (ParameterKind::Choice, _) | (_, Err(_)) => told.to_ascii_lowercase(),
            (ParameterKind::Duration, Ok(number)) if number > 0.0 => {
                parameter.show((number * self.unit_ms).round())
            }
            (_, Ok(number)) => parameter.show(number),
        }
    }
}
