//! A workflow engine in a directory of JSON files: the embedded default. It runs nothing; it is where workflows lie that
//! something else runs, or that people edit.
//!
//! Every `*.json` in the directory and in folders below it is a workflow, and its path without `.json` is its id. What
//! begins with a dot is left alone. A link counts where it leads to a file inside of the directory; folders are not
//! entered by links.
//!
//! A file is replaced as a whole, once the new one is durable: no reader ever sees half of it. Slipway's own writers wait
//! for each other; of a person who saves at the same moment and Slipway, the later one wins.

mod place;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use slipway_workflows::workflow::MAX_BYTES;
use slipway_workflows::{
    EngineError, Exported, Workflow, WorkflowEngine, WorkflowError, WorkflowId,
};

use crate::place::{Place, Read};

/// The most workflows of a directory.
pub const MAX_WORKFLOWS: usize = 100_000;
/// The most bytes of all documents together; they are read into memory.
pub const MAX_TOTAL_BYTES: u64 = 1_000_000_000;
/// The most folders around a workflow.
pub const MAX_DEPTH: usize = 8;

/// Workflows in a directory, which must exist: an empty place that was meant to be another would look like workflows that
/// were all removed.
#[derive(Debug, Clone)]
pub struct WorkflowDirectory {
    root: Arc<Path>,
}

impl WorkflowDirectory {
    /// The workflows in this directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into().into(),
        }
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Runs what reads or writes files where it may take its time.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Place) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let root = Arc::clone(&self.root);
        match tokio::task::spawn_blocking(move || work(&Place::open(&root)?)).await {
            Ok(result) => result,
            Err(error) => Err(EngineError::Uncertain {
                problem: error.to_string(),
            }),
        }
    }

    async fn set_active(&self, id: &WorkflowId, active: bool) -> Result<(), EngineError> {
        let id = id.clone();
        self.blocking(move |place| {
            let _turn = write::turn(place)?;
            let path = place.path(&id)?;
            let mut workflow = match exported(place, &id)?.map(|found| found.workflow) {
                None => return Err(EngineError::NotFound { id }),
                Some(Ok(workflow)) => workflow,
                Some(Err(error)) => return Err(refused(&error)),
            };
            if workflow.active == active {
                return Ok(());
            }
            workflow.active = active;
            write::replace(&path, &document(&workflow)?)
        })
        .await
    }
}

#[async_trait]
impl WorkflowEngine for WorkflowDirectory {
    async fn check(&self) -> Result<String, EngineError> {
        self.blocking(|place| {
            place.ids()?;
            let _turn = write::turn(place)?;
            write::try_out(place)
        })
        .await?;
        Ok(format!("directory {}", self.root.display()))
    }

    async fn export(&self) -> Result<Vec<Exported>, EngineError> {
        self.blocking(|place| {
            let mut all = Vec::new();
            let mut bytes = 0;
            for id in place.ids()? {
                // One that was removed meanwhile is none.
                let Some(read) = place.read(&id)? else {
                    continue;
                };
                if let Read::Document(document) = &read {
                    bytes += document.len() as u64;
                }
                if bytes > MAX_TOTAL_BYTES {
                    return Err(EngineError::Refused {
                        message: format!(
                            "the documents in {} have more than {MAX_TOTAL_BYTES} bytes together",
                            place.root().display()
                        ),
                    });
                }
                all.push(understood(id, read));
            }
            Ok(all)
        })
        .await
    }

    async fn get(&self, id: &WorkflowId) -> Result<Option<Exported>, EngineError> {
        let id = id.clone();
        self.blocking(move |place| exported(place, &id)).await
    }

    async fn create(&self, workflow: &Workflow) -> Result<WorkflowId, EngineError> {
        let workflow = Workflow {
            active: false,
            ..workflow.clone()
        };
        self.blocking(move |place| {
            let bytes = document(&workflow)?;
            let _turn = write::turn(place)?;
            write::add(place, &workflow.name, &bytes)
        })
        .await
    }

    async fn update(&self, id: &WorkflowId, workflow: &Workflow) -> Result<(), EngineError> {
        let (id, mut workflow) = (id.clone(), workflow.clone());
        self.blocking(move |place| {
            let _turn = write::turn(place)?;
            let path = place.path(&id)?;
            let Some(found) = exported(place, &id)? else {
                return Err(EngineError::NotFound { id });
            };
            // What can't be read is not run either.
            workflow.active = found.workflow.is_ok_and(|found| found.active);
            write::replace(&path, &document(&workflow)?)
        })
        .await
    }

    async fn delete(&self, id: &WorkflowId) -> Result<(), EngineError> {
        let id = id.clone();
        self.blocking(move |place| {
            let _turn = write::turn(place)?;
            let path = place.path(&id)?;
            match place.read(&id)? {
                None => Ok(()),
                Some(_) => write::remove(&path),
            }
        })
        .await
    }

    async fn activate(&self, id: &WorkflowId) -> Result<(), EngineError> {
        self.set_active(id, true).await
    }

    async fn deactivate(&self, id: &WorkflowId) -> Result<(), EngineError> {
        self.set_active(id, false).await
    }
}

fn exported(place: &Place, id: &WorkflowId) -> Result<Option<Exported>, EngineError> {
    let read = place.read(id)?;
    Ok(read.map(|read| understood(id.clone(), read)))
}

fn understood(id: WorkflowId, read: Read) -> Exported {
    let fallback = place::file_name(&id);
    let workflow = match read {
        Read::Document(bytes) => Workflow::from_json(&bytes, fallback),
        Read::TooLarge(bytes) => Err(WorkflowError::TooLarge { bytes }),
    };
    Exported {
        name: workflow
            .as_ref()
            .map_or(fallback, |workflow| &workflow.name)
            .to_owned(),
        id,
        archived: false,
        workflow,
    }
}

/// A workflow's JSON, which reads back.
fn document(workflow: &Workflow) -> Result<Vec<u8>, EngineError> {
    let bytes = workflow.to_pretty_json();
    if workflow.name.trim().is_empty() {
        return Err(EngineError::Refused {
            message: "the workflow has no name; give it one".to_owned(),
        });
    }
    if bytes.len() > MAX_BYTES {
        return Err(refused(&WorkflowError::TooLarge { bytes: bytes.len() }));
    }
    match Workflow::from_json(&bytes, &workflow.name) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(refused(&error)),
    }
}

fn refused(error: &WorkflowError) -> EngineError {
    EngineError::Refused {
        message: error.to_string().chars().take(1_000).collect(),
    }
}
