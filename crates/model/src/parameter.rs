//! Settings of an engine that people may choose, as data: what they are, what is possible, and what
//! a change of them takes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::bytes::Bytes;
use crate::cluster::NodeSize;

/// Chosen values by name. What is not named has the engine's default for the node's size.
pub type Parameters = BTreeMap<String, ParameterText>;

/// A setting that people may choose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Parameter {
    /// The engine's own name for it.
    pub name: String,
    pub title: String,
    /// What it does and when to change it, in plain words.
    pub summary: String,
    /// What it belongs to, for example `Memory`.
    pub group: String,
    pub kind: ParameterKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Amount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Amount>,
    /// Values are multiples of it, in bytes, milliseconds or the number itself; 0 for any.
    #[serde(default)]
    pub step: f64,
    /// The words of a choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Numbers that mean something of their own, allowed beside the range.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub special: Vec<SpecialValue>,
    pub default: ParameterDefault,
    /// The engine takes it only when it starts.
    pub restart: bool,
    #[serde(default)]
    pub order: ParameterOrder,
    /// The engine's versions that have it; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParameterKind {
    Integer,
    /// With a fraction.
    Number,
    /// A size: `64MiB`.
    Bytes,
    /// A time: `30s`.
    Duration,
    /// `on` or `off`.
    Boolean,
    /// One of several words.
    Choice,
}

/// A limit or a default: fixed, or a share of what the node has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Amount {
    Fixed {
        value: f64,
    },
    /// The node's memory in bytes, divided, and kept between two values.
    Memory {
        divided_by: f64,
        min: f64,
        max: f64,
    },
    /// The same of the node's disk.
    Disk {
        divided_by: f64,
        min: f64,
        max: f64,
    },
}

impl Amount {
    /// What it is on a node of this size.
    #[must_use]
    pub fn on(&self, size: &NodeSize) -> f64 {
        match *self {
            Self::Fixed { value } => value,
            Self::Memory { divided_by, min, max } => {
                (size.memory.0 as f64 / divided_by).clamp(min, max)
            }
            Self::Disk { divided_by, min, max } => {
                (size.disk.0 as f64 / divided_by).clamp(min, max)
            }
        }
    }
}

/// What it is where nobody chose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ParameterDefault {
    Amount(Amount),
    Word(String),
}

/// A number with a meaning of its own: `0` is off, `-1` has no limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SpecialValue {
    pub value: i64,
    pub meaning: String,
}

/// The order in which nodes must take a new value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParameterOrder {
    #[default]
    Any,
    /// A replica below its primary cannot follow: replicas are raised first and lowered last.
    ReplicaNotBelowPrimary,
}

/// A value as it was written: a number, a word, or `on` and `off`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, example = "64MiB")]
pub struct ParameterText(pub String);

impl fmt::Display for ParameterText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for ParameterText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for ParameterText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = ParameterText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, a text, or true or false")
            }

            fn visit_bool<E>(self, value: bool) -> Result<ParameterText, E> {
                Ok(ParameterText::from(if value { "on" } else { "off" }))
            }

            fn visit_u64<E>(self, value: u64) -> Result<ParameterText, E> {
                Ok(ParameterText(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<ParameterText, E> {
                Ok(ParameterText(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<ParameterText, E> {
                Ok(ParameterText(value.to_string()))
            }

            fn visit_str<E>(self, value: &str) -> Result<ParameterText, E> {
                Ok(ParameterText::from(value))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Parameter {
    /// Whether that version of the engine has it.
    #[must_use]
    pub fn is_in(&self, version: &str) -> bool {
        self.versions.is_empty() || self.versions.iter().any(|known| known == version)
    }

    /// The one way in which this value is written.
    ///
    /// # Errors
    /// What would be right instead.
    pub fn canonical(&self, text: &str, size: &NodeSize) -> Result<String, String> {
        let amount = match self.kind {
            ParameterKind::Boolean => return boolean(text),
            ParameterKind::Choice => return self.choice(text),
            _ => self.parse(text)?,
        };
        let is_special = self.special.iter().any(|special| special.value as f64 == amount);
        let low = self.min.is_some_and(|min| amount < self.rounded(min.on(size)));
        let high = self.max.is_some_and(|max| amount > self.rounded(max.on(size)));
        if !is_special && (low || high) {
            return Err(format!("`{text}` cannot be had; choose {}", self.range(size)));
        }
        if !is_special && self.step > 0.0 && amount % self.step != 0.0 {
            let step = self.show(self.step);
            return Err(format!("`{text}` is no multiple of {step}"));
        }
        Ok(self.show(amount))
    }

    /// The default on a node of this size.
    #[must_use]
    pub fn default_on(&self, size: &NodeSize) -> String {
        match &self.default {
            ParameterDefault::Word(word) => word.clone(),
            ParameterDefault::Amount(amount) => self.show(self.rounded(amount.on(size))),
        }
    }

    /// The chosen value, or the default.
    #[must_use]
    pub fn effective(&self, chosen: &Parameters, size: &NodeSize) -> String {
        let chosen = chosen.get(&self.name).map(|text| text.0.clone());
        chosen.unwrap_or_else(|| self.default_on(size))
    }

    /// What is possible, in words: `1 to 100, or 0 (off)`.
    #[must_use]
    pub fn range(&self, size: &NodeSize) -> String {
        if self.kind == ParameterKind::Boolean {
            return "on or off".to_owned();
        }
        if self.kind == ParameterKind::Choice {
            return self.choices.join(", ");
        }
        let shown = |amount: Option<Amount>| amount.map(|a| self.show(self.rounded(a.on(size))));
        let range = match (shown(self.min), shown(self.max)) {
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("{min} or more"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => "any".to_owned(),
        };
        let special = self.special.iter().map(|s| format!(", or {} ({})", s.value, s.meaning));
        range + &special.collect::<String>()
    }

    /// A canonical value as a number: bytes, milliseconds, or itself.
    #[must_use]
    pub fn amount(&self, canonical: &str) -> Option<f64> {
        match self.kind {
            ParameterKind::Boolean | ParameterKind::Choice => None,
            _ => self.parse(canonical).ok(),
        }
    }

    /// A number as the canonical value.
    #[must_use]
    pub fn show(&self, amount: f64) -> String {
        let units: &[(&str, f64)] = match self.kind {
            ParameterKind::Bytes => BYTES,
            ParameterKind::Duration => DURATIONS,
            _ => &[],
        };
        let unit = units.iter().find(|(_, unit)| amount >= *unit && amount % unit == 0.0);
        match unit.filter(|_| amount > 0.0) {
            Some((word, unit)) => format!("{}{word}", amount / unit),
            None => amount.to_string(),
        }
    }

    fn parse(&self, text: &str) -> Result<f64, String> {
        let text = text.trim();
        let plain = text.parse::<f64>().ok().filter(|number| number.is_finite());
        if let Some(number) = plain.filter(|n| self.special.iter().any(|s| s.value as f64 == *n)) {
            return Ok(number);
        }
        match self.kind {
            ParameterKind::Integer => plain
                .filter(|number| number.fract() == 0.0)
                .ok_or_else(|| format!("`{text}` is no whole number")),
            ParameterKind::Bytes => {
                text.parse::<Bytes>().map(|bytes| bytes.0 as f64).map_err(|e| e.to_string())
            }
            ParameterKind::Duration => duration(text)
                .ok_or_else(|| format!("`{text}` is not a time: write it with ms, s, min, h or d")),
            ParameterKind::Number | ParameterKind::Boolean | ParameterKind::Choice => {
                plain.ok_or_else(|| format!("`{text}` is no number"))
            }
        }
    }

    /// Down to a multiple of the step; numbers with a meaning of their own stay.
    fn rounded(&self, amount: f64) -> f64 {
        if amount < 0.0 {
            return amount;
        }
        let step = match self.kind {
            ParameterKind::Number => self.step,
            _ => self.step.max(1.0),
        };
        if step > 0.0 { (amount / step).floor() * step } else { amount }
    }

    fn choice(&self, text: &str) -> Result<String, String> {
        let lower = text.trim().to_ascii_lowercase();
        let known = self.choices.iter().find(|choice| **choice == lower);
        known.cloned().ok_or_else(|| {
            format!("`{text}` cannot be had; choose one of {}", self.choices.join(", "))
        })
    }
}

const BYTES: &[(&str, f64)] = &[
    ("TiB", (1u64 << 40) as f64),
    ("GiB", (1u64 << 30) as f64),
    ("MiB", (1u64 << 20) as f64),
    ("KiB", (1u64 << 10) as f64),
];

const DURATIONS: &[(&str, f64)] =
    &[("d", 86_400_000.0), ("h", 3_600_000.0), ("min", 60_000.0), ("s", 1_000.0), ("ms", 1.0)];

/// Milliseconds of a time such as `1.5h`.
fn duration(text: &str) -> Option<f64> {
    if text == "0" {
        return Some(0.0);
    }
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(at);
    let (_, factor) = DURATIONS.iter().find(|(word, _)| *word == unit)?;
    let number: f64 = number.trim().parse().ok()?;
    let amount = number * factor;
    (amount.is_finite() && amount >= 0.0).then_some(amount)
}

fn boolean(text: &str) -> Result<String, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" => Ok("on".to_owned()),
        "off" | "false" | "no" => Ok("off".to_owned()),
        _ => Err(format!("`{text}` is neither on nor off")),
    }
}

/// A setting that is not a person's to choose, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnedParameter {
    pub name: String,
    /// In one sentence.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: NodeSize = NodeSize { cpus: 1.0, memory: Bytes::gib(1), disk: Bytes::gib(5) };

    fn parameter(kind: ParameterKind, min: f64, max: f64, step: f64) -> Parameter {
        Parameter {
            name: "p".into(),
            title: String::new(),
            summary: String::new(),
            group: String::new(),
            kind,
            min: Some(Amount::Fixed { value: min }),
            max: Some(Amount::Fixed { value: max }),
            step,
            choices: vec!["off".into(), "try".into()],
            special: vec![SpecialValue { value: -1, meaning: "no limit".into() }],
            default: ParameterDefault::Amount(Amount::Memory {
                divided_by: 3.0,
                min: 0.0,
                max: 1e12,
            }),
            restart: false,
            order: ParameterOrder::Any,
            versions: Vec::new(),
        }
    }

    #[test]
    fn values_are_written_in_one_way() {
        use ParameterKind::*;
        let bytes = parameter(Bytes, 8192.0, 1e9, 8192.0);
        let time = parameter(Duration, 0.0, 864e5, 1.0);
        for (parameter, text, canonical) in [
            (&bytes, "64 MiB", "64MiB"),
            (&bytes, "67108864", "64MiB"),
            (&bytes, "-1", "-1"),
            (&time, "60s", "1min"),
            (&time, "1500ms", "1500ms"),
            (&time, "-1", "-1"),
            (&time, "0s", "0"),
            (&parameter(Boolean, 0.0, 0.0, 0.0), "True", "on"),
            (&parameter(Choice, 0.0, 0.0, 0.0), "Try", "try"),
            (&parameter(Number, 0.0, 2.0, 0.0), "1.10", "1.1"),
            (&parameter(Integer, 1.0, 9.0, 1.0), "7", "7"),
        ] {
            let made = parameter.canonical(text, &SIZE);
            assert_eq!(made.as_deref(), Ok(canonical), "{text}");
            let again = parameter.canonical(canonical, &SIZE);
            assert_eq!(again.as_deref(), Ok(canonical), "{canonical} again");
        }
    }

    #[test]
    fn what_cannot_be_had_is_refused_with_what_can() {
        use ParameterKind::*;
        for (parameter, text, words) in [
            (parameter(Integer, 1.0, 9.0, 1.0), "10", "choose 1 to 9, or -1 (no limit)"),
            (parameter(Integer, 1.0, 9.0, 1.0), "1.5", "no whole number"),
            (parameter(Integer, 1.0, 9.0, 1.0), "NaN", "no whole number"),
            (parameter(Bytes, 8192.0, 1e9, 8192.0), "9000", "no multiple of 8KiB"),
            (parameter(Bytes, 8192.0, 1e9, 8192.0), "4KiB", "choose 8KiB to"),
            (parameter(Duration, 0.0, 864e5, 1.0), "60", "with ms, s, min, h or d"),
            (parameter(Duration, 0.0, 864e5, 1.0), "2d", "choose 0 to 1d"),
            (parameter(Boolean, 0.0, 0.0, 0.0), "maybe", "neither on nor off"),
            (parameter(Choice, 0.0, 0.0, 0.0), "x'; DROP", "one of off, try"),
        ] {
            let refusal = parameter.canonical(text, &SIZE).expect_err(text);
            assert!(refusal.contains(words), "{text}: {refusal}");
        }
    }

    #[test]
    fn defaults_are_multiples_of_the_step() {
        let bytes = parameter(ParameterKind::Bytes, 0.0, 1e12, 8192.0);
        let default = bytes.default_on(&SIZE);
        assert_eq!(bytes.canonical(&default, &SIZE), Ok(default));
    }

    #[test]
    fn numbers_and_truths_are_read_as_well_as_text() {
        let read: Parameters =
            serde_json::from_str(r#"{"a": 1, "b": true, "c": "x", "d": 0.5}"#).expect("read");
        let values: Vec<&str> = read.values().map(|text| text.0.as_str()).collect();
        assert_eq!(values, ["1", "on", "x", "0.5"]);
    }
}
