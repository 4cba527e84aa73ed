//! An identity provider says who somebody is. Nothing else is asked of it.

use async_trait::async_trait;
use bellwether_model::identity::{Person, Rule};

use crate::Failure;

/// Where people have accounts that they sign in here with.
#[async_trait]
pub trait IdentityProvider: Send + Sync {
    fn facts(&self) -> &IdentityFacts;

    /// The page for a browser that shall lead back to `address`, and what its answer will be held
    /// against. A transient failure: the provider cannot be reached.
    async fn begin(&self, address: &str) -> Result<Begun, Failure>;

    /// Who signed in, by the code that the provider's page led back with. A permanent failure: what
    /// the provider answered is not what was asked for.
    async fn finish(&self, begun: &Begun, code: &str) -> Result<Person, Failure>;
}

/// What the server was told of the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityFacts {
    /// The name for people.
    pub title: String,
    pub issuer: String,
    /// Where browsers find the dashboard, as the provider knows it.
    pub addresses: Vec<String>,
    /// So long after somebody last signed in they may use what they made then.
    pub days: u32,
    pub rules: Vec<Rule>,
}

/// A sign-in that was begun.
#[derive(Clone)]
pub struct Begun {
    pub url: String,
    /// Comes back with the code.
    pub state: String,
    /// Must be in what the provider signs.
    pub nonce: String,
    /// Shows the provider that who asks for the answer has asked the question.
    pub verifier: String,
    /// Where the provider leads back to.
    pub address: String,
}
