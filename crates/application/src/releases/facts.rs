//! What a release names, as the catalog and the ledger have it.

use std::collections::{BTreeMap, BTreeSet};

use slipway_catalog::{Application, Environment, Version};
use slipway_deployments::release::{
    ApplicationFacts, DraftItem, Facts, MAX_LOOKED_THROUGH, Needed, VersionFacts, looked_through,
};
use slipway_identity::{PrincipalKind, Project};
use slipway_kernel::{Key, PrincipalId, StoreError};
use slipway_ledger::CurrentVersion;

use crate::{Context, deployments::DeploymentError};

/// All that is known about it, and the rows that stand for it, by the applications' keys.
pub(super) struct Known {
    pub(super) facts: Facts,
    pub(super) applications: BTreeMap<Key, Application>,
    pub(super) versions: BTreeMap<Key, Version>,
    /// Of the items and of everything that they depend on.
    pub(super) current: BTreeMap<Key, CurrentVersion>,
}

impl Known {
    /// The version that an item wants.
    pub(super) fn version(&self, item: &DraftItem) -> Option<&Version> {
        item.version()?;
        self.versions.get(&item.application)
    }
}

/// Reads all of it: three statements, one for each author, and the texts.
pub(super) async fn read(
    context: &Context,
    project: &Project,
    target: &Environment,
    items: &[DraftItem],
) -> Result<Known, DeploymentError> {
    let reader = context.reader();
    let keys: BTreeSet<Key> = items.iter().map(|item| item.application.clone()).collect();
    let names = items.iter().filter_map(|item| {
        let version = item.version()?.clone();
        Some((item.application.clone(), version))
    });
    let found = reader.applications_with(project.id, &keys).await?;
    let applications: BTreeMap<_, _> = found.into_iter().map(|it| (it.key.clone(), it)).collect();
    let versions = reader.versions_with(project.id, &names.collect()).await?;
    let keys_by_id: BTreeMap<_, _> = applications.values().map(|it| (it.id, &it.key)).collect();
    let versions: BTreeMap<Key, Version> = versions
        .into_iter()
        .filter_map(|version| Some(((*keys_by_id.get(&version.application)?).clone(), version)))
        .collect();
    let rested_on = rested_on(keys, versions.values());
    let current = by_key(reader.current_versions(target.id, &rested_on).await?);
    let people = people(context, versions.values()).await?;
    let mut described: BTreeMap<_, _> = applications
        .iter()
        .map(|(key, application)| (key.clone(), application_facts(application)))
        .collect();
    for (key, version) in &versions {
        let text = text(context, version).await?;
        let facts = version_facts(version, people.contains(&version.author), text);
        if let Some(application) = described.get_mut(key) {
            application
                .versions
                .insert(version.identifier.clone(), facts);
        }
    }
    let facts = Facts {
        tier: target.tier,
        requirements: project.requirements.clone(),
        applications: described,
        current: current
            .iter()
            .map(|(key, it)| (key.clone(), current_facts(it)))
            .collect(),
    };
    Ok(Known {
        facts,
        applications,
        versions,
        current,
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

/// Those of the authors who are people.
async fn people(
    context: &Context,
    versions: impl Iterator<Item = &Version>,
) -> Result<BTreeSet<PrincipalId>, StoreError> {
    let authors: BTreeSet<_> = versions.map(|version| version.author).collect();
    let mut people = BTreeSet::new();
    for author in authors {
        let found = context.reader().principal(author).await?;
        if found.is_some_and(|it| it.kind == PrincipalKind::User) {
            people.insert(author);
        }
    }
    Ok(people)
}

fn application_facts(application: &Application) -> ApplicationFacts {
    ApplicationFacts {
        kind: application.kind,
        archived: application.archived_at.is_some(),
        versions: BTreeMap::new(),
    }
}

pub(super) fn version_facts(
    version: &Version,
    by_a_person: bool,
    text: Option<String>,
) -> VersionFacts {
    let needed = version.dependencies.iter().map(|dependency| Needed {
        application: dependency.application.clone(),
        requirement: dependency.requirement.to_string(),
    });
    VersionFacts {
        id: version.id,
        created_at: version.created_at,
        author: by_a_person.then_some(version.author),
        deprecated: version.deprecated.as_ref().map(|it| it.reason.clone()),
        dependencies: needed.collect(),
        attributes: version.attributes.clone(),
        notes: version.notes.clone(),
        text,
        unread: version
            .content
            .as_ref()
            .map(|held| held.size)
            .filter(|size| *size > MAX_LOOKED_THROUGH),
    }
}

pub(super) fn current_facts(
    current: &CurrentVersion,
) -> slipway_deployments::release::CurrentVersion {
    slipway_deployments::release::CurrentVersion {
        id: current.version,
        identifier: current.identifier.clone(),
        created_at: current.created_at,
    }
}

/// The content of a version, where Slipway keeps one that is looked through.
async fn text(context: &Context, version: &Version) -> Result<Option<String>, DeploymentError> {
    let (Some(digest), Some(held)) = (version.digest, &version.content) else {
        return Ok(None);
    };
    if held.size > MAX_LOOKED_THROUGH {
        return Ok(None);
    }
    let bytes = context.objects.get(digest).await?;
    Ok(bytes.and_then(|bytes| looked_through(&held.media_type, &bytes)))
}
