//! `slipway.catalog.v1`.

mod applications;
mod engines;
mod environments;
mod refusals;
mod versions;
pub(super) mod words;
mod workflows;

use slipway_api::catalog::v1 as proto;
use slipway_api::catalog::v1::application_service_server::ApplicationService;
use slipway_api::catalog::v1::environment_service_server::EnvironmentService;
use tonic::{Request, Response, Status};

use super::Api;
use super::door::unary;

#[tonic::async_trait]
impl EnvironmentService for Api {
    async fn create_environment(
        &self,
        request: Request<proto::CreateEnvironmentRequest>,
    ) -> Result<Response<proto::CreateEnvironmentResponse>, Status> {
        unary!(self, CreateEnvironment, request, environments::create)
    }

    async fn get_environment(
        &self,
        request: Request<proto::GetEnvironmentRequest>,
    ) -> Result<Response<proto::GetEnvironmentResponse>, Status> {
        unary!(self, GetEnvironment, request, environments::get)
    }

    async fn list_environments(
        &self,
        request: Request<proto::ListEnvironmentsRequest>,
    ) -> Result<Response<proto::ListEnvironmentsResponse>, Status> {
        unary!(self, ListEnvironments, request, environments::list)
    }

    async fn update_environment(
        &self,
        request: Request<proto::UpdateEnvironmentRequest>,
    ) -> Result<Response<proto::UpdateEnvironmentResponse>, Status> {
        unary!(self, UpdateEnvironment, request, environments::update)
    }

    async fn archive_environment(
        &self,
        request: Request<proto::ArchiveEnvironmentRequest>,
    ) -> Result<Response<proto::ArchiveEnvironmentResponse>, Status> {
        unary!(self, ArchiveEnvironment, request, environments::archive)
    }

    async fn check_engine(
        &self,
        request: Request<proto::CheckEngineRequest>,
    ) -> Result<Response<proto::CheckEngineResponse>, Status> {
        unary!(self, CheckEngine, request, workflows::check)
    }

    async fn list_workflows(
        &self,
        request: Request<proto::ListWorkflowsRequest>,
    ) -> Result<Response<proto::ListWorkflowsResponse>, Status> {
        unary!(self, ListWorkflows, request, workflows::list)
    }

    async fn link_workflow(
        &self,
        request: Request<proto::LinkWorkflowRequest>,
    ) -> Result<Response<proto::LinkWorkflowResponse>, Status> {
        unary!(self, LinkWorkflow, request, workflows::link)
    }

    async fn get_credential_mapping(
        &self,
        request: Request<proto::GetCredentialMappingRequest>,
    ) -> Result<Response<proto::GetCredentialMappingResponse>, Status> {
        unary!(
            self,
            GetCredentialMapping,
            request,
            workflows::get_credentials
        )
    }

    async fn set_credential_mapping(
        &self,
        request: Request<proto::SetCredentialMappingRequest>,
    ) -> Result<Response<proto::SetCredentialMappingResponse>, Status> {
        unary!(
            self,
            SetCredentialMapping,
            request,
            workflows::set_credentials
        )
    }
}

#[tonic::async_trait]
impl ApplicationService for Api {
    async fn create_application(
        &self,
        request: Request<proto::CreateApplicationRequest>,
    ) -> Result<Response<proto::CreateApplicationResponse>, Status> {
        unary!(self, CreateApplication, request, applications::create)
    }

    async fn get_application(
        &self,
        request: Request<proto::GetApplicationRequest>,
    ) -> Result<Response<proto::GetApplicationResponse>, Status> {
        unary!(self, GetApplication, request, applications::get)
    }

    async fn list_applications(
        &self,
        request: Request<proto::ListApplicationsRequest>,
    ) -> Result<Response<proto::ListApplicationsResponse>, Status> {
        unary!(self, ListApplications, request, applications::list)
    }

    async fn update_application(
        &self,
        request: Request<proto::UpdateApplicationRequest>,
    ) -> Result<Response<proto::UpdateApplicationResponse>, Status> {
        unary!(self, UpdateApplication, request, applications::update)
    }

    async fn archive_application(
        &self,
        request: Request<proto::ArchiveApplicationRequest>,
    ) -> Result<Response<proto::ArchiveApplicationResponse>, Status> {
        unary!(self, ArchiveApplication, request, applications::archive)
    }

    async fn create_version(
        &self,
        request: Request<proto::CreateVersionRequest>,
    ) -> Result<Response<proto::CreateVersionResponse>, Status> {
        unary!(self, CreateVersion, request, versions::create)
    }

    async fn get_version(
        &self,
        request: Request<proto::GetVersionRequest>,
    ) -> Result<Response<proto::GetVersionResponse>, Status> {
        unary!(self, GetVersion, request, versions::get)
    }

    async fn list_versions(
        &self,
        request: Request<proto::ListVersionsRequest>,
    ) -> Result<Response<proto::ListVersionsResponse>, Status> {
        unary!(self, ListVersions, request, versions::list)
    }

    async fn deprecate_version(
        &self,
        request: Request<proto::DeprecateVersionRequest>,
    ) -> Result<Response<proto::DeprecateVersionResponse>, Status> {
        unary!(self, DeprecateVersion, request, versions::deprecate)
    }
}
