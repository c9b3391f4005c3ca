//! Identity providers: what their tokens assert, and what their groups mean here.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use slipway_kernel::{Slug, Timestamp, text::DisplayName};

use crate::{
    Grant, IdentityKey,
    membership::{Groups, Roles},
    principal::Email,
};

/// What a token of an identity provider says, after it was found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// Whose token it is.
    pub key: IdentityKey,
    /// What people call the bearer.
    pub name: DisplayName,
    /// Where to reach the bearer.
    pub email: Option<Email>,
    /// Whether the issuer says that it never checked that address.
    pub email_unverified: bool,
    /// When the token was issued.
    pub issued_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// What the bearer's groups mean here.
    pub grants: Grants,
    /// Whether somebody unknown becomes a principal by this token.
    pub provision: bool,
}

/// What groups of an identity provider mean in this installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Whether its members administer the installation.
    pub tenant_admin: bool,
    /// What they may do, project by project.
    pub projects: BTreeMap<Slug, Grant>,
}

/// What one group of an identity provider means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMapping {
    /// The group, exactly as the provider's tokens name it.
    pub group: String,
    /// The project that its members are members of.
    pub project: Slug,
    /// The roles that they have there.
    pub roles: Roles,
    /// The groups that they are in there.
    pub groups: Groups,
}

/// What the groups of one identity provider mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mappings {
    /// The group whose members administer the installation.
    pub tenant_admin: Option<String>,
    /// What the others mean. Several about one project add up.
    pub groups: Vec<GroupMapping>,
}

impl Mappings {
    /// What being in these groups means.
    pub fn grants(&self, groups: &BTreeSet<String>) -> Grants {
        let mut projects: BTreeMap<Slug, Grant> = BTreeMap::new();
        for mapping in &self.groups {
            if groups.contains(&mapping.group) {
                let grant = projects.entry(mapping.project.clone()).or_default();
                grant.roles.extend(BTreeSet::from(mapping.roles.clone()));
                grant.groups.extend(BTreeSet::from(mapping.groups.clone()));
            }
        }
        Grants {
            tenant_admin: self
                .tenant_admin
                .as_ref()
                .is_some_and(|group| groups.contains(group)),
            projects,
        }
    }
}

/// Why a token of an identity provider is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// It is neither one of Slipway's tokens nor a JSON Web Token.
    #[error(
        "the token is neither one of Slipway's nor a signed JSON Web Token; check that it was copied completely"
    )]
    Malformed,
    /// No such issuer is configured.
    #[error(
        "the token's issuer `{issuer}` is not one that this server takes tokens of; ask the operator for a section \
         [[oidc]] with exactly this issuer"
    )]
    UnknownIssuer {
        /// The issuer that the token names.
        issuer: String,
    },
    /// The signature, the key, the algorithm, the audience or a claim is not right.
    #[error("the token of `{issuer}` is refused: {problem}")]
    Refused {
        /// The issuer that the token names.
        issuer: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// Its time is over.
    #[error("the token of `{issuer}` has expired; sign in there again")]
    Expired {
        /// The issuer.
        issuer: String,
    },
    /// Its time has not come.
    #[error(
        "the token of `{issuer}` is not valid yet; if it was just issued, the clocks of the issuer and of this server \
         differ"
    )]
    NotYetValid {
        /// The issuer.
        issuer: String,
    },
    /// The issuer's keys can't be had.
    #[error(
        "the keys of `{issuer}` can't be had now, so that its tokens can't be checked; try again later"
    )]
    Unavailable {
        /// The issuer.
        issuer: String,
    },
}

/// The identity providers whose tokens are taken.
#[async_trait]
pub trait Issuers: Send + Sync {
    /// What a token says. An adapter MUST check its signature by a key of the issuer that it names, by an algorithm that
    /// is allowed for that issuer, its audience, and that `now` lies within its time; and it MUST NOT take a token without
    /// issuer, audience, subject, expiry and time of issue.
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Assertion, NotVerified>;

    /// Whether tokens of this issuer are taken.
    fn knows(&self, issuer: &str) -> bool;
}

/// Where no identity provider is configured.
#[derive(Debug, Clone, Copy)]
pub struct NoIssuers;

#[async_trait]
impl Issuers for NoIssuers {
    async fn verify(&self, _: &str, _: Timestamp) -> Result<Assertion, NotVerified> {
        Err(NotVerified::Malformed)
    }

    fn knows(&self, _: &str) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;

    fn mapping(group: &str, project: &str, role: Role, groups: &[&str]) -> GroupMapping {
        let groups: BTreeSet<Slug> = groups
            .iter()
            .map(|group| group.parse().expect("a slug"))
            .collect();
        GroupMapping {
            group: group.to_owned(),
            project: project.parse().expect("a slug"),
            roles: BTreeSet::from([role]).try_into().expect("a role"),
            groups: groups.try_into().expect("few groups"),
        }
    }

    #[test]
    fn groups_add_up_and_names_are_compared_exactly() {
        let mappings = Mappings {
            tenant_admin: Some("root".to_owned()),
            groups: vec![
                mapping("dev", "shop", Role::Developer, &[]),
                mapping("leads", "shop", Role::Admin, &["lead"]),
                mapping("leads", "bank", Role::Viewer, &[]),
            ],
        };
        let of = |groups: &[&str]| {
            mappings.grants(&groups.iter().map(|group| (*group).to_owned()).collect())
        };
        let both = of(&["dev", "leads", "Root"]);
        assert!(!both.tenant_admin);
        assert_eq!(both.projects.len(), 2);
        let shop = &both.projects[&"shop".parse().expect("a slug")];
        assert_eq!(shop.roles, BTreeSet::from([Role::Developer, Role::Admin]));
        assert_eq!(shop.groups.len(), 1);
        assert_eq!(of(&["DEV", "lead"]), Grants::default());
        assert!(of(&["root"]).tenant_admin);
    }
}
