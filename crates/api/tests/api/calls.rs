//! Requests and their answers. Every answer is held against the document.

use std::net::{IpAddr, SocketAddr};

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, Response};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::world::World;

/// A request in the making.
pub(crate) struct Call<'a> {
    world: &'a World,
    method: String,
    uri: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    from: IpAddr,
    over_tls: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn new(world: &'a World, method: &str, uri: String) -> Self {
        let from = IpAddr::from([192, 0, 2, 1]);
        let (headers, body) = (Vec::new(), Vec::new());
        Self { world, method: method.to_owned(), uri, headers, body, from, over_tls: false }
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn bearer(self, secret: &str) -> Self {
        self.header("authorization", format!("Bearer {secret}"))
    }

    /// Without the token that calls have otherwise.
    pub(crate) fn anonymous(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "authorization");
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.text(body.to_string())
    }

    pub(crate) fn text(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", "application/json")
    }

    /// From that address.
    pub(crate) fn from(mut self, address: &str) -> Self {
        self.from = address.parse().expect("an address");
        self
    }

    pub(crate) fn over_tls(mut self) -> Self {
        self.over_tls = true;
        self
    }

    /// The answer, whose body may still be on its way.
    pub(crate) async fn begin(self) -> Response<Body> {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.uri);
        for (name, value) in &self.headers {
            request = request.header(name, value.as_slice());
        }
        let mut request = request.body(Body::from(self.body)).expect("a request");
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(self.from, 50_000)));
        if self.over_tls {
            request.extensions_mut().insert(bellwether_api::OverTls);
        }
        self.world.router.clone().oneshot(request).await.expect("never fails")
    }

    /// The whole answer.
    pub(crate) async fn send(self) -> Answer {
        let (world, method, uri) = (self.world, self.method.clone(), self.uri.clone());
        let response = self.begin().await;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a body");
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        let answer = Answer {
            name: format!("{method} {uri}"),
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        };
        world.said.lock().expect("held").push(answer.text.clone());
        world.document.check(&method, &uri, &answer);
        answer
    }

    /// The answer, which must have this status.
    pub(crate) async fn expect(self, status: u16) -> Answer {
        let answer = self.send().await;
        assert_eq!(answer.status, status, "{}: {}", answer.name, answer.text);
        answer
    }

    /// The refusal, which must have this status and code.
    pub(crate) async fn refused(self, status: u16, code: &str) -> Answer {
        let answer = self.expect(status).await;
        assert_eq!(answer.code(), code, "{}: {}", answer.name, answer.text);
        answer
    }

    /// The refusal of exactly this field or parameter.
    pub(crate) async fn names_field(self, status: u16, field: &str) -> Answer {
        let answer = self.expect(status).await;
        assert_eq!(answer.fields(), [field], "{}: {}", answer.name, answer.text);
        answer
    }
}

pub(crate) struct Answer {
    pub(crate) name: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Null when it is no JSON.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("none")
    }

    pub(crate) fn fields(&self) -> Vec<&str> {
        let fields = self.body["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
        fields.iter().filter_map(|field| field["field"].as_str()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A text of the body, by JSON pointer.
    pub(crate) fn at(&self, pointer: &str) -> &str {
        let value = self.body.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("{}: no text at {pointer}: {}", self.name, self.text))
    }

    /// The items of a page.
    pub(crate) fn items(&self) -> &[Value] {
        self.body["items"].as_array().expect("a page")
    }
}
