//! How an adapter says that something did not work.

pub use bellwether_model::failure::Class;

/// A failure, classified where it was met. The text is a lower-case clause for people, without
/// secrets.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    pub class: Class,
    pub text: String,
}

impl Failure {
    pub fn transient(text: impl Into<String>) -> Self {
        Self { class: Class::Transient, text: text.into() }
    }

    pub fn permanent(text: impl Into<String>) -> Self {
        Self { class: Class::Permanent, text: text.into() }
    }

    pub fn needs_person(text: impl Into<String>) -> Self {
        Self { class: Class::NeedsPerson, text: text.into() }
    }
}
