//! Memberships: what a principal may do in a project.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use slipway_kernel::{PrincipalId, ProjectId, Slug, StoreError, Timestamp, words};

use crate::{Given, IssuerName};

/// How many groups a member may be in.
pub const MAX_GROUPS: usize = 32;

/// A set of permissions in a project. A member may have several; what each permits stands with the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Reads the catalog, the ledger and who is a member.
    Viewer,
    /// Reads, adds applications and versions, reports deployments.
    Developer,
    /// Reads; exists to be named by approval policies.
    Approver,
    /// Does everything in the project.
    Admin,
}

words! {
    Role, "role":
    Viewer = "VIEWER",
    Developer = "DEVELOPER",
    Approver = "APPROVER",
    Admin = "ADMIN",
}

/// Roles without any.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is empty; at least one role is needed")]
pub struct NoRoles;

/// The roles that a member has: at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Roles(BTreeSet<Role>);

impl TryFrom<BTreeSet<Role>> for Roles {
    type Error = NoRoles;

    fn try_from(roles: BTreeSet<Role>) -> Result<Self, NoRoles> {
        if roles.is_empty() {
            Err(NoRoles)
        } else {
            Ok(Self(roles))
        }
    }
}

impl From<Roles> for BTreeSet<Role> {
    fn from(roles: Roles) -> Self {
        roles.0
    }
}

/// More groups than a member may be in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("has {given} groups; at most {MAX_GROUPS} are allowed")]
pub struct TooManyGroups {
    /// How many were given.
    pub given: usize,
}

/// The groups that a member is in: at most [`MAX_GROUPS`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Groups(BTreeSet<Slug>);

impl TryFrom<BTreeSet<Slug>> for Groups {
    type Error = TooManyGroups;

    fn try_from(groups: BTreeSet<Slug>) -> Result<Self, TooManyGroups> {
        if groups.len() > MAX_GROUPS {
            let given = groups.len();
            Err(TooManyGroups { given })
        } else {
            Ok(Self(groups))
        }
    }
}

impl From<Groups> for BTreeSet<Slug> {
    fn from(groups: Groups) -> Self {
        groups.0
    }
}

/// What a principal may do in a project: what was set by hand, and what identity providers give beside that, together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The project.
    pub project: ProjectId,
    /// The member.
    pub principal: PrincipalId,
    /// What it may do; at least one.
    pub roles: BTreeSet<Role>,
    /// The groups that policies name (`lead`, `tech-lead`); at most [`MAX_GROUPS`] by hand and of each provider.
    pub groups: BTreeSet<Slug>,
    /// When the membership began; setting it again keeps this.
    pub created_at: Timestamp,
    /// When the membership was set last.
    pub updated_at: Timestamp,
}

/// Changes memberships, inside a unit of work.
#[async_trait]
pub trait MembershipRepository: Send {
    /// Sets by hand what a principal may do in a project, in place of what was set by hand before.
    async fn set(&mut self, membership: &Membership) -> Result<(), StoreError>;

    /// The membership of a principal in a project, whoever gave it.
    async fn get(
        &mut self,
        project: ProjectId,
        principal: PrincipalId,
    ) -> Result<Option<Membership>, StoreError>;

    /// Takes away what was set by hand. An adapter MUST answer `false`, and change nothing, where nothing was.
    async fn remove(
        &mut self,
        project: ProjectId,
        principal: PrincipalId,
    ) -> Result<bool, StoreError>;

    /// Gives what an identity provider says, in place of what it gave before; what others gave or was set by hand stays.
    async fn give(&mut self, given: &Given) -> Result<(), StoreError>;

    /// Takes away what an identity provider gave; nothing happens where it gave nothing.
    async fn take_back(
        &mut self,
        issuer: &IssuerName,
        project: ProjectId,
        principal: PrincipalId,
    ) -> Result<(), StoreError>;

    /// What an identity provider gives a principal, by project.
    async fn given(
        &mut self,
        issuer: &IssuerName,
        principal: PrincipalId,
    ) -> Result<Vec<Membership>, StoreError>;
}
