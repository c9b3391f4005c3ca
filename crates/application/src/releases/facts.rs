//! What a release names, as the catalog and the ledger have it.

use std::collections::{BTreeMap, BTreeSet};

use slipway_catalog::{Application, Environment, Version};
use slipway_kernel::{Key, ProjectId, StoreError};
use slipway_ledger::CurrentVersion;

use super::Wanted;
use crate::Context;

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The release is made all the same.
    Warning,
    /// The release is refused.
    Error,
}

/// What stands against a release, or should be known before anybody agrees to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How serious it is.
    pub severity: Severity,
    /// A word that never changes its meaning.
    pub reason: &'static str,
    /// The position of the item that it is about; `None` where it is about all of it.
    pub item: Option<usize>,
    /// What was found, for people.
    pub message: String,
}

/// All of it, by the applications' keys.
pub(super) struct Facts {
    pub(super) applications: BTreeMap<Key, Application>,
    pub(super) versions: BTreeMap<Key, Version>,
    /// Of the items and of everything that they depend on.
    pub(super) current: BTreeMap<Key, CurrentVersion>,
}

/// Reads all of it: three statements.
pub(super) async fn read(
    context: &Context,
    project: ProjectId,
    target: &Environment,
    items: &[Wanted],
) -> Result<Facts, StoreError> {
    let reader = context.reader();
    let keys: BTreeSet<Key> = items.iter().map(|item| item.application.clone()).collect();
    let names = items.iter().filter_map(|item| {
        let version = item.version.clone()?;
        Some((item.application.clone(), version))
    });
    let found = reader.applications_with(project, &keys).await?;
    let applications: BTreeMap<_, _> = found.into_iter().map(|it| (it.key.clone(), it)).collect();
    let versions = reader.versions_with(project, &names.collect()).await?;
    let keys_by_id: BTreeMap<_, _> = applications.values().map(|it| (it.id, &it.key)).collect();
    let versions: BTreeMap<Key, Version> = versions
        .into_iter()
        .filter_map(|version| Some(((*keys_by_id.get(&version.application)?).clone(), version)))
        .collect();
    let rested_on = rested_on(keys, versions.values());
    let current = reader.current_versions(target.id, &rested_on).await?;
    Ok(Facts {
        applications,
        versions,
        current: by_key(current),
    })
}

/// Of what the current version matters: the items, and what they depend on.
pub(super) fn rested_on<'v>(
    mut keys: BTreeSet<Key>,
    versions: impl Iterator<Item = &'v Version>,
) -> BTreeSet<Key> {
    keys.extend(versions.flat_map(|version| {
        let dependencies = version.dependencies.iter();
        dependencies.map(|dependency| dependency.application.clone())
    }));
    keys
}

pub(super) fn by_key(current: Vec<CurrentVersion>) -> BTreeMap<Key, CurrentVersion> {
    current.into_iter().map(|it| (it.key.clone(), it)).collect()
}
