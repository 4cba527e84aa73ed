//! A server on loopback that gives the answers a test has written.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use bellwether_model::problem::{Code, Problem};
use serde_json::Value;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method and path with query: `GET /v1/clusters?limit=500`.
    pub(crate) line: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

#[derive(Default)]
struct Inner {
    answers: HashMap<String, VecDeque<(u16, String)>>,
    asked: Vec<Asked>,
}

/// It ends with the test's process.
pub(crate) struct Server {
    pub(crate) url: String,
    inner: Arc<Mutex<Inner>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let inner = Arc::new(Mutex::new(Inner::default()));
        let shared = inner.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = shared.clone();
                std::thread::spawn(move || serve(&stream.expect("a connection"), &shared));
            }
        });
        // Whoever makes a cluster is let in to it by the name that the server has for him.
        let me = serde_json::json!({
            "id": "01990000-0000-7000-8000-0000000000e1", "name": "admin",
            "must_change_password": false, "address": "server",
        });
        Self { url, inner }.on("GET /v1/me", 200, &me)
    }

    /// Answers so from now on; after another answer to the same, when that was given once.
    pub(crate) fn on(self, line: &str, status: u16, body: &Value) -> Self {
        let answer = (status, if body.is_null() { String::new() } else { body.to_string() });
        let mut inner = self.inner.lock().expect("held");
        inner.answers.entry(line.to_owned()).or_default().push_back(answer);
        drop(inner);
        self
    }

    /// Refuses so.
    pub(crate) fn refuse(self, line: &str, code: Code, detail: &str) -> Self {
        let status = code.facts().1;
        self.on(line, status, &problem(code, detail))
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner.lock().expect("held").asked.clone()
    }

    /// Method and path of everything that was asked.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

pub(crate) fn problem(code: Code, detail: &str) -> Value {
    let (word, status) = code.facts();
    let problem = Problem {
        kind: format!("/docs/errors/{word}"),
        status,
        code,
        title: word.to_owned(),
        detail: detail.to_owned(),
        hint: "what would help".to_owned(),
        fields: Vec::new(),
        request_id: "0123456789abcdef".to_owned(),
    };
    serde_json::to_value(problem).expect("JSON")
}

fn serve(stream: &TcpStream, shared: &Mutex<Inner>) {
    // A client that goes away meanwhile is no failure of the test.
    let Some(asked) = read(stream) else { return };
    let (status, body) = {
        let mut inner = shared.lock().expect("held");
        inner.asked.push(asked.clone());
        match inner.answers.get_mut(&asked.line) {
            Some(answers) if answers.len() > 1 => answers.pop_front().expect("more than one"),
            Some(answers) => answers[0].clone(),
            None => (599, format!("the test has no answer to {}", asked.line)),
        }
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n");
    let _ = (&*stream).write_all(format!("{head}\r\n{body}").as_bytes());
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().map(|_| line.trim_end().to_owned())
    };
    let first = next()?;
    let line = first.strip_suffix(" HTTP/1.1")?.to_owned();
    let mut headers = HashMap::new();
    while let Some((name, value)) = next()?.split_once(": ") {
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { line, headers, body: String::from_utf8(body).ok()? })
}
