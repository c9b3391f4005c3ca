//! What a snapshot holds: the workflows of an environment as files.
//!
//! Each workflow is a file of its own, `workflows/<key>.json`, named by its key, so that a rename is a change of one line.
//! `manifest.json` says what the engine calls each of them, whether it runs, and the hash of its document: two snapshots
//! are compared by their manifests, and only the documents that differ are read.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use slipway_kernel::{Key, Sha256, Slug, digest::CanonicalError, digest_of};
use slipway_workflows::{
    Workflow, WorkflowId,
    inventory::{Entry, Inventory},
};

use crate::Files;

/// The file that lists the workflows.
pub const MANIFEST: &str = "manifest.json";
const FOLDER: &str = "workflows/";
const FORM: &str = "slipway.manifest.v1";

/// What a snapshot says it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    form: String,
    environment: Slug,
    /// See [`content_hash`].
    pub content_hash: Sha256,
    /// Its workflows, by key.
    pub workflows: BTreeMap<Key, Listed>,
}

/// A workflow without its document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// What its engine calls it.
    pub id: WorkflowId,
    /// What people call it.
    pub name: String,
    /// Whether it runs on its triggers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub active: bool,
    /// Whether it was put away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
    /// The state hash of the document as it stands in its file; `None` where the engine's document could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Sha256>,
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

/// The workflows of an environment without their documents; hashes only of those named, because each takes a while.
pub fn listed(inventory: &Inventory, hashed: Option<&BTreeSet<Key>>) -> BTreeMap<Key, Listed> {
    let is_hashed = |key: &Key| hashed.is_none_or(|hashed| hashed.contains(key));
    let listed = |entry: &Entry| {
        let document = entry.workflow.as_ref().ok();
        Listed {
            id: entry.id.clone(),
            name: entry.name.clone(),
            active: document.is_some_and(|workflow| workflow.active),
            archived: entry.archived,
            hash: document
                .filter(|_| is_hashed(&entry.key))
                .map(Workflow::state_hash),
        }
    };
    inventory
        .iter()
        .map(|entry| (entry.key.clone(), listed(entry)))
        .collect()
}

/// The files of a snapshot.
pub fn files(environment: &Slug, inventory: &Inventory) -> Result<Files, CanonicalError> {
    let mut files = Files::new();
    for entry in inventory.iter() {
        if let Ok(document) = &entry.workflow {
            let bytes = Bytes::from(document.to_pretty_json());
            files.insert(path_of(&entry.key), bytes);
        }
    }
    let manifest = Manifest {
        form: FORM.to_owned(),
        environment: environment.clone(),
        content_hash: content_hash(inventory)?,
        workflows: listed(inventory, None),
    };
    let mut bytes = serde_json::to_vec_pretty(&manifest)?;
    bytes.push(b'\n');
    files.insert(MANIFEST.to_owned(), bytes.into());
    Ok(files)
}

/// What the file [`MANIFEST`] says; `None` stands for a commit that does not have it.
pub fn manifest(bytes: Option<&Bytes>) -> Result<Manifest, DamagedSnapshot> {
    let manifest: Manifest = serde_json::from_slice(present(MANIFEST, bytes)?)
        .map_err(|error| damaged(MANIFEST, error.to_string()))?;
    if manifest.form == FORM {
        return Ok(manifest);
    }
    let problem = format!("its form is `{}`; expected `{FORM}`", manifest.form);
    Err(damaged(MANIFEST, problem))
}

impl Manifest {
    /// The document of a workflow from its file, which must have the hash that is listed; `Ok(None)` where none is listed.
    pub fn document(
        &self,
        key: &Key,
        bytes: Option<&Bytes>,
    ) -> Result<Option<Workflow>, DamagedSnapshot> {
        let Some((listed, hash)) = self
            .workflows
            .get(key)
            .and_then(|listed| Some((listed, listed.hash?)))
        else {
            return Ok(None);
        };
        let path = path_of(key);
        let workflow = Workflow::from_json(present(&path, bytes)?, &listed.name)
            .map_err(|error| damaged(&path, error.to_string()))?;
        let found = workflow.state_hash();
        if found == hash {
            return Ok(Some(workflow));
        }
        let problem = format!("its hash is {found}; the manifest says {hash}");
        Err(damaged(&path, problem))
    }
}

/// The workflows that a snapshot's files hold; those whose documents could not be read when it was taken are left out.
pub fn inventory(files: &Files) -> Result<Inventory, DamagedSnapshot> {
    let manifest = manifest(files.get(MANIFEST))?;
    let mut entries = Vec::with_capacity(manifest.workflows.len());
    for (key, listed) in &manifest.workflows {
        let Some(workflow) = manifest.document(key, files.get(&path_of(key)))? else {
            continue;
        };
        entries.push(Entry {
            key: key.clone(),
            id: listed.id.clone(),
            name: listed.name.clone(),
            archived: listed.archived,
            workflow: Ok(workflow),
        });
    }
    Ok(Inventory::new(entries))
}

fn present<'a>(path: &str, bytes: Option<&'a Bytes>) -> Result<&'a Bytes, DamagedSnapshot> {
    bytes.ok_or_else(|| damaged(path, "it is missing".to_owned()))
}

fn damaged(path: &str, problem: String) -> DamagedSnapshot {
    DamagedSnapshot {
        path: path.to_owned(),
        problem,
    }
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
