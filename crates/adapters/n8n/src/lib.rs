//! A workflow engine: n8n, through its public REST API.
//!
//! Five things about that API shape this crate. Whatever a document may hold is a list of what is sent, never of what is
//! left out: instances refuse a field that they don't know, and they differ. A list comes in pages without an order, so
//! that it is read until it brings nothing new. And a refusal doesn't mean that nothing was saved: after a failed change
//! the workflow is read back, and what is there decides. A list lacks descriptions, so that an export reads each workflow
//! by itself: but only what the list shows as changed since it was last read. And whether two workflows have the same webhook
//! is found out by n8n too late, and told without a name: we look ourselves.

mod activation;
mod addresses;
mod answer;
mod client;
mod content;
mod export;
mod known;
mod options;
mod tags;
mod webhooks;
mod writes;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use slipway_workflows::{EngineError, Exported, Workflow, WorkflowEngine, WorkflowId};
use tokio::time::Instant;

use crate::client::Client;
use crate::known::Known;
pub use crate::options::{ApiKey, MAX_PARALLEL, Options, OptionsError};

/// An instance of n8n.
pub struct N8n {
    client: Client,
    known: Known,
    /// Its address, for people.
    address: String,
    timeout: Duration,
    export_timeout: Duration,
    max_parallel: usize,
}

impl N8n {
    /// The instance at this address. Nothing is asked of it yet.
    pub fn new(options: &Options) -> Result<Self, OptionsError> {
        let address = options.check()?;
        Ok(Self {
            client: Client::new(&address, options)?,
            known: Known::default(),
            address,
            timeout: options.timeout,
            export_timeout: options.export_timeout,
            max_parallel: options.max_parallel,
        })
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }
}

#[async_trait]
impl WorkflowEngine for N8n {
    async fn check(&self) -> Result<String, EngineError> {
        export::check(&self.client, self.deadline()).await?;
        Ok(format!("n8n at {}", self.address))
    }

    async fn export(&self) -> Result<Vec<Exported>, EngineError> {
        let deadline = Instant::now() + self.export_timeout;
        export::export(&self.client, &self.known, self.max_parallel, deadline).await
    }

    async fn get(&self, id: &WorkflowId) -> Result<Option<Exported>, EngineError> {
        if !is_possible(id) {
            return Ok(None);
        }
        export::get(&self.client, &self.known, id, self.deadline()).await
    }

    async fn create(&self, workflow: &Workflow) -> Result<WorkflowId, EngineError> {
        writes::create(&self.client, workflow, self.deadline()).await
    }

    async fn update(&self, id: &WorkflowId, workflow: &Workflow) -> Result<(), EngineError> {
        must_be_possible(id)?;
        writes::update(&self.client, id, workflow, self.deadline()).await
    }

    async fn delete(&self, id: &WorkflowId) -> Result<(), EngineError> {
        if !is_possible(id) {
            return Ok(());
        }
        writes::delete(&self.client, id, self.deadline()).await
    }

    async fn activate(&self, id: &WorkflowId) -> Result<(), EngineError> {
        must_be_possible(id)?;
        activation::activate(&self.client, id, self.deadline()).await
    }

    async fn deactivate(&self, id: &WorkflowId) -> Result<(), EngineError> {
        must_be_possible(id)?;
        activation::deactivate(&self.client, id, self.deadline()).await
    }
}

impl fmt::Debug for N8n {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("N8n");
        shown
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Whether n8n could have given this id: letters and digits. Any other would become another path.
fn is_possible(id: &WorkflowId) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&id.0.len()) && id.0.bytes().all(plain)
}

fn must_be_possible(id: &WorkflowId) -> Result<(), EngineError> {
    if is_possible(id) {
        Ok(())
    } else {
        Err(EngineError::NotFound { id: id.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_would_be_another_path_is_no_id() {
        let possible = |id: &str| is_possible(&WorkflowId(id.to_owned()));
        assert!(possible("srOnR8PAY3u4RSwb") && possible("7"));
        for id in [
            "",
            ".",
            "..",
            "a/activate",
            "a?b",
            "a%2f",
            "ä",
            &"x".repeat(65),
        ] {
            assert!(!possible(id), "{id}");
        }
    }
}
