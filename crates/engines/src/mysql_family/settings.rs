//! The chosen settings: written for the engine, compared with what is in force, and set where the
//! engine takes them while it runs.

use std::fmt::Write as _;

use bellwether_contracts::Failure;
use bellwether_model::parameter::ParameterKind;
use bellwether_model::settings::{ParameterDrift, SettingsReport};
use bellwether_protocol::Assignment;

use super::node::Node;
use super::parameters::parameters;
use super::quote;
use super::session::text;
use crate::settings::{Due, Form, Wanted, drifts, wanted};

/// The engines count times in seconds.
const FORM: Form = Form { booleans: ["OFF", "ON"], unit_ms: 1_000.0 };

impl Node {
    /// The lines of the configuration file.
    pub(crate) fn chosen_lines(&self, assignment: &Assignment) -> String {
        let all = parameters(self.words.pool_share);
        let all = wanted(all, &assignment.engine.version, assignment);
        self.settings.note(assignment.engine.parameters_version, all.clone());
        let mut text = String::new();
        for (parameter, value) in all {
            let value = FORM.written(&parameter, &value);
            let _ = writeln!(text, "{} = {value}", parameter.name);
        }
        text
    }

    /// What differs from what shall be, looked at now and then; what can be set is.
    pub(crate) async fn look_at_settings(&self) -> Option<SettingsReport> {
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
        report.differs = self.differing(wanted).await?;
        let can_be_set: Vec<_> = report.differs.iter().filter(|d| !d.needs_restart).collect();
        if can_be_set.is_empty() {
            return Ok(report);
        }
        for drift in can_be_set {
            let parameter = wanted.iter().map(|(p, _)| p).find(|p| p.name == drift.name);
            let Some(parameter) = parameter else { continue };
            let value = FORM.written(parameter, &drift.wanted);
            let value = match parameter.kind {
                ParameterKind::Choice => quote(&value),
                _ => value,
            };
            let set = format!("SET GLOBAL {} = {value}", drift.name);
            if let Err(failure) = self.look.query(&set).await {
                report.refused = Some(format!("{}: {failure}", drift.name));
            }
        }
        report.differs = self.differing(wanted).await?;
        Ok(report)
    }

    async fn differing(&self, wanted: &[Wanted]) -> Result<Vec<ParameterDrift>, Failure> {
        let all = wanted.iter().map(|(p, _)| format!("@@global.{0} AS {0}", p.name));
        let question = format!("SELECT {}", all.collect::<Vec<_>>().join(", "));
        let rows = self.look.query(&question).await?;
        let row = rows.first().ok_or_else(|| Failure::transient("the engine says nothing"))?;
        Ok(drifts(wanted, |p| Some(FORM.read(p, &text(row, &p.name)?))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_as_the_same() {
        let find =
            |name: &str| parameters(4.0).into_iter().find(|p| p.name == name).expect("known");
        for (name, value, text, told) in [
            ("innodb_buffer_pool_size", "256MiB", "268435456", "268435456"),
            ("wait_timeout", "8h", "28800", "28800"),
            ("long_query_time", "500ms", "0.5", "0.500000"),
            ("innodb_print_all_deadlocks", "on", "ON", "1"),
            ("innodb_print_all_deadlocks", "off", "OFF", "0"),
            ("transaction_isolation", "read-committed", "read-committed", "READ-COMMITTED"),
            ("max_connections", "100", "100", "100"),
        ] {
            let parameter = find(name);
            assert_eq!(FORM.written(&parameter, value), text, "{name}");
            assert_eq!(FORM.read(&parameter, told), value, "{name}");
        }
    }
}
