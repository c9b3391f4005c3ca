//! What a report names and does not exist is created on the way, where the caller asked for that and may do it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use slipway_catalog::{Application, Environment, Version};
use slipway_kernel::{
    ApplicationId, ApplicationKind, Attributes, EnvironmentId, Key, Revision, Slug, Tier,
    VersionId,
    text::{Description, DisplayName, Notes},
};
use slipway_ledger::record::Target;

use super::{Report, recording::Reporting};
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
    /// Creates what the reports name, does not exist, and may be created; nothing for a report that is refused all the
    /// same or known. Answers with what the names stand for afterwards.
    ///
    /// What somebody else creates at the same time is no error: adding it waits for that unit of work, and it is looked
    /// up then like our own.
    pub(super) async fn create_missing(
        &self,
        change: &mut Change<'_>,
        reports: &[&Report],
        mut targets: Vec<Target>,
    ) -> Result<(Vec<Target>, Created), CommandError> {
        let mut created = Created::default();
        let missing = |lacks: fn(&Target) -> bool, targets: &[Target]| -> Vec<usize> {
            let lacking = targets.iter().enumerate().filter(|(_, t)| lacks(t));
            lacking
                .filter(|(_, target)| target.known.is_none())
                .filter(|(at, target)| self.check(reports[*at], target, change.now).is_ok())
                .map(|(at, _)| at)
                .collect()
        };
        let environments = missing(|target| target.environment.is_none(), &targets);
        let applications = missing(|target| target.application.is_none(), &targets);
        if !environments.is_empty() || !applications.is_empty() {
            let slugs = environments.iter().map(|at| &reports[*at].environment);
            created.environments = self.create_environments(change, slugs.collect()).await?;
            let keys = applications.iter().map(|at| &reports[*at].application);
            created.applications = self.create_applications(change, keys.collect()).await?;
            targets = self.look_up(change, reports).await?;
        }
        let missing: BTreeMap<_, _> = reports
            .iter()
            .zip(&targets)
            .filter(|(report, target)| {
                target.known.is_none()
                    && target.version.is_none()
                    && self.check(report, target, change.now).is_ok()
            })
            .filter_map(|(report, target)| {
                let application = target.application.as_ref()?;
                Some(((&report.application, &report.version), application.id))
            })
            .collect();
        if !missing.is_empty() {
            created.versions = self.create_versions(change, missing).await?;
            targets = self.look_up(change, reports).await?;
        }
        Ok((targets, created))
    }

    async fn create_environments(
        &self,
        change: &mut Change<'_>,
        slugs: BTreeSet<&Slug>,
    ) -> Result<BTreeSet<Slug>, CommandError> {
        let mut created = BTreeSet::new();
        for slug in slugs {
            let environment = Environment {
                id: EnvironmentId::new(&*self.context.ids),
                project: self.project,
                slug: slug.clone(),
                display_name: named_after(slug.as_str()),
                description: Description::default(),
                tier: self
                    .create_missing
                    .environments
                    .unwrap_or(Tier::Development),
                position: 0,
                backup_interval: None,
                created_at: change.now,
                archived_at: None,
                revision: Revision::FIRST,
            };
            if change.unit.environments().insert(&environment).await? {
                created.insert(slug.clone());
            }
        }
        Ok(created)
    }

    async fn create_applications(
        &self,
        change: &mut Change<'_>,
        keys: BTreeSet<&Key>,
    ) -> Result<BTreeSet<Key>, CommandError> {
        let kind = self.create_missing.applications;
        let new: Vec<_> = keys
            .into_iter()
            .map(|key| Application {
                id: ApplicationId::new(&*self.context.ids),
                project: self.project,
                key: key.clone(),
                kind: kind.unwrap_or(ApplicationKind::Service),
                display_name: named_after(key.as_str()),
                description: Description::default(),
                created_at: change.now,
                archived_at: None,
                revision: Revision::FIRST,
            })
            .collect();
        let created = change.unit.applications().insert(&new).await?;
        Ok(created.into_iter().collect())
    }

    async fn create_versions(
        &self,
        change: &mut Change<'_>,
        missing: BTreeMap<(&Key, &Key), ApplicationId>,
    ) -> Result<BTreeSet<(Key, Key)>, CommandError> {
        let author = self.call.caller.principal;
        let new: Vec<_> = missing
            .iter()
            .map(|((_, identifier), application)| Version {
                id: VersionId::new(&*self.context.ids),
                application: *application,
                identifier: (*identifier).clone(),
                digest: None,
                content: None,
                dependencies: Vec::new(),
                attributes: Attributes::default(),
                notes: Notes::default(),
                author,
                created_by: author,
                created_at: change.now,
                deprecated: None,
            })
            .collect();
        let created: BTreeSet<_> = change
            .unit
            .versions()
            .insert(&new)
            .await?
            .into_iter()
            .collect();
        Ok(new
            .iter()
            .zip(missing.into_keys())
            .filter(|(version, _)| created.contains(&version.id))
            .map(|(_, (key, identifier))| (key.clone(), identifier.clone()))
            .collect())
    }
}

/// What people call a thing that was created on the way: its name, which always fits.
fn named_after(name: &str) -> DisplayName {
    DisplayName::try_from(name.to_owned()).unwrap_or_default()
}
