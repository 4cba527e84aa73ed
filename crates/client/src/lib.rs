//! A typed client of the REST API.

mod authority;
mod databases;
mod error;
mod stream;

use std::time::Duration;

use bellwether_model::access::{NewMember, NewProject, ProjectView, Role};
use bellwether_model::allowlist::{AllowlistDecision, AllowlistPlan, AllowlistView, NewAllowlist};
use bellwether_model::audit::{AuditEntry, AuditVerification};
use bellwether_model::cluster::ClusterChange;
use bellwether_model::connection::Connection;
use bellwether_model::drill::DrillView;
use bellwether_model::engine::EngineProfile;
use bellwether_model::event::Page;
use bellwether_model::identity::{IdentityProviderView, NewSignIn, SignIn, SignInEnd};
use bellwether_model::operation::NewOperation;
use bellwether_model::plan::Plan;
use bellwether_model::provider::ProviderView;
use bellwether_model::report::Report;
use bellwether_model::repository::{NewRepository, RepositoryKey, RepositoryView};
use bellwether_model::settings::ParameterView;
use bellwether_model::user::{
    CreatedToken, CreatedUser, NewPassword, NewSecondFactor, NewSession, NewToken, NewUser,
    RecoveryCodes, SecondFactorCode, SecondFactorSecret, Session, SessionView, TokenView,
    UserChange, UserSummary, UserView,
};
use bellwether_model::{Backup, ClusterSpec, ClusterView, NodeView, Operation};
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use error::Error;
pub use stream::Events;

pub type Result<T> = std::result::Result<T, Error>;

/// An answer takes at most so long.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Reaching the server takes at most so long.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How to reach a server.
#[derive(Clone, Default)]
pub struct Options {
    /// For example `http://127.0.0.1:7480`.
    pub url: String,
    /// A bearer token; none before signing in.
    pub token: Option<String>,
    /// PEM of an authority to trust besides none: the server's own.
    pub authority: Option<Vec<u8>>,
}

fn check_url(url: &str) -> Result<()> {
    let parsed = reqwest::Url::parse(url).ok();
    if parsed.is_some_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host()) {
        return Ok(());
    }
    let words = "is not usable; it is like http://127.0.0.1:7480 or https://host:7443";
    Err(Error::Settings(format!("the address `{url}` {words}")))
}

/// A name as one part of a path, whatever its characters.
fn segment(name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(encode).collect()
}

/// An answer that is read piece by piece.
pub struct Download {
    response: reqwest::Response,
    url: String,
}

impl Download {
    /// The next piece; none at the end.
    ///
    /// # Errors
    /// When the server is gone before the end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let unreachable = |source| Error::Unreachable { url: self.url.clone(), source };
        let chunk = self.response.chunk().await.map_err(unreachable)?;
        Ok(chunk.map(|bytes| bytes.to_vec()))
    }
}

/// A client of one server.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Client {
    /// # Errors
    /// When the address or the certificate is not usable.
    pub fn new(options: Options) -> Result<Self> {
        let mut builder = reqwest::Client::builder().connect_timeout(CONNECT_MAX);
        if let Some(pem) = &options.authority {
            let wrong = |why: String| Error::Settings(format!("the authority's file: {why}"));
            let certificates = reqwest::Certificate::from_pem_bundle(pem);
            let certificates = certificates.map_err(|error| wrong(error.to_string()))?;
            if certificates.is_empty() {
                return Err(wrong("it has no certificate in PEM form".to_owned()));
            }
            builder = builder.tls_certs_only(certificates);
        }
        let http = builder.build().map_err(|error| Error::Settings(error.to_string()))?;
        let url = options.url.trim_end_matches('/').to_owned();
        check_url(&url)?;
        if options.token.as_ref().is_some_and(|token| !token.chars().all(|c| c.is_ascii_graphic()))
        {
            return Err(Error::Settings("the token has characters that no token has".to_owned()));
        }
        Ok(Self { http, url, token: options.token })
    }

    /// `path` is made of words that need no encoding, and of what `segment` returns.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/v1/{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Vec<u8>> {
        let unreachable = |source| Error::Unreachable { url: self.url.clone(), source };
        let response = request.timeout(ANSWER_MAX).send().await.map_err(unreachable)?;
        let status = response.status();
        let body = response.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(body.to_vec());
        }
        match serde_json::from_slice(&body) {
            Ok(problem) => Err(Error::Refused(Box::new(problem))),
            Err(_) => Err(Error::Unexpected(format!("the server answered {status}"))),
        }
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let body = self.answer(request).await?;
        serde_json::from_slice(&body).map_err(|error| Error::Unexpected(error.to_string()))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.read(self.request(Method::GET, path)).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        self.read(self.request(Method::POST, path).json(body)).await
    }

    /// Every page of a list.
    async fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut request = self.request(Method::GET, path).query(&[("limit", "500")]);
            if let Some(after) = &after {
                request = request.query(&[("after", after)]);
            }
            let page: Page<T> = self.read(request).await?;
            items.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(items);
            }
        }
    }

    /// With a code where the user has a second factor.
    pub async fn sign_in(&self, user: &str, password: &str, code: Option<&str>) -> Result<Session> {
        let (user, password) = (user.to_owned(), password.to_owned());
        let body = NewSession { user, password, code: code.map(str::to_owned) };
        self.post("sessions", &body).await
    }

    /// How people may sign in beside a password.
    pub async fn identity_provider(&self) -> Result<IdentityProviderView> {
        self.get("identity-provider").await
    }

    /// Begins to sign in through the identity provider.
    pub async fn begin_sign_in(&self, new: &NewSignIn) -> Result<SignIn> {
        self.post("identity-provider/sign-ins", new).await
    }

    /// Ends it with what the provider led back with.
    pub async fn end_sign_in(&self, end: &SignInEnd) -> Result<Session> {
        self.post("identity-provider/sessions", end).await
    }

    pub async fn begin_second_factor(&self, password: &str) -> Result<SecondFactorSecret> {
        let body = NewSecondFactor { password: password.to_owned() };
        self.post("me/second-factor", &body).await
    }

    pub async fn confirm_second_factor(&self, code: &str) -> Result<RecoveryCodes> {
        let body = SecondFactorCode { code: code.to_owned() };
        self.read(self.request(Method::PUT, "me/second-factor").json(&body)).await
    }

    pub async fn end_second_factor(&self, password: &str) -> Result<()> {
        let body = NewSecondFactor { password: password.to_owned() };
        let request = self.request(Method::POST, "me/second-factor/end");
        self.answer(request.json(&body)).await.map(|_| ())
    }

    /// Of somebody who has lost the application and the codes for its loss.
    pub async fn remove_second_factor(&self, user: &str) -> Result<()> {
        self.delete(&format!("users/{}/second-factor", segment(user))).await
    }

    pub async fn sign_out(&self) -> Result<()> {
        self.answer(self.request(Method::DELETE, "sessions/current")).await.map(|_| ())
    }

    pub async fn me(&self) -> Result<UserView> {
        self.get("me").await
    }

    pub async fn change_password(&self, current: &str, new: &str) -> Result<()> {
        let body = NewPassword { current: current.to_owned(), new: new.to_owned() };
        self.answer(self.request(Method::PUT, "me/password").json(&body)).await.map(|_| ())
    }

    pub async fn users(&self) -> Result<Vec<UserSummary>> {
        self.get("users").await
    }

    pub async fn create_user(&self, user: &NewUser) -> Result<CreatedUser> {
        self.post("users", user).await
    }

    pub async fn change_user(&self, user: &str, change: &UserChange) -> Result<UserSummary> {
        let path = format!("users/{}", segment(user));
        self.read(self.request(Method::PATCH, &path).json(change)).await
    }

    pub async fn reset_password(&self, user: &str) -> Result<CreatedUser> {
        let path = format!("users/{}/password", segment(user));
        self.read(self.request(Method::POST, &path)).await
    }

    pub async fn delete_user(&self, user: &str) -> Result<()> {
        self.delete(&format!("users/{}", segment(user))).await
    }

    pub async fn projects(&self) -> Result<Vec<ProjectView>> {
        self.get("projects").await
    }

    pub async fn create_project(&self, name: &str) -> Result<()> {
        let new = NewProject { name: name.to_owned() };
        self.post::<ProjectView>("projects", &new).await.map(|_| ())
    }

    pub async fn delete_project(&self, name: &str) -> Result<()> {
        self.delete(&format!("projects/{}", segment(name))).await
    }

    pub async fn set_member(&self, project: &str, user: &str, role: Role) -> Result<()> {
        let path = format!("projects/{}/members/{}", segment(project), segment(user));
        self.answer(self.request(Method::PUT, &path).json(&NewMember { role })).await.map(|_| ())
    }

    pub async fn remove_member(&self, project: &str, user: &str) -> Result<()> {
        self.delete(&format!("projects/{}/members/{}", segment(project), segment(user))).await
    }

    /// The newest entries of the audit log.
    pub async fn audit(&self, limit: u16) -> Result<Vec<AuditEntry>> {
        let page: Page<AuditEntry> = self.get(&format!("audit?limit={limit}")).await?;
        Ok(page.items)
    }

    pub async fn verify_audit(&self) -> Result<AuditVerification> {
        self.get("audit/verification").await
    }

    /// All of the audit log, piece by piece.
    pub async fn export_audit(&self) -> Result<Download> {
        let unreachable = |source| Error::Unreachable { url: self.url.clone(), source };
        let request = self.request(Method::GET, "audit/export");
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        if status.is_success() {
            return Ok(Download { response, url: self.url.clone() });
        }
        let body = response.bytes().await.map_err(unreachable)?;
        match serde_json::from_slice(&body) {
            Ok(problem) => Err(Error::Refused(Box::new(problem))),
            Err(_) => Err(Error::Unexpected(format!("the server answered {status}"))),
        }
    }

    pub async fn sessions(&self) -> Result<Vec<SessionView>> {
        self.get("sessions").await
    }

    pub async fn end_session(&self, id: &str) -> Result<()> {
        self.delete(&format!("sessions/{}", segment(id))).await
    }

    async fn delete(&self, path: &str) -> Result<()> {
        self.answer(self.request(Method::DELETE, path)).await.map(|_| ())
    }

    pub async fn tokens(&self) -> Result<Vec<TokenView>> {
        self.get("tokens").await
    }

    pub async fn create_token(&self, token: &NewToken) -> Result<CreatedToken> {
        self.post("tokens", token).await
    }

    pub async fn delete_token(&self, id: &str) -> Result<()> {
        self.answer(self.request(Method::DELETE, &format!("tokens/{}", segment(id))))
            .await
            .map(|_| ())
    }

    pub async fn engines(&self) -> Result<Vec<EngineProfile>> {
        self.get("engines").await
    }

    pub async fn engine(&self, name: &str) -> Result<EngineProfile> {
        self.get(&format!("engines/{}", segment(name))).await
    }

    /// The settings of a cluster's engine.
    pub async fn parameters(&self, cluster: &str) -> Result<Vec<ParameterView>> {
        self.get(&format!("clusters/{}/parameters", segment(cluster))).await
    }

    pub async fn providers(&self) -> Result<Vec<ProviderView>> {
        self.get("providers").await
    }

    pub async fn clusters(&self) -> Result<Vec<ClusterView>> {
        self.all("clusters").await
    }

    pub async fn cluster(&self, name: &str) -> Result<ClusterView> {
        self.get(&format!("clusters/{}", segment(name))).await
    }

    pub async fn plan_creation(&self, spec: &ClusterSpec) -> Result<Plan> {
        self.post("clusters?plan=true", spec).await
    }

    /// `key` makes that the same call sent again makes nothing new.
    pub async fn create_cluster(&self, spec: &ClusterSpec, key: &str) -> Result<ClusterView> {
        let request = self.request(Method::POST, "clusters").header("idempotency-key", key);
        self.read(request.json(spec)).await
    }

    pub async fn change_cluster(
        &self,
        name: &str,
        generation: u64,
        change: &ClusterChange,
    ) -> Result<ClusterView> {
        self.read(self.change(name, "", generation, change)).await
    }

    /// The plans of the operations that a change would bring about.
    pub async fn plan_change(
        &self,
        name: &str,
        generation: u64,
        change: &ClusterChange,
    ) -> Result<Vec<Plan>> {
        self.read(self.change(name, "?plan=true", generation, change)).await
    }

    pub async fn allowlist(&self, cluster: &str) -> Result<AllowlistView> {
        self.get(&format!("clusters/{}/allowlist", segment(cluster))).await
    }

    pub async fn change_allowlist(
        &self,
        cluster: &str,
        generation: u64,
        new: &NewAllowlist,
    ) -> Result<AllowlistView> {
        self.read(self.new_allowlist(cluster, "", generation, new)).await
    }

    /// What another list would change now.
    pub async fn plan_allowlist(
        &self,
        cluster: &str,
        generation: u64,
        new: &NewAllowlist,
    ) -> Result<AllowlistPlan> {
        self.read(self.new_allowlist(cluster, "?plan=true", generation, new)).await
    }

    fn new_allowlist(
        &self,
        cluster: &str,
        query: &str,
        generation: u64,
        new: &NewAllowlist,
    ) -> RequestBuilder {
        let path = format!("clusters/{}/allowlist{query}", segment(cluster));
        let request = self.request(Method::PUT, &path);
        request.header("if-match", format!("\"{generation}\"")).json(new)
    }

    pub async fn decide_allowlist(&self, cluster: &str, keep: bool) -> Result<AllowlistView> {
        let path = format!("clusters/{}/allowlist/decision", segment(cluster));
        self.post(&path, &AllowlistDecision { keep }).await
    }

    fn change(
        &self,
        name: &str,
        query: &str,
        generation: u64,
        change: &ClusterChange,
    ) -> RequestBuilder {
        let path = format!("clusters/{}{query}", segment(name));
        let request = self.request(Method::PATCH, &path);
        request.header("if-match", format!("\"{generation}\"")).json(change)
    }

    /// `final_backup`: the repository that a last backup is stored in first.
    pub async fn delete_cluster(
        &self,
        name: &str,
        final_backup: Option<&str>,
    ) -> Result<Operation> {
        let request = self.request(Method::DELETE, &format!("clusters/{}", segment(name)));
        let request = request.query(&[("confirm", name)]);
        let last = final_backup.map(|repository| [("final_backup", repository)]);
        self.read(last.iter().fold(request, |request, last| request.query(last))).await
    }

    pub async fn connection(&self, name: &str, reveal: bool) -> Result<Connection> {
        self.get(&format!("clusters/{}/connection?reveal={reveal}", segment(name))).await
    }

    pub async fn nodes(&self, cluster: &str) -> Result<Vec<NodeView>> {
        let page: Page<NodeView> =
            self.get(&format!("clusters/{}/nodes", segment(cluster))).await?;
        Ok(page.items)
    }

    pub async fn plan(&self, cluster: &str, request: &NewOperation) -> Result<Plan> {
        self.post(&format!("clusters/{}/operations?plan=true", segment(cluster)), request).await
    }

    pub async fn operate(&self, cluster: &str, request: &NewOperation) -> Result<Operation> {
        self.post(&format!("clusters/{}/operations", segment(cluster)), request).await
    }

    /// Takes back what was asked for at a later time.
    pub async fn cancel_operation(&self, id: &str) -> Result<Operation> {
        let path = format!("operations/{}", segment(id));
        self.read(self.request(Method::DELETE, &path)).await
    }

    /// The newest operations, of one cluster or of all.
    pub async fn operations(&self, cluster: Option<&str>) -> Result<Vec<Operation>> {
        let mut request = self.request(Method::GET, "operations").query(&[("limit", "50")]);
        if let Some(cluster) = cluster {
            request = request.query(&[("cluster", cluster)]);
        }
        let page: Page<Operation> = self.read(request).await?;
        Ok(page.items)
    }

    pub async fn operation(&self, id: &str) -> Result<Operation> {
        self.get(&format!("operations/{}", segment(id))).await
    }

    /// The newest changes of primary of a cluster.
    pub async fn reports(&self, cluster: &str) -> Result<Vec<Report>> {
        let path = format!("clusters/{}/reports", segment(cluster));
        let page: Page<Report> =
            self.read(self.request(Method::GET, &path).query(&[("limit", "50")])).await?;
        Ok(page.items)
    }

    /// The newest drills of a cluster.
    pub async fn drills(&self, cluster: &str) -> Result<Vec<DrillView>> {
        let path = format!("clusters/{}/drills", segment(cluster));
        let page: Page<DrillView> =
            self.read(self.request(Method::GET, &path).query(&[("limit", "50")])).await?;
        Ok(page.items)
    }

    pub async fn repositories(&self) -> Result<Vec<RepositoryView>> {
        self.all("repositories").await
    }

    pub async fn create_repository(&self, new: &NewRepository) -> Result<RepositoryView> {
        self.post("repositories", new).await
    }

    pub async fn repository_key(&self, name: &str) -> Result<RepositoryKey> {
        self.get(&format!("repositories/{}/key", segment(name))).await
    }

    pub async fn delete_repository(&self, name: &str) -> Result<()> {
        let path = format!("repositories/{}", segment(name));
        self.answer(self.request(Method::DELETE, &path)).await.map(|_| ())
    }

    /// The newest backups, of one cluster or of all.
    pub async fn backups(&self, cluster: Option<&str>) -> Result<Vec<Backup>> {
        let mut request = self.request(Method::GET, "backups").query(&[("limit", "100")]);
        if let Some(cluster) = cluster {
            request = request.query(&[("cluster", cluster)]);
        }
        let page: Page<Backup> = self.read(request).await?;
        Ok(page.items)
    }

    pub async fn backup(&self, id: &str) -> Result<Backup> {
        self.get(&format!("backups/{}", segment(id))).await
    }

    pub async fn delete_backup(&self, id: &str) -> Result<Backup> {
        self.read(self.request(Method::DELETE, &format!("backups/{}", segment(id)))).await
    }

    pub async fn verify_backup(&self, id: &str) -> Result<Operation> {
        self.read(self.request(Method::POST, &format!("backups/{}/verify", segment(id)))).await
    }

    /// The report of one change of primary.
    pub async fn report(&self, id: &str) -> Result<Report> {
        self.get(&format!("reports/{}", segment(id))).await
    }

    /// What changes from now on.
    pub async fn events(&self) -> Result<Events> {
        let unreachable = |source| Error::Unreachable { url: self.url.clone(), source };
        let response = self.request(Method::GET, "events").send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(Error::Unexpected(format!("the server answered {}", response.status())));
        }
        Ok(Events::new(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_part_of_a_path_whatever_they_are() {
        for (name, part) in [
            ("demo-1", "demo-1"),
            ("a/b?c#d", "a%2Fb%3Fc%23d"),
            ("ä ", "%C3%A4%20"),
            ("%2f", "%252f"),
        ] {
            assert_eq!(segment(name), part);
        }
    }

    #[test]
    fn addresses_that_lead_nowhere_are_refused_before_they_are_used() {
        for good in ["http://127.0.0.1:7480", "https://[::1]:7443", "http://host/behind"] {
            assert!(check_url(good).is_ok(), "{good}");
        }
        for bad in ["", "host", "127.0.0.1:7480", "localhost:7480", "ftp://host", "http://"] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }
}
