//! What a snapshot holds: the workflows of an environment as files.
//!
//! Each workflow is a file of its own, `workflows/<key>.json`, named by its key, so that a rename is a change of one line.
//! `manifest.json` says what the engine calls each of them, and the hash of each document.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use slipway_kernel::{Key, Sha256, Slug, digest::CanonicalError, digest_of};
use slipway_workflows::{
    Workflow, WorkflowId,
    inventory::{Entry, Inventory},
};

use crate::Files;

const MANIFEST: &str = "manifest.json";
const FOLDER: &str = "workflows/";
const FORM: &str = "slipway.manifest.v1";

#[derive(Serialize, Deserialize)]
struct Manifest {
    form: String,
    environment: Slug,
    content_hash: Sha256,
    workflows: BTreeMap<Key, Listed>,
}

#[derive(Serialize, Deserialize)]
struct Listed {
    id: WorkflowId,
    name: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    archived: bool,
    /// Of the document as it stands in its file; absent where the engine's document could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hash: Option<Sha256>,
}

/// A commit that is no snapshot of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot's file {path} is not as Slipway wrote it: {problem}")]
pub struct DamagedSnapshot {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The digest over all workflows of an environment that are not archived (`slipway.environment.v1`). Ids don't count, so
/// that an environment whose workflows were removed and made again has the same one.
pub fn content_hash(inventory: &Inventory) -> Result<Sha256, CanonicalError> {
    let states: BTreeMap<&Key, Sha256> = inventory
        .iter()
        .filter(|entry| !entry.archived)
        .filter_map(|entry| Some((&entry.key, entry.workflow.as_ref().ok()?)))
        .map(|(key, workflow)| (key, inventory.portable(workflow).state_hash()))
        .collect();
    digest_of("slipway.environment.v1", &states)
}

/// The files of a snapshot.
pub fn files(environment: &Slug, inventory: &Inventory) -> Result<Files, CanonicalError> {
    let mut files = Files::new();
    let mut workflows = BTreeMap::new();
    for entry in inventory.iter() {
        let document = entry.workflow.as_ref().ok();
        let listed = Listed {
            id: entry.id.clone(),
            name: entry.name.clone(),
            archived: entry.archived,
            hash: document.map(Workflow::state_hash),
        };
        workflows.insert(entry.key.clone(), listed);
        if let Some(document) = document {
            let bytes = Bytes::from(document.to_pretty_json());
            files.insert(path_of(&entry.key), bytes);
        }
    }
    let manifest = Manifest {
        form: FORM.to_owned(),
        environment: environment.clone(),
        content_hash: content_hash(inventory)?,
        workflows,
    };
    let mut bytes = serde_json::to_vec_pretty(&manifest)?;
    bytes.push(b'\n');
    files.insert(MANIFEST.to_owned(), bytes.into());
    Ok(files)
}

/// The workflows that a snapshot's files hold; those whose documents could not be read when it was taken are left out.
pub fn inventory(files: &Files) -> Result<Inventory, DamagedSnapshot> {
    let damaged = |path: &str, problem: String| DamagedSnapshot {
        path: path.to_owned(),
        problem,
    };
    let read = |path: &str| {
        let absent = || damaged(path, "it is missing".to_owned());
        files.get(path).ok_or_else(absent)
    };
    let manifest: Manifest = serde_json::from_slice(read(MANIFEST)?)
        .map_err(|error| damaged(MANIFEST, error.to_string()))?;
    if manifest.form != FORM {
        let problem = format!("its form is `{}`; expected `{FORM}`", manifest.form);
        return Err(damaged(MANIFEST, problem));
    }
    let mut entries = Vec::with_capacity(manifest.workflows.len());
    for (key, listed) in manifest.workflows {
        let Some(hash) = listed.hash else { continue };
        let path = path_of(&key);
        let workflow = Workflow::from_json(read(&path)?, &listed.name)
            .map_err(|error| damaged(&path, error.to_string()))?;
        let found = workflow.state_hash();
        if found != hash {
            let problem = format!("its hash is {found}; the manifest says {hash}");
            return Err(damaged(&path, problem));
        }
        entries.push(Entry {
            key,
            id: listed.id,
            name: listed.name,
            archived: listed.archived,
            workflow: Ok(workflow),
        });
    }
    Ok(Inventory::new(entries))
}

/// The file of a workflow. What a file name should not have is written as `_` and its code in hexadecimal digits.
pub fn path_of(key: &Key) -> String {
    let spelled = key.as_str().bytes().map(|byte| match byte {
        b'_' => "__".to_owned(),
        b'-' | b'.' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("_{byte:02X}"),
    });
    format!("{FOLDER}{}.json", spelled.collect::<String>())
}
