//! Where the server's address and the token come from, and where secrets never go.

use std::os::unix::fs::PermissionsExt as _;

use bellwether_model::problem::Code;
use serde_json::{Value, json};

use crate::fixture::{connection, token};
use crate::program::{Run, TOKEN};
use crate::stand_in::Server;

const LIST: &str = "GET /v1/clusters?limit=500";
const CONFIG: &str = ".config/bellwether/config.toml";

fn server() -> Server {
    Server::start().on(LIST, 200, &json!({"items": []}))
}

/// The token of the only request that came.
fn bearer(server: &Server) -> String {
    let asked = server.asked();
    let [one] = asked.as_slice() else { panic!("{asked:?}") };
    one.headers.get("authorization").cloned().unwrap_or_default()
}

#[test]
fn flags_come_before_the_environment_and_that_before_the_file() {
    for (count, token) in [(3, "Bearer flag"), (2, "Bearer env"), (1, "Bearer file"), (0, "")] {
        // Only the server that is meant answers: each has an address of its own.
        let servers = [server(), server(), server()];
        let url = |place: usize| servers[place].url.clone();
        let (flag, env, file) = (url(2), url(1), url(0));
        let mut arguments = vec!["cluster", "list"];
        if count == 3 {
            arguments.extend(["--url", &flag, "--token", "flag"]);
        }
        let mut run = Run::new(&arguments);
        if count >= 2 {
            run = run.env("BELLWETHER_URL", &env).env("BELLWETHER_TOKEN", "env");
        }
        let text = match count {
            0 => format!("url = \"{file}\"\n"),
            _ => format!("url = \"{file}\"\ntoken = \"file\"\n"),
        };
        run.file(CONFIG, &text).run().clean();
        let answered = if count == 0 { 0 } else { count - 1 };
        assert_eq!(bearer(&servers[answered]), token);
        let others = servers.iter().map(|server| server.asked().len()).sum::<usize>();
        assert_eq!(others, 1, "one server was asked");
    }
}

#[test]
fn each_setting_is_taken_from_its_first_place_by_itself() {
    let (server, other) = (server(), server());
    let text = format!("url = \"{}\"\ntoken = \"file\"\n", other.url);
    let run = Run::new(&["cluster", "list", "--url", &server.url]).file(CONFIG, &text);
    run.run().clean();
    assert_eq!(bearer(&server), "Bearer file");
}

#[test]
fn an_empty_variable_is_not_set() {
    let server = server();
    let text = format!("url = \"{}\"\ntoken = \"file\"\n", server.url);
    let run = Run::new(&["cluster", "list"]).file(CONFIG, &text);
    let run = run.env("BELLWETHER_URL", "").env("BELLWETHER_TOKEN", "");
    run.env("BELLWETHER_CA", "").env("BELLWETHER_CONFIG", "").run().clean();
    assert_eq!(bearer(&server), "Bearer file");
}

#[test]
fn the_file_is_where_it_is_said_to_be() {
    for (name, variable, value) in [
        (CONFIG, "NONE", ""),
        ("elsewhere/bellwether/config.toml", "XDG_CONFIG_HOME", "elsewhere"),
        ("mine.toml", "BELLWETHER_CONFIG", "mine.toml"),
    ] {
        let server = server();
        let text = format!("url = \"{}\"\ntoken = \"file\"\n", server.url);
        Run::new(&["cluster", "list"]).file(name, &text).env(variable, value).run().clean();
        assert_eq!(bearer(&server), "Bearer file", "{name}");
    }
    let server = server();
    let text = format!("url = \"{}\"\n", server.url);
    let run = Run::new(&["--config", "flag.toml", "cluster", "list"]).file("flag.toml", &text);
    run.env("BELLWETHER_CONFIG", "other.toml").run().clean();
    assert_eq!(bearer(&server), "");
}

#[test]
fn a_file_that_is_wrong_is_named_with_the_line_and_without_the_token() {
    for (text, line) in [
        ("url = \"x\"\ntoken = \"bw_very-secret\n", "line 2"),
        ("token = bw_very-secret\n", "line 1"),
        ("token = \"a\" bw_very-secret\n", "line 1"),
        ("\n\ntoken = [\"bw_very-secret\"]\n", "line 3"),
        ("token = \"a\"\ntoken = \"bw_very-secret\"\n", "line 2"),
        ("bw_very-secret\n", "line 1"),
        ("tokne = \"bw_very-secret\"\n", "tokne"),
    ] {
        let ended = Run::new(&["cluster", "list"]).file(CONFIG, text).run().code(2);
        let ended = ended.says(&["config.toml", line]);
        assert!(!ended.err.contains("bw_very-secret"), "{}", ended.err);
    }
}

#[test]
fn addresses_and_tokens_that_are_not_usable_are_wrong_usage() {
    for url in ["nonsense", "127.0.0.1:7480", "ftp://127.0.0.1", "http://", "http://a b"] {
        let ended = Run::new(&["cluster", "list", "--url", url]).run().code(2);
        ended.says(&[url, "http://127.0.0.1:7480"]);
    }
    let server = server();
    let run = Run::on(&server, "cluster list").env("BELLWETHER_TOKEN", "bw_secret\nx");
    let ended = run.run().code(2).says(&["token"]);
    assert!(!ended.err.contains("bw_secret"), "{}", ended.err);
    let run =
        Run::on(&server, "cluster list").env("BELLWETHER_CA", "ca.pem").file("ca.pem", "no PEM");
    run.run().code(2).says(&["authority"]);
    assert_eq!(server.lines(), Vec::<String>::new());
}

fn session() -> Value {
    json!({"token": "a-session", "expires_at": "2027-03-01T12:00:00Z",
           "user": {"id": "01990000-0000-7000-8000-0000000000b1", "name": "admin",
                    "must_change_password": true}})
}

#[test]
fn signing_in_keeps_a_token_for_its_owner_only_and_no_password_is_seen() {
    let server = Server::start()
        .on("POST /v1/sessions", 201, &session())
        .on("POST /v1/tokens", 201, &json!({"token": token(), "secret": "bw_the-new-token"}))
        .on("DELETE /v1/sessions/current", 204, &Value::Null);
    let mut run = Run::new(&["login", "--url", &server.url, "--password-file", "-"])
        .input("the-password-of-admin\n")
        .env("BELLWETHER_TOKEN", TOKEN);
    let child = run.start();
    let path = format!("/proc/{}/cmdline", child.id());
    let begun = std::time::Instant::now();
    let seen = loop {
        // Empty until the program has taken the place of the test's copy.
        let seen = std::fs::read_to_string(&path).expect("it waits for the password");
        if seen.contains("--password-file") {
            break seen;
        }
        assert!(begun.elapsed().as_secs() < 10, "{seen}");
        std::thread::yield_now();
    };
    assert!(!seen.contains(TOKEN) && !seen.contains("password-of"), "{seen}");
    let ended = run.end(child).clean();
    assert_eq!(ended.out, format!("Signed in to {} as admin.\n", server.url));

    let config = run.home().join(CONFIG);
    assert_eq!(config.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&config).expect("a file");
    assert_eq!(text, format!("url = \"{}\"\ntoken = \"bw_the-new-token\"\n", server.url));
    let asked = server.asked();
    let body: Value = serde_json::from_str(&asked[0].body).expect("JSON");
    assert_eq!(body, json!({"user": "admin", "password": "the-password-of-admin"}));
    // The session was only for making the token.
    assert_eq!(asked[1].headers["authorization"], "Bearer a-session");
    assert_eq!(asked[2].line, "DELETE /v1/sessions/current");
    let left: Vec<_> = std::fs::read_dir(config.parent().expect("a directory"))
        .expect("listed")
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect();
    assert_eq!(left, ["config.toml"], "nothing else is left behind");
}

#[test]
fn a_password_is_read_from_a_file_and_never_asked_for_without_a_terminal() {
    let server = Server::start().refuse("POST /v1/sessions", Code::WrongPassword, "it is wrong");
    let run = Run::new(&["login", "--url", &server.url, "--password-file", "secret"]);
    let ended = run.file("secret", "the-password-of-admin\r\n").run().code(5);
    assert!(!ended.err.contains("the-password-of-admin"));
    let body: Value = serde_json::from_str(&server.asked()[0].body).expect("JSON");
    assert_eq!(body["password"], "the-password-of-admin");
    let ended = Run::new(&["login", "--url", &server.url]).run().code(2);
    ended.says(&["--password-file"]);
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn signing_out_forgets_the_token_also_when_the_server_refuses() {
    for refuses in [false, true] {
        let line = "DELETE /v1/sessions/current";
        let server = match refuses {
            true => Server::start().refuse(line, Code::Unauthenticated, "sign in first"),
            false => Server::start().on(line, 204, &Value::Null),
        };
        let text = format!("url = \"{}\"\ntoken = \"bw_old\"\n", server.url);
        let mut run = Run::new(&["logout"]).file(CONFIG, &text);
        let child = run.start();
        run.end(child).code(if refuses { 5 } else { 0 });
        assert_eq!(bearer(&server), "Bearer bw_old");
        let text = std::fs::read_to_string(run.home().join(CONFIG)).expect("a file");
        assert_eq!(text, format!("url = \"{}\"\n", server.url));
    }
}

#[test]
fn a_password_is_asked_for_and_printed_only_when_it_is_to_be_seen() {
    let path = "GET /v1/clusters/demo/connection?reveal=";
    let server = || {
        Server::start().on(&format!("{path}false"), 200, &connection(None)).on(
            &format!("{path}true"),
            200,
            &connection(Some("very-secret")),
        )
    };
    let line = |query: bool| format!("{path}{query}");
    for (flags, is_seen) in [
        ("", false),
        ("-o json", false),
        ("-o yaml", false),
        ("--format ca", false),
        ("--save-ca ca.pem", false),
        ("--reveal", true),
        ("--reveal -o json", true),
        ("--format uri", true),
        ("--format psql --read-only", true),
    ] {
        let server = server();
        let ended = Run::on(&server, &format!("cluster connection demo {flags}")).run().clean();
        assert_eq!(ended.out.contains("very-secret"), is_seen, "{flags}: {}", ended.out);
        assert_eq!(server.lines().contains(&line(true)), is_seen, "{flags}");
    }
    let server = server();
    let ended = Run::on(&server, "cluster connection demo --format odbc").run().code(2);
    ended.says(&["--format odbc", "psql", "uri", "ca"]);
    assert_eq!(server.lines(), [line(false)], "nothing is revealed in vain");
}

#[test]
fn a_new_token_is_the_only_one_that_is_printed() {
    let made = json!({"token": token(), "secret": "bw_the-new-token"});
    let server = Server::start()
        .on("POST /v1/tokens", 201, &made)
        .on("GET /v1/tokens", 200, &json!([token()]))
        .refuse("DELETE /v1/tokens/x", Code::NotFound, "there is no token `x`");
    let ended = Run::on(&server, "token create ci --days 30").run().clean();
    assert_eq!(ended.out, "bw_the-new-token\n");
    let body: Value = serde_json::from_str(&server.asked()[0].body).expect("JSON");
    assert_eq!(body, json!({"name": "ci", "days": 30}));
    for line in ["token list", "token list -o json", "token delete x", "--help", "token --help"] {
        let ended = Run::on(&server, line).run();
        assert!(!ended.out.contains(TOKEN) && !ended.err.contains(TOKEN), "{line}");
    }
}
