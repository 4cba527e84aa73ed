//! Identity providers that speak OpenID Connect: the authorization code flow with PKCE and a nonce.
//! What is signed, and by whom, is checked by the library; here is what is asked and what is read.

mod http;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bellwether_contracts::identity::{Begun, IdentityFacts, IdentityProvider};
use bellwether_contracts::{Class, Failure};
use bellwether_model::identity::Person;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, Client,
    ClientId, ClientSecret, CsrfToken, DiscoveryError, EmptyExtraTokenFields, EndUserEmail,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenFields, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError,
    Scope, StandardErrorResponse, StandardTokenResponse, TokenResponse as _, UserInfoClaims,
    UserInfoError,
};
use serde::{Deserialize, Serialize};

use crate::http::Http;
pub use settings::{Settings, Wrong};

/// What the provider says of itself, its keys among it, is asked for anew after so long: whoever
/// begins to sign in is told that it is down, and not led to a page that is not there.
const KNOWN_FOR: Duration = Duration::from_secs(5);

/// Where in the dashboard the provider leads back to.
const LANDING: &str = "/sign-in/return";

/// Claims beside those that the standard has: groups, under whatever name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Others(HashMap<String, serde_json::Value>);

impl AdditionalClaims for Others {}

type Tokens = StandardTokenResponse<
    IdTokenFields<
        Others,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type Oidc = Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A provider.
pub struct Provider {
    settings: Settings,
    http: Http,
    known: tokio::sync::Mutex<Option<(Instant, Arc<CoreProviderMetadata>)>>,
}

impl Provider {
    /// # Errors
    /// When the authority's file is none.
    pub fn new(settings: Settings) -> Result<Self, Failure> {
        let http = Http::new(settings.authority.as_deref()).map_err(|error| {
            Failure::needs_person(format!("the authority of the identity provider: {error}"))
        })?;
        Ok(Self { settings, http, known: tokio::sync::Mutex::new(None) })
    }

    /// What the provider says of itself. Many who ask at once ask it once.
    async fn metadata(&self) -> Result<Arc<CoreProviderMetadata>, Failure> {
        let mut known = self.known.lock().await;
        if let Some((at, metadata)) = &*known
            && at.elapsed() < KNOWN_FOR
        {
            return Ok(metadata.clone());
        }
        let issuer = IssuerUrl::new(self.settings.facts.issuer.clone()).map_err(misconfigured)?;
        let metadata = CoreProviderMetadata::discover_async(issuer, &self.http).await;
        let metadata = Arc::new(metadata.map_err(|error| undiscovered(&error))?);
        *known = Some((Instant::now(), metadata.clone()));
        Ok(metadata)
    }

    async fn client(&self, address: &str) -> Result<Oidc, Failure> {
        let metadata = self.metadata().await?;
        let id = ClientId::new(self.settings.client_id.clone());
        let secret = self.settings.client_secret.clone().map(ClientSecret::new);
        let landing = RedirectUrl::new(format!("{address}{LANDING}")).map_err(misconfigured)?;
        let client =
            Oidc::from_provider_metadata(CoreProviderMetadata::clone(&metadata), id, secret);
        Ok(client.set_redirect_uri(landing))
    }

    /// What the signed answer does not have is asked for with the token that came with it.
    async fn ask_more(
        &self,
        client: &Oidc,
        tokens: &Tokens,
        subject: &openidconnect::SubjectIdentifier,
    ) -> Result<Option<UserInfoClaims<Others, CoreGenderClaim>>, Failure> {
        let token = tokens.access_token().clone();
        let Ok(request) = client.user_info(token, Some(subject.clone())) else { return Ok(None) };
        request.request_async(&self.http).await.map(Some).map_err(|error| match error {
            UserInfoError::Request(error) => unreachable(&error),
            other => Failure::permanent(format!("what it says of the account: {other}")),
        })
    }

    fn groups(&self, others: &Others) -> Option<Vec<String>> {
        let word = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        match others.0.get(&self.settings.groups_claim)? {
            serde_json::Value::Array(all) => Some(all.iter().filter_map(word).collect()),
            one => word(one).map(|one| vec![one]),
        }
    }
}

fn misconfigured(error: openidconnect::url::ParseError) -> Failure {
    Failure::needs_person(format!("an address is none: {error}"))
}

fn unreachable(error: &http::Error) -> Failure {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        words = inner.to_string();
        cause = inner.source();
    }
    Failure::transient(format!("it cannot be reached: {words}"))
}

fn undiscovered(error: &DiscoveryError<http::Error>) -> Failure {
    match error {
        DiscoveryError::Request(error) => unreachable(error),
        DiscoveryError::Response(status, ..) => {
            Failure::transient(format!("it answers {status} when asked what it is"))
        }
        DiscoveryError::Validation(words) => Failure::needs_person(words.to_lowercase()),
        other => Failure::needs_person(format!("what it says it is cannot be read: {other}")),
    }
}

fn refused_code(
    error: RequestTokenError<http::Error, StandardErrorResponse<CoreErrorResponseType>>,
) -> Failure {
    match error {
        RequestTokenError::Request(error) => unreachable(&error),
        RequestTokenError::ServerResponse(answer) => {
            let code: &str = answer.error().as_ref();
            Failure::permanent(format!("it does not take the code: {code}"))
        }
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            Failure::transient("its answer cannot be read")
        }
    }
}

fn refused_token(error: &ClaimsVerificationError) -> Failure {
    let words = match error {
        ClaimsVerificationError::Expired(_) => "its answer has expired".to_owned(),
        ClaimsVerificationError::InvalidAudience(_) => "its answer is for somebody else".to_owned(),
        ClaimsVerificationError::InvalidIssuer(_) => "its answer is by another issuer".to_owned(),
        ClaimsVerificationError::InvalidNonce(_) => {
            "its answer belongs to another sign-in".to_owned()
        }
        ClaimsVerificationError::SignatureVerification(_) => {
            "its answer is not signed by its keys".to_owned()
        }
        other => format!("its answer is not right: {other}"),
    };
    Failure { class: Class::Permanent, text: words }
}

/// The address, if it is theirs.
fn verified(email: Option<&EndUserEmail>, is_verified: Option<bool>) -> Option<String> {
    email.filter(|_| is_verified == Some(true)).map(|email| email.to_string())
}

#[async_trait]
impl IdentityProvider for Provider {
    fn facts(&self) -> &IdentityFacts {
        &self.settings.facts
    }

    async fn begin(&self, address: &str) -> Result<Begun, Failure> {
        let client = self.client(address).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let request = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        let scopes = self.settings.scopes.iter().map(|scope| Scope::new(scope.clone()));
        let (url, state, nonce) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();
        Ok(Begun {
            url: url.to_string(),
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
            address: address.to_owned(),
        })
    }

    async fn finish(&self, begun: &Begun, code: &str) -> Result<Person, Failure> {
        let client = self.client(&begun.address).await?;
        let exchange = client.exchange_code(AuthorizationCode::new(code.to_owned()));
        let exchange = exchange.map_err(|_| Failure::needs_person("it names no token endpoint"))?;
        let verifier = PkceCodeVerifier::new(begun.verifier.clone());
        let tokens = exchange.set_pkce_verifier(verifier).request_async(&self.http).await;
        let tokens = tokens.map_err(refused_code)?;
        let signed = tokens.id_token();
        let signed = signed.ok_or_else(|| Failure::permanent("its answer says of nobody"))?;
        let nonce = Nonce::new(begun.nonce.clone());
        let claims = signed.claims(&client.id_token_verifier(), &nonce);
        let claims = claims.map_err(|error| refused_token(&error))?;
        let subject = claims.subject().to_string();
        let mut name = claims.preferred_username().map(|name| name.to_string());
        let mut email = verified(claims.email(), claims.email_verified());
        let mut groups = self.groups(claims.additional_claims());
        if (name.is_none() || email.is_none() || groups.is_none())
            && let Some(more) = self.ask_more(&client, &tokens, claims.subject()).await?
        {
            name = name.or_else(|| more.preferred_username().map(|name| name.to_string()));
            email = email.or_else(|| verified(more.email(), more.email_verified()));
            groups = groups.or_else(|| self.groups(more.additional_claims()));
        }
        Ok(Person { subject, name, email, groups: groups.unwrap_or_default() })
    }
}
