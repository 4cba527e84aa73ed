//! The chosen settings: the engine takes all of them while it runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bellwether_contracts::Failure;
use bellwether_model::Parameter;
use bellwether_model::settings::SettingsReport;
use bellwether_protocol::Assignment;

use super::Redis;
use super::parameters::parameters;
use super::resp::Value;
use crate::settings::{Due, Form, Wanted, drifts, wanted};

/// In what the engine counts a time.
fn form(parameter: &Parameter) -> Form {
    let unit_ms = match parameter.name.as_str() {
        "timeout" => 1_000.0,
        "slowlog-log-slower-than" => 0.001,
        _ => 1.0,
    };
    Form { booleans: ["no", "yes"], unit_ms }
}

impl Redis {
    fn wanted(&self, assignment: &Assignment) -> Vec<Wanted> {
        wanted(parameters(self.kind), &assignment.engine.version, assignment)
    }

    /// The lines of the configuration file.
    pub(super) fn chosen_lines(&self, assignment: &Assignment) -> String {
        let all = self.wanted(assignment);
        self.settings.note(assignment.engine.parameters_version, all.clone());
        let mut text = String::new();
        for (parameter, value) in all {
            let value = form(&parameter).written(&parameter, &value);
            let _ = writeln!(text, "{} {value}", parameter.name);
        }
        text
    }

    /// What differs from what shall be, looked at now and then; what can be set is.
    pub(super) async fn look_at_settings(&self) -> Option<SettingsReport> {
        let (version, wanted) = match self.settings.due() {
            Due::Known(report) => return report,
            Due::Look(version, wanted) => (version, wanted),
        };
        let report = self.bring_into_force(version, &wanted).await.ok()?;
        self.settings.keep(&report);
        Some(report)
    }

    async fn bring_into_force(
        &self,
        version: u64,
        wanted: &[Wanted],
    ) -> Result<SettingsReport, Failure> {
        let mut report = SettingsReport { version, ..SettingsReport::default() };
        let known = self.in_force().await?;
        let read = |p: &Parameter| known.get(&p.name).map(|told| form(p).read(p, told));
        let found = drifts(wanted, read);
        if found.is_empty() {
            return Ok(report);
        }
        for drift in &found {
            let parameter = wanted.iter().map(|(p, _)| p).find(|p| p.name == drift.name);
            let Some(parameter) = parameter else { continue };
            let value = form(parameter).written(parameter, &drift.wanted);
            let set = ["CONFIG", "SET", drift.name.as_str(), value.as_str()];
            if let Err(failure) = self.link.run(&set).await {
                report.refused = Some(format!("{}: {failure}", drift.name));
            }
        }
        let known = self.in_force().await?;
        let read = |p: &Parameter| known.get(&p.name).map(|told| form(p).read(p, told));
        report.differs = drifts(wanted, read);
        Ok(report)
    }

    /// Every setting of the engine, as it tells them.
    async fn in_force(&self) -> Result<BTreeMap<String, String>, Failure> {
        let Value::List(items) = self.link.run(&["CONFIG", "GET", "*"]).await? else {
            return Err(Failure::transient("the engine does not tell its settings"));
        };
        let pair = |pair: &[Value]| match pair {
            [Value::Text(name), Value::Text(value)] => Some((name.clone(), value.clone())),
            _ => None,
        };
        Ok(items.chunks(2).filter_map(pair).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    #[test]
    fn what_is_written_is_read_back_as_the_same() {
        let find = |name: &str| {
            let all = parameters(Kind::Valkey);
            all.into_iter().find(|p| p.name == name).expect("known")
        };
        for (name, value, text) in [
            ("timeout", "5min", "300"),
            ("timeout", "0", "0"),
            ("slowlog-log-slower-than", "10ms", "10000"),
            ("slowlog-log-slower-than", "-1", "-1"),
            ("busy-reply-threshold", "5s", "5000"),
            ("proto-max-bulk-len", "512MiB", "536870912"),
            ("lazyfree-lazy-expire", "on", "yes"),
            ("maxmemory-policy", "allkeys-lru", "allkeys-lru"),
            ("maxclients", "1000", "1000"),
        ] {
            let parameter = find(name);
            assert_eq!(form(&parameter).written(&parameter, value), text, "{name}");
            assert_eq!(form(&parameter).read(&parameter, text), value, "{name}");
        }
    }
}
