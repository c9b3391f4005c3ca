//! Identity: projects, principals, memberships, tokens.

mod identities;
mod membership;
mod principal;
pub(crate) mod project;
mod token;

use std::collections::HashMap;

use async_trait::async_trait;
use slipway_identity::{
    Account, Bearer, Given, Identity, IdentityQueries, IssuerName, Membership, Principal, Project,
    Subject, Token,
};
use slipway_kernel::{
    Page, PageSize, PrincipalId, ProjectId, Slug, StoreError, Timestamp, TokenId, text::DisplayName,
};

use crate::SqlReader;

#[async_trait]
impl IdentityQueries for SqlReader {
    async fn project(&self, slug: &Slug) -> Result<Option<Project>, StoreError> {
        project::by_slug(&self.connection, slug).await
    }

    async fn project_by_id(&self, id: ProjectId) -> Result<Option<Project>, StoreError> {
        project::by_id(&self.connection, id).await
    }

    async fn projects(
        &self,
        visible_to: Option<PrincipalId>,
        include_archived: bool,
        after: Option<&Slug>,
        size: PageSize,
    ) -> Result<Page<Project, Slug>, StoreError> {
        project::page(&self.connection, visible_to, include_archived, after, size).await
    }

    async fn principal(&self, id: PrincipalId) -> Result<Option<Principal>, StoreError> {
        principal::by_id(&self.connection, id).await
    }

    async fn principals(
        &self,
        users: Option<bool>,
        include_disabled: bool,
        after: Option<PrincipalId>,
        size: PageSize,
    ) -> Result<Page<Principal, PrincipalId>, StoreError> {
        principal::page(&self.connection, users, include_disabled, after, size).await
    }

    async fn members(
        &self,
        project: ProjectId,
        after: Option<PrincipalId>,
        size: PageSize,
    ) -> Result<Page<Membership, PrincipalId>, StoreError> {
        membership::page(&self.connection, project, after, size).await
    }

    async fn tokens(
        &self,
        principal: PrincipalId,
        active_at: Option<Timestamp>,
        after: Option<TokenId>,
        size: PageSize,
    ) -> Result<Page<Token, TokenId>, StoreError> {
        token::page(&self.connection, principal, active_at, after, size).await
    }

    async fn bearer(&self, token: TokenId) -> Result<Option<Bearer>, StoreError> {
        token::bearer(&self.connection, token).await
    }

    async fn accounts(
        &self,
        issuer: &IssuerName,
        subjects: &[Subject],
    ) -> Result<Vec<Account>, StoreError> {
        identities::accounts(&self.connection, issuer, subjects).await
    }

    async fn identities(&self, principal: PrincipalId) -> Result<Vec<Identity>, StoreError> {
        identities::of_principal(&self.connection, principal).await
    }

    async fn given(&self, principals: &[PrincipalId]) -> Result<Vec<Given>, StoreError> {
        membership::given(&self.connection, principals).await
    }

    async fn display_names(
        &self,
        ids: &[PrincipalId],
    ) -> Result<HashMap<PrincipalId, DisplayName>, StoreError> {
        principal::display_names(&self.connection, ids).await
    }

    async fn memberships(
        &self,
        principal: PrincipalId,
    ) -> Result<Vec<(Slug, Membership)>, StoreError> {
        membership::with_slugs(&self.connection, principal).await
    }
}
