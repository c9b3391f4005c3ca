//! What all requests have in common: request ids, checking only, pages.

pub(crate) mod checks;
pub(crate) mod ids;
pub(crate) mod pages;

use slipway_api::ledger::v1::ListDeploymentRecordsRequest;
use slipway_tests::{Backend, Project, World};

pub(super) async fn shared(backend: Backend) -> Project {
    World::shared(backend).await.project().await
}

pub(super) async fn count(project: &Project) -> usize {
    let all = ListDeploymentRecordsRequest {
        include_retracted: true,
        ..Default::default()
    };
    project.history(all).await.len()
}
