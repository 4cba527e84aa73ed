//! Who may do what: roles, everywhere or in one project, and what a token may at most.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The project of clusters that name no other.
pub const DEFAULT_PROJECT: &str = "default";

/// What somebody may do. Each role may do what those before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees everything but secrets; changes nothing.
    Viewer,
    /// Runs the clusters that are there: operations, settings, allowlists; sees their passwords.
    Operator,
    /// Creates and deletes clusters, and says who else may do what in the project.
    Admin,
    /// Everything; everywhere: also users, projects and other owners.
    Owner,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Admin, Self::Owner];

    /// The stored word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// What somebody may do, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// In every project, and on the server itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everywhere: Option<Role>,
    /// In single projects, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub projects: BTreeMap<String, Role>,
}

impl Access {
    /// All of it.
    #[must_use]
    pub fn owner() -> Self {
        Self { everywhere: Some(Role::Owner), projects: BTreeMap::new() }
    }

    /// The role in a project.
    #[must_use]
    pub fn role_in(&self, project: &str) -> Option<Role> {
        self.everywhere.max(self.projects.get(project).copied())
    }

    /// What is left of it for a token that may no more than that.
    #[must_use]
    pub fn within(&self, scope: &Scope) -> Self {
        let at_most = |role: Role| scope.role.map_or(role, |most| role.min(most));
        match &scope.project {
            None => Self {
                everywhere: self.everywhere.map(at_most),
                projects: self
                    .projects
                    .iter()
                    .map(|(p, role)| (p.clone(), at_most(*role)))
                    .collect(),
            },
            Some(project) => {
                let role = self.role_in(project).map(at_most);
                let projects = role.map(|role| (project.clone(), role)).into_iter().collect();
                Self { everywhere: None, projects }
            }
        }
    }
}

/// What a token may at most; it never may more than its user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// This role at most; the user's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// In this project alone; wherever the user may when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

impl Scope {
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

/// A project: clusters that the same people may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProjectView {
    pub name: String,
    /// How many clusters it has.
    pub clusters: u32,
    /// Your own role in it.
    pub role: Role,
    /// Who has a role in it, as far as you may know.
    pub members: Vec<Member>,
}

/// Somebody who has a role in a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    pub user: String,
    pub role: Role,
    /// The role is one that is held everywhere, and is not changed here.
    pub everywhere: bool,
}

/// `POST /v1/projects`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProject {
    /// 1 to 40 lower-case letters, digits and hyphens, beginning with a letter.
    pub name: String,
}

/// `PUT /v1/projects/{project}/members/{user}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    pub role: Role,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greater_of_two_roles_counts_and_a_token_has_no_more() {
        let projects = BTreeMap::from([("a".to_owned(), Role::Admin)]);
        let access = Access { everywhere: Some(Role::Operator), projects };
        assert_eq!(access.role_in("a"), Some(Role::Admin));
        assert_eq!(access.role_in("b"), Some(Role::Operator));
        let scope =
            |role, project: Option<&str>| Scope { role, project: project.map(str::to_owned) };
        let in_a = access.within(&scope(None, Some("a")));
        assert_eq!((in_a.role_in("a"), in_a.role_in("b")), (Some(Role::Admin), None));
        let viewer = access.within(&scope(Some(Role::Viewer), None));
        assert_eq!(viewer.role_in("a"), Some(Role::Viewer));
        assert_eq!(viewer.role_in("b"), Some(Role::Viewer));
        let none = Access::default().within(&scope(Some(Role::Owner), Some("a")));
        assert_eq!(none.role_in("a"), None, "a token has no more than its user");
    }
}
