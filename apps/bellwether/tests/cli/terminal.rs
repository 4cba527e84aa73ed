//! Questions, asked at a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

use bellwether_model::problem::Code;
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

use crate::fixture::{cluster, operation, plan};
use crate::program::{Ended, Run};
use crate::stand_in::Server;

const ASK: &str = "POST /v1/clusters/demo/operations";

/// Runs at a terminal, where somebody types `answer` once `question` is there. What it left, and
/// what the terminal showed of what was typed.
fn at_terminal(mut run: Run, question: &str, answer: &str) -> (Ended, String) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).expect("granted");
    unlockpt(&ours).expect("unlocked");
    let name = ptsname(&ours, Vec::new()).expect("a name");
    let mode = rustix::fs::Mode::empty();
    let theirs = rustix::fs::open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, mode);
    let theirs = theirs.expect("the other side");
    let mut child = run.start_with(Stdio::from(theirs));
    let mut asked = String::new();
    let mut err = child.stderr.take().expect("a pipe");
    while !asked.contains(question) {
        let mut byte = [0];
        let count = err.read(&mut byte).expect("read");
        assert_eq!(count, 1, "it was not asked: {asked}");
        asked.push(char::from(byte[0]));
    }
    let mut ours = File::from(ours);
    ours.write_all(answer.as_bytes()).expect("typed");
    err.read_to_string(&mut asked).expect("read");
    let mut ended = run.end(child);
    ended.err = asked;
    rustix::fs::fcntl_setfl(&ours, OFlags::NONBLOCK).expect("set");
    let mut shown = Vec::new();
    // It ends with an error: nobody holds the other side any more.
    let _ = ours.read_to_end(&mut shown);
    (ended, String::from_utf8_lossy(&shown).into_owned())
}

fn server() -> Server {
    Server::start()
        .on("GET /v1/clusters/demo", 200, &cluster())
        .on(&format!("{ASK}?plan=true"), 200, &plan("remove_node", &[]))
        .on(ASK, 202, &operation("queued"))
        .on("DELETE /v1/clusters/demo?confirm=demo", 202, &operation("queued"))
}

#[test]
fn a_yes_is_needed_and_enough() {
    for (answer, is_done) in [
        ("y\n", true),
        ("Y\n", true),
        ("yes\n", true),
        ("n\n", false),
        ("\n", false),
        ("\u{4}", false),
    ] {
        let server = server();
        let run = Run::on(&server, "node remove demo demo-3 -o json");
        let (ended, shown) = at_terminal(run, "Go on? [y/N] ", answer);
        assert!(shown.starts_with(answer.trim_end_matches(['\n', '\u{4}'])), "{shown:?}");
        let ended = ended.code(if is_done { 0 } else { 2 });
        let ended = ended.says(&["Erases demo-3: its machine and its disk."]);
        assert_eq!(server.lines().contains(&ASK.to_owned()), is_done, "{answer:?}");
        if is_done {
            let result: Value = serde_json::from_str(&ended.out).expect("one document");
            assert_eq!(result["status"], "queued");
        } else {
            ended.says(&["nothing was done"]);
        }
    }
}

#[test]
fn a_cluster_goes_when_its_name_is_typed() {
    for (answer, is_done) in [("demo\n", true), ("y\n", false), ("Demo\n", false), ("\n", false)] {
        let server = server();
        let run = Run::on(&server, "cluster delete demo");
        let (ended, _) = at_terminal(run, "Type demo to delete it: ", answer);
        ended.code(if is_done { 0 } else { 2 });
        let request = "DELETE /v1/clusters/demo?confirm=demo".to_owned();
        assert_eq!(server.lines().contains(&request), is_done, "{answer:?}");
    }
}

#[test]
fn a_password_is_not_shown_while_it_is_typed() {
    let server = Server::start().refuse("POST /v1/sessions", Code::WrongPassword, "it is wrong");
    let run = Run::new(&["login", "--url", &server.url, "--user", "eve"]);
    let (ended, shown) = at_terminal(run, "Password: ", "the-password-of-eve\n");
    let ended = ended.code(5).says(&["it is wrong"]);
    assert!(
        !shown.contains("password-of-eve") && !ended.err.contains("password-of-eve"),
        "{shown}"
    );
    let body: Value = serde_json::from_str(&server.asked()[0].body).expect("JSON");
    assert_eq!(body, serde_json::json!({"user": "eve", "password": "the-password-of-eve"}));
}
