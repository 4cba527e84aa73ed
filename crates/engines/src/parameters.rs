//! Settings that people may choose, as each engine's profile tells them.

use bellwether_model::parameter::{
    Amount, OwnedParameter, Parameter, ParameterDefault, ParameterKind, ParameterOrder,
    SpecialValue,
};

pub(crate) const KIB: f64 = 1024.0;
pub(crate) const MIB: f64 = 1024.0 * KIB;
pub(crate) const GIB: f64 = 1024.0 * MIB;
pub(crate) const TIB: f64 = 1024.0 * GIB;
pub(crate) const SECOND: f64 = 1_000.0;
pub(crate) const MINUTE: f64 = 60.0 * SECOND;
pub(crate) const HOUR: f64 = 60.0 * MINUTE;
pub(crate) const DAY: f64 = 24.0 * HOUR;

/// Every one, with the name of its group.
pub(crate) fn in_groups(
    groups: impl IntoIterator<Item = (&'static str, Vec<Parameter>)>,
) -> Vec<Parameter> {
    let named = groups.into_iter().flat_map(|(group, all)| {
        all.into_iter().map(move |one| Parameter { group: group.to_owned(), ..one })
    });
    named.collect()
}

/// Settings that are not a person's to choose: the reason, and their names.
pub(crate) fn owned_by(owned: &[(&str, &[&str])]) -> Vec<OwnedParameter> {
    let owned = owned.iter().flat_map(|(reason, names)| {
        names
            .iter()
            .map(|name| OwnedParameter { name: (*name).to_owned(), reason: (*reason).to_owned() })
    });
    owned.collect()
}

pub(crate) fn fixed(value: f64) -> Amount {
    Amount::Fixed { value }
}

pub(crate) fn of_memory(divided_by: f64, min: f64, max: f64) -> Amount {
    Amount::Memory { divided_by, min, max }
}

pub(crate) fn of_disk(divided_by: f64, min: f64, max: f64) -> Amount {
    Amount::Disk { divided_by, min, max }
}

pub(crate) fn bytes(name: &str, title: &str, step: f64) -> Parameter {
    made(name, title, ParameterKind::Bytes, step)
}

pub(crate) fn duration(name: &str, title: &str, step: f64) -> Parameter {
    made(name, title, ParameterKind::Duration, step)
}

pub(crate) fn integer(name: &str, title: &str) -> Parameter {
    made(name, title, ParameterKind::Integer, 1.0)
}

pub(crate) fn number(name: &str, title: &str) -> Parameter {
    made(name, title, ParameterKind::Number, 0.0)
}

pub(crate) fn choice(name: &str, title: &str, choices: &[&str]) -> Parameter {
    let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
    Parameter { choices, ..made(name, title, ParameterKind::Choice, 0.0) }
}

pub(crate) fn boolean(name: &str, title: &str, default: bool) -> Parameter {
    made(name, title, ParameterKind::Boolean, 0.0).word(if default { "on" } else { "off" })
}

fn made(name: &str, title: &str, kind: ParameterKind, step: f64) -> Parameter {
    Parameter {
        name: name.to_owned(),
        title: title.to_owned(),
        summary: String::new(),
        group: String::new(),
        kind,
        min: None,
        max: None,
        step,
        choices: Vec::new(),
        special: Vec::new(),
        default: ParameterDefault::Word(String::new()),
        restart: false,
        order: ParameterOrder::Any,
        versions: Vec::new(),
    }
}

/// What is told of a setting, one after the other.
pub(crate) trait Told: Sized {
    fn range(self, min: Amount, max: Amount) -> Self;
    fn special(self, value: i64, meaning: &str) -> Self;
    fn by_default(self, amount: Amount) -> Self;
    fn word(self, default: &str) -> Self;
    /// The engine takes it only when it starts.
    fn at_start(self) -> Self;
    /// A replica must not be below its primary.
    fn ordered(self) -> Self;
    fn only_in(self, versions: &[&str]) -> Self;
    fn about(self, summary: &str) -> Self;
}

impl Told for Parameter {
    fn range(self, min: Amount, max: Amount) -> Self {
        Self { min: Some(min), max: Some(max), ..self }
    }

    fn special(mut self, value: i64, meaning: &str) -> Self {
        self.special.push(SpecialValue { value, meaning: meaning.to_owned() });
        self
    }

    fn by_default(self, amount: Amount) -> Self {
        Self { default: ParameterDefault::Amount(amount), ..self }
    }

    fn word(self, default: &str) -> Self {
        Self { default: ParameterDefault::Word(default.to_owned()), ..self }
    }

    fn at_start(self) -> Self {
        Self { restart: true, ..self }
    }

    fn ordered(self) -> Self {
        Self { order: ParameterOrder::ReplicaNotBelowPrimary, ..self }
    }

    fn only_in(self, versions: &[&str]) -> Self {
        Self { versions: versions.iter().map(|version| (*version).to_owned()).collect(), ..self }
    }

    fn about(self, summary: &str) -> Self {
        Self { summary: summary.to_owned(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_model::{Bytes, NodeSize};

    #[test]
    fn every_default_of_every_engine_is_possible_on_small_and_large_nodes() {
        for profile in crate::profiles() {
            for (memory, disk) in [(512 << 20, 1 << 30), (1 << 30, 5 << 30), (256 << 30, 4 << 40)] {
                let size = NodeSize { cpus: 1.0, memory: Bytes(memory), disk: Bytes(disk) };
                for parameter in &profile.parameters {
                    let default = parameter.default_on(&size);
                    let again = parameter.canonical(&default, &size);
                    let name = format!("{} of {} on {size:?}", parameter.name, profile.name);
                    assert_eq!(again.as_ref(), Ok(&default), "{name}");
                }
            }
        }
    }

    #[test]
    fn each_has_words_and_nobody_owns_what_can_be_chosen() {
        for profile in crate::profiles() {
            for parameter in &profile.parameters {
                let Parameter { name, title, summary, .. } = parameter;
                assert!(!title.is_empty() && summary.ends_with('.'), "{name}: {summary}");
                let is_owned = profile.owned_parameters.iter().any(|one| one.name == *name);
                assert!(!is_owned, "{name} of {} is chosen and owned", profile.name);
            }
            for version in &profile.versions {
                let known = profile.parameters.iter().filter(|p| p.is_in(version));
                let mut names: Vec<&str> = known.map(|p| p.name.as_str()).collect();
                let count = names.len();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), count, "twice in {} {version}", profile.name);
            }
        }
    }
}
