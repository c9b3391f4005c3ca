//! Rules: how many people of which sort have to agree.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use slipway_kernel::{ApplicationKind, PrincipalId, RiskLevel, Slug, words};

use crate::Voter;

/// The most people that a rule may ask for.
pub const MAX_REQUIRED: u8 = 10;
/// The most principals, and the most groups, that a rule may name.
pub const MAX_NAMED: usize = 100;

/// One rule of a policy, to be met by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What it is called; unique in its policy.
    pub name: Slug,
    /// How many people have to agree; 1 to [`MAX_REQUIRED`].
    pub required: u8,
    /// Whose agreement counts.
    pub eligible: Eligible,
    /// It applies to what is at least so risky.
    pub from_risk: RiskLevel,
    /// It applies to what has applications of one of these kinds; empty for all.
    pub kinds: BTreeSet<ApplicationKind>,
}

/// Some of the people of a project: whoever is named, has one of the roles, or is in one of the groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eligible {
    /// These principals.
    pub principals: BTreeSet<PrincipalId>,
    /// Who has one of these roles.
    pub roles: BTreeSet<VoterRole>,
    /// Who is in one of these groups.
    pub groups: BTreeSet<Slug>,
}

/// A role of somebody in a project, as rules name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VoterRole {
    /// Reads.
    Viewer,
    /// Works on applications.
    Developer,
    /// Exists to be named by rules.
    Approver,
    /// Administers the project.
    Admin,
    /// Administers the installation.
    TenantAdmin,
}

words! {
    VoterRole, "role":
    Viewer = "VIEWER",
    Developer = "DEVELOPER",
    Approver = "APPROVER",
    Admin = "ADMIN",
    TenantAdmin = "TENANT_ADMIN",
}

impl VoterRole {
    /// Those who administer a project.
    pub const ADMINISTRATORS: [Self; 2] = [Self::Admin, Self::TenantAdmin];
}

impl Eligible {
    /// Those who administer the project, or are in one of the groups.
    pub fn administrators_and(groups: impl IntoIterator<Item = Slug>) -> Self {
        Self {
            principals: BTreeSet::new(),
            roles: VoterRole::ADMINISTRATORS.into(),
            groups: groups.into_iter().collect(),
        }
    }

    /// Whether nobody is among them, whoever is there.
    pub fn is_empty(&self) -> bool {
        self.principals.is_empty() && self.roles.is_empty() && self.groups.is_empty()
    }

    /// Whether this one is among them, as it is known now.
    pub fn has(&self, voter: &Voter) -> bool {
        self.roles.iter().any(|role| voter.roles.contains(role))
            || self.groups.iter().any(|group| voter.groups.contains(group))
            || self.principals.contains(&voter.person.principal)
    }
}

/// What a deployment is, as far as rules ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// How risky it is.
    pub risk: RiskLevel,
    /// The kinds of its applications; empty where nobody knows yet, which every rule takes for its own.
    pub kinds: BTreeSet<ApplicationKind>,
}

impl Rule {
    /// Whether it has to be met by such a deployment.
    pub fn applies_to(&self, subject: &Subject) -> bool {
        subject.risk >= self.from_risk
            && (self.kinds.is_empty()
                || subject.kinds.is_empty()
                || !self.kinds.is_disjoint(&subject.kinds))
    }
}
