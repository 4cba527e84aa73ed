//! The document as the measure of every answer: its status, kind, code and body are documented for
//! the path and method that were asked.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

use bellwether_model::problem::{Code, Problem};
use serde_json::Value;

use crate::calls::Answer;

/// Method, path of the document, status and code; the code is empty for what is no refusal.
pub(crate) type Seen = (String, String, u16, String);

pub(crate) struct Document {
    root: Value,
    seen: Mutex<BTreeSet<Seen>>,
}

impl Document {
    pub(crate) fn read() -> Self {
        let text = bellwether_api::openapi().to_json().expect("JSON");
        let root = serde_json::from_str(&text).expect("JSON");
        Self { root, seen: Mutex::default() }
    }

    /// Everything that was answered so far.
    pub(crate) fn seen(&self) -> BTreeSet<Seen> {
        self.seen.lock().expect("held").clone()
    }

    /// Everything that the document says can be answered.
    pub(crate) fn documented(&self) -> BTreeSet<Seen> {
        let paths = self.root["paths"].as_object().expect("paths");
        let mut all = BTreeSet::new();
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().expect("methods") {
                for (status, response) in operation["responses"].as_object().expect("responses") {
                    let status: u16 = status.parse().expect("a status");
                    for code in codes(status, response) {
                        all.insert((method.to_uppercase(), path.clone(), status, code));
                    }
                }
            }
        }
        all
    }

    /// Holds an answer against the document.
    pub(crate) fn check(&self, method: &str, uri: &str, answer: &Answer) {
        let path = uri.split('?').next().unwrap_or_default();
        check_headers(answer);
        if answer.status >= 400 {
            check_problem(answer);
        }
        let Some((template, methods)) = self.find(path) else {
            if path.starts_with("/v1") {
                assert_eq!(answer.status, 404, "{}: not documented", answer.name);
            }
            return;
        };
        let Some(operation) = methods.get(method.to_lowercase()) else {
            let is_head = method == "HEAD" && methods.get("get").is_some();
            assert!(is_head || answer.status == 405, "{}: not documented", answer.name);
            return;
        };
        let status = answer.status.to_string();
        let response = operation["responses"].get(&status);
        let response = response.unwrap_or_else(|| {
            panic!("{}: {status} is not documented: {}", answer.name, answer.text)
        });
        let code = if answer.status < 400 { "" } else { answer.code() };
        let known = codes(answer.status, response);
        assert!(known.iter().any(|c| c == code), "{}: {code} is not in {known:?}", answer.name);
        self.check_body(response, answer);
        let seen = (method.to_owned(), template, answer.status, code.to_owned());
        self.seen.lock().expect("held").insert(seen);
    }

    fn find(&self, path: &str) -> Option<(String, &Value)> {
        let fits = |template: &str| {
            let (mut a, mut b) = (template.split('/'), path.split('/'));
            loop {
                match (a.next(), b.next()) {
                    (None, None) => return true,
                    (Some(a), Some(b)) if a == b || (a.starts_with('{') && !b.is_empty()) => {}
                    _ => return false,
                }
            }
        };
        let paths = self.root["paths"].as_object()?;
        let exact = paths.get_key_value(path);
        let found = exact.or_else(|| paths.iter().find(|(template, _)| fits(template)));
        found.map(|(template, methods)| (template.clone(), methods))
    }

    fn check_body(&self, response: &Value, answer: &Answer) {
        let Some(content) = response["content"].as_object() else {
            assert_eq!(answer.text, "", "{}: a body is not documented", answer.name);
            return;
        };
        let kind = answer.header("content-type");
        let content = content.get(kind).unwrap_or_else(|| {
            panic!("{}: `{kind}` is not documented", answer.name);
        });
        let file = Value::String(answer.text.clone());
        let body = if kind == "application/x-tar" { &file } else { &answer.body };
        if let Err(wrong) = self.fit(&content["schema"], body, "body") {
            panic!("{}: {wrong}: {}", answer.name, answer.text);
        }
    }

    /// Whether a value is as a schema says. Only the words that this document uses are known.
    pub(crate) fn fit(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        if let Some(pointer) = schema["$ref"].as_str() {
            let target = self.root.pointer(pointer.trim_start_matches('#'));
            return self.fit(target.ok_or(format!("{pointer} is not there"))?, value, at);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let wrong: Vec<String> =
                choices.iter().filter_map(|choice| self.fit(choice, value, at).err()).collect();
            let is_one = wrong.len() + 1 == choices.len();
            return if is_one { Ok(()) } else { Err(wrong.join("; ")) };
        }
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let types = match &schema["type"] {
            Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
            Value::String(one) => vec![one.as_str()],
            other => return Err(format!("{at}: the type {other} is not understood")),
        };
        let is_number = kind == "integer" && types.contains(&"number");
        if !is_number && !types.contains(&kind) {
            return Err(format!("{at}: {kind} where {types:?} is documented"));
        }
        if let Some(known) = schema["enum"].as_array().filter(|known| !known.contains(value)) {
            return Err(format!("{at}: {value} is not in {known:?}"));
        }
        match value {
            Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
                self.fit(&schema["items"], item, &format!("{at}.{index}"))
            }),
            Value::Object(fields) => self.fit_object(schema, fields, at),
            _ => Ok(()),
        }
    }

    fn fit_object(
        &self,
        schema: &Value,
        fields: &serde_json::Map<String, Value>,
        at: &str,
    ) -> Result<(), String> {
        let Some(known) = schema["properties"].as_object() else { return Ok(()) };
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        if let Some(missing) =
            required.iter().filter_map(Value::as_str).find(|name| !fields.contains_key(*name))
        {
            return Err(format!("{at}: `{missing}` is missing"));
        }
        fields.iter().try_for_each(|(name, value)| match known.get(name) {
            Some(schema) => self.fit(schema, value, &format!("{at}.{name}")),
            None => Err(format!("{at}: `{name}` is not documented")),
        })
    }
}

/// The codes a response is documented to have: the words in backticks of its description.
fn codes(status: u16, response: &Value) -> Vec<String> {
    if status < 400 {
        return vec![String::new()];
    }
    let description = response["description"].as_str().unwrap_or_default();
    let words: Vec<String> = description.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(!words.is_empty(), "no code is documented: {response}");
    words
}

fn check_headers(answer: &Answer) {
    let name = &answer.name;
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
    assert_eq!(answer.header("x-request-id").len(), 16, "{name}");
    if !answer.name.contains("/v1/events") || answer.status >= 400 {
        assert_eq!(answer.header("cache-control"), "no-store", "{name}");
    }
}

/// Every refusal is a problem with a page of its own, and says the same as its status.
fn check_problem(answer: &Answer) {
    let name = &answer.name;
    assert_eq!(answer.header("content-type"), "application/problem+json", "{name}");
    let problem: Problem = serde_json::from_str(&answer.text)
        .unwrap_or_else(|error| panic!("{name}: {error}: {}", answer.text));
    assert_ne!(problem.code, Code::Internal, "{name}: {}", answer.text);
    let (word, status) = problem.code.facts();
    assert_eq!((problem.status, status), (answer.status, answer.status), "{name}");
    assert_eq!(problem.kind, format!("/docs/errors/{word}"), "{name}");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    assert!(docs.join(format!("{word}.md")).exists(), "{word} has no page");
    assert_eq!(problem.request_id, answer.header("x-request-id"), "{name}");
    assert!(!problem.detail.is_empty(), "{name}: it says nothing");
    if answer.status == 401 {
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{name}");
    }
    if answer.status == 422 {
        assert!(!problem.fields.is_empty(), "{name}: no field is named: {}", answer.text);
    }
}
