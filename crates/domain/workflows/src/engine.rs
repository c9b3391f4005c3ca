//! The port to a workflow engine.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Workflow, WorkflowError};

/// What an engine calls a workflow. It means nothing in another engine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkflowId(pub String);

/// A workflow as an engine holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// What the engine calls it.
    pub id: WorkflowId,
    /// Its name, also where the document can't be read.
    pub name: String,
    /// Whether it was put away: an archived workflow can be read and removed, but neither changed nor activated.
    pub archived: bool,
    /// The document, or why it is none.
    pub workflow: Result<Workflow, WorkflowError>,
}

/// A place where workflows run. Every call ends within the time the adapter was given, and retries by itself only where
/// the engine said that nothing was done (429, a refused connection).
///
/// Writes of one workflow are not atomic in every engine: content, tags, description and activation can be calls of
/// their own. An adapter MUST make calls that are safe to repeat, and a caller reads back what matters.
#[async_trait]
pub trait WorkflowEngine: Send + Sync {
    /// Passes where the engine answers and takes the credentials; says what it is, for people (`n8n at
    /// https://n8n.example`, `directory /var/lib/workflows`).
    async fn check(&self) -> Result<String, EngineError>;

    /// Every workflow with its content, each once, by id. Archived ones are among them.
    async fn export(&self) -> Result<Vec<Exported>, EngineError>;

    /// One workflow; `Ok(None)` where there is none.
    async fn get(&self, id: &WorkflowId) -> Result<Option<Exported>, EngineError>;

    /// Adds a workflow, inactive whatever the document says, and answers with its id. Names need not be unique.
    async fn create(&self, workflow: &Workflow) -> Result<WorkflowId, EngineError>;

    /// Makes a workflow's name, content, settings, tags and description those of the document, settings left out
    /// included. Whether it is active stays as it is; an active one runs the new content.
    async fn update(&self, id: &WorkflowId, workflow: &Workflow) -> Result<(), EngineError>;

    /// Removes a workflow, an active or archived one too. Removing what is gone succeeds.
    async fn delete(&self, id: &WorkflowId) -> Result<(), EngineError>;

    /// Lets it run on its triggers. Activating an active one succeeds.
    async fn activate(&self, id: &WorkflowId) -> Result<(), EngineError>;

    /// Stops it from running on its triggers. Deactivating an inactive one succeeds.
    async fn deactivate(&self, id: &WorkflowId) -> Result<(), EngineError>;
}

/// Why an engine did not do what it was asked. None of these texts holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It said no, and will say no again: the document, or the state of the workflow, has to change first.
    #[error("the engine refused: {message}")]
    Refused {
        /// The engine's own words, cut after 1,000 characters.
        message: String,
    },
    /// There is no such workflow.
    #[error("the engine has no workflow {}", id.0)]
    NotFound {
        /// The id asked for.
        id: WorkflowId,
    },
    /// It does not take our credentials.
    #[error("the engine refused the credentials: check the key that this environment refers to")]
    Unauthenticated,
    /// It asks to be left alone for a while, longer than the adapter waits by itself. Nothing was done.
    #[error("the engine asks for a pause of {} s", retry_after.as_secs())]
    Busy {
        /// How long.
        retry_after: Duration,
    },
    /// It can't be reached. Nothing was done.
    #[error("the engine can't be reached: {problem}")]
    Unavailable {
        /// What happened, without addresses' secrets.
        problem: String,
    },
    /// It may or may not have done it: the answer did not come in time, or said nothing. Read back.
    #[error("the engine's answer is missing, so that nobody knows whether it did it: {problem}")]
    Uncertain {
        /// What happened.
        problem: String,
    },
    /// It broke (a 500): for this workflow, on this call. Read back.
    #[error("the engine failed: {message}")]
    Failed {
        /// The engine's own words, cut after 1,000 characters.
        message: String,
    },
}
