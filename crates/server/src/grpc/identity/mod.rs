//! `slipway.identity.v1`.

mod memberships;
mod principals;
mod projects;
mod refusals;
mod tokens;

use slipway_api::identity::v1::identity_service_server::IdentityService;
use slipway_api::identity::v1::*;
use tonic::{Request, Response, Status};

use super::Api;
use super::door::unary;

#[tonic::async_trait]
impl IdentityService for Api {
    async fn who_am_i(
        &self,
        request: Request<WhoAmIRequest>,
    ) -> Result<Response<WhoAmIResponse>, Status> {
        unary!(self, WhoAmI, request, principals::who_am_i)
    }

    async fn create_project(
        &self,
        request: Request<CreateProjectRequest>,
    ) -> Result<Response<CreateProjectResponse>, Status> {
        unary!(self, CreateProject, request, projects::create)
    }

    async fn get_project(
        &self,
        request: Request<GetProjectRequest>,
    ) -> Result<Response<GetProjectResponse>, Status> {
        unary!(self, GetProject, request, projects::get)
    }

    async fn list_projects(
        &self,
        request: Request<ListProjectsRequest>,
    ) -> Result<Response<ListProjectsResponse>, Status> {
        unary!(self, ListProjects, request, projects::list)
    }

    async fn update_project(
        &self,
        request: Request<UpdateProjectRequest>,
    ) -> Result<Response<UpdateProjectResponse>, Status> {
        unary!(self, UpdateProject, request, projects::update)
    }

    async fn archive_project(
        &self,
        request: Request<ArchiveProjectRequest>,
    ) -> Result<Response<ArchiveProjectResponse>, Status> {
        unary!(self, ArchiveProject, request, projects::archive)
    }

    async fn create_principal(
        &self,
        request: Request<CreatePrincipalRequest>,
    ) -> Result<Response<CreatePrincipalResponse>, Status> {
        unary!(self, CreatePrincipal, request, principals::create)
    }

    async fn get_principal(
        &self,
        request: Request<GetPrincipalRequest>,
    ) -> Result<Response<GetPrincipalResponse>, Status> {
        unary!(self, GetPrincipal, request, principals::get)
    }

    async fn list_principals(
        &self,
        request: Request<ListPrincipalsRequest>,
    ) -> Result<Response<ListPrincipalsResponse>, Status> {
        unary!(self, ListPrincipals, request, principals::list)
    }

    async fn disable_principal(
        &self,
        request: Request<DisablePrincipalRequest>,
    ) -> Result<Response<DisablePrincipalResponse>, Status> {
        unary!(self, DisablePrincipal, request, principals::disable)
    }

    async fn set_membership(
        &self,
        request: Request<SetMembershipRequest>,
    ) -> Result<Response<SetMembershipResponse>, Status> {
        unary!(self, SetMembership, request, memberships::set)
    }

    async fn list_members(
        &self,
        request: Request<ListMembersRequest>,
    ) -> Result<Response<ListMembersResponse>, Status> {
        unary!(self, ListMembers, request, memberships::list)
    }

    async fn remove_member(
        &self,
        request: Request<RemoveMemberRequest>,
    ) -> Result<Response<RemoveMemberResponse>, Status> {
        unary!(self, RemoveMember, request, memberships::remove)
    }

    async fn create_token(
        &self,
        request: Request<CreateTokenRequest>,
    ) -> Result<Response<CreateTokenResponse>, Status> {
        unary!(self, CreateToken, request, tokens::create)
    }

    async fn list_tokens(
        &self,
        request: Request<ListTokensRequest>,
    ) -> Result<Response<ListTokensResponse>, Status> {
        unary!(self, ListTokens, request, tokens::list)
    }

    async fn revoke_token(
        &self,
        request: Request<RevokeTokenRequest>,
    ) -> Result<Response<RevokeTokenResponse>, Status> {
        unary!(self, RevokeToken, request, tokens::revoke)
    }
}
