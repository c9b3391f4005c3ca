//! Workflow engines in folders, and Git repositories beside them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use slipway_application::outside::{Engines, NotAllowed, Repositories};
use slipway_directory::WorkflowDirectory;
use slipway_git::LocalRepository;
use slipway_kernel::Slug;
use slipway_snapshots::{GitError, GitStore};
use slipway_workflows::{
    EngineError, EngineSettings, Exported, Workflow, WorkflowEngine, WorkflowId,
};

/// Every folder is allowed. Workflows of these names are refused wherever they are to be made; and where one of the name
/// `meddles.0` is changed, somebody else changes the file `meddles.1` at the same time. While `stuck`, nothing is deleted.
#[derive(Default)]
pub(crate) struct Folders {
    pub(crate) refused: Vec<&'static str>,
    pub(crate) meddles: Option<(&'static str, &'static str)>,
    pub(crate) stuck: Arc<AtomicBool>,
}

impl Engines for Folders {
    fn open(&self, settings: &EngineSettings) -> Result<Arc<dyn WorkflowEngine>, NotAllowed> {
        let EngineSettings::Directory { path } = settings else {
            unreachable!("these tests use folders");
        };
        Ok(Arc::new(Picky {
            folder: WorkflowDirectory::new(path),
            path: path.into(),
            refused: self.refused.clone(),
            meddles: self.meddles,
            stuck: Arc::clone(&self.stuck),
        }))
    }
}

/// A folder that does not take every workflow.
struct Picky {
    folder: WorkflowDirectory,
    path: PathBuf,
    refused: Vec<&'static str>,
    meddles: Option<(&'static str, &'static str)>,
    stuck: Arc<AtomicBool>,
}

#[async_trait]
impl WorkflowEngine for Picky {
    async fn check(&self) -> Result<String, EngineError> {
        self.folder.check().await
    }

    async fn export(&self) -> Result<Vec<Exported>, EngineError> {
        self.folder.export().await
    }

    async fn get(&self, id: &WorkflowId) -> Result<Option<Exported>, EngineError> {
        self.folder.get(id).await
    }

    async fn create(&self, workflow: &Workflow) -> Result<WorkflowId, EngineError> {
        if self.refused.contains(&workflow.name.as_str()) {
            return Err(EngineError::Refused {
                message: format!("not {}", workflow.name),
            });
        }
        self.folder.create(workflow).await
    }

    async fn update(&self, id: &WorkflowId, workflow: &Workflow) -> Result<(), EngineError> {
        if let Some((name, file)) = self.meddles
            && workflow.name == name
        {
            let foreign = r#"{"name": "Orders", "nodes": [], "connections": {}}"#;
            std::fs::write(self.path.join(file), foreign).expect("written");
        }
        self.folder.update(id, workflow).await
    }

    async fn delete(&self, id: &WorkflowId) -> Result<(), EngineError> {
        if self.stuck.load(Ordering::Relaxed) {
            return Err(EngineError::Refused {
                message: format!("{} is in use", id.0),
            });
        }
        self.folder.delete(id).await
    }

    async fn activate(&self, id: &WorkflowId) -> Result<(), EngineError> {
        self.folder.activate(id).await
    }

    async fn deactivate(&self, id: &WorkflowId) -> Result<(), EngineError> {
        self.folder.deactivate(id).await
    }
}

/// Repositories in one folder.
pub(crate) struct Bare(pub(crate) PathBuf);

#[async_trait]
impl Repositories for Bare {
    async fn open(&self, project: &Slug) -> Result<Arc<dyn GitStore>, GitError> {
        let store = LocalRepository::open_or_create(self.0.join(format!("{project}.git")))?;
        Ok(Arc::new(store))
    }
}
