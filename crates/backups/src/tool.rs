//! A program that does the work, and what it says.

use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use bellwether_contracts::{Class, Failure};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::Notify;

/// Where tools keep what they can do without.
pub(crate) const CACHE: &str = "/var/cache/bellwether";

/// More of what a program says is not kept.
const SAID_BYTES_MAX: usize = 64 << 10;

/// A program with its surroundings.
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    /// Secrets are here, where other users do not see them.
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// How much a run matters beside whatever else the machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    /// A question, which is answered within so long or not at all.
    Question(Duration),
    /// Behind everything else that wants processor or disk, and on half of the processors.
    Behind,
    /// Somebody waits for it: with all that the machine has.
    Ahead,
}

impl Haste {
    fn limit(self) -> Option<Duration> {
        match self {
            Self::Question(limit) => Some(limit),
            Self::Behind | Self::Ahead => None,
        }
    }
}

/// How a program ended.
pub(crate) struct Ended {
    pub(crate) success: bool,
    pub(crate) code: Option<i32>,
    /// What it said of what went wrong.
    pub(crate) said: String,
    pub(crate) output: String,
}

impl Tool {
    /// Whether this machine has it.
    pub(crate) fn is_here(&self) -> bool {
        is_installed(self.program)
    }

    /// A question does not stand behind others: an answer that has to come in time would not on a
    /// busy machine.
    fn command(&self, arguments: &[String], haste: Haste) -> Command {
        // Ended with whoever started it.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]);
        if haste == Haste::Behind {
            command.args(["nice", "-n", "19", "ionice", "-c", "3"]);
        }
        command
            .arg(self.program)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("HOME", "/root")
            .env("GOMAXPROCS", threads(haste).to_string())
            .envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs it in that directory; each line that it says is told as it comes. Under a limit it is
    /// ended as soon as it says what trying again does not mend: some go on trying all the same.
    pub(crate) async fn run(
        &self,
        arguments: &[String],
        directory: &Path,
        haste: Haste,
        tell: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Ended, Failure> {
        let limit = haste.limit();
        if !is_installed(self.program) {
            let program = self.program;
            return Err(Failure::needs_person(format!("{program} is not installed here")));
        }
        let mut child = self
            .command(arguments, haste)
            .current_dir(directory)
            .spawn()
            .map_err(|error| Failure::permanent(format!("{}: {error}", self.program)))?;
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let (mut printed, mut said) = (String::new(), String::new());
        let (hopeless, is_hopeless) = (Mutex::new(None), Notify::new());
        let listen = |line: &str| {
            tell(line);
            let failure = failed(self.program, line);
            if limit.is_some() && failure.class == Class::NeedsPerson {
                *hopeless.lock().expect("nothing panics while it is held") = Some(failure);
                is_hopeless.notify_one();
            }
        };
        let all = async {
            if let (Some(output), Some(errors)) = (output, errors) {
                tokio::join!(read(output, &mut printed, tell), read(errors, &mut said, &listen));
            }
            child.wait().await
        };
        let ended = tokio::select! {
            status = all => Some(status),
            () = is_hopeless.notified() => None,
            () = until(limit) => None,
        };
        let Some(status) = ended else {
            let hopeless = hopeless.into_inner().expect("nothing panics while it is held");
            let seconds = limit.unwrap_or_default();
            return Err(
                hopeless.unwrap_or_else(|| failed(&format!("no answer within {seconds:?}"), &said))
            );
        };
        let status =
            status.map_err(|error| Failure::transient(format!("{}: {error}", self.program)))?;
        Ok(Ended { success: status.success(), code: status.code(), said, output: printed })
    }
}

/// Ends after that time; never where there is none.
async fn until(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// The processors that a tool takes: half of them, so that the engine has the rest, unless it is
/// what has to be done first.
fn threads(haste: Haste) -> usize {
    let all = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if haste == Haste::Ahead { all } else { all.div_ceil(2) }
}

fn is_installed(program: &str) -> bool {
    ["/usr/local/bin", "/usr/bin", "/bin"].iter().any(|at| Path::new(at).join(program).exists())
}

async fn read(
    from: impl AsyncRead + Unpin,
    kept: &mut String,
    tell: &(dyn Fn(&str) + Send + Sync),
) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        tell(&line);
        if line.contains(r#""message_type":"status""#) || line.contains("archive_progress") {
            continue;
        }
        // A list is one line of any length; of many lines the last matter.
        if kept.len() > SAID_BYTES_MAX && kept.len() > line.len() {
            kept.clear();
        }
        kept.push_str(&line);
        kept.push('\n');
    }
}

/// A text in characters that every tool keeps as they are.
pub(crate) fn encode(text: &str) -> String {
    BASE64.encode(text)
}

pub(crate) fn decode(text: &str) -> String {
    let bytes = BASE64.decode(text).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The last line that says something.
pub(crate) fn last_line(text: &str) -> String {
    let line = text.lines().rev().find(|line| !line.trim().is_empty());
    let line = line.unwrap_or_default();
    let message = serde_json::from_str::<serde_json::Value>(line).ok().and_then(|value| {
        let text = value["message"].as_str().or(value["error"]["message"].as_str())?;
        Some(text.to_owned())
    });
    message.unwrap_or_else(|| line.trim().to_owned())
}

/// What a tool said, in words about what can be done.
pub(crate) fn failed(what: &str, said: &str) -> Failure {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["wrong password or no key found", "passphrase supplied in", "incorrect passphrase"]) {
        return Failure::needs_person("the key does not open the repository");
    }
    if has(&["AccessDenied", "Access Denied", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
        || has(&["Permission denied (publickey", "Forbidden"])
    {
        return Failure::needs_person("the store refuses the credentials");
    }
    if has(&["Host key verification failed"]) {
        return Failure::needs_person("the host shows another key than the one that is known");
    }
    if has(&["NoSuchBucket", "specified bucket does not exist"]) {
        return Failure::needs_person("there is no such bucket");
    }
    if has(&["No space left on device", "QuotaExceeded", "StorageFull", "XMinioStorageFull"]) {
        return Failure::needs_person(format!("{what}: there is no room left"));
    }
    if has(&["ciphertext verification failed", "is damaged", "Data integrity error"])
        || has(&["integrity check failed", "hash does not match", "unexpected pack size"])
        || has(&["not found in index", "missing pack", "errors were found", "Index check: "])
    {
        return Failure::permanent(format!("the repository is damaged: {}", last_line(said)));
    }
    Failure::transient(format!("{what}: {}", last_line(said)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_has_to_mend_is_told_from_what_passes() {
        for (said, class) in [
            ("Fatal: wrong password or no key found", Class::NeedsPerson),
            ("client.BucketExists: Access Denied.", Class::NeedsPerson),
            ("Fatal: ciphertext verification failed", Class::Permanent),
            ("dial tcp 10.0.0.1:9000: connect: connection refused", Class::Transient),
            ("unable to create lock in backend: repository is already locked", Class::Transient),
        ] {
            assert_eq!(failed("it", said).class, class, "{said}");
        }
    }

    #[test]
    fn the_last_line_is_told_also_where_it_is_json() {
        let said =
            "first\n{\"message_type\":\"exit_error\",\"code\":1,\"message\":\"Fatal: no\"}\n";
        assert_eq!(last_line(said), "Fatal: no");
        assert_eq!(last_line("one\ntwo\n\n"), "two");
    }

    #[tokio::test]
    async fn a_program_that_tries_in_vain_is_not_taken_for_one_that_waits() {
        let tool = Tool { program: "sh", environment: Vec::new() };
        let script = ["-c", "echo The specified bucket does not exist, retrying >&2; sleep 60"];
        let haste = Haste::Question(Duration::from_secs(50));
        let begun = std::time::Instant::now();
        let failure = tool.run(&script.map(str::to_owned), Path::new("/"), haste, &|_| {}).await;
        let failure = failure.err().expect("it is given up");
        assert_eq!(failure.class, Class::NeedsPerson, "{failure}");
        assert!(begun.elapsed() < Duration::from_secs(40), "it is not waited for");
    }

    #[tokio::test]
    async fn a_program_that_says_nothing_in_time_is_ended_with_its_last_words() {
        let tool = Tool { program: "sh", environment: Vec::new() };
        let script = ["-c", "echo waiting >&2; sleep 60"].map(str::to_owned);
        let haste = Haste::Question(Duration::from_millis(500));
        let failure = tool.run(&script, Path::new("/"), haste, &|_| {}).await;
        let failure = failure.err().expect("it is given up");
        assert!(failure.text.contains("waiting"), "{failure}");
    }
}
