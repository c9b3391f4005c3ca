//! What lies outside of the database: workflow engines and Git repositories, as the use cases come to them.

use std::sync::Arc;

use async_trait::async_trait;
use slipway_kernel::Slug;
use slipway_notifications::{Courier, NotAllowed as TargetNotAllowed, Outcome, Parcel, Target};
use slipway_snapshots::{GitError, GitStore};
use slipway_workflows::{EngineSettings, WorkflowEngine};

/// Opens workflow engines. The operator's configuration decides which ones a project may name.
pub trait Engines: Send + Sync {
    /// The engine that these settings describe. Nothing is called yet. The same settings give the same engine, so that
    /// its limits on calls hold for all who use it.
    fn open(&self, settings: &EngineSettings) -> Result<Arc<dyn WorkflowEngine>, NotAllowed>;

    /// The settings as an environment keeps them: without anything that would mean something else once the operator's
    /// configuration has changed.
    fn settled(&self, settings: EngineSettings) -> EngineSettings {
        settings
    }
}

/// Settings that the operator's configuration does not allow, or that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct NotAllowed {
    /// Which setting of the environment, by its field in [`EngineSettings`]: `path`, `base_url` or `api_key`.
    pub field: &'static str,
    /// What is wrong with it, and which setting of the operator's would allow it.
    pub problem: String,
}

/// Opens the Git repositories of projects.
#[async_trait]
pub trait Repositories: Send + Sync {
    /// The repository of a project, made where there is none yet.
    async fn open(&self, project: &Slug) -> Result<Arc<dyn GitStore>, GitError>;

    /// Brings what waits on this machine to where it belongs; called every few seconds. What can't be brought waits on.
    async fn publish(&self) -> Result<(), GitError> {
        Ok(())
    }
}

/// Where nothing lies outside: every engine and every webhook is refused, and there is no repository.
#[derive(Debug)]
pub(crate) struct Nowhere;

impl Engines for Nowhere {
    fn open(&self, _: &EngineSettings) -> Result<Arc<dyn WorkflowEngine>, NotAllowed> {
        Err(NotAllowed {
            field: "workflow_engine",
            problem: "this server is set up without workflow engines".to_owned(),
        })
    }
}

#[async_trait]
impl Repositories for Nowhere {
    async fn open(&self, project: &Slug) -> Result<Arc<dyn GitStore>, GitError> {
        Err(GitError::NoRepository {
            location: format!("of {project}: this server is set up without Git repositories"),
        })
    }
}

#[async_trait]
impl Courier for Nowhere {
    async fn check(&self, _: &Target) -> Result<(), TargetNotAllowed> {
        Err(TargetNotAllowed {
            field: "target",
            problem: "this server is set up without notifications".to_owned(),
        })
    }

    async fn deliver(&self, _: &Target, _: &Parcel) -> Outcome {
        Outcome::problem("this server is set up without notifications")
    }
}
