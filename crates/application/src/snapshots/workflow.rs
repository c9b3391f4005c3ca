use slipway_identity::Command;
use slipway_kernel::{Key, Sha256, Slug, SnapshotId};
use slipway_snapshots::{Snapshot, content::path_of};
use slipway_workflows::{Spellings, Workflow, WorkflowId};

use super::{Contents, SnapshotError, get_authorised};
use crate::{Call, Context};

/// A workflow as a snapshot holds it.
#[derive(Debug, Clone)]
pub struct KeptWorkflow {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// What the environment's engine called it.
    pub workflow: WorkflowId,
    /// What people called it.
    pub name: String,
    /// Whether it was put away.
    pub archived: bool,
    /// Its document; `None` where the engine's could not be read when the snapshot was taken.
    pub document: Option<KeptDocument>,
    /// Where its file is in the commit.
    pub path: String,
    /// Where people find the repository; `None` where it is a folder of the server's.
    pub repository: Option<String>,
}

/// A document in a snapshot.
#[derive(Debug, Clone)]
pub struct KeptDocument {
    /// The document as it stands in its file, with the engine's ids.
    pub workflow: Workflow,
    /// The file.
    pub text: String,
    /// The document hash with keys in place of ids, whose first 12 digits are the version's identifier in the catalog.
    pub document_hash: Sha256,
    /// The state hash of the document as it stands, as the manifest has it.
    pub state_hash: Sha256,
}

/// One workflow of a snapshot.
pub async fn get_snapshot_workflow(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    id: SnapshotId,
    key: &Key,
) -> Result<KeptWorkflow, SnapshotError> {
    let command = Command::GetSnapshotWorkflow;
    let snapshot = get_authorised(context, call, command, project, id).await?;
    let contents = Contents::open(context, &snapshot).await?;
    let listed = contents.manifest.workflows.get(key).cloned();
    let listed = listed.ok_or_else(|| {
        let known = contents.manifest.workflows.iter();
        let known = known.map(|(key, listed)| (key, [&*listed.id.0, &*listed.name]));
        SnapshotError::WorkflowNotInSnapshot {
            id,
            key: key.clone(),
            hint: Spellings::new(known).hint(key),
        }
    })?;
    let document = match listed.hash {
        Some(state_hash) => contents
            .document(key)
            .await?
            .map(|(workflow, bytes)| KeptDocument {
                document_hash: contents.portable(&workflow).document_hash(),
                workflow,
                // A document that was read is UTF-8.
                text: String::from_utf8_lossy(&bytes).into_owned(),
                state_hash,
            }),
        None => None,
    };
    Ok(KeptWorkflow {
        workflow: listed.id,
        name: listed.name,
        archived: listed.archived,
        document,
        path: path_of(key),
        repository: contents.address(),
        snapshot,
    })
}
