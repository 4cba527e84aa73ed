//! What each call takes: the one table that says who may ask for what.
//!
//! A call that is not in the table is refused, so that a new path without a decision is seen by the
//! first test that asks for it. Where the project of a call is known by its path, it is looked up
//! here too; a call that names its project in its body asks `Caller::require` itself.

use axum::http::Method;
use bellwether_model::access::{DEFAULT_PROJECT, Role};
use bellwether_model::{Backup, Cluster, Operation};
use bellwether_store::clusters;

use crate::Inner;

/// What a call takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// To be signed in; it is about oneself, or tells no more than one may see.
    Account,
    /// The role in the project of the cluster, operation, backup or project that the path names.
    Project(Role),
    /// The role in the project that the body names.
    Named(Role),
    /// The role everywhere.
    Server(Role),
}

use Needs::{Account, Named, Project, Server};
use Role::{Admin, Operator, Owner, Viewer};

const TABLE: &[(&str, &str, Needs)] = &[
    ("DELETE", "/v1/sessions/current", Account),
    ("GET", "/v1/sessions", Account),
    ("DELETE", "/v1/sessions/{id}", Account),
    ("GET", "/v1/me", Account),
    ("PUT", "/v1/me/password", Account),
    ("POST", "/v1/me/second-factor", Account),
    ("PUT", "/v1/me/second-factor", Account),
    ("POST", "/v1/me/second-factor/end", Account),
    ("GET", "/v1/tokens", Account),
    ("POST", "/v1/tokens", Account),
    ("DELETE", "/v1/tokens/{id}", Account),
    ("GET", "/v1/users", Server(Admin)),
    ("POST", "/v1/users", Server(Owner)),
    ("GET", "/v1/users/{user}", Server(Admin)),
    ("PATCH", "/v1/users/{user}", Server(Owner)),
    ("DELETE", "/v1/users/{user}", Server(Owner)),
    ("POST", "/v1/users/{user}/password", Server(Owner)),
    ("DELETE", "/v1/users/{user}/second-factor", Server(Owner)),
    ("GET", "/v1/projects", Account),
    ("POST", "/v1/projects", Server(Admin)),
    ("DELETE", "/v1/projects/{project}", Server(Admin)),
    ("PUT", "/v1/projects/{project}/members/{user}", Project(Admin)),
    ("DELETE", "/v1/projects/{project}/members/{user}", Project(Admin)),
    ("GET", "/v1/authority", Server(Viewer)),
    ("POST", "/v1/authority/rotation", Server(Owner)),
    ("POST", "/v1/authority/rotation/cancel", Server(Owner)),
    ("POST", "/v1/authority/rotation/end", Server(Owner)),
    ("GET", "/v1/engines", Account),
    ("GET", "/v1/engines/{name}", Account),
    ("GET", "/v1/engines/{engine}/parameters", Account),
    ("GET", "/v1/providers", Account),
    ("GET", "/v1/events", Account),
    ("GET", "/v1/audit", Server(Admin)),
    ("GET", "/v1/audit/export", Server(Admin)),
    ("GET", "/v1/audit/verification", Server(Admin)),
    ("GET", "/v1/clusters", Account),
    ("POST", "/v1/clusters", Named(Admin)),
    ("GET", "/v1/clusters/{cluster}", Project(Viewer)),
    ("PATCH", "/v1/clusters/{cluster}", Project(Operator)),
    ("DELETE", "/v1/clusters/{cluster}", Project(Admin)),
    ("GET", "/v1/clusters/{cluster}/allowlist", Project(Viewer)),
    ("PUT", "/v1/clusters/{cluster}/allowlist", Project(Operator)),
    ("POST", "/v1/clusters/{cluster}/allowlist/decision", Project(Operator)),
    ("GET", "/v1/clusters/{cluster}/connection", Project(Viewer)),
    ("GET", "/v1/clusters/{cluster}/databases", Project(Viewer)),
    ("POST", "/v1/clusters/{cluster}/databases", Project(Operator)),
    ("DELETE", "/v1/clusters/{cluster}/databases/{database}", Project(Admin)),
    ("GET", "/v1/clusters/{cluster}/database-users", Project(Viewer)),
    ("POST", "/v1/clusters/{cluster}/database-users", Project(Operator)),
    ("GET", "/v1/clusters/{cluster}/database-users/{database_user}", Project(Viewer)),
    ("PATCH", "/v1/clusters/{cluster}/database-users/{database_user}", Project(Operator)),
    ("DELETE", "/v1/clusters/{cluster}/database-users/{database_user}", Project(Operator)),
    ("POST", "/v1/clusters/{cluster}/database-users/{database_user}/rotation", Project(Operator)),
    (
        "POST",
        "/v1/clusters/{cluster}/database-users/{database_user}/rotation/cancel",
        Project(Operator),
    ),
    (
        "POST",
        "/v1/clusters/{cluster}/database-users/{database_user}/rotation/end",
        Project(Operator),
    ),
    ("GET", "/v1/clusters/{cluster}/drills", Project(Viewer)),
    ("GET", "/v1/clusters/{cluster}/nodes", Project(Viewer)),
    ("GET", "/v1/clusters/{cluster}/nodes/{node}", Project(Viewer)),
    ("GET", "/v1/clusters/{cluster}/parameters", Project(Viewer)),
    ("POST", "/v1/clusters/{cluster}/operations", Project(Operator)),
    ("GET", "/v1/clusters/{cluster}/reports", Project(Viewer)),
    ("GET", "/v1/repositories", Server(Viewer)),
    ("POST", "/v1/repositories", Server(Admin)),
    ("GET", "/v1/repositories/{repository}", Server(Viewer)),
    ("DELETE", "/v1/repositories/{repository}", Server(Admin)),
    // Whoever has it reads every backup of every project.
    ("GET", "/v1/repositories/{repository}/key", Server(Owner)),
    ("GET", "/v1/backups", Account),
    ("GET", "/v1/backups/{backup}", Project(Viewer)),
    ("DELETE", "/v1/backups/{backup}", Project(Admin)),
    ("POST", "/v1/backups/{backup}/verify", Project(Operator)),
    ("GET", "/v1/operations", Account),
    ("GET", "/v1/operations/{id}", Project(Viewer)),
    ("DELETE", "/v1/operations/{id}", Project(Operator)),
    ("GET", "/v1/reports/{id}", Project(Viewer)),
];

/// What a call takes; none: nobody decided.
pub(crate) fn needs(method: &Method, path: &str) -> Option<Needs> {
    // What may be read may be asked about.
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    let found = TABLE.iter().find(|(verb, template, _)| *verb == method && *template == path);
    found.map(|(_, _, needs)| *needs)
}

/// What a path is about, and its project.
pub(crate) struct Subject {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// None: there is no such thing.
    pub(crate) project: Option<String>,
}

/// The subject of a path by its parameters.
pub(crate) fn subject<'a>(
    api: &Inner,
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<Subject> {
    for (name, value) in parameters {
        let (kind, project) = match name {
            "cluster" => {
                let found = clusters::find(&api.store, value);
                ("cluster", found.map(|cluster| cluster.object.spec.project))
            }
            "id" => {
                let found = api.store.find::<Operation>(value);
                ("operation", found.map(|operation| project_of(api, &operation.object)))
            }
            "backup" => {
                let found = api.store.find::<Backup>(value);
                ("backup", found.map(|backup| backup.object.project))
            }
            "project" => ("project", Some(value.to_owned())),
            _ => continue,
        };
        return Some(Subject { kind, name: value.to_owned(), project });
    }
    None
}

/// The project of an operation; also where its cluster is gone.
pub(crate) fn project_of(api: &Inner, operation: &Operation) -> String {
    let cluster = api.store.find::<Cluster>(operation.cluster.as_str());
    match cluster {
        Some(cluster) => cluster.object.spec.project,
        None if operation.project.is_empty() => DEFAULT_PROJECT.to_owned(),
        None => operation.project.clone(),
    }
}

/// Every decision, for the test that goes through all of them.
#[must_use]
pub fn decisions() -> Vec<(&'static str, &'static str, String)> {
    TABLE.iter().map(|(method, path, needs)| (*method, *path, format!("{needs:?}"))).collect()
}
