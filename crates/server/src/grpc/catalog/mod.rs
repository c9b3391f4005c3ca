//! `slipway.catalog.v1`.

mod applications;
mod environments;
mod refusals;
mod versions;
pub(super) mod words;

use slipway_api::catalog::v1::application_service_server::ApplicationService;
use slipway_api::catalog::v1::environment_service_server::EnvironmentService;
use slipway_api::catalog::v1::*;
use tonic::{Request, Response, Status};

use super::Api;
use super::door::unary;

#[tonic::async_trait]
impl EnvironmentService for Api {
    async fn create_environment(
        &self,
        request: Request<CreateEnvironmentRequest>,
    ) -> Result<Response<CreateEnvironmentResponse>, Status> {
        unary!(self, CreateEnvironment, request, environments::create)
    }

    async fn get_environment(
        &self,
        request: Request<GetEnvironmentRequest>,
    ) -> Result<Response<GetEnvironmentResponse>, Status> {
        unary!(self, GetEnvironment, request, environments::get)
    }

    async fn list_environments(
        &self,
        request: Request<ListEnvironmentsRequest>,
    ) -> Result<Response<ListEnvironmentsResponse>, Status> {
        unary!(self, ListEnvironments, request, environments::list)
    }

    async fn update_environment(
        &self,
        request: Request<UpdateEnvironmentRequest>,
    ) -> Result<Response<UpdateEnvironmentResponse>, Status> {
        unary!(self, UpdateEnvironment, request, environments::update)
    }

    async fn archive_environment(
        &self,
        request: Request<ArchiveEnvironmentRequest>,
    ) -> Result<Response<ArchiveEnvironmentResponse>, Status> {
        unary!(self, ArchiveEnvironment, request, environments::archive)
    }
}

#[tonic::async_trait]
impl ApplicationService for Api {
    async fn create_application(
        &self,
        request: Request<CreateApplicationRequest>,
    ) -> Result<Response<CreateApplicationResponse>, Status> {
        unary!(self, CreateApplication, request, applications::create)
    }

    async fn get_application(
        &self,
        request: Request<GetApplicationRequest>,
    ) -> Result<Response<GetApplicationResponse>, Status> {
        unary!(self, GetApplication, request, applications::get)
    }

    async fn list_applications(
        &self,
        request: Request<ListApplicationsRequest>,
    ) -> Result<Response<ListApplicationsResponse>, Status> {
        unary!(self, ListApplications, request, applications::list)
    }

    async fn update_application(
        &self,
        request: Request<UpdateApplicationRequest>,
    ) -> Result<Response<UpdateApplicationResponse>, Status> {
        unary!(self, UpdateApplication, request, applications::update)
    }

    async fn archive_application(
        &self,
        request: Request<ArchiveApplicationRequest>,
    ) -> Result<Response<ArchiveApplicationResponse>, Status> {
        unary!(self, ArchiveApplication, request, applications::archive)
    }

    async fn create_version(
        &self,
        request: Request<CreateVersionRequest>,
    ) -> Result<Response<CreateVersionResponse>, Status> {
        unary!(self, CreateVersion, request, versions::create)
    }

    async fn get_version(
        &self,
        request: Request<GetVersionRequest>,
    ) -> Result<Response<GetVersionResponse>, Status> {
        unary!(self, GetVersion, request, versions::get)
    }

    async fn list_versions(
        &self,
        request: Request<ListVersionsRequest>,
    ) -> Result<Response<ListVersionsResponse>, Status> {
        unary!(self, ListVersions, request, versions::list)
    }

    async fn deprecate_version(
        &self,
        request: Request<DeprecateVersionRequest>,
    ) -> Result<Response<DeprecateVersionResponse>, Status> {
        unary!(self, DeprecateVersion, request, versions::deprecate)
    }
}
