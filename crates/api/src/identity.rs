//! Signing in through an identity provider. It says who somebody is and in which groups; what that
//! lets them do say the rules that the server was started with, and nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use bellwether_contracts::identity::{Begun, IdentityFacts, IdentityProvider};
use bellwether_contracts::{Class, Failure};
use bellwether_model::access::Access;
use bellwether_model::identity::{
    IdentityProviderView, NewSignIn, Person, SignIn, SignInEnd, access,
};
use bellwether_model::problem::{Code, Problem};
use bellwether_model::user::Session;
use bellwether_model::{Timestamp, UserId};
use bellwether_store::tokens::hash;
use bellwether_store::users::{Identity, IdentityClaim, NameClaim, User, find_by_name};
use bellwether_store::{Error as StoreError, Store, Stored, Txn};

use crate::auth::{Source, entry};
use crate::error::{ApiError, Result};
use crate::extract::{Body, Nothing, Query};
use crate::sessions::{self, check_length};
use crate::{Inner, State, passwords, users};

/// A sign-in that was begun ends by then, or not at all.
const PENDING_FOR: Duration = Duration::from_secs(600);

/// So many sign-ins may be under way from one address,
const PENDING_OF_ADDRESS: usize = 20;

/// and so many in all: those that were begun first are forgotten.
const PENDING_MAX: usize = 10_000;

/// Nothing that a provider leads back with is longer.
const LENGTH_MAX: usize = 4_096;

/// Sign-ins that were begun, by their state; each is good once.
#[derive(Default)]
pub(crate) struct Pending {
    begun: Mutex<HashMap<String, Waiting>>,
}

struct Waiting {
    begun: Begun,
    binding_hash: String,
    source: String,
    at: Instant,
}

impl Pending {
    fn check(&self, source: &str) -> Result<()> {
        let mut begun = self.begun.lock().expect("nothing panics while it is held");
        begun.retain(|_, waiting| waiting.at.elapsed() < PENDING_FOR);
        let of_address = begun.values().filter(|waiting| waiting.source == source);
        if of_address.count() < PENDING_OF_ADDRESS {
            return Ok(());
        }
        let words = "too many sign-ins were begun from there and not ended";
        Err(ApiError::new(Code::TooManyAttempts, words).hint("try again in some minutes"))
    }

    fn keep(&self, waiting: Waiting) {
        let mut begun = self.begun.lock().expect("nothing panics while it is held");
        if begun.len() >= PENDING_MAX {
            let oldest = begun.iter().min_by_key(|(_, waiting)| waiting.at);
            let oldest = oldest.map(|(state, _)| state.clone());
            oldest.map(|state| begun.remove(&state));
        }
        begun.insert(waiting.begun.state.clone(), waiting);
    }

    /// The sign-in of that state, for whoever has begun it. It is not there a second time.
    fn take(&self, state: &str, binding: &str) -> Option<Begun> {
        let mut begun = self.begun.lock().expect("nothing panics while it is held");
        let waiting = begun.remove(state)?;
        let is_own = waiting.binding_hash == hash(binding) && waiting.at.elapsed() < PENDING_FOR;
        is_own.then_some(waiting.begun)
    }
}

/// How people may sign in beside a password. Needs no authentication.
#[utoipa::path(get, path = "/v1/identity-provider", tag = "sessions",
    operation_id = "show_identity_provider", responses(
    (status = 200, body = IdentityProviderView), (status = 400, body = Problem),
), security(()))]
pub(crate) async fn show(Extract(api): State, _: Query<Nothing>) -> Json<IdentityProviderView> {
    let title = api.identity.as_ref().map(|provider| provider.facts().title.clone());
    Json(IdentityProviderView { title })
}

/// Begin to sign in through the identity provider: the answer has its page for a browser.
#[utoipa::path(post, path = "/v1/identity-provider/sign-ins", tag = "sessions",
    operation_id = "begin_sign_in", request_body = NewSignIn, responses(
    (status = 201, body = SignIn), (status = 400, body = Problem), (status = 404, body = Problem),
    (status = 413, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem),
    (status = 503, body = Problem),
), security(()))]
pub(crate) async fn begin(
    Extract(api): State,
    source: Source,
    _: Query<Nothing>,
    Body(request): Body<NewSignIn>,
) -> Result<(StatusCode, Json<SignIn>)> {
    let provider = provider(&api)?;
    let address = address(provider.facts(), request.address)?;
    api.pending.check(&source.address)?;
    let begun = provider.begin(&address).await.map_err(|failure| refusal(provider, failure))?;
    let (url, binding) = (begun.url.clone(), passwords::random(52));
    let source = source.address;
    let binding_hash = hash(&binding);
    api.pending.keep(Waiting { begun, binding_hash, source, at: Instant::now() });
    let life = i64::try_from(PENDING_FOR.as_millis()).unwrap_or(i64::MAX);
    let expires_at = Timestamp::from_millis(Timestamp::now().as_millis() + life);
    Ok((StatusCode::CREATED, Json(SignIn { url, binding, expires_at })))
}

/// End it with what the provider led back with. Browsers are given a cookie too.
#[utoipa::path(post, path = "/v1/identity-provider/sessions", tag = "sessions",
    operation_id = "end_sign_in", request_body = SignInEnd, responses(
    (status = 201, body = Session), (status = 400, body = Problem),
    (status = 401, body = Problem, description = "`sign-in-refused`"),
    (status = 404, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
    (status = 503, body = Problem),
), security(()))]
pub(crate) async fn end(
    Extract(api): State,
    source: Source,
    _: Query<Nothing>,
    Body(request): Body<SignInEnd>,
) -> Result<Response> {
    let provider = provider(&api)?;
    for (field, text) in
        [("binding", &request.binding), ("code", &request.code), ("state", &request.state)]
    {
        check_length(field, text, LENGTH_MAX)?;
    }
    let facts = provider.facts();
    let Some(begun) = api.pending.take(&request.state, &request.binding) else {
        let words = "this sign-in was ended before, has expired, or was begun elsewhere";
        let refusal = ApiError::new(Code::SignInRefused, words).hint("begin again");
        return refused(&api, &source, facts, "unknown", words.to_owned(), refusal).await;
    };
    let person = match provider.finish(&begun, &request.code).await {
        Ok(person) => person,
        Err(failure) => {
            let words = failure.text.clone();
            let refusal = refusal(provider, failure);
            return refused(&api, &source, facts, "unknown", words, refusal).await;
        }
    };
    let access = access(&facts.rules, person.email.as_deref(), &person.groups);
    if access == Access::default() {
        let name = shown_name(&person);
        let words = format!("{} knows you as {name}, who has no role here", facts.title);
        let refusal = ApiError::new(Code::SignInRefused, words.clone())
            .hint("ask whoever runs the server for a role, or for a group that has one");
        return refused(&api, &source, facts, &name, words, refusal).await;
    }
    let (user, txn) = admit(&api, &source, facts, &person, access)?;
    match sessions::open(&api, &source, &user, txn, format!("through {}", facts.issuer)).await {
        Err(StoreError::Conflict { .. }) => {
            let words = "the user was changed at the same moment";
            Err(ApiError::new(Code::SignInRefused, words).hint("begin again"))
        }
        other => Ok(other?),
    }
}

/// Keeps what was refused, and refuses.
async fn refused<T>(
    api: &Inner,
    source: &Source,
    facts: &IdentityFacts,
    name: &str,
    words: String,
    refusal: ApiError,
) -> Result<T> {
    let mut entry = entry(name, &source.address, "session.create", name, "sign-in-refused");
    entry.detail = format!("through {}: {words}", facts.issuer);
    api.store.append_audit(entry).await?;
    Err(refusal)
}

fn provider(api: &Inner) -> Result<&Arc<dyn IdentityProvider>> {
    api.identity.as_ref().ok_or_else(|| {
        let words = "there is no identity provider here";
        ApiError::new(Code::NotFound, words).hint("sign in with a password")
    })
}

/// Where the provider shall lead back to: one of those that it was told of.
fn address(facts: &IdentityFacts, asked: Option<String>) -> Result<String> {
    let Some(asked) = asked else { return Ok(facts.addresses[0].clone()) };
    if facts.addresses.contains(&asked) {
        return Ok(asked);
    }
    let known = facts.addresses.join(", ");
    Err(ApiError::field("address", format!("{} leads back to {known} alone", facts.title)))
}

fn refusal(provider: &Arc<dyn IdentityProvider>, failure: Failure) -> ApiError {
    let facts = provider.facts();
    let words = format!("{}: {}", facts.title, failure.text);
    match failure.class {
        Class::Permanent => ApiError::new(Code::SignInRefused, words).hint("begin again"),
        Class::Transient | Class::NeedsPerson => ApiError::new(Code::ProviderUnavailable, words)
            .hint("try again later, or sign in with a password"),
    }
}

/// Words for people, without what would do something to a terminal.
fn shown_name(person: &Person) -> String {
    let name = person.name.as_ref().or(person.email.as_ref()).unwrap_or(&person.subject);
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// The user of that person, made when there is none yet, and what has to be saved.
fn admit(
    api: &Inner,
    source: &Source,
    facts: &IdentityFacts,
    person: &Person,
    access: Access,
) -> Result<(User, Txn)> {
    let identity = Identity {
        issuer: facts.issuer.clone(),
        subject: person.subject.clone(),
        email: person.email.clone(),
        groups: person.groups.clone(),
        confirmed_at: Timestamp::now(),
    };
    let key = identity.key();
    let words = users::words(&access);
    if let Some(claim) = api.store.find::<IdentityClaim>(&key) {
        let mut user: Stored<User> = api.store.get(claim.object.user.as_str())?;
        let mut txn = Txn::new();
        if user.object.access != access {
            let name = &user.object.name;
            let mut entry = entry(name, &source.address, "user.change", name, "ok");
            entry.detail = words;
            txn = txn.audit(entry);
        }
        user.object.access = access;
        user.object.identity = Some(identity);
        return Ok((user.object.clone(), txn.update(&user)));
    }
    let user = User {
        id: UserId::generate(),
        name: free_name(&api.store, person, &key),
        password_hash: String::new(),
        must_change_password: false,
        created_at: Timestamp::now(),
        access,
        second_factor: None,
        identity: Some(identity),
    };
    let name = NameClaim { name: user.name.clone(), user: user.id.clone() };
    let claim = IdentityClaim { key, user: user.id.clone() };
    let mut entry = entry(&user.name, &source.address, "user.create", &user.name, "ok");
    entry.detail = words;
    let txn = Txn::new().insert(&user).insert(&name).insert(&claim).audit(entry);
    Ok((user, txn))
}

/// What the provider calls them. Nobody is given the name of somebody who is there already: what a
/// provider calls people shows nothing.
fn free_name(store: &Store, person: &Person, key: &str) -> String {
    let usable = |name: &&String| users::check_name(name).is_none();
    let wanted = [person.name.as_ref(), person.email.as_ref()].into_iter().flatten();
    let wanted: Vec<&String> = wanted.filter(usable).collect();
    let free = wanted.iter().find(|name| find_by_name(store, name).is_none());
    let made = || {
        let first = wanted.first().map_or("user", |name| name.as_str());
        format!("{}-{}", first.chars().take(50).collect::<String>(), &key[..8])
    };
    free.map_or_else(made, |name| (*name).clone())
}

/// Whether what somebody is by a provider still counts: by the one that the server has, and not for
/// longer than it is told to believe it.
pub(crate) fn holds(api: &Inner, user: &User, now: Timestamp) -> bool {
    let Some(identity) = &user.identity else { return true };
    let Some(provider) = &api.identity else { return false };
    let facts = provider.facts();
    let most = u64::from(facts.days) * 86_400_000;
    identity.issuer == facts.issuer && now.millis_since(identity.confirmed_at) <= most
}

/// Says anew what everybody may whom the provider has vouched for: the rules may be others now.
///
/// # Errors
/// When the store refuses.
pub async fn apply_rules(
    store: &Store,
    provider: &dyn IdentityProvider,
) -> std::result::Result<(), StoreError> {
    let facts = provider.facts();
    for mut user in store.list::<User>() {
        let Some(identity) = &user.object.identity else { continue };
        let now = access(&facts.rules, identity.email.as_deref(), &identity.groups);
        if identity.issuer != facts.issuer || user.object.access == now {
            continue;
        }
        user.object.access = now;
        let name = &user.object.name;
        let mut entry = entry("bellwether", "", "user.change", name, "ok");
        entry.detail = users::words(&user.object.access);
        store.commit(Txn::new().update(&user).audit(entry)).await?;
    }
    Ok(())
}

/// Refuses what only the provider says of its people.
pub(crate) fn refuse_foreign(user: &User) -> Result<()> {
    let Some(identity) = &user.identity else { return Ok(()) };
    let words = format!("what {} may, and their password, is up to {}", user.name, identity.issuer);
    Err(ApiError::new(Code::OperationRefused, words)
        .hint("change their groups there, or the rules that the server is started with"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(state: &str, source: &str) -> Waiting {
        let text = String::new;
        let begun = Begun {
            url: text(),
            state: state.to_owned(),
            nonce: text(),
            verifier: text(),
            address: text(),
        };
        let (binding_hash, source) = (hash("mine"), source.to_owned());
        Waiting { begun, binding_hash, source, at: Instant::now() }
    }

    #[test]
    fn a_sign_in_is_ended_once_by_whoever_began_it() {
        let pending = Pending::default();
        pending.keep(waiting("a", "here"));
        assert!(pending.take("a", "mine").is_some());
        assert!(pending.take("a", "mine").is_none(), "replayed");
        pending.keep(waiting("b", "here"));
        assert!(pending.take("b", "another's").is_none());
        assert!(pending.take("b", "mine").is_none(), "whoever guesses has one guess");
    }

    #[test]
    fn one_address_begins_no_more_than_some() {
        let pending = Pending::default();
        for number in 0..PENDING_OF_ADDRESS {
            assert!(pending.check("here").is_ok());
            pending.keep(waiting(&number.to_string(), "here"));
        }
        assert!(pending.check("here").is_err());
        assert!(pending.check("there").is_ok());
    }
}
