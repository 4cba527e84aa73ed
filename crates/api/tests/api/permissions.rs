//! Who may ask for what: every call of the document, by every role, in the own and in another
//! project. A call that this table does not have fails the test.

use std::collections::BTreeSet;

use bellwether_model::access::{Access, Role, Scope};
use bellwether_model::backup::BackupStatus;
use bellwether_model::operation::OperationKind;
use bellwether_model::{Cluster, Operation, Timestamp, TokenId, UserId};
use bellwether_store::Txn;
use bellwether_store::projects::Project;
use bellwether_store::tokens::{Token, TokenKind, hash};
use bellwether_store::users::User;
use serde_json::json;

use crate::calls::Call;
use crate::world::World;

/// What a call takes: nothing but an account, a role in the project it is about, or a role
/// everywhere.
const TABLE: &str = "
    DELETE /v1/sessions/current                     account
    GET    /v1/sessions                             account
    DELETE /v1/sessions/{id}                        account
    GET    /v1/me                                   account
    PUT    /v1/me/password                          account
    POST   /v1/me/second-factor                     account
    PUT    /v1/me/second-factor                     account
    POST   /v1/me/second-factor/end                 account
    GET    /v1/tokens                               account
    POST   /v1/tokens                               account
    DELETE /v1/tokens/{id}                          account
    GET    /v1/engines                              account
    GET    /v1/engines/{name}                       account
    GET    /v1/engines/{engine}/parameters          account
    GET    /v1/providers                            account
    GET    /v1/events                               account
    GET    /v1/projects                             account
    GET    /v1/clusters                             account
    GET    /v1/operations                           account
    GET    /v1/backups                              account
    GET    /v1/repositories                         server viewer
    GET    /v1/repositories/{repository}            server viewer
    POST   /v1/repositories                         server admin
    DELETE /v1/repositories/{repository}            server admin
    GET    /v1/repositories/{repository}/key        server owner
    GET    /v1/users                                server admin
    GET    /v1/users/{user}                         server admin
    POST   /v1/users                                server owner
    PATCH  /v1/users/{user}                         server owner
    DELETE /v1/users/{user}                         server owner
    POST   /v1/users/{user}/password                server owner
    DELETE /v1/users/{user}/second-factor           server owner
    GET    /v1/authority                            server viewer
    POST   /v1/authority/rotation                   server owner
    POST   /v1/authority/rotation/cancel            server owner
    POST   /v1/authority/rotation/end               server owner
    GET    /v1/audit                                server admin
    GET    /v1/audit/export                         server admin
    GET    /v1/audit/verification                   server admin
    POST   /v1/projects                             server admin
    DELETE /v1/projects/{project}                   server admin
    PUT    /v1/projects/{project}/members/{user}    project admin
    DELETE /v1/projects/{project}/members/{user}    project admin
    POST   /v1/clusters                             project admin
    DELETE /v1/clusters/{cluster}                   project admin
    PATCH  /v1/clusters/{cluster}                   project operator
    PUT    /v1/clusters/{cluster}/allowlist         project operator
    POST   /v1/clusters/{cluster}/allowlist/decision project operator
    POST   /v1/clusters/{cluster}/operations        project operator
    GET    /v1/clusters/{cluster}                   project viewer
    GET    /v1/clusters/{cluster}/allowlist         project viewer
    GET    /v1/clusters/{cluster}/connection        project viewer
    GET    /v1/clusters/{cluster}/databases         project viewer
    POST   /v1/clusters/{cluster}/databases         project operator
    DELETE /v1/clusters/{cluster}/databases/{database} project admin
    GET    /v1/clusters/{cluster}/database-users    project viewer
    POST   /v1/clusters/{cluster}/database-users    project operator
    GET    /v1/clusters/{cluster}/database-users/{database_user} project viewer
    PATCH  /v1/clusters/{cluster}/database-users/{database_user} project operator
    DELETE /v1/clusters/{cluster}/database-users/{database_user} project operator
    POST   /v1/clusters/{cluster}/database-users/{database_user}/rotation project operator
    POST   /v1/clusters/{cluster}/database-users/{database_user}/rotation/cancel project operator
    POST   /v1/clusters/{cluster}/database-users/{database_user}/rotation/end project operator
    GET    /v1/clusters/{cluster}/drills            project viewer
    GET    /v1/clusters/{cluster}/nodes             project viewer
    GET    /v1/clusters/{cluster}/nodes/{node}      project viewer
    GET    /v1/clusters/{cluster}/parameters        project viewer
    GET    /v1/clusters/{cluster}/reports           project viewer
    GET    /v1/operations/{id}                      project viewer
    DELETE /v1/operations/{id}                      project operator
    GET    /v1/backups/{backup}                     project viewer
    POST   /v1/backups/{backup}/verify              project operator
    DELETE /v1/backups/{backup}                     project admin
    GET    /v1/reports/{id}                         project viewer
";

fn role(word: &str) -> Role {
    Role::ALL.into_iter().find(|role| role.word() == word).expect("a role")
}

/// Rows of the table: method, path, where, role.
fn rows() -> Vec<(&'static str, &'static str, &'static str, Option<Role>)> {
    let lines = TABLE.lines().filter(|line| !line.trim().is_empty());
    let row = |line: &'static str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words[0], words[1], words[2], words.get(3).map(|word| role(word)))
    };
    lines.map(row).collect()
}

/// Somebody with that access, by a token with that scope.
#[derive(Clone)]
pub(crate) struct Who {
    name: String,
    user: User,
    scope: Scope,
}

impl Who {
    fn access(&self) -> Access {
        self.user.access.within(&self.scope)
    }
}

pub(crate) async fn somebody(world: &World, name: &str, access: Access, scope: Scope) -> Who {
    let user = User {
        id: UserId::generate(),
        name: name.to_owned(),
        password_hash: "none fits".to_owned(),
        must_change_password: false,
        created_at: Timestamp::now(),
        access,
        second_factor: None,
        identity: None,
    };
    world.store.commit(Txn::new().insert(&user)).await.expect("saved");
    Who { name: name.to_owned(), user, scope }
}

/// Everybody there can be.
async fn everybody(world: &World) -> Vec<Who> {
    let mut all = vec![somebody(world, "nothing", Access::default(), Scope::default()).await];
    for role in Role::ALL {
        let projects = [("own".to_owned(), role)].into();
        let access = Access { everywhere: None, projects };
        all.push(somebody(world, &format!("{role}-of-own"), access, Scope::default()).await);
        let access = Access { everywhere: Some(role), ..Access::default() };
        all.push(somebody(world, &format!("{role}-everywhere"), access, Scope::default()).await);
        let scope = Scope { role: Some(role), project: None };
        all.push(somebody(world, &format!("token-{role}"), Access::owner(), scope).await);
    }
    let scope = Scope { role: None, project: Some("own".to_owned()) };
    all.push(somebody(world, "token-of-own", Access::owner(), scope).await);
    all
}

/// A fresh token for each call: some calls end the one that asks.
pub(crate) async fn call<'a>(world: &'a World, who: &Who, method: &str, uri: String) -> Call<'a> {
    let secret = TokenId::generate().to_string();
    let token = Token {
        id: TokenId::generate(),
        secret_hash: hash(&secret),
        kind: TokenKind::Api,
        name: "for one call".to_owned(),
        user: who.user.id.clone(),
        created_at: Timestamp::now(),
        expires_at: None,
        last_used_at: None,
        scope: who.scope.clone(),
        source: String::new(),
        program: String::new(),
    };
    world.store.commit(Txn::new().insert(&token)).await.expect("saved");
    world.call(method, uri).bearer(&secret)
}

/// A cluster with an operation that has a report, in that project.
async fn furnish(world: &World, project: &str) -> (Cluster, Operation) {
    let mut cluster = world.healthy_cluster(&format!("in-{project}"), 2).await;
    let mut stored = world.store.get::<Cluster>(cluster.id.as_str()).expect("there");
    stored.object.spec.project = project.to_owned();
    world.store.commit(Txn::new().update(&stored)).await.expect("saved");
    cluster.spec.project = project.to_owned();
    let operation = world.ended_change(&cluster).await;
    (cluster, operation)
}

#[tokio::test]
async fn every_call_is_decided_for_every_role_in_the_own_and_in_another_project() {
    let world = World::new().await;
    // Nobody can be signed in who signs in.
    let open = [
        ("GET", "/v1/health"),
        ("GET", "/v1/identity-provider"),
        ("POST", "/v1/identity-provider/sessions"),
        ("POST", "/v1/identity-provider/sign-ins"),
        ("POST", "/v1/sessions"),
    ];
    let documented: BTreeSet<(String, String)> = world
        .document
        .documented()
        .into_iter()
        .map(|(method, path, ..)| (method, path))
        .filter(|(method, path)| !open.contains(&(method.as_str(), path.as_str())))
        .collect();
    let decided = rows().into_iter().map(|(method, path, ..)| (method.to_owned(), path.to_owned()));
    assert_eq!(documented, decided.collect(), "a call without a decision, or one that is gone");

    for project in ["own", "other"] {
        let project = Project { name: project.to_owned(), created_at: Timestamp::now() };
        world.store.commit(Txn::new().insert(&project)).await.expect("saved");
    }
    let everybody = everybody(&world).await;
    for place in ["own", "other"] {
        let (cluster, operation) = furnish(&world, place).await;
        let backup = world.backup(&cluster, BackupStatus::Failed).await;
        for (method, path, kind, needed) in rows() {
            let filled = path
                .replace("{cluster}", cluster.id.as_str())
                .replace("{backup}", backup.id.as_str())
                .replace("{repository}", "none")
                .replace("{node}", &format!("in-{place}-1"))
                .replace("{project}", place)
                .replace("{database}", "none")
                .replace("{database_user}", "none")
                .replace("{user}", "nobody-of-that-name")
                .replace("{engine}", "postgresql")
                .replace("{name}", "postgresql");
            let of = path.contains("operations") || path.contains("reports");
            let filled = filled.replace("{id}", if of { operation.id.as_str() } else { "none" });
            for who in &everybody {
                let access = who.access();
                let (own, sees) = match kind {
                    "account" => (None, true),
                    "server" => (access.everywhere, true),
                    _ => (access.role_in(place), access.role_in(place).is_some()),
                };
                let name = format!("{method} {filled} by {}", who.name);
                let call = call(&world, who, method, filled.clone()).await;
                let body = match path {
                    "/v1/clusters" => json!({"name": "new", "engine": "postgresql", "nodes": 0,
                                             "project": place}),
                    _ => json!({}),
                };
                let call = if method == "GET" { call } else { call.json(&body) };
                let streams = ["/v1/events", "/v1/audit/export"].contains(&path);
                let (status, detail) = if streams {
                    (call.begin().await.status().as_u16(), String::new())
                } else {
                    let answer = call.send().await;
                    (answer.status, answer.body["detail"].as_str().unwrap_or_default().to_owned())
                };
                let words = format!("{name}: {status} {detail}");
                let is_hidden = status == 404
                    && ["cluster", "operation", "backup", "project"]
                        .iter()
                        .any(|kind| detail.starts_with(&format!("there is no {kind} ")));
                assert_ne!(status, 401, "{words}");
                match needed {
                    _ if own >= needed => assert!(status != 403 && !is_hidden, "{words}"),
                    _ if sees || path == "/v1/clusters" => assert_eq!(status, 403, "{words}"),
                    _ => assert!(is_hidden, "{words}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn lists_and_secrets_are_for_those_who_may_see_them() {
    let world = World::new().await;
    for project in ["own", "other"] {
        let project = Project { name: project.to_owned(), created_at: Timestamp::now() };
        world.store.commit(Txn::new().insert(&project)).await.expect("saved");
        furnish(&world, &project.name).await;
    }
    let projects = |role| [("own".to_owned(), role)].into();
    let viewer = Access { everywhere: None, projects: projects(Role::Viewer) };
    let viewer = somebody(&world, "viewer", viewer, Scope::default()).await;
    let operator = Access { everywhere: None, projects: projects(Role::Operator) };
    let operator = somebody(&world, "operator", operator, Scope::default()).await;
    for path in ["/v1/clusters", "/v1/operations"] {
        let list = call(&world, &viewer, "GET", path.to_owned()).await.expect(200).await;
        let items = list.body["items"].as_array().expect("items");
        assert_eq!(items.len(), 1, "{}", list.text);
        assert!(!list.text.contains("in-other"), "{}", list.text);
    }
    let list = call(&world, &viewer, "GET", "/v1/projects".to_owned()).await.expect(200).await;
    assert_eq!(list.at("/0/name"), "own");
    assert_eq!(list.body.as_array().map(Vec::len), Some(1));
    assert_eq!(list.body[0]["members"], json!([]), "a viewer does not see who else");

    let reveal = "/v1/clusters/in-own/connection?reveal=true";
    call(&world, &viewer, "GET", reveal.to_owned()).await.refused(403, "forbidden").await;
    call(&world, &operator, "GET", reveal.to_owned()).await.expect(200).await;
    let delete = json!({"kind": OperationKind::DeleteCluster, "confirm": "in-own"});
    let path = "/v1/clusters/in-own/operations".to_owned();
    let refused = call(&world, &operator, "POST", path).await.json(&delete);
    refused.refused(403, "forbidden").await;
}
