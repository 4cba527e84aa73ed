//! The chosen settings: written for the engine, and compared with what is in force.

use std::fmt::Write as _;

use bellwether_contracts::Failure;
use bellwether_model::Parameter;
use bellwether_model::parameter::{ParameterKind, ParameterOrder};
use bellwether_model::settings::{ParameterDrift, SettingsReport};
use bellwether_protocol::Assignment;

use super::{FLOORS, Postgres, data, process};
use crate::settings::{Due, Wanted, wanted};

/// What `pg_controldata` calls the settings in which a replica must not be below its primary.
const CONTROL: &[(&str, &str)] = &[
    ("max_connections", "max_connections setting"),
    ("max_worker_processes", "max_worker_processes setting"),
    ("max_prepared_transactions", "max_prepared_xacts setting"),
    ("max_locks_per_transaction", "max_locks_per_xact setting"),
];

impl Postgres {
    /// The lines of the configuration file. `floors`: values that a replica has to reach.
    pub(super) fn chosen_lines(
        &self,
        assignment: &Assignment,
        floors: &[(String, String)],
    ) -> String {
        let mut text = String::new();
        for (parameter, wanted) in self.wanted(assignment) {
            let floor = floors.iter().find(|(name, _)| *name == parameter.name);
            let value = match floor {
                Some((_, floor)) if parameter.amount(floor) > parameter.amount(&wanted) => floor,
                _ => &wanted,
            };
            let _ = writeln!(text, "{} = '{}'", parameter.name, written(&parameter, value));
        }
        text
    }

    fn wanted(&self, assignment: &Assignment) -> Vec<Wanted> {
        wanted(self.flavour.profile().parameters, &self.version, assignment)
    }

    /// Remembers what the settings shall be.
    pub(super) fn note_settings(&self, assignment: &Assignment) {
        self.settings.note(assignment.engine.parameters_version, self.wanted(assignment));
    }

    /// What is found of the settings next was not found before now.
    pub(super) fn forget_settings(&self) {
        self.settings.forget();
    }

    /// What differs from what shall be, looked at now and then.
    pub(super) async fn look_at_settings(&self) -> Option<SettingsReport> {
        let (version, wanted) = match self.settings.due() {
            Due::Known(report) => return report,
            Due::Look(version, wanted) => (version, wanted),
        };
        let report = self.compare(version, &wanted).await.ok()?;
        self.settings.keep(&report);
        Some(report)
    }

    async fn compare(&self, version: u64, wanted: &[Wanted]) -> Result<SettingsReport, Failure> {
        let names: Vec<String> = wanted.iter().map(|(p, _)| format!("'{}'", p.name)).collect();
        let question = format!(
            "SELECT name, setting, unit, pending_restart FROM pg_settings WHERE name IN ({})",
            names.join(", ")
        );
        let rows = self.sql.query_as_client(&question).await?;
        let mut report = SettingsReport { version, ..SettingsReport::default() };
        for row in &rows {
            let name: String = row.get("name");
            let Some((parameter, wanted)) = wanted.iter().find(|(p, _)| p.name == name) else {
                continue;
            };
            let unit: Option<String> = row.get("unit");
            let in_force = read(parameter, row.get("setting"), unit.as_deref());
            if in_force != *wanted {
                let needs_restart = parameter.restart || row.get("pending_restart");
                let wanted = wanted.clone();
                report.differs.push(ParameterDrift { name, wanted, in_force, needs_restart });
            }
        }
        let reloaded = report.differs.iter().find(|drift| !drift.needs_restart);
        if let Some(drift) = reloaded {
            report.refused = self.refusal(&drift.name).await?;
        }
        Ok(report)
    }

    /// Why the engine does not take a value that is in its file; none when it does.
    async fn refusal(&self, name: &str) -> Result<Option<String>, Failure> {
        let question = format!(
            "SELECT error FROM pg_file_settings WHERE name = '{name}' AND NOT applied \
             AND error IS NOT NULL"
        );
        let rows = self.sql.query(&question).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let error: String = row.get("error");
        Ok(Some(process::said_of(name).unwrap_or_else(|| format!("{name}: {error}"))))
    }

    /// What this node's data has seen its primary have: less, and it cannot be replayed.
    pub(super) async fn floors(&self) -> Result<Vec<(String, String)>, Failure> {
        let known = self.flavour.profile().parameters;
        let ordered = known.iter().filter(|p| p.order == ParameterOrder::ReplicaNotBelowPrimary);
        let lines = ordered.filter_map(|p| CONTROL.iter().find(|(name, _)| *name == p.name));
        let control = self.control().await?;
        let restored = std::fs::read_to_string(data().join(FLOORS)).unwrap_or_default();
        let floor = |(name, line): &(&str, &str)| {
            let now = control.line(line);
            let known: u64 = now.parse().unwrap_or(0);
            let later = demanded(&restored, line).filter(|most| *most > known);
            ((*name).to_owned(), later.map_or_else(|| now.to_owned(), |most| most.to_string()))
        };
        Ok(lines.map(floor).collect())
    }
}

/// What log that was restored demands of the setting in that line of the control file.
fn demanded(restored: &str, line: &str) -> Option<u64> {
    let name = line.strip_suffix(" setting")?;
    let mut lines = restored.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// A canonical value as the engine reads it.
fn written(parameter: &Parameter, value: &str) -> String {
    let amount = parameter.amount(value);
    match (parameter.kind, amount) {
        (ParameterKind::Bytes, Some(bytes)) if bytes > 0.0 && bytes % 1024.0 == 0.0 => {
            format!("{}kB", bytes / 1024.0)
        }
        (ParameterKind::Bytes, Some(bytes)) if bytes > 0.0 => format!("{bytes}B"),
        (ParameterKind::Duration, Some(ms)) if ms > 0.0 => format!("{ms}ms"),
        _ => value.replace('\'', "''"),
    }
}

/// A value as the engine tells it, in its canonical form.
fn read(parameter: &Parameter, setting: &str, unit: Option<&str>) -> String {
    let factor = match unit.unwrap_or_default() {
        "8kB" => 8_192.0,
        "kB" => 1_024.0,
        "MB" => 1_048_576.0,
        "s" => 1_000.0,
        "min" => 60_000.0,
        _ => 1.0,
    };
    match (parameter.kind, setting.parse::<f64>()) {
        (ParameterKind::Boolean | ParameterKind::Choice, _) | (_, Err(_)) => setting.to_owned(),
        (_, Ok(number)) if number < 0.0 => parameter.show(number),
        (_, Ok(number)) => parameter.show(number * factor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::parameters::parameters;

    #[test]
    fn restored_log_demands_what_it_says() {
        let restored = "max_connections 200\nmax_prepared_xacts 7";
        assert_eq!(demanded(restored, "max_connections setting"), Some(200));
        assert_eq!(demanded(restored, "max_prepared_xacts setting"), Some(7));
        assert_eq!(demanded(restored, "max_worker_processes setting"), None);
        assert_eq!(demanded("", "max_connections setting"), None);
    }

    #[test]
    fn what_is_written_is_read_back_as_the_same() {
        let find = |name: &str| parameters().into_iter().find(|p| p.name == name).expect("known");
        for (name, value, text, setting, unit) in [
            ("shared_buffers", "256MiB", "262144kB", "32768", Some("8kB")),
            ("max_wal_size", "1GiB", "1048576kB", "1024", Some("MB")),
            ("temp_file_limit", "-1", "-1", "-1", Some("kB")),
            ("checkpoint_timeout", "5min", "300000ms", "300", Some("s")),
            ("log_min_duration_statement", "-1", "-1", "-1", Some("ms")),
            ("log_min_duration_statement", "0", "0", "0", Some("ms")),
            ("random_page_cost", "1.1", "1.1", "1.1", None),
            ("max_connections", "100", "100", "100", None),
            ("jit", "off", "off", "off", None),
        ] {
            let parameter = find(name);
            assert_eq!(written(&parameter, value), text, "{name}");
            assert_eq!(read(&parameter, setting, unit), value, "{name}");
        }
    }
}
