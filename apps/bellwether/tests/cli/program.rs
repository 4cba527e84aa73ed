//! Runs of the built program.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::stand_in::Server;

/// The token that commands have unless a test says otherwise.
pub(crate) const TOKEN: &str = "bw_token-from-the-environment";

/// One run in the making. It knows nothing of the environment of the test.
pub(crate) struct Run {
    command: Command,
    home: tempfile::TempDir,
    input: Option<String>,
}

impl Run {
    /// A run without a server.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(env!("CARGO_BIN_EXE_bellwether"));
        command.args(arguments).env_clear().env("HOME", home.path()).current_dir(home.path());
        Self { command, home, input: None }
    }

    /// A run against that server, signed in.
    pub(crate) fn on(server: &Server, line: &str) -> Self {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        Self::new(&arguments).env("BELLWETHER_URL", &server.url).env("BELLWETHER_TOKEN", TOKEN)
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// With this file in the directory it runs in.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        std::fs::write(path, text).expect("written");
        self
    }

    pub(crate) fn input(mut self, text: &str) -> Self {
        self.input = Some(text.to_owned());
        self
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn start(&mut self) -> Child {
        let input = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        self.start_with(input)
    }

    pub(crate) fn start_with(&mut self, input: Stdio) -> Child {
        self.command.stdin(input);
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.spawn().expect("the program starts")
    }

    pub(crate) fn end(&mut self, mut child: Child) -> Ended {
        if let (Some(input), Some(mut pipe)) = (&self.input, child.stdin.take()) {
            pipe.write_all(input.as_bytes()).expect("read");
        }
        Ended::of(&child.wait_with_output().expect("it ends"))
    }

    pub(crate) fn run(mut self) -> Ended {
        let child = self.start();
        self.end(child)
    }
}

/// What a run has left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        let code = output.status.code().expect("it ended by itself");
        Self { code, out: text(&output.stdout), err: text(&output.stderr) }
    }

    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Ended with 0 and nothing on standard error.
    pub(crate) fn clean(self) -> Self {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{self:#?}");
        self
    }

    /// Standard error has all of these.
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "`{word}` is missing: {self:#?}");
        }
        self
    }
}

/// Holds a text against `expected/NAME`; `BELLWETHER_EXPECT=write` writes it anew.
pub(crate) fn expect(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/expected").join(name);
    if std::env::var_os("BELLWETHER_EXPECT").is_some_and(|word| word == "write") {
        std::fs::write(&path, text).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == text,
        "{} is not what was printed; BELLWETHER_EXPECT=write takes it over:\n{text}",
        path.display()
    );
}
