//! Engines that are PostgreSQL with an extension: what differs, as facts.

use bellwether_model::engine::EngineProfile;

use super::profile;

/// What an engine adds to PostgreSQL.
pub struct Flavour {
    pub profile: fn() -> EngineProfile,
    /// Settings beside those of PostgreSQL, in the configuration's own words.
    pub settings: &'static [(&'static str, &'static str)],
    pub extension: Option<Extension>,
}

/// An extension that every node has to have, in the same version.
pub struct Extension {
    pub name: &'static str,
    /// Loaded by the engine when it starts; empty where that is not needed.
    pub preload: &'static str,
}

/// PostgreSQL itself.
pub static PLAIN: Flavour = Flavour { profile: profile::profile, settings: &[], extension: None };

impl Flavour {
    #[must_use]
    pub fn profile(&self) -> EngineProfile {
        (self.profile)()
    }

    /// The lines it adds to the configuration.
    pub(super) fn lines(&self) -> String {
        self.all_settings().map(|(name, value)| format!("{name} = '{value}'\n")).collect()
    }

    /// The same, by name.
    pub(super) fn all_settings(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let preload = self.preload().map(|library| ("shared_preload_libraries", library));
        preload.into_iter().chain(self.settings.iter().copied())
    }

    /// The library that the engine loads when it starts.
    fn preload(&self) -> Option<&'static str> {
        self.extension.as_ref().map(|e| e.preload).filter(|library| !library.is_empty())
    }
}
