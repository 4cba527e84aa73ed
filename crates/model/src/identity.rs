//! Signing in through an identity provider: whom it says somebody is, and what that lets them do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Access, Role};
use crate::time::Timestamp;

/// Somebody as the provider describes them. Only the subject is theirs for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The provider's own key of them, which is never given to another.
    pub subject: String,
    /// What they are called, if the provider says so.
    pub name: Option<String>,
    /// Only if the provider has verified that it is theirs.
    pub email: Option<String>,
    pub groups: Vec<String>,
}

/// Whom a role is given to, and where. Whoever fits several rules has the greatest of their roles.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The members of that group of the provider; everybody without it and without `email`.
    #[serde(default)]
    pub group: Option<String>,
    /// Whoever has that address, or, if it begins with `@`, one of that domain.
    #[serde(default)]
    pub email: Option<String>,
    pub role: Role,
    /// In that project; everywhere when left out.
    #[serde(default)]
    pub project: Option<String>,
}

impl Rule {
    fn fits(&self, email: Option<&str>, groups: &[String]) -> bool {
        let in_group = self.group.as_ref().is_none_or(|group| groups.contains(group));
        in_group && self.email.as_ref().is_none_or(|wanted| has_address(email, wanted))
    }
}

fn has_address(email: Option<&str>, wanted: &str) -> bool {
    let Some((_, domain)) = email.and_then(|email| email.rsplit_once('@')) else { return false };
    match wanted.strip_prefix('@') {
        Some(wanted) => domain.eq_ignore_ascii_case(wanted),
        None => email.is_some_and(|email| email.eq_ignore_ascii_case(wanted)),
    }
}

/// What these rules let somebody do.
#[must_use]
pub fn access(rules: &[Rule], email: Option<&str>, groups: &[String]) -> Access {
    let mut access = Access::default();
    for rule in rules.iter().filter(|rule| rule.fits(email, groups)) {
        match &rule.project {
            None => access.everywhere = access.everywhere.max(Some(rule.role)),
            Some(project) => {
                let role = access.projects.entry(project.clone()).or_insert(rule.role);
                *role = (*role).max(rule.role);
            }
        }
    }
    access
}

/// `GET /v1/identity-provider`: how people may sign in beside a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IdentityProviderView {
    /// None: with a password alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// `POST /v1/identity-provider/sign-ins`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSignIn {
    /// Where the dashboard is that the provider shall lead back to, for example
    /// `https://bellwether.example.com:7443`; the first that the server knows when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// A sign-in that was begun.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SignIn {
    /// The provider's page for a browser. It leads back to the dashboard with `code` and `state`.
    pub url: String,
    /// Whoever has it ends the sign-in, and nobody else: it is kept and shown to nobody.
    pub binding: String,
    pub expires_at: Timestamp,
}

/// `POST /v1/identity-provider/sessions`: ends a sign-in.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInEnd {
    pub binding: String,
    /// As the provider's page led back with it.
    pub code: String,
    pub state: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(group: Option<&str>, email: Option<&str>, role: Role, project: Option<&str>) -> Rule {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Rule { group: text(group), email: text(email), role, project: text(project) }
    }

    #[test]
    fn the_greatest_role_of_all_rules_that_fit_counts() {
        let rules = [
            rule(Some("dba"), None, Role::Admin, None),
            rule(Some("shop"), None, Role::Viewer, Some("shop")),
            rule(None, Some("@example.com"), Role::Operator, Some("shop")),
            rule(Some("shop"), Some("ann@example.com"), Role::Owner, None),
        ];
        let of = |email: Option<&str>, groups: &[&str]| {
            let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
            let access = access(&rules, email, &groups);
            (access.everywhere, access.projects.get("shop").copied())
        };
        assert_eq!(of(None, &[]), (None, None));
        assert_eq!(of(None, &["DBA"]), (None, None), "groups are what they are called");
        assert_eq!(of(None, &["dba"]), (Some(Role::Admin), None));
        assert_eq!(of(None, &["shop"]), (None, Some(Role::Viewer)));
        assert_eq!(of(Some("Bob@EXAMPLE.com"), &["shop"]), (None, Some(Role::Operator)));
        assert_eq!(of(Some("ann@example.com"), &["shop"]).0, Some(Role::Owner));
        assert_eq!(of(Some("ann@example.com"), &[]).0, None, "a rule with both takes both");
        assert_eq!(of(Some("eve@example.com.evil"), &[]), (None, None));
        assert_eq!(of(Some("example.com"), &[]), (None, None));
    }
}
