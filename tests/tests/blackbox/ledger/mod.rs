//! Records and what they add up to: the current state now and in the past.

pub(crate) mod at_once;
pub(crate) mod history;
pub(crate) mod records;
pub(crate) mod state;

use slipway_api::catalog::v1::{ArchiveApplicationRequest, ArchiveEnvironmentRequest};
use slipway_api::ledger::v1::GetDeploymentRecordRequest;
use slipway_tests::{Backend, Granted, Project, World};

pub(super) async fn shared(backend: Backend) -> Project {
    World::shared(backend).await.project().await
}

pub(super) async fn version_in(
    project: &Project,
    application: &str,
    environment: &str,
) -> Option<String> {
    let cell = project.cell(application, environment).await;
    cell.map(|cell| cell.version)
}

pub(super) async fn get_record(
    project: &Project,
    record_id: &str,
) -> slipway_api::ledger::v1::DeploymentRecord {
    project
        .admin
        .ledger()
        .get_deployment_record(GetDeploymentRecordRequest {
            project: project.slug.clone(),
            record_id: record_id.to_owned(),
        })
        .await
        .granted()
        .record
        .unwrap()
}

pub(super) async fn archive_environment(project: &Project, slug: &str) {
    project
        .admin
        .environments()
        .archive_environment(ArchiveEnvironmentRequest {
            project: project.slug.clone(),
            environment: slug.to_owned(),
            ..Default::default()
        })
        .await
        .granted();
}

pub(super) async fn archive_application(project: &Project, key: &str) {
    project
        .admin
        .applications()
        .archive_application(ArchiveApplicationRequest {
            project: project.slug.clone(),
            application: key.to_owned(),
            ..Default::default()
        })
        .await
        .granted();
}
