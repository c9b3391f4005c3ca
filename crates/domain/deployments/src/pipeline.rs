//! Pipelines: where promotions may go.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use slipway_kernel::{
    EnvironmentId, PipelineId, ProjectId, Revision, Slug, StoreError, Timestamp,
    text::{Description, DisplayName},
    words,
};

/// The most stages of a pipeline.
pub const MAX_STAGES: usize = 20;

/// A way for workflows from environment to environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Its identifier.
    pub id: PipelineId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// Its name in every request; unique in its project, and never changed.
    pub slug: Slug,
    /// What people call it.
    pub display_name: DisplayName,
    /// What it is for.
    pub description: Description,
    /// Its stages, in order: 1 to [`MAX_STAGES`].
    pub stages: Vec<Stage>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when nothing is promoted through it.
    pub archived_at: Option<Timestamp>,
    /// How often it has been changed.
    pub revision: Revision,
}

/// A step from one environment to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Where workflows come from.
    pub source: EnvironmentId,
    /// Where they go.
    pub target: EnvironmentId,
    /// What has to hold, and how it is done.
    pub gates: Gates,
}

/// What has to hold for a promotion through a stage, and how it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gates {
    /// Whether somebody else has to agree first.
    pub approval_required: bool,
    /// Whether the source must be as its last successful deployment left it.
    pub source_unchanged: bool,
    /// What is done about a target that is not as its last snapshot says.
    pub drift: Drift,
    /// What is done where an item fails.
    pub on_failure: OnFailure,
    /// Whether promoted workflows are active in the target.
    pub publish: Publish,
    /// What is done about secrets in node parameters.
    pub secrets: Secrets,
}

/// What is done about a target that is not as its last snapshot says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Drift {
    /// The plan warns of it.
    #[default]
    Allow,
    /// The plan fails where a workflow that it would write has drifted.
    Refuse,
}

/// What is done where an item fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OnFailure {
    /// What was done is undone.
    #[default]
    Compensate,
    /// The other items go on, and what was done stays.
    Keep,
}

/// Whether promoted workflows are active in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Publish {
    /// Those that the target has stay as active as they are there; new ones are inactive.
    #[default]
    Keep,
    /// Each is active where it is active in the source.
    AsSource,
    /// All are inactive.
    Deactivate,
}

/// What is done about secrets in node parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Secrets {
    /// The plan warns of each.
    #[default]
    Warn,
    /// The plan fails.
    Block,
}

words! { Drift, "answer to drift": Allow = "ALLOW", Refuse = "REFUSE" }
words! { OnFailure, "answer to a failure": Compensate = "COMPENSATE", Keep = "KEEP" }
words! { Publish, "publish mode": Keep = "KEEP", AsSource = "AS_SOURCE", Deactivate = "DEACTIVATE" }
words! { Secrets, "answer to a secret": Warn = "WARN", Block = "BLOCK" }

impl Publish {
    /// Whether a workflow is to be active in the target, where it is active so far as `target` says; `None` for one that the
    /// target does not have.
    pub const fn active(self, source: bool, target: Option<bool>) -> bool {
        match (self, target) {
            (Self::Keep, Some(active)) => active,
            (Self::Keep, None) | (Self::Deactivate, _) => false,
            (Self::AsSource, _) => source,
        }
    }
}

/// Changes pipelines, inside a unit of work.
#[async_trait]
pub trait PipelineRepository: Send {
    /// Adds a pipeline. An adapter MUST answer `false`, and change nothing, where the slug is taken.
    async fn insert(&mut self, pipeline: &Pipeline) -> Result<bool, StoreError>;

    /// The pipeline with this slug. An adapter MUST hold it until the unit of work ends.
    async fn find(
        &mut self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<Pipeline>, StoreError>;

    /// The pipelines in use that have a stage into an environment which requires approval.
    async fn guarding(&mut self, target: EnvironmentId) -> Result<Vec<PipelineId>, StoreError>;

    /// Saves a changed pipeline, whose revision is one above the stored one. An adapter MUST answer
    /// [`StoreError::Conflict`] where the stored revision is another.
    async fn update(&mut self, pipeline: &Pipeline) -> Result<(), StoreError>;
}
