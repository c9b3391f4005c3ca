//! Who may do what: projects, principals, memberships, tokens, and the permission that each command needs.
//!
//! Everything is denied unless [`authorise`] allows it, and it decides by [`Command`], not by remote procedure: the
//! gRPC services, the console and the command line all come through the same door.

pub mod access;
pub mod command;
pub mod identity;
pub mod issuer;
pub mod membership;
pub mod principal;
pub mod project;
pub mod token;

pub use access::{Caller, Denied, Grant, Scope, authorise};
pub use command::{Command, Permission};
pub use identity::{
    Account, Credential, Given, Identity, IdentityKey, IdentityRepository, IssuerName, Proof,
    Subject,
};
pub use issuer::{Assertion, Issuers, NotVerified};
pub use membership::{Membership, MembershipRepository, Role};
pub use principal::{Principal, PrincipalKind, PrincipalRepository};
pub use project::{Project, ProjectRepository};
pub use token::{SecretSource, Token, TokenRepository, TokenSecret};

use std::collections::HashMap;

use async_trait::async_trait;
use slipway_kernel::{
    Page, PageSize, PrincipalId, ProjectId, Slug, StoreError, Timestamp, TokenId, text::DisplayName,
};

/// Reads about identity. Lookups answer `Ok(None)` where there is nothing.
#[async_trait]
pub trait IdentityQueries: Send + Sync {
    /// The project with this slug, archived or not.
    async fn project(&self, slug: &Slug) -> Result<Option<Project>, StoreError>;

    /// One project.
    async fn project_by_id(&self, id: ProjectId) -> Result<Option<Project>, StoreError>;

    /// The projects that `visible_to` is a member of, or all where it is `None`; by slug.
    async fn projects(
        &self,
        visible_to: Option<PrincipalId>,
        include_archived: bool,
        after: Option<&Slug>,
        size: PageSize,
    ) -> Result<Page<Project, Slug>, StoreError>;

    /// The principal with this id.
    async fn principal(&self, id: PrincipalId) -> Result<Option<Principal>, StoreError>;

    /// All principals, oldest first: users only or service accounts only where `users` says so.
    async fn principals(
        &self,
        users: Option<bool>,
        include_disabled: bool,
        after: Option<PrincipalId>,
        size: PageSize,
    ) -> Result<Page<Principal, PrincipalId>, StoreError>;

    /// The members of a project, by principal id (so oldest principals first).
    async fn members(
        &self,
        project: ProjectId,
        after: Option<PrincipalId>,
        size: PageSize,
    ) -> Result<Page<Membership, PrincipalId>, StoreError>;

    /// The tokens of a principal, oldest first; those that are good at `active_at` only, where that is given.
    async fn tokens(
        &self,
        principal: PrincipalId,
        active_at: Option<Timestamp>,
        after: Option<TokenId>,
        size: PageSize,
    ) -> Result<Page<Token, TokenId>, StoreError>;

    /// A token with its principal and all of that principal's memberships, in at most two statements: what
    /// authentication needs.
    async fn bearer(&self, token: TokenId) -> Result<Option<Bearer>, StoreError>;

    /// The identities of an issuer with these subjects, each with its principal and all of that principal's memberships.
    async fn accounts(
        &self,
        issuer: &IssuerName,
        subjects: &[Subject],
    ) -> Result<Vec<Account>, StoreError>;

    /// All identities of a principal, by issuer and subject.
    async fn identities(&self, principal: PrincipalId) -> Result<Vec<Identity>, StoreError>;

    /// What issuers give these principals, by project, principal and issuer.
    async fn given(&self, principals: &[PrincipalId]) -> Result<Vec<Given>, StoreError>;

    /// What people call these principals; erased and unknown ones are missing.
    async fn display_names(
        &self,
        ids: &[PrincipalId],
    ) -> Result<HashMap<PrincipalId, DisplayName>, StoreError>;

    /// A principal's memberships, whoever gave them, with their projects' slugs, by slug.
    async fn memberships(
        &self,
        principal: PrincipalId,
    ) -> Result<Vec<(Slug, Membership)>, StoreError>;
}

/// Who bears a token.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// The token.
    pub token: Token,
    /// The principal it speaks for.
    pub principal: Principal,
    /// Whether that is a service account whose owner was shut out, and with the owner it.
    pub owner_disabled: bool,
    /// What that principal may do, project by project.
    pub memberships: Vec<Membership>,
}
