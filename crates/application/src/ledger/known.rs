//! Reports of what was recorded before.

use std::collections::{BTreeMap, BTreeSet};

use slipway_kernel::{ApplicationId, EnvironmentId, Key, VersionId};
use slipway_ledger::{
    NaturalKey,
    record::{ExternalId, Known, Target},
};

use super::{
    LedgerError, Report,
    recording::{Outcome, Reporting},
};
use crate::{CommandError, change::Change};

impl Reporting<'_> {
    /// Reports whose external id the reporter used before: they are present, or refused where it was used for another
    /// deployment. They create nothing.
    pub(super) async fn known_by_external_id(
        &self,
        change: &mut Change<'_>,
        reports: &[&Report],
        targets: &[Target],
    ) -> Result<BTreeMap<usize, Result<Outcome, LedgerError>>, CommandError> {
        let (places, keys): (Vec<usize>, Vec<NaturalKey<'_>>) = reports
            .iter()
            .enumerate()
            .filter_map(|(at, report)| {
                let external_id = report.external_id.as_ref()?;
                Some((at, self.external_key(external_id)))
            })
            .unzip();
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let present = change.unit.records().present(&keys).await?;
        Ok(places
            .into_iter()
            .zip(present)
            .filter_map(|(at, known)| {
                let target = &targets[at];
                let names = (
                    target.application.as_ref().map(|found| found.id),
                    target.version.map(|found| found.id),
                    target.environment.as_ref().map(|found| found.id),
                );
                Some((at, present_as(reports[at], names, known?)))
            })
            .collect())
    }

    /// The natural key that an external id of the caller's makes.
    fn external_key<'k>(&self, external_id: &'k ExternalId) -> NaturalKey<'k> {
        NaturalKey::External {
            project: self.project,
            reporter: self.call.caller.principal,
            external_id,
        }
    }

    /// What becomes of refused reports: one that was recorded before is present all the same, and of a version that is
    /// missing it is told whether others have it.
    pub(super) async fn refused(
        &self,
        change: &mut Change<'_>,
        reports: &[&Report],
        targets: &[Target],
        mut refused: BTreeMap<usize, LedgerError>,
    ) -> Result<BTreeMap<usize, Result<Outcome, LedgerError>>, CommandError> {
        let (places, keys): (Vec<usize>, Vec<NaturalKey<'_>>) = refused
            .keys()
            .filter_map(|at| Some((*at, Self::content_key(reports[*at], &targets[*at])?)))
            .unzip();
        let present = change.unit.records().present(&keys).await?;
        let mut outcomes = BTreeMap::new();
        for (at, known) in places.into_iter().zip(present) {
            if let Some(known) = known {
                refused.remove(&at);
                outcomes.insert(at, Ok(Outcome::Present(known.id)));
            }
        }
        let missing: BTreeSet<Key> = refused
            .values()
            .filter_map(|error| match error {
                LedgerError::VersionNotFound { version, .. } => Some(version.clone()),
                _ => None,
            })
            .collect();
        let elsewhere = if missing.is_empty() {
            missing
        } else {
            change
                .unit
                .versions()
                .existing(self.project, &missing)
                .await?
        };
        outcomes.extend(refused.into_iter().map(|(at, error)| {
            let error = match error {
                LedgerError::VersionNotFound {
                    application,
                    version,
                } if elsewhere.contains(&version) => LedgerError::VersionElsewhere {
                    application,
                    version,
                },
                error => error,
            };
            (at, Err(error))
        }));
        Ok(outcomes)
    }

    /// What a report without an external id is known by, as far as what it names exists.
    fn content_key(report: &Report, target: &Target) -> Option<NaturalKey<'static>> {
        if report.external_id.is_some() {
            return None;
        }
        Some(NaturalKey::Content {
            application: target.application.as_ref()?.id,
            version: target.version?.id,
            environment: target.environment.as_ref()?.id,
            reported_at: report.deployed_at?,
            kind: report.kind,
        })
    }
}

/// What the names of a report stand for, where they stand for something.
type Names = (
    Option<ApplicationId>,
    Option<VersionId>,
    Option<EnvironmentId>,
);

/// A report is present where the record that is known by its key says the same; an external id that was used for
/// another deployment is refused.
pub(super) fn present_as(
    report: &Report,
    (application, version, environment): Names,
    known: Known,
) -> Result<Outcome, LedgerError> {
    let same = application == Some(known.application)
        && version == Some(known.version)
        && environment == Some(known.environment)
        && report.kind == known.kind;
    match &report.external_id {
        Some(external_id) if !same => Err(LedgerError::ExternalIdReused {
            external_id: external_id.clone(),
            id: known.id,
        }),
        _ => Ok(Outcome::Present(known.id)),
    }
}
