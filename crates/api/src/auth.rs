//! Who asks: a bearer token, or the cookie of a session.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use bellwether_model::access::{Access, Role};
use bellwether_model::problem::Code;
use bellwether_model::{Timestamp, allowlist};
use bellwether_store::tokens::{Token, TokenKind, hash};
use bellwether_store::users::User;
use bellwether_store::{AuditEntry, Store, Stored, Txn};

use crate::access::{self, Needs};
use crate::error::{ApiError, Result};
use crate::{Inner, identity};

/// The cookie of a session over plain HTTP, which the server speaks on loopback only.
const COOKIE: &str = "bellwether_session";

/// The cookie over TLS: the prefix makes browsers keep it from every other place.
const COOKIE_TLS: &str = "__Host-bellwether_session";

/// A request that changes something by cookie carries this header: no other site can add it.
const OWN_PAGE: &str = "x-bellwether";

/// A session ends so long after it was last used.
pub(crate) const SESSION_MS: i64 = 12 * 3_600_000;

/// How coarsely the last use of a token is remembered.
const LAST_USED_EVERY_MS: u64 = 5 * 60_000;

/// An extension of requests that came over TLS: the cookie of a session is then for TLS alone.
#[derive(Clone, Copy, Debug)]
pub struct OverTls;

/// A signed-in user.
pub(crate) struct Caller {
    pub(crate) user: User,
    pub(crate) token: Token,
    /// What may be done: no more than the user, and no more than the token.
    pub(crate) access: Access,
    source: String,
    store: Store,
}

impl FromRequestParts<Arc<Inner>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<Inner>) -> Result<Self> {
        let (secret, by_cookie) = secret(&parts.headers).ok_or_else(unauthenticated)?;
        let is_safe = matches!(parts.method, Method::GET | Method::HEAD);
        if by_cookie && !is_safe && !parts.headers.contains_key(OWN_PAGE) {
            return Err(ApiError::new(Code::Forbidden, "the header `X-Bellwether: 1` is missing")
                .hint("it shows that the dashboard itself asks, and no other site"));
        }
        // Looked up by its hash: how long that takes says nothing about the secret.
        let token = state.store.find::<Token>(&hash(&secret)).ok_or_else(unauthenticated)?;
        let now = Timestamp::now();
        if is_over(&token.object, now) {
            return Err(ApiError::new(Code::Unauthenticated, "the token or session has expired")
                .hint("sign in again"));
        }
        let user = state.store.find::<User>(token.object.user.as_str());
        let user = user.ok_or_else(unauthenticated)?.object;
        if !identity::holds(state, &user, now) {
            let words = "the identity provider has to say again who you are";
            return Err(ApiError::new(Code::Unauthenticated, words).hint("sign in again"));
        }
        remember_use(state, &user, token.clone(), now).await;
        let access = user.access.within(&token.object.scope);
        let (token, store) = (token.object, state.store.clone());
        let caller = Self { user, token, access, source: source(parts), store };
        caller.authorise(parts, state).await?;
        Ok(caller)
    }
}

impl Caller {
    /// Whether the table lets the caller ask for this at all.
    async fn authorise(&self, parts: &mut Parts, state: &Arc<Inner>) -> Result<()> {
        let nobody = || ApiError::new(Code::Forbidden, "nobody may ask for this");
        let path = MatchedPath::from_request_parts(parts, state).await.ok();
        let needs = path.and_then(|path| access::needs(&parts.method, path.as_str()));
        let path = parts.uri.path().to_owned();
        let role = match needs.ok_or_else(nobody)? {
            Needs::Account => return Ok(()),
            Needs::Named(role) => return self.require_somewhere(role, &path).await,
            Needs::Server(role) => return self.require_everywhere(role, &path).await,
            Needs::Project(role) => role,
        };
        let parameters = RawPathParams::from_request_parts(parts, state).await;
        let parameters = parameters.map_err(|error| {
            ApiError::new(Code::BadRequest, error.body_text())
                .hint("names in the path are UTF-8, percent-encoded")
        })?;
        let subject = access::subject(state, parameters.iter()).ok_or_else(nobody)?;
        let missing = || ApiError::not_found(subject.kind, &subject.name);
        match &subject.project {
            Some(project) if self.sees(project) => self.require(project, role, &path).await,
            // Whoever may see everything is told by the call itself what is not there.
            None if self.access.everywhere.is_some() => Ok(()),
            _ => Err(missing()),
        }
    }

    /// Whether things of that project are seen.
    pub(crate) fn sees(&self, project: &str) -> bool {
        self.access.role_in(project).is_some()
    }

    /// Refuses who has a lesser role in that project what is asked of `object`.
    pub(crate) async fn require(&self, project: &str, role: Role, object: &str) -> Result<()> {
        let place = format!("in the project `{project}`");
        self.check_role(self.access.role_in(project), role, &place, object).await
    }

    async fn require_everywhere(&self, role: Role, object: &str) -> Result<()> {
        self.check_role(self.access.everywhere, role, "on the whole server", object).await
    }

    async fn require_somewhere(&self, role: Role, object: &str) -> Result<()> {
        let greatest = self.access.projects.values().copied().max();
        let own = self.access.everywhere.max(greatest);
        self.check_role(own, role, "in a project", object).await
    }

    /// What is refused is kept, too.
    async fn check_role(
        &self,
        own: Option<Role>,
        needed: Role,
        place: &str,
        object: &str,
    ) -> Result<()> {
        if own >= Some(needed) {
            return Ok(());
        }
        let has = own.map_or_else(|| "you have none".to_owned(), |own| format!("yours is {own}"));
        let words = format!("this takes the role {needed} {place}; {has}");
        let entry = entry(&self.user.name, &self.source, "access.refuse", object, "forbidden");
        self.store.append_audit(AuditEntry { detail: words.clone(), ..entry }).await?;
        Err(ApiError::new(Code::Forbidden, words).hint("ask somebody who may give it to you"))
    }
}

fn is_over(token: &Token, now: Timestamp) -> bool {
    token.expires_at.is_some_and(|end| end <= now)
}

/// What may still be done with what this hash stands for; none: nothing any more.
pub(crate) fn access_of(state: &Inner, secret_hash: &str) -> Option<Access> {
    let token = state.store.find::<Token>(secret_hash)?.object;
    let user = state.store.find::<User>(token.user.as_str())?.object;
    let now = Timestamp::now();
    let counts = !is_over(&token, now) && identity::holds(state, &user, now);
    counts.then(|| user.access.within(&token.scope))
}

/// The tokens and sessions that have expired.
pub(crate) fn expired(state: &Inner) -> Vec<Stored<Token>> {
    let now = Timestamp::now();
    state.store.list_where(|token| is_over(token, now))
}

fn unauthenticated() -> ApiError {
    ApiError::new(Code::Unauthenticated, "sign in first")
        .hint("`bellwether login`, or `Authorization: Bearer <token>`")
}

/// The secret of a request, and whether it came as a cookie.
fn secret(headers: &HeaderMap) -> Option<(String, bool)> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some((scheme, secret)) = bearer.and_then(|value| value.split_once(' '))
        && scheme.eq_ignore_ascii_case("bearer")
    {
        return Some((secret.trim().to_owned(), false));
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies: Vec<&str> = cookies.flat_map(|cookies| cookies.split(';')).collect();
    [COOKIE_TLS, COOKIE].into_iter().find_map(|name| {
        let mut values = cookies.iter().map(|c| c.trim().strip_prefix(name)?.strip_prefix('='));
        values.find_map(|value| value).map(|secret| (secret.to_owned(), true))
    })
}

/// The cookie that carries a session; without a secret, the one that ends it.
pub(crate) fn cookie(secret: Option<&str>, over_tls: bool) -> String {
    let (name, secure) = if over_tls { (COOKIE_TLS, "; Secure") } else { (COOKIE, "") };
    let age = if secret.is_none() { "; Max-Age=0" } else { "" };
    let secret = secret.unwrap_or_default();
    format!("{name}={secret}; Path=/; HttpOnly; SameSite=Strict{secure}{age}")
}

fn source(parts: &Parts) -> String {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or_else(|| "unknown".to_owned(), |peer| peer.0.ip().to_canonical().to_string())
}

/// More of a program's name is not kept.
const PROGRAM_LENGTH_MAX: usize = 200;

/// Where a request came from, and how.
pub(crate) struct Source {
    pub(crate) address: String,
    pub(crate) over_tls: bool,
    /// What asks, as it calls itself.
    pub(crate) program: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Source {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> std::result::Result<Self, Self::Rejection> {
        let over_tls = parts.extensions.get::<OverTls>().is_some();
        let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let program = agent.unwrap_or_default().chars().take(PROGRAM_LENGTH_MAX).collect();
        Ok(Self { address: source(parts), over_tls, program })
    }
}

async fn remember_use(state: &Inner, user: &User, mut token: Stored<Token>, now: Timestamp) {
    let last = token.object.last_used_at.unwrap_or(token.object.created_at);
    if now.millis_since(last) < LAST_USED_EVERY_MS {
        return;
    }
    token.object.last_used_at = Some(now);
    // What a provider says of somebody is asked for again: such a session does not go on for good.
    if token.object.kind == TokenKind::Session && user.identity.is_none() {
        token.object.expires_at = Some(Timestamp::from_millis(now.as_millis() + SESSION_MS));
    }
    // Somebody else remembers it at the same time: it is remembered.
    let _ = state.store.commit(Txn::new().update(&token)).await;
}

/// What an allowlist calls whoever comes from there: the address, or the machine that the server
/// runs on.
pub(crate) fn listed_as(source: &str) -> String {
    let address: Option<IpAddr> = source.parse().ok();
    // Only an address of this machine can be bound to.
    let is_here = address.is_some_and(|address| std::net::UdpSocket::bind((address, 0)).is_ok());
    if is_here { allowlist::SERVER.to_owned() } else { source.to_owned() }
}

impl Caller {
    /// What an allowlist calls the caller: its address, or the machine that the server runs on.
    pub(crate) fn listed_as(&self) -> String {
        listed_as(&self.source)
    }

    /// What the audit log keeps of what the caller does; saved with what is done.
    pub(crate) fn entry(&self, action: &str, object: &str) -> AuditEntry {
        entry(&self.user.name, &self.source, action, object, "ok")
    }

    /// The same, with what was changed.
    pub(crate) fn entry_of(&self, action: &str, object: &str, detail: String) -> AuditEntry {
        AuditEntry { detail, ..self.entry(action, object) }
    }
}

pub(crate) fn entry(
    user: &str,
    source: &str,
    action: &str,
    object: &str,
    result: &str,
) -> AuditEntry {
    AuditEntry {
        id: 0,
        at: Timestamp::now(),
        user: user.to_owned(),
        source: source.to_owned(),
        action: action.to_owned(),
        object: object.to_owned(),
        detail: String::new(),
        result: result.to_owned(),
        hash: String::new(),
    }
}

/// How many wrong passwords are free, and how long the next waits at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    free: u32,
    wait_max: Duration,
}

impl Limit {
    /// Of one user from one address.
    pub(crate) const PAIR: Self = Self { free: 5, wait_max: Duration::from_secs(300) };

    /// Of one address, whoever it claims to be.
    pub(crate) const ADDRESS: Self = Self { free: 20, wait_max: Duration::from_secs(300) };

    /// Of one user from anywhere. Others must not keep a user out for long.
    pub(crate) const USER: Self = Self { free: 50, wait_max: Duration::from_secs(15) };
}

/// Failed sign-ins by user, by address and by both: after some, each makes the next wait longer.
#[derive(Default)]
pub(crate) struct Throttle {
    failures: Mutex<HashMap<String, (u32, Instant)>>,
}

const FORGET_AFTER: Duration = Duration::from_secs(900);

impl Throttle {
    /// Refuses while the caller has to wait.
    pub(crate) fn check(&self, key: &str, limit: Limit) -> Result<()> {
        let failures = self.failures.lock().expect("nothing panics while it is held");
        let Some((count, at)) = failures.get(key) else { return Ok(()) };
        let wait = match count.checked_sub(limit.free) {
            None => return Ok(()),
            Some(over) => Duration::from_secs(1 << over.min(8)).min(limit.wait_max),
        };
        match wait.checked_sub(at.elapsed()) {
            None => Ok(()),
            Some(left) => {
                let seconds = left.as_secs() + 1;
                Err(ApiError::new(Code::TooManyAttempts, "too many wrong passwords")
                    .hint(format!("try again in {seconds} s"))
                    .retry_after(seconds))
            }
        }
    }

    pub(crate) fn failed(&self, key: &str) {
        let mut failures = self.failures.lock().expect("nothing panics while it is held");
        failures.retain(|_, (_, at)| at.elapsed() < FORGET_AFTER);
        let entry = failures.entry(key.to_owned()).or_insert((0, Instant::now()));
        *entry = (entry.0 + 1, Instant::now());
    }

    pub(crate) fn succeeded(&self, key: &str) {
        self.failures.lock().expect("nothing panics while it is held").remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_wrong_passwords_are_free_and_a_right_one_forgives() {
        let throttle = Throttle::default();
        for _ in 0..Limit::PAIR.free {
            assert!(throttle.check("a", Limit::PAIR).is_ok());
            throttle.failed("a");
        }
        assert!(throttle.check("a", Limit::PAIR).is_err());
        assert!(throttle.check("a", Limit::ADDRESS).is_ok());
        assert!(throttle.check("b", Limit::PAIR).is_ok());
        throttle.succeeded("a");
        assert!(throttle.check("a", Limit::PAIR).is_ok());
    }

    #[test]
    fn the_secret_is_found_in_either_header() {
        let read = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("a header"));
            secret(&headers)
        };
        assert_eq!(read("authorization", "bearer  x "), Some(("x".to_owned(), false)));
        assert_eq!(read("authorization", "Basic x"), None);
        assert_eq!(read("cookie", "a=b; bellwether_session=x"), Some(("x".to_owned(), true)));
        let both = "bellwether_session=x; __Host-bellwether_session=y";
        assert_eq!(read("cookie", both), Some(("y".to_owned(), true)));
        assert_eq!(read("cookie", "bellwether_session_of_another=x"), None);
    }
}
