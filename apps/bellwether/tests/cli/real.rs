//! The program against itself: the real server over an empty data directory.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Ended, Run};

/// Longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    process: Child,
    url: String,
    data: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let mut process = Command::new(env!("CARGO_BIN_EXE_bellwether"))
            .arg("server")
            .args(["--listen", "127.0.0.1:0", "--local", "127.0.0.1:0", "--log-format", "json"])
            // No machine is made: any file will do.
            .args(["--agent-binary", env!("CARGO_BIN_EXE_bellwether")])
            .arg("--data")
            .arg(data.path())
            .env_clear()
            // There are no machines here, wherever the test runs.
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut log = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let mut seen = Vec::new();
        let url = loop {
            let Some(Ok(line)) = log.next() else { panic!("it ended: {seen:#?}") };
            if let Some((_, rest)) = line.split_once("http://") {
                let address = rest.split([';', '"']).next().expect("an address");
                break format!("http://{address}");
            }
            seen.push(line);
        };
        // It must never wait for somebody to read its log.
        std::thread::spawn(move || log.for_each(drop));
        Self { process, url, data }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.data.path().join(name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A command with the settings in that file.
fn run(config: &Path, line: &str) -> Ended {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    Run::new(&arguments).env("BELLWETHER_CONFIG", config.to_str().expect("text")).run()
}

#[test]
fn a_person_signs_in_looks_around_and_signs_out() {
    let server = Server::start();
    let home = tempfile::tempdir().expect("a directory");
    let config = home.path().join("config.toml");
    let password = server.file("first-password");
    let login = format!("login --url {} --password-file {}", server.url, password.display());
    run(&config, "cluster list --url http://127.0.0.1:1").code(6);
    run(&config, &format!("cluster list --url {}", server.url)).code(5).says(&["sign in"]);
    run(&config, &login).clean();

    assert_eq!(run(&config, "cluster list").clean().out, "None.\n");
    assert_eq!(run(&config, "cluster list -o json").clean().out, "[]\n");
    run(&config, "cluster show nothing").code(3).says(&["nothing"]);
    run(&config, "node list nothing").code(3);
    run(&config, "operation show nothing").code(3);
    run(&config, "token delete nothing").code(3);
    assert!(run(&config, "engine list").clean().out.contains("postgresql"));
    let engine = run(&config, "engine show postgresql -o json").clean();
    let engine: Value = serde_json::from_str(&engine.out).expect("JSON");
    assert_eq!(engine["name"], "postgresql");
    run(&config, "engine show oracle").code(3);
    assert!(run(&config, "provider list").clean().out.contains("docker"));

    run(&config, "cluster create Demo").code(2).says(&["name: ", "Demo"]);
    let ended = run(&config, "cluster create demo --nodes 99 --cpus 0").code(2);
    ended.says(&["nodes: ", "size.cpus: "]);
    // Whoever has no Docker is told, and nothing is made.
    run(&config, "cluster create demo").code(4);
    assert_eq!(run(&config, "operation list").clean().out, "None.\n");

    let secret = run(&config, "token create ci --days 1").clean().out;
    let list = run(&config, "token list -o json").clean().out;
    let tokens: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(tokens.as_array().map(Vec::len), Some(2), "{list}");
    assert!(!list.contains(secret.trim()));
    let id = tokens[1]["id"].as_str().expect("an id");
    let by_token = || {
        let run = Run::new(&["token", "list"]).env("BELLWETHER_URL", &server.url);
        run.env("BELLWETHER_TOKEN", secret.trim()).run()
    };
    by_token().clean();
    run(&config, &format!("token delete {id}")).clean();
    by_token().code(5);

    run(&config, "logout").clean();
    run(&config, "cluster list").code(5);
}

#[test]
fn the_first_password_is_kept_until_it_is_changed() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Server::start();
    let file = server.file("first-password");
    assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
    let first = std::fs::read_to_string(&file).expect("a file").trim().to_owned();
    // Once for the process of this test.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let options = bellwether_client::Options { url: server.url.clone(), ..Default::default() };
        let anybody = bellwether_client::Client::new(options.clone()).expect("a client");
        let session = anybody.sign_in("admin", &first, None).await.expect("signed in");
        assert!(session.user.must_change_password);
        let options = bellwether_client::Options { token: Some(session.token), ..options };
        let admin = bellwether_client::Client::new(options).expect("a client");
        admin.change_password(&first, "a-password-of-my-own").await.expect("changed");
    });
    let begun = Instant::now();
    while file.exists() {
        assert!(begun.elapsed() < PATIENCE, "the file is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn people_are_given_roles_and_what_they_do_is_kept_and_verified() {
    let server = Server::start();
    let home = tempfile::tempdir().expect("a directory");
    let config = home.path().join("config.toml");
    let password = server.file("first-password");
    let login = format!("login --url {} --password-file {}", server.url, password.display());
    run(&config, &login).clean();

    run(&config, "project create shop").clean();
    run(&config, "project create shop").code(4).says(&["shop"]);
    run(&config, "user create ada --in moon=viewer").code(2).says(&["moon"]);
    run(&config, "user create ada --in shop=king").code(2).says(&["viewer, operator"]);
    let made = run(&config, "user create ada --in shop=viewer").clean().out;
    assert!(made.starts_with("ada may: viewer in shop\n"), "{made}");
    let first = home.path().join("ada");
    let words = made.trim().rsplit(' ').next().expect("a password");
    std::fs::write(&first, words).expect("written");
    let adas = home.path().join("adas.toml");
    let login =
        format!("login --url {} --user ada --password-file {}", server.url, first.display());
    run(&adas, &login).clean();
    assert!(run(&adas, "project list").clean().out.contains("shop"));
    run(&adas, "cluster create demo --project shop").code(5).says(&["admin", "viewer"]);
    run(&adas, "user list").code(5);
    run(&config, "project grant shop ada operator").clean();
    assert!(run(&config, "user list").clean().out.contains("operator in shop"));
    assert!(run(&adas, "session list -o json").clean().out.contains("[]"));
    run(&config, "user access admin --role viewer").code(4).says(&["only owner"]);
    run(&config, "user delete ada").code(2).says(&["no terminal"]);

    let log = run(&config, "audit list").clean().out;
    for word in ["user.create", "member.set", "access.refuse", "viewer in shop"] {
        assert!(log.contains(word), "{word}: {log}");
    }
    let verified = run(&config, "audit verify").clean().out;
    let head = verified.lines().nth(1).and_then(|line| line.rsplit(' ').next()).expect("a hash");
    let file = home.path().join("audit.ndjson");
    run(&config, &format!("audit export --file {}", file.display())).clean();
    run(&config, &format!("audit verify --file {} --head {head}", file.display())).clean();
    run(&config, &format!("audit verify --head {head}")).clean();
    run(&config, "audit verify --head 1234").code(1).says(&["is gone"]);
    let text = std::fs::read_to_string(&file).expect("the export");
    std::fs::write(&file, text.replacen("ada", "eve", 1)).expect("written");
    let edited = run(&config, &format!("audit verify --file {}", file.display()));
    edited.code(1).says(&["does not follow"]);
    run(&config, "user delete ada --yes").clean();
    run(&adas, "project list").code(5);
}
