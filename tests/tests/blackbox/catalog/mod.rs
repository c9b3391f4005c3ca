//! Environments, applications and versions.

pub(crate) mod applications;
pub(crate) mod engines;
pub(crate) mod environments;
pub(crate) mod versions;

use slipway_api::catalog::v1::{CreateVersionRequest, Version};
use slipway_tests::{Backend, Project, World};
use tonic::{Response, Status};

pub(crate) async fn shared(backend: Backend) -> Project {
    World::shared(backend).await.project().await
}

pub(crate) fn mask(paths: &[&str]) -> prost_types::FieldMask {
    prost_types::FieldMask {
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
    }
}

pub(super) fn version_of(project: &Project, identifier: &str) -> CreateVersionRequest {
    CreateVersionRequest {
        project: project.slug.clone(),
        application: "app".to_owned(),
        identifier: identifier.to_owned(),
        ..Default::default()
    }
}

pub(super) async fn create(
    project: &Project,
    request: CreateVersionRequest,
) -> Result<Response<Version>, Status> {
    let answer = project.admin.applications().create_version(request).await?;
    Ok(answer.map(|answer| answer.version.unwrap()))
}
