//! `slipway.identity.v1`.

mod identities;
mod memberships;
mod principals;
mod projects;
mod refusals;
mod requirements;
mod tokens;

use slipway_api::identity::v1 as proto;
use slipway_api::identity::v1::identity_service_server::IdentityService;
use tonic::{Request, Response, Status};

use super::Api;
use super::door::unary;

#[tonic::async_trait]
impl IdentityService for Api {
    async fn who_am_i(
        &self,
        request: Request<proto::WhoAmIRequest>,
    ) -> Result<Response<proto::WhoAmIResponse>, Status> {
        unary!(self, WhoAmI, request, principals::who_am_i)
    }

    async fn create_project(
        &self,
        request: Request<proto::CreateProjectRequest>,
    ) -> Result<Response<proto::CreateProjectResponse>, Status> {
        unary!(self, CreateProject, request, projects::create)
    }

    async fn get_project(
        &self,
        request: Request<proto::GetProjectRequest>,
    ) -> Result<Response<proto::GetProjectResponse>, Status> {
        unary!(self, GetProject, request, projects::get)
    }

    async fn list_projects(
        &self,
        request: Request<proto::ListProjectsRequest>,
    ) -> Result<Response<proto::ListProjectsResponse>, Status> {
        unary!(self, ListProjects, request, projects::list)
    }

    async fn update_project(
        &self,
        request: Request<proto::UpdateProjectRequest>,
    ) -> Result<Response<proto::UpdateProjectResponse>, Status> {
        unary!(self, UpdateProject, request, projects::update)
    }

    async fn archive_project(
        &self,
        request: Request<proto::ArchiveProjectRequest>,
    ) -> Result<Response<proto::ArchiveProjectResponse>, Status> {
        unary!(self, ArchiveProject, request, projects::archive)
    }

    async fn create_principal(
        &self,
        request: Request<proto::CreatePrincipalRequest>,
    ) -> Result<Response<proto::CreatePrincipalResponse>, Status> {
        unary!(self, CreatePrincipal, request, principals::create)
    }

    async fn get_principal(
        &self,
        request: Request<proto::GetPrincipalRequest>,
    ) -> Result<Response<proto::GetPrincipalResponse>, Status> {
        unary!(self, GetPrincipal, request, principals::get)
    }

    async fn list_principals(
        &self,
        request: Request<proto::ListPrincipalsRequest>,
    ) -> Result<Response<proto::ListPrincipalsResponse>, Status> {
        unary!(self, ListPrincipals, request, principals::list)
    }

    async fn disable_principal(
        &self,
        request: Request<proto::DisablePrincipalRequest>,
    ) -> Result<Response<proto::DisablePrincipalResponse>, Status> {
        unary!(self, DisablePrincipal, request, principals::disable)
    }

    async fn link_identity(
        &self,
        request: Request<proto::LinkIdentityRequest>,
    ) -> Result<Response<proto::LinkIdentityResponse>, Status> {
        unary!(self, LinkIdentity, request, identities::link)
    }

    async fn unlink_identity(
        &self,
        request: Request<proto::UnlinkIdentityRequest>,
    ) -> Result<Response<proto::UnlinkIdentityResponse>, Status> {
        unary!(self, UnlinkIdentity, request, identities::unlink)
    }

    async fn set_membership(
        &self,
        request: Request<proto::SetMembershipRequest>,
    ) -> Result<Response<proto::SetMembershipResponse>, Status> {
        unary!(self, SetMembership, request, memberships::set)
    }

    async fn list_members(
        &self,
        request: Request<proto::ListMembersRequest>,
    ) -> Result<Response<proto::ListMembersResponse>, Status> {
        unary!(self, ListMembers, request, memberships::list)
    }

    async fn remove_member(
        &self,
        request: Request<proto::RemoveMemberRequest>,
    ) -> Result<Response<proto::RemoveMemberResponse>, Status> {
        unary!(self, RemoveMember, request, memberships::remove)
    }

    async fn create_token(
        &self,
        request: Request<proto::CreateTokenRequest>,
    ) -> Result<Response<proto::CreateTokenResponse>, Status> {
        unary!(self, CreateToken, request, tokens::create)
    }

    async fn list_tokens(
        &self,
        request: Request<proto::ListTokensRequest>,
    ) -> Result<Response<proto::ListTokensResponse>, Status> {
        unary!(self, ListTokens, request, tokens::list)
    }

    async fn revoke_token(
        &self,
        request: Request<proto::RevokeTokenRequest>,
    ) -> Result<Response<proto::RevokeTokenResponse>, Status> {
        unary!(self, RevokeToken, request, tokens::revoke)
    }
}
