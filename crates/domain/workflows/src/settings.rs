//! What Slipway keeps about an environment's workflow engine: where it is, which workflow is which, and which credential
//! stands for which.

use std::collections::HashMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use slipway_kernel::{EnvironmentId, Key, StoreError};

use crate::WorkflowId;

/// Where an environment's workflows run. It holds no secret, only a reference to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineSettings {
    /// A folder of JSON files on the server's machine.
    Directory {
        /// The folder; the operator has to allow it.
        path: String,
    },
    /// An instance of n8n.
    N8n {
        /// Its address without `/api/v1`; the operator has to allow its host.
        base_url: String,
        /// Where the server finds the key: `env:NAME` or `file:PATH`; the operator has to allow it.
        api_key: String,
    },
}

/// Which workflow of an engine a key stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The key, the same in every environment.
    pub key: Key,
    /// What this environment's engine calls the workflow.
    pub workflow: WorkflowId,
}

/// Which credential a workflow gets in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialTarget {
    /// The credential's type: `httpBasicAuth`.
    pub kind: String,
    /// The credential's name in the document that is promoted.
    pub name: String,
    /// What this environment's engine calls the credential to use.
    pub target_id: String,
    /// That credential's name.
    pub target_name: String,
}

/// Changes what is kept about engines, inside a unit of work.
#[async_trait]
pub trait EngineRepository: Send {
    /// Sets where an environment's workflows run; `None` for nowhere. Links and credentials stay.
    async fn set_engine(
        &mut self,
        environment: EnvironmentId,
        settings: Option<&EngineSettings>,
    ) -> Result<(), StoreError>;

    /// Where an environment's workflows run, as this unit of work sees it.
    async fn engine(
        &mut self,
        environment: EnvironmentId,
    ) -> Result<Option<EngineSettings>, StoreError>;

    /// What keys stand for in an environment, by key, as this unit of work sees it.
    async fn links(&mut self, environment: EnvironmentId) -> Result<Vec<Link>, StoreError>;

    /// Sets what keys stand for, in place of what they stood for. A workflow that another key stood for stands for that
    /// one no longer. Without any links it does nothing.
    async fn set_links(
        &mut self,
        environment: EnvironmentId,
        links: &[Link],
    ) -> Result<(), StoreError>;

    /// Forgets what a key stands for.
    async fn remove_link(
        &mut self,
        environment: EnvironmentId,
        key: &Key,
    ) -> Result<(), StoreError>;

    /// Sets all credentials of an environment, in place of those that were there.
    async fn set_credentials(
        &mut self,
        environment: EnvironmentId,
        credentials: &[CredentialTarget],
    ) -> Result<(), StoreError>;
}

/// Reads what is kept about engines.
#[async_trait]
pub trait EngineQueries: Send + Sync {
    /// Where an environment's workflows run.
    async fn engine(
        &self,
        environment: EnvironmentId,
    ) -> Result<Option<EngineSettings>, StoreError>;

    /// Where the workflows of these environments run; those without an engine are missing.
    async fn engines(
        &self,
        environments: &[EnvironmentId],
    ) -> Result<HashMap<EnvironmentId, EngineSettings>, StoreError>;

    /// What keys stand for in an environment, by key.
    async fn workflow_links(&self, environment: EnvironmentId) -> Result<Vec<Link>, StoreError>;

    /// The credentials of an environment, by type and name.
    async fn credentials(
        &self,
        environment: EnvironmentId,
    ) -> Result<Vec<CredentialTarget>, StoreError>;
}
