//! Workflow documents of n8n's form, wherever they are kept: what a workflow is, how two of them differ, what it refers
//! to; and the port to the engine that runs them.

#[cfg(test)]
mod arbitrary;
pub mod connection;
pub mod difference;
pub mod engine;
mod hash;
pub mod inventory;
pub mod key;
mod number;
pub mod order;
mod path;
pub mod references;
pub mod secrets;
pub mod settings;
mod spelling;
mod text;
pub mod workflow;

pub use connection::Connection;
pub use difference::{Change, Difference, FieldChange, Listed, NodeChange, NodeName, difference};
pub use engine::{EngineError, Exported, WorkflowEngine, WorkflowId};
pub use key::key_for;
pub use order::{Group, callees_first};
pub use references::{
    Credential, CredentialReference, Place, References, Unmapped, WorkflowReference, WorkflowTarget,
};
pub use secrets::{Secret, SecretKind};
pub use settings::{CredentialTarget, EngineQueries, EngineRepository, EngineSettings, Link};
pub use spelling::Spellings;
pub use workflow::{Workflow, WorkflowError};
