//! What Docker said, classified once.

use bellwether_contracts::Failure;
use bollard::errors::Error;

/// What can be done about it.
pub(super) fn of(error: &Error) -> Failure {
    match error {
        Error::DockerResponseServerError { status_code, message } => match *status_code {
            404 if message.to_lowercase().contains("image") => {
                Failure::needs_person(format!("{message}: `scripts/ensure-images` makes the image"))
            }
            500..=599 if is_full(message) => {
                Failure::needs_person(format!("the disk of this machine is full: {message}"))
            }
            500..=599 => Failure::transient(format!("docker: {message}")),
            _ => Failure::permanent(format!("docker: {message}")),
        },
        Error::SocketNotFoundError(_) => not_running(),
        Error::HyperLegacyError { err } if !err.is_connect() => broken_off(err),
        Error::HyperResponseError { err } => broken_off(err),
        Error::HyperLegacyError { .. } | Error::IOError { .. } => {
            let text = format!("{error:?}");
            if text.contains("PermissionDenied") {
                return Failure::needs_person(
                    "this user may not use Docker; run the server as root",
                );
            }
            not_running()
        }
        Error::RequestTimeoutError => Failure::transient("docker did not answer in time"),
        other => Failure::permanent(format!("docker: {other}")),
    }
}

/// It was asked and went away over it, as it does when it is started anew.
fn broken_off(error: &dyn std::fmt::Display) -> Failure {
    Failure::transient(format!("docker broke off its answer: {error}"))
}

fn not_running() -> Failure {
    Failure::needs_person(
        "Docker is not installed or does not run; `scripts/ensure-docker` installs and starts it",
    )
}

fn is_full(message: &str) -> bool {
    message.contains("no space left")
}

/// Whether Docker said that there is no such thing.
pub(super) fn is_gone(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

/// Whether Docker said that it is so already.
pub(super) fn is_so_already(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 304, .. })
}

/// Whether Docker said that something else goes on with it.
pub(super) fn is_in_the_way(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 409, .. })
}

/// Whether Docker said that containers are attached to the network.
pub(super) fn is_used(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 403, .. })
}
