//! Chosen settings of a simulated engine: some it takes while it runs, some when it starts, and one
//! it does not start with.

use std::sync::LazyLock;

use bellwether_model::settings::{ParameterDrift, SettingsReport};
use bellwether_model::{Bytes, NodeSize, Parameter, Parameters};

use crate::engine::Engine;

/// What a person may choose here: the name, and values of which the last is the default.
pub const CHOICES: &[(&str, &[&str])] = &[
    ("work_mem", &["8MiB", "16MiB", "4MiB"]),
    ("shared_buffers", &["128MiB", "64MiB", "256MiB"]),
    ("max_connections", &["60", "300", "204"]),
    ("huge_pages", &[REFUSED, "off", "try"]),
];

/// The machines have no huge pages.
const REFUSED: &str = "on";

const SIZE: NodeSize = NodeSize { cpus: 1.0, memory: Bytes::gib(1), disk: Bytes::gib(1) };

/// Made once: engines are asked about them all the time.
static KNOWN: LazyLock<Vec<Parameter>> = LazyLock::new(|| {
    let mut all = bellwether_engines::postgres::profile::profile().parameters;
    all.retain(|known| CHOICES.iter().any(|(name, _)| *name == known.name));
    all
});

impl Engine {
    /// Takes in what does not need a start.
    pub fn reload_settings(&mut self) {
        for known in KNOWN.iter().filter(|known| !known.restart) {
            let wanted = self.settings_file.1.get(&known.name).cloned();
            match wanted {
                Some(value) => self.settings.insert(known.name.clone(), value),
                None => self.settings.remove(&known.name),
            };
        }
    }

    pub fn refuses_to_start(&self) -> bool {
        self.settings_file.1.get("huge_pages").is_some_and(|value| value.0 == REFUSED)
    }

    pub fn compare_settings(&self) -> SettingsReport {
        let (version, file) = &self.settings_file;
        let of = |known: &Parameter, values: &Parameters| known.effective(values, &SIZE);
        let differs = KNOWN
            .iter()
            .filter(|known| of(known, file) != of(known, &self.settings))
            .map(|known| ParameterDrift {
                name: known.name.clone(),
                wanted: of(known, file),
                in_force: of(known, &self.settings),
                needs_restart: known.restart,
            })
            .collect();
        SettingsReport { version: *version, differs, refused: None }
    }
}
