//! What went wrong, in a line, with an exit code.

use bellwether_client::Error;
use bellwether_model::problem::Code;

pub(super) type Result<T = ()> = std::result::Result<T, Failure>;

#[derive(Debug)]
pub(super) struct Failure {
    pub(super) text: String,
    pub(super) details: Vec<String>,
    pub(super) hint: String,
    pub(super) code: u8,
}

impl Failure {
    fn new(code: u8, text: impl Into<String>) -> Self {
        Self { text: text.into(), details: Vec::new(), hint: String::new(), code }
    }

    /// It was done and did not succeed.
    pub(super) fn unexpected(text: impl Into<String>) -> Self {
        Self::new(1, text)
    }

    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self::new(2, text)
    }

    pub(super) fn not_found(text: impl Into<String>) -> Self {
        Self::new(3, text)
    }

    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self::new(4, text)
    }

    pub(super) fn timed_out(text: impl Into<String>) -> Self {
        Self::new(7, text)
    }

    /// Says which file it is about.
    pub(super) fn in_file(self, path: &std::path::Path) -> Self {
        Self { text: format!("{}: {}", path.display(), self.text), ..self }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Refused(problem) => exit_code(problem.code),
            Error::Unreachable { .. } => 6,
            Error::Unexpected(_) => 1,
            Error::Settings(_) => 2,
        };
        let hint = error.hint().to_owned();
        let mut failure = Self::new(code, error.to_string());
        if let Error::Refused(problem) = &error
            && problem.fields.len() > 1
        {
            failure.text = "some fields are wrong".to_owned();
            failure.details =
                problem.fields.iter().map(|f| format!("{}: {}", f.field, f.message)).collect();
        }
        failure.hint(hint)
    }
}

fn exit_code(code: Code) -> u8 {
    match code {
        Code::NotFound => 3,
        Code::BadRequest | Code::InvalidField | Code::MethodNotAllowed | Code::PayloadTooLarge => 2,
        Code::NameTaken
        | Code::GenerationMismatch
        | Code::OperationRefused
        | Code::IdempotencyKeyReused
        | Code::TooManyAttempts
        | Code::ProviderUnavailable => 4,
        Code::Unauthenticated
        | Code::WrongPassword
        | Code::SecondFactorNeeded
        | Code::SignInRefused
        | Code::Forbidden
        | Code::JoinTokenInvalid => 5,
        Code::Internal => 1,
    }
}
