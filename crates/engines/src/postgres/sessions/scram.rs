//! SCRAM-SHA-256 on both sides of the endpoint (RFC 5802, RFC 7677, and PostgreSQL's manual on
//! "SASL Authentication").
//!
//! To the client the endpoint is the server: it has the verifier that the engine keeps of the
//! password. What the client shows by that, its key, is what the endpoint then shows to the
//! primary. Neither is the password, and without the client there is no key.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::SecureRandom as _;
use ring::{digest, hmac};

pub(super) const PLAIN: &str = "SCRAM-SHA-256";
pub(super) const BOUND: &str = "SCRAM-SHA-256-PLUS";

/// What comes before the client's first message when no channel is bound, and in base64.
const UNBOUND: (&str, &str) = ("n,,", "biws");

/// As the engine itself has it.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("not zero");

/// Nobody waits for more.
const ITERATIONS_MAX: u32 = 1_000_000;

pub(super) type Key = [u8; 32];

/// What the engine keeps of a password (`pg_authid.rolpassword`).
#[derive(Clone)]
pub(super) struct Verifier {
    iterations: u32,
    /// In base64, as it is stored and sent.
    salt: String,
    stored_key: Key,
    server_key: Key,
}

impl Verifier {
    /// Reads `SCRAM-SHA-256$4096:salt$stored:server`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("SCRAM-SHA-256$")?.split('$');
        let (iterations, salt) = parts.next()?.split_once(':')?;
        let (stored, server) = parts.next()?.split_once(':')?;
        Some(Self {
            iterations: iterations.parse().ok()?,
            salt: salt.to_owned(),
            stored_key: key_of(stored)?,
            server_key: key_of(server)?,
        })
    }

    /// For a user that is not there: looks like any other, the same every time, and nothing fits.
    pub(super) fn of_nobody(secret: &hmac::Key, user: &[u8]) -> Self {
        let salt = hmac::sign(secret, user);
        let (mut stored_key, mut server_key) = (Key::default(), Key::default());
        // Whoever guesses 64 random bytes has found no user either: the primary refuses.
        random(&mut stored_key);
        random(&mut server_key);
        let salt = BASE64.encode(&salt.as_ref()[..16]);
        Self { iterations: 4096, salt, stored_key, server_key }
    }
}

fn key_of(text: &str) -> Option<Key> {
    BASE64.decode(text).ok()?.try_into().ok()
}

fn random(bytes: &mut [u8]) {
    ring::rand::SystemRandom::new().fill(bytes).expect("the system has random numbers");
}

fn nonce() -> String {
    let mut bytes = [0; 18];
    random(&mut bytes);
    BASE64.encode(bytes)
}

fn sign(key: &Key, text: &str) -> Key {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    tag.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn hash(bytes: &[u8]) -> Key {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn xor(one: &Key, other: &Key) -> Key {
    std::array::from_fn(|place| one[place] ^ other[place])
}

/// What a client that was let in has shown, enough to enter the primary as it.
#[derive(Clone)]
pub(super) struct Shown {
    client_key: Key,
    server_key: Key,
}

impl Shown {
    /// What a user of ours can show, whose password the nodes know (`stored`).
    pub(super) fn by(password: &str) -> Self {
        let (salted, _) = salted(password);
        Self { client_key: sign(&salted, "Client Key"), server_key: sign(&salted, "Server Key") }
    }
}

/// What the engine is to keep of the password of a user of ours: the same on every node.
pub(in crate::postgres) fn stored(password: &str) -> String {
    let (_, salt) = salted(password);
    let shown = Shown::by(password);
    format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        BASE64.encode(salt),
        BASE64.encode(hash(&shown.client_key)),
        BASE64.encode(shown.server_key)
    )
}

/// Whether what the engine keeps is of that password.
pub(in crate::postgres) fn fits(stored: &str, password: &str) -> bool {
    let Some(verifier) = Verifier::parse(stored) else { return false };
    let salt = BASE64.decode(&verifier.salt).ok();
    let iterations = NonZeroU32::new(verifier.iterations.min(ITERATIONS_MAX));
    let Some((salt, iterations)) = salt.zip(iterations) else { return false };
    let salted = derive(password, &salt, iterations);
    hash(&sign(&salted, "Client Key")) == verifier.stored_key
}

/// The salt follows from the password, which is long and random.
fn salted(password: &str) -> (Key, [u8; 16]) {
    let salt = *hash(password.as_bytes()).first_chunk::<16>().expect("it is longer");
    (derive(password, &salt, ITERATIONS), salt)
}

fn derive(password: &str, salt: &[u8], iterations: NonZeroU32) -> Key {
    let mut salted = Key::default();
    let algorithm = ring::pbkdf2::PBKDF2_HMAC_SHA256;
    ring::pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut salted);
    salted
}

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It did not show that it knows the password.
    Wrong,
    /// What it shows cannot be checked now.
    Unanswered,
    /// It did not keep to the protocol.
    Malformed(&'static str),
}

/// The server's side of one exchange.
pub(super) struct Server {
    verifier: Verifier,
    nonce: String,
    client_first: String,
    server_first: String,
    /// What the client has to send back of the channel, in base64.
    binding: String,
}

impl Server {
    /// Takes the client's first message, under the mechanism it chose. `certificate`: the hash of
    /// this side's certificate, to which a client may bind (RFC 5929, `tls-server-end-point`).
    pub(super) fn begin(
        mechanism: &str,
        first: &str,
        verifier: Verifier,
        certificate: &[u8],
    ) -> Result<Self, Refusal> {
        let malformed = Refusal::Malformed;
        let mut parts = first.splitn(3, ',');
        let (flag, who) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let bare = parts.next().ok_or(malformed("the first message of SCRAM is cut off"))?;
        let header = format!("{flag},{who},");
        let binding = match (mechanism, flag) {
            (BOUND, "p=tls-server-end-point") => [header.as_bytes(), certificate].concat(),
            (PLAIN, "n") => header.into_bytes(),
            (PLAIN, "y") => return Err(malformed("binding to the channel was negotiated away")),
            _ => return Err(malformed("this way of binding to the channel is not known")),
        };
        if !who.is_empty() {
            return Err(malformed("another identity than the user's is not supported"));
        }
        let theirs = bare.split(',').find_map(|part| part.strip_prefix("r="));
        let theirs = theirs.ok_or(malformed("the first message of SCRAM has no nonce"))?;
        if bare.starts_with("m=") || theirs.is_empty() {
            return Err(malformed("the first message of SCRAM is not understood"));
        }
        let nonce = theirs.to_owned() + &nonce();
        let server_first = format!("r={nonce},s={},i={}", verifier.salt, verifier.iterations);
        let (client_first, binding) = (bare.to_owned(), BASE64.encode(binding));
        Ok(Self { verifier, nonce, client_first, server_first, binding })
    }

    /// What is sent to the client.
    pub(super) fn first(&self) -> &str {
        &self.server_first
    }

    /// Takes the client's last message: what it has shown, and what is sent to it.
    pub(super) fn end(&self, last: &str) -> Result<(Shown, String), Refusal> {
        let malformed = Refusal::Malformed;
        let (without_proof, proof) =
            last.rsplit_once(",p=").ok_or(malformed("the last message of SCRAM has no proof"))?;
        let mut parts = without_proof.split(',');
        let binding = parts.next().and_then(|part| part.strip_prefix("c="));
        if binding != Some(self.binding.as_str()) {
            return Err(malformed("the binding to the channel does not match"));
        }
        if parts.next().and_then(|part| part.strip_prefix("r=")) != Some(self.nonce.as_str()) {
            return Err(malformed("the nonce of SCRAM does not match"));
        }
        let proof = key_of(proof).ok_or(malformed("the proof of SCRAM is not understood"))?;
        let said = format!("{},{},{without_proof}", self.client_first, self.server_first);
        let client_key = xor(&proof, &sign(&self.verifier.stored_key, &said));
        if hash(&client_key) != self.verifier.stored_key {
            return Err(Refusal::Wrong);
        }
        let server_key = self.verifier.server_key;
        let answer = format!("v={}", BASE64.encode(sign(&server_key, &said)));
        Ok((Shown { client_key, server_key }, answer))
    }
}

/// The client's side of one exchange, with the key that a client has shown.
pub(super) struct Client<'a> {
    shown: &'a Shown,
    nonce: String,
    said: String,
}

impl<'a> Client<'a> {
    pub(super) fn new(shown: &'a Shown) -> Self {
        Self { shown, nonce: nonce(), said: String::new() }
    }

    fn bare(&self) -> String {
        format!("n=,r={}", self.nonce)
    }

    /// The first message.
    pub(super) fn first(&self) -> String {
        UNBOUND.0.to_owned() + &self.bare()
    }

    /// The last message, in answer to the server's first; none where that makes no sense.
    pub(super) fn last(&mut self, server_first: &str) -> Option<String> {
        let nonce = server_first.split(',').next()?.strip_prefix("r=")?;
        if !nonce.starts_with(&self.nonce) {
            return None;
        }
        let without_proof = format!("c={},r={nonce}", UNBOUND.1);
        self.said = format!("{},{server_first},{without_proof}", self.bare());
        let signature = sign(&hash(&self.shown.client_key), &self.said);
        let proof = BASE64.encode(xor(&self.shown.client_key, &signature));
        Some(format!("{without_proof},p={proof}"))
    }

    /// Whether the server has shown that it knows the password's verifier too.
    pub(super) fn is_server(&self, server_last: &str) -> bool {
        let expected = BASE64.encode(sign(&self.shown.server_key, &self.said));
        server_last.split(',').next() == Some(&format!("v={expected}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PostgreSQL would store of that password.
    fn verifier(password: &str) -> Verifier {
        let (salt, mut salted) = ([7; 16], Key::default());
        let algorithm = ring::pbkdf2::PBKDF2_HMAC_SHA256;
        ring::pbkdf2::derive(algorithm, ITERATIONS, &salt, password.as_bytes(), &mut salted);
        let stored = hash(&sign(&salted, "Client Key"));
        let text = format!(
            "SCRAM-SHA-256$4096:{}${}:{}",
            BASE64.encode(salt),
            BASE64.encode(stored),
            BASE64.encode(sign(&salted, "Server Key"))
        );
        Verifier::parse(&text).expect("a verifier")
    }

    fn shown(password: &str) -> Shown {
        let mut salted = Key::default();
        let algorithm = ring::pbkdf2::PBKDF2_HMAC_SHA256;
        ring::pbkdf2::derive(algorithm, ITERATIONS, &[7; 16], password.as_bytes(), &mut salted);
        Shown { client_key: sign(&salted, "Client Key"), server_key: sign(&salted, "Server Key") }
    }

    #[test]
    fn who_knows_the_password_is_let_in_and_enters_with_what_it_showed() {
        let known = shown("secret");
        let mut client = Client::new(&known);
        let server = Server::begin(PLAIN, &client.first(), verifier("secret"), b"").expect("begun");
        let last = client.last(server.first()).expect("an answer");
        let (learnt, answer) = server.end(&last).expect("let in");
        assert!(client.is_server(&answer));
        // The key that was learnt opens the next server as well.
        let mut again = Client::new(&learnt);
        let server = Server::begin(PLAIN, &again.first(), verifier("secret"), b"").expect("begun");
        let last = again.last(server.first()).expect("an answer");
        assert!(server.end(&last).is_ok_and(|(_, answer)| again.is_server(&answer)));
    }

    #[test]
    fn nobody_else_is() {
        let known = shown("wrong");
        for verifier in [
            verifier("secret"),
            Verifier::of_nobody(&hmac::Key::new(hmac::HMAC_SHA256, b"x"), b"nobody"),
        ] {
            let mut client = Client::new(&known);
            let server = Server::begin(PLAIN, &client.first(), verifier, b"").expect("begun");
            let last = client.last(server.first()).expect("an answer");
            assert_eq!(server.end(&last).err(), Some(Refusal::Wrong));
        }
    }

    #[test]
    fn a_user_of_ours_fits_what_the_engine_is_to_keep_of_it() {
        let known = Shown::by("long and random");
        let verifier = |password| Verifier::parse(&stored(password)).expect("a verifier");
        for (password, fits) in [("long and random", true), ("another", false)] {
            let mut client = Client::new(&known);
            let server = Server::begin(PLAIN, &client.first(), verifier(password), b"");
            let server = server.expect("begun");
            let last = client.last(server.first()).expect("an answer");
            assert_eq!(server.end(&last).is_ok(), fits);
        }
    }

    #[test]
    fn a_bound_channel_has_to_be_this_one() {
        let header = "p=tls-server-end-point,,";
        let first = format!("{header}n=,r=abc");
        let server = Server::begin(BOUND, &first, verifier("x"), b"ours").expect("begun");
        let other = BASE64.encode([header.as_bytes(), b"other"].concat());
        let last = format!("c={other},r={},p=AAAA", server.nonce);
        let refusal = Refusal::Malformed("the binding to the channel does not match");
        assert_eq!(server.end(&last).err(), Some(refusal));
        let bare = "y,,n=,r=abc";
        assert!(Server::begin(PLAIN, bare, verifier("x"), b"").is_err(), "negotiated away");
    }

    #[test]
    fn damaged_messages_are_refused() {
        for first in ["", "n", "n,,", "n,,n=,x=1", "n,a=other,n=,r=abc", "p=tls-unique,,n=,r=a"] {
            assert!(Server::begin(PLAIN, first, verifier("x"), b"").is_err(), "{first}");
        }
        let server = Server::begin(PLAIN, "n,,n=,r=abc", verifier("x"), b"").expect("begun");
        for last in ["", "c=biws", "c=biws,r=abc,p=AAAA", "c=biws,r=abc"] {
            assert!(server.end(last).is_err(), "{last}");
        }
        assert!(Verifier::parse("md5abc").is_none());
        assert!(Verifier::parse("SCRAM-SHA-256$x:y$z:w").is_none());
    }
}
