//! What a report names and does not exist is created on the way, where the caller asked for that and may do it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use slipway_catalog::{Application, Environment, Version};
use slipway_identity::{Command, Scope, authorise};
use slipway_kernel::{
    ApplicationId, Attributes, EnvironmentId, Key, Revision, Slug, VersionId,
    text::{Description, DisplayName, Notes},
};
use slipway_ledger::record::{Target, TargetNames};

use super::recording::Reporting;
use crate::{CommandError, change::Change};

/// What reports created in the catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Created {
    /// Applications.
    pub applications: BTreeSet<Key>,
    /// Versions, each by its application and its identifier.
    pub versions: BTreeSet<(Key, Key)>,
    /// Environments.
    pub environments: BTreeSet<Slug>,
}

impl Created {
    /// As the audit trail shows it.
    pub(super) fn described(&self) -> Value {
        json!({
            "applications": self.applications,
            "versions": self.versions.iter().map(|(key, version)| format!("{key} {version}")).collect::<Vec<_>>(),
            "environments": self.environments,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.applications.is_empty() && self.versions.is_empty() && self.environments.is_empty()
    }
}

impl Reporting<'_> {
    /// Creates what the reports name, does not exist, and may be created. A race with somebody who creates the same is
    /// no error: the names are looked up again afterwards.
    pub(super) async fn create_missing(
        &self,
        change: &mut Change<'_>,
        names: &[TargetNames<'_>],
        targets: &[Target],
    ) -> Result<Created, CommandError> {
        let mut created = Created::default();
        let may =
            |command| authorise(self.call.caller, command, Scope::Project(self.project)).is_ok();
        if let Some(tier) = self
            .create_missing
            .environments
            .filter(|_| may(Command::CreateEnvironment))
        {
            let missing: BTreeSet<&Slug> = names
                .iter()
                .zip(targets)
                .filter(|(_, t)| t.environment.is_none())
                .map(|(n, _)| n.environment)
                .collect();
            for slug in missing {
                let environment = Environment {
                    id: EnvironmentId::new(&*self.context.ids),
                    project: self.project,
                    slug: slug.clone(),
                    display_name: named_after(slug.as_str()),
                    description: Description::default(),
                    tier,
                    position: 0,
                    created_at: change.now,
                    archived_at: None,
                    revision: Revision::FIRST,
                };
                if change.unit.environments().insert(&environment).await? {
                    created.environments.insert(slug.clone());
                }
            }
        }
        let mut applications: BTreeMap<&Key, ApplicationId> = BTreeMap::new();
        if let Some(kind) = self
            .create_missing
            .applications
            .filter(|_| may(Command::CreateApplication))
        {
            let missing: BTreeSet<&Key> = names
                .iter()
                .zip(targets)
                .filter(|(_, t)| t.application.is_none())
                .map(|(n, _)| n.application)
                .collect();
            let new: Vec<_> = missing
                .into_iter()
                .map(|key| Application {
                    id: ApplicationId::new(&*self.context.ids),
                    project: self.project,
                    key: key.clone(),
                    kind,
                    display_name: named_after(key.as_str()),
                    description: Description::default(),
                    created_at: change.now,
                    archived_at: None,
                    revision: Revision::FIRST,
                })
                .collect();
            if !new.is_empty() {
                created.applications = change
                    .unit
                    .applications()
                    .insert(&new)
                    .await?
                    .into_iter()
                    .collect();
                for (names, _) in names
                    .iter()
                    .zip(targets)
                    .filter(|(_, t)| t.application.is_none())
                {
                    if let Some(application) = new.iter().find(|new| new.key == *names.application)
                        && created.applications.contains(names.application)
                    {
                        applications.insert(names.application, application.id);
                    }
                }
            }
        }
        if self.create_missing.versions && may(Command::CreateVersion) {
            created.versions = self
                .create_versions(change, names, targets, &applications)
                .await?;
        }
        Ok(created)
    }

    async fn create_versions(
        &self,
        change: &mut Change<'_>,
        names: &[TargetNames<'_>],
        targets: &[Target],
        new_applications: &BTreeMap<&Key, ApplicationId>,
    ) -> Result<BTreeSet<(Key, Key)>, CommandError> {
        let mut missing: BTreeMap<(&Key, &Key), Version> = BTreeMap::new();
        for (names, target) in names
            .iter()
            .zip(targets)
            .filter(|(_, target)| target.version.is_none())
        {
            let existing = target
                .application
                .as_ref()
                .filter(|application| !application.archived);
            let application = existing
                .map(|application| application.id)
                .or_else(|| new_applications.get(names.application).copied());
            if let Some(application) = application {
                missing
                    .entry((names.application, names.version))
                    .or_insert_with(|| Version {
                        id: VersionId::new(&*self.context.ids),
                        application,
                        identifier: names.version.clone(),
                        digest: None,
                        content: None,
                        dependencies: Vec::new(),
                        attributes: Attributes::default(),
                        notes: Notes::default(),
                        author: self.call.caller.principal,
                        created_by: self.call.caller.principal,
                        created_at: change.now,
                        deprecated: None,
                    });
            }
        }
        if missing.is_empty() {
            return Ok(BTreeSet::new());
        }
        let names: BTreeMap<VersionId, (Key, Key)> = missing
            .iter()
            .map(|((key, identifier), version)| {
                (version.id, ((*key).clone(), (*identifier).clone()))
            })
            .collect();
        let new: Vec<_> = missing.into_values().collect();
        let inserted = change.unit.versions().insert(&new).await?;
        Ok(inserted
            .iter()
            .filter_map(|id| names.get(id).cloned())
            .collect())
    }
}

/// What people call a thing that was created on the way: its name, which always fits.
fn named_after(name: &str) -> DisplayName {
    DisplayName::try_from(name.to_owned()).unwrap_or_default()
}
