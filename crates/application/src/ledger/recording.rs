//! What reporting one deployment and importing many have in common.
//!
//! All of it happens inside one unit of work: names are looked up, what is missing and allowed is created, the records
//! are added, and the current state moves. Its cost for one report whose names all exist is two statements, the second of
//! which the audit event joins, and for many reports a bounded number.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry};

use slipway_audit::{Fact, FactKind};
use slipway_identity::{Command, Scope, authorise};
use slipway_kernel::{ApplicationKind, Key, PersonId, ProjectId, RecordId, Slug, Timestamp};
use slipway_ledger::{
    NewRecord, RecordKind,
    record::{Known, Placed, Target, deployment_time},
};

use super::{CreateMissing, LedgerError, Report, creation::Created};
use crate::{Call, CommandError, Context, change::Change};

/// How often reports are tried where another change got in between.
pub(super) const ATTEMPTS: u32 = 5;

/// What became of the reports of one unit of work.
pub(super) struct Recording {
    /// One outcome per report, in their order.
    pub(super) outcomes: Vec<Result<Outcome, LedgerError>>,
    /// What was created in the catalog.
    pub(super) created: Created,
    /// What the audit event vouches for.
    pub(super) facts: Vec<Fact>,
}

/// What became of a report that was not refused.
pub(super) enum Outcome {
    /// It was added.
    Added(Box<Added>),
    /// It was there already.
    Present(RecordId),
}

/// A record that was added.
pub(super) struct Added {
    pub(super) record: NewRecord,
    /// Its place in the ledger.
    pub(super) sequence: i64,
    /// What it is about.
    pub(super) target: Target,
}

/// What is to become of a report.
enum Decision {
    New(Box<NewRecord>),
    Known(Known),
    Refused(LedgerError),
}

/// Who reports into which project, and what may be created for it.
pub(super) struct Reporting<'a> {
    pub(super) context: &'a Context,
    pub(super) call: &'a Call<'a>,
    pub(super) project: ProjectId,
    pub(super) slug: &'a Slug,
    pub(super) create_missing: CreateMissing,
}

impl Reporting<'_> {
    /// Records deployments, each under the identifier of the same place in `ids`.
    pub(super) async fn record(
        &self,
        change: &mut Change<'_>,
        ids: &[RecordId],
        reports: &[&Report],
    ) -> Result<Recording, CommandError> {
        let targets = self.look_up(change, reports).await?;
        if targets.iter().any(|target| target.project_archived) {
            return Err(CommandError::ProjectArchived {
                slug: self.slug.clone(),
            });
        }
        let (targets, created) = self.create_missing(change, reports, targets).await?;
        let claims = self.claim_names(change, reports, &targets).await?;

        let mut decided = Vec::with_capacity(reports.len());
        for ((id, report), target) in ids.iter().zip(reports).zip(&targets) {
            decided.push(match target.known {
                Some(known) => Decision::Known(known),
                None => match self.decide(*id, report, target, change.now, &claims) {
                    Ok(record) => Decision::New(Box::new(record)),
                    Err(refused) => Decision::Refused(refused),
                },
            });
        }
        self.tell_elsewhere(change, &mut decided).await?;

        tell_repeats(&mut decided);

        let mut placed = Vec::with_capacity(decided.len());
        let mut facts = Vec::with_capacity(decided.len());
        for ((decision, report), target) in decided.iter().zip(reports).zip(&targets) {
            if let Decision::New(record) = decision {
                facts.push(Fact {
                    kind: FactKind::DeploymentRecord,
                    record: record.id,
                    digest: record.digest(target.sequence)?,
                });
                placed.push(Placed {
                    record,
                    sequence: target.sequence,
                    cell: report.cell(),
                });
            }
        }
        if !placed.is_empty() {
            change.unit.records().add(&placed).await?;
        }
        let outcomes = decided.into_iter().zip(reports).zip(targets);
        Ok(Recording {
            outcomes: outcomes
                .map(|((decision, report), target)| outcome(decision, report, target))
                .collect(),
            created,
            facts,
        })
    }

    /// What these reports stand for.
    pub(super) async fn look_up(
        &self,
        change: &mut Change<'_>,
        reports: &[&Report],
    ) -> Result<Vec<Target>, CommandError> {
        let reporter = self.call.caller.principal;
        let names: Vec<_> = reports
            .iter()
            .map(|report| report.names(reporter, change.now))
            .collect();
        Ok(change.unit.records().targets(self.project, &names).await?)
    }

    /// A version that is missing may be another application's: that is told.
    async fn tell_elsewhere(
        &self,
        change: &mut Change<'_>,
        decided: &mut [Decision],
    ) -> Result<(), CommandError> {
        let missing: BTreeSet<Key> = decided
            .iter()
            .filter_map(|decision| match decision {
                Decision::Refused(LedgerError::VersionNotFound { version, .. }) => {
                    Some(version.clone())
                }
                _ => None,
            })
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let versions = change.unit.versions();
        let elsewhere = versions.existing(self.project, &missing).await?;
        for decision in decided {
            if let Decision::Refused(LedgerError::VersionNotFound {
                application,
                version,
            }) = decision
                && elsewhere.contains(version)
            {
                *decision = Decision::Refused(LedgerError::VersionElsewhere {
                    application: application.clone(),
                    version: version.clone(),
                });
            }
        }
        Ok(())
    }

    /// When a deployment happened, where nothing stands against its report but what is missing and may be created.
    pub(super) fn check(
        &self,
        report: &Report,
        target: &Target,
        now: Timestamp,
    ) -> Result<Timestamp, LedgerError> {
        let create = &self.create_missing;
        if target.environment.is_none() {
            let absent = absent_environment(report);
            self.may_create(
                create.environments.is_some(),
                Command::CreateEnvironment,
                absent,
            )?;
        }
        match &target.application {
            None => {
                let absent = absent_application(report);
                self.may_create(
                    create.applications.is_some(),
                    Command::CreateApplication,
                    absent,
                )?;
            }
            Some(application) if application.archived => {
                return Err(LedgerError::ApplicationArchived {
                    key: report.application.clone(),
                });
            }
            Some(_) => {}
        }
        if target.version.is_none() {
            self.may_create(
                create.versions,
                Command::CreateVersion,
                absent_version(report),
            )?;
        }
        if target
            .environment
            .as_ref()
            .is_some_and(|found| found.archived)
        {
            return Err(LedgerError::EnvironmentArchived {
                slug: report.environment.clone(),
            });
        }
        self.check_governance(report, target)?;
        let deprecated = target.version.is_some_and(|version| version.deprecated);
        if deprecated && report.kind == RecordKind::Deployed {
            return Err(LedgerError::VersionDeprecated {
                application: report.application.clone(),
                version: report.version.clone(),
            });
        }
        Ok(deployment_time(report.deployed_at.unwrap_or(now), now)?)
    }

    /// Reports don't go around policies: where they govern, what Slipway itself activates gets records from deployments only.
    fn check_governance(&self, report: &Report, target: &Target) -> Result<(), LedgerError> {
        let Some(environment) = target.environment.as_ref().filter(|it| it.governed) else {
            return Ok(());
        };
        let kind = match &target.application {
            Some(application) => application.kind,
            None => self
                .create_missing
                .applications
                .unwrap_or(ApplicationKind::Service),
        };
        if kind == ApplicationKind::Service && !environment.refuses_reports {
            return Ok(());
        }
        Err(LedgerError::EnvironmentGoverned {
            slug: report.environment.clone(),
            kind,
        })
    }

    /// Passes where what is `absent` may be created: it was asked for, and the caller may do it by itself.
    fn may_create(
        &self,
        asked: bool,
        command: Command,
        absent: LedgerError,
    ) -> Result<(), LedgerError> {
        if !asked {
            return Err(absent);
        }
        authorise(self.call.caller, command, Scope::Project(self.project))
            .map_err(|denied| CommandError::Denied(denied).into())
    }

    /// The persons behind all claimed names of new records; new ones are written down.
    async fn claim_names<'n>(
        &self,
        change: &mut Change<'_>,
        reports: &[&'n Report],
        targets: &[Target],
    ) -> Result<BTreeMap<&'n str, PersonId>, CommandError> {
        let mut known = BTreeMap::new();
        let mut unknown = BTreeMap::new();
        for (report, target) in reports.iter().zip(targets) {
            if let Some(name) = &report.deployed_by
                && target.known.is_none()
                && self.check(report, target, change.now).is_ok()
            {
                match target.deployed_by {
                    Some(person) => drop(known.insert(name.as_str(), person)),
                    None => drop(
                        unknown
                            .entry(name)
                            .or_insert_with(|| PersonId::new(&*self.context.ids)),
                    ),
                }
            }
        }
        if !unknown.is_empty() {
            let unknown: Vec<_> = unknown.into_iter().collect();
            let persons = change
                .unit
                .records()
                .claim_names(self.project, &unknown)
                .await?;
            known.extend(
                unknown
                    .iter()
                    .zip(persons)
                    .map(|((name, _), person)| (name.as_str(), person)),
            );
        }
        Ok(known)
    }

    /// The record that a report asks for, or why it is refused.
    fn decide(
        &self,
        id: RecordId,
        report: &Report,
        target: &Target,
        now: Timestamp,
        claims: &BTreeMap<&str, PersonId>,
    ) -> Result<NewRecord, LedgerError> {
        let deployed_at = self.check(report, target, now)?;
        let environment = target.environment.as_ref();
        let environment = environment.ok_or_else(|| absent_environment(report))?;
        let application = target.application.as_ref();
        let application = application.ok_or_else(|| absent_application(report))?;
        let version = target.version.ok_or_else(|| absent_version(report))?;
        let reporter = self.call.caller.principal;
        let claimed = report
            .deployed_by
            .as_ref()
            .and_then(|name| claims.get(name.as_str()).copied());
        Ok(NewRecord {
            id,
            project: self.project,
            application: application.id,
            version: version.id,
            environment: environment.id,
            kind: report.kind,
            deployed_at,
            reported_at: report.deployed_at.unwrap_or(now),
            recorded_at: now,
            reporter,
            deployed_by: Some(claimed.unwrap_or(PersonId::from_uuid(reporter.uuid()))),
            risk: report.risk,
            notes: report.notes.clone(),
            attributes: report.attributes.clone(),
            external_id: report.external_id.clone(),
            deployment: None,
            outside_governance: environment.governed,
        })
    }
}

/// Of several new records that are the same, the first is added.
fn tell_repeats(decided: &mut [Decision]) {
    let mut firsts = HashMap::with_capacity(decided.len());
    let repeats: Vec<Option<Known>> = decided
        .iter()
        .map(|decision| match decision {
            Decision::New(record) => match firsts.entry(record.natural_key()) {
                Entry::Occupied(first) => Some(*first.get()),
                Entry::Vacant(free) => {
                    free.insert(record.known());
                    None
                }
            },
            Decision::Known(_) | Decision::Refused(_) => None,
        })
        .collect();
    for (decision, repeat) in decided.iter_mut().zip(repeats) {
        if let Some(known) = repeat {
            *decision = Decision::Known(known);
        }
    }
}

/// A report is present where the record that is known by its key says the same; an external id that was used for
/// another deployment is refused.
fn outcome(decision: Decision, report: &Report, target: Target) -> Result<Outcome, LedgerError> {
    let known = match decision {
        Decision::New(record) => {
            return Ok(Outcome::Added(Box::new(Added {
                record: *record,
                sequence: target.sequence,
                target,
            })));
        }
        Decision::Refused(refused) => return Err(refused),
        Decision::Known(known) => known,
    };
    let same = target
        .application
        .is_some_and(|a| a.id == known.application)
        && target.version.is_some_and(|v| v.id == known.version)
        && target
            .environment
            .is_some_and(|e| e.id == known.environment)
        && report.kind == known.kind;
    match &report.external_id {
        Some(external_id) if !same => Err(LedgerError::ExternalIdReused {
            external_id: external_id.clone(),
            id: known.id,
        }),
        _ => Ok(Outcome::Present(known.id)),
    }
}

fn absent_environment(report: &Report) -> LedgerError {
    LedgerError::EnvironmentNotFound {
        slug: report.environment.clone(),
    }
}

fn absent_application(report: &Report) -> LedgerError {
    LedgerError::ApplicationNotFound {
        key: report.application.clone(),
    }
}

fn absent_version(report: &Report) -> LedgerError {
    LedgerError::VersionNotFound {
        application: report.application.clone(),
        version: report.version.clone(),
    }
}
