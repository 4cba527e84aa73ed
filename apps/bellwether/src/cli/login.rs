//! `bellwether login` and `logout`.

use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;

use bellwether_client::{Client, Error, Options};
use bellwether_model::access::Scope;
use bellwether_model::identity::{NewSignIn, SignInEnd};
use bellwether_model::problem::Code;
use bellwether_model::user::{NewToken, Session};
use clap::Args;

use super::Context;
use super::config::Settings;
use super::failure::{Failure, Result};
use super::output::say;

#[derive(Args)]
pub(crate) struct Login {
    #[arg(long, default_value = "admin")]
    user: String,
    /// A file with the password, or - for standard input; asked for when left out
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The code of your application, where you have a second factor; asked for when left out
    #[arg(long)]
    code: Option<String>,
    /// Sign in through the identity provider, on its page in a browser
    #[arg(long, conflicts_with_all = ["user", "password_file", "code"])]
    provider: bool,
}

/// Signs in and remembers a bearer token of its own, so that the session need not last.
pub(super) async fn run(context: &Context, command: Login) -> Result {
    let session = if command.provider {
        sign_in_through_provider(context).await?
    } else {
        let password = password(command.password_file)?;
        sign_in(context, &command.user, &password, command.code).await?
    };
    let user = session.user.name;
    let authority = context.authority.as_ref().map(std::fs::read).transpose();
    let authority = authority.map_err(|error| Failure::usage(error.to_string()))?;
    let options = Options { url: context.url.clone(), token: Some(session.token), authority };
    let signed_in = Client::new(options)?;
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let name = format!("command line on {}", host.trim());
    let token = signed_in
        .create_token(&NewToken { name, days: Some(365), scope: Scope::default() })
        .await?;
    signed_in.sign_out().await?;
    context.config.write(&Settings {
        url: Some(context.url.clone()),
        token: Some(token.secret),
        ca: context.authority.clone(),
    })?;
    say!("Signed in to {} as {user}.", context.url);
    Ok(())
}

/// Asks for the code of a second factor where it is needed and a terminal is there.
async fn sign_in(
    context: &Context,
    user: &str,
    password: &str,
    code: Option<String>,
) -> Result<Session> {
    match context.client.sign_in(user, password, code.as_deref()).await {
        Err(Error::Refused(problem))
            if problem.code == Code::SecondFactorNeeded && std::io::stdin().is_terminal() =>
        {
            let code = context.ask("Code of your application: ")?;
            Ok(context.client.sign_in(user, password, Some(code.trim())).await?)
        }
        other => Ok(other?),
    }
}

/// The provider's page leads a browser to the dashboard, which shows what is asked for here: no
/// port of this machine has to be reached.
async fn sign_in_through_provider(context: &Context) -> Result<Session> {
    let begun = context.client.begin_sign_in(&NewSignIn::default()).await?;
    eprint!("Open this in a browser:\n\n{}\n\nWhat the page shows then: ", begun.url);
    let mut shown = String::new();
    std::io::stdin()
        .read_line(&mut shown)
        .map_err(|error| Failure::unexpected(error.to_string()))?;
    let (state, code) = shown.trim().split_once(':').ok_or_else(|| {
        Failure::usage("that is not what the page shows").hint("it has a colon in the middle")
    })?;
    let (state, code) = (state.to_owned(), code.to_owned());
    let end = SignInEnd { binding: begun.binding, code, state };
    Ok(context.client.end_sign_in(&end).await?)
}

pub(super) async fn logout(context: &Context) -> Result {
    // Also when the server is gone, this machine forgets.
    let result = context.client.sign_out().await;
    let (url, ca) = (Some(context.url.clone()), context.authority.clone());
    context.config.write(&Settings { url, token: None, ca })?;
    result?;
    say!("Signed out of {}.", context.url);
    Ok(())
}

pub(super) fn password(file: Option<PathBuf>) -> Result<String> {
    let failed = |error: std::io::Error| Failure::usage(format!("the password: {error}"));
    let text = match file {
        Some(path) if path.as_os_str() == "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(failed)?;
            text
        }
        Some(path) => std::fs::read_to_string(path).map_err(failed)?,
        None => ask()?,
    };
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// Asks without showing what is typed.
fn ask() -> Result<String> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(Failure::usage("there is no terminal to ask for the password").hint(
            "use --password-file FILE, or --password-file - to read it from standard input",
        ));
    }
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let failed = |error: rustix::io::Errno| Failure::unexpected(error.to_string());
    let before = tcgetattr(&input).map_err(failed)?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    // Hidden before it is asked for: what is typed at once is neither shown nor lost.
    tcsetattr(&input, OptionalActions::Flush, &hidden).map_err(failed)?;
    eprint!("Password: ");
    let mut text = String::new();
    let read = input.read_line(&mut text);
    tcsetattr(&input, OptionalActions::Flush, &before).map_err(failed)?;
    eprintln!();
    read.map_err(|error| Failure::unexpected(error.to_string()))?;
    Ok(text)
}
