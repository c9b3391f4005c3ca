//! What reporting one deployment and importing many have in common.
//!
//! All of it happens inside one unit of work: names are looked up, what is missing and allowed is created, the records
//! are added, and the current state moves. Its cost for one report whose names all exist is three statements, and for
//! many reports a bounded number.

use std::collections::BTreeMap;

use slipway_audit::{Fact, FactKind};
use slipway_identity::{Command, Scope, authorise};
use slipway_kernel::{PersonId, ProjectId, RecordId, Slug, Timestamp};
use slipway_ledger::{
    CellPlace, NewRecord, RecordKind,
    record::{Inserted, Placed, Target, deployment_time},
};

use super::{CreateMissing, LedgerError, Report, creation::Created, known::present_as};
use crate::{Call, CommandError, Context, change::Change};

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

/// Who reports into which project, and what may be created for it.
pub(super) struct Reporting<'a> {
    pub(super) context: &'a Context,
    pub(super) call: &'a Call<'a>,
    pub(super) project: ProjectId,
    pub(super) slug: &'a Slug,
    pub(super) create_missing: CreateMissing,
}

/// What the names in these reports stand for.
pub(super) async fn look_up(
    change: &mut Change<'_>,
    project: ProjectId,
    reports: &[&Report],
) -> Result<Vec<Target>, CommandError> {
    let names: Vec<_> = reports.iter().map(|report| report.names()).collect();
    Ok(change.unit.records().targets(project, &names).await?)
}

impl Reporting<'_> {
    /// Records deployments, each under the identifier of the same place in `ids`.
    pub(super) async fn record(
        &self,
        change: &mut Change<'_>,
        ids: &[RecordId],
        reports: &[&Report],
    ) -> Result<Recording, CommandError> {
        let targets = look_up(change, self.project, reports).await?;
        if targets.iter().any(|target| target.project_archived) {
            return Err(CommandError::ProjectArchived {
                slug: self.slug.clone(),
            });
        }
        let mut outcomes = self.known_by_external_id(change, reports, &targets).await?;
        if outcomes.is_empty() {
            return self.record_others(change, ids, reports, targets).await;
        }
        let others: Vec<usize> = (0..reports.len())
            .filter(|at| !outcomes.contains_key(at))
            .collect();
        let ids: Vec<_> = others.iter().map(|at| ids[*at]).collect();
        let unknown: Vec<_> = others.iter().map(|at| reports[*at]).collect();
        let targets: Vec<_> = others.iter().map(|at| targets[*at].clone()).collect();
        let recording = self.record_others(change, &ids, &unknown, targets).await?;
        outcomes.extend(others.into_iter().zip(recording.outcomes));
        Ok(Recording {
            outcomes: outcomes.into_values().collect(),
            ..recording
        })
    }

    async fn record_others(
        &self,
        change: &mut Change<'_>,
        ids: &[RecordId],
        reports: &[&Report],
        targets: Vec<Target>,
    ) -> Result<Recording, CommandError> {
        let (targets, created) = self.create_missing(change, reports, targets).await?;
        let claims = self.claim_names(change, reports, &targets).await?;

        let mut refused = BTreeMap::new();
        let mut accepted = Vec::with_capacity(reports.len());
        let mut records = Vec::with_capacity(reports.len());
        for (at, (report, target)) in reports.iter().zip(&targets).enumerate() {
            match self.decide(ids[at], report, target, change.now, &claims) {
                Ok(record) => {
                    accepted.push(at);
                    records.push(record);
                }
                Err(error) => drop(refused.insert(at, error)),
            }
        }
        let mut outcomes = self.refused(change, reports, &targets, refused).await?;
        let inserted = change.unit.records().insert(&records).await?;

        let mut placed = Vec::with_capacity(records.len());
        let mut facts = Vec::with_capacity(records.len());
        for ((at, record), inserted) in accepted.iter().zip(&records).zip(&inserted) {
            if let Inserted::Added { sequence } = *inserted {
                placed.push(Placed {
                    record,
                    sequence,
                    cell: CellPlace {
                        application: reports[*at].application.clone(),
                        environment: reports[*at].environment.clone(),
                    },
                });
                facts.push(Fact {
                    kind: FactKind::DeploymentRecord,
                    record: record.id,
                    digest: record.digest(sequence)?,
                });
            }
        }
        if !placed.is_empty() {
            change.unit.records().advance(&placed).await?;
        }
        for ((at, record), inserted) in accepted.into_iter().zip(records).zip(inserted) {
            let outcome = match inserted {
                Inserted::Present(known) => {
                    let names = (
                        Some(record.application),
                        Some(record.version),
                        Some(record.environment),
                    );
                    present_as(reports[at], names, known)
                }
                Inserted::Added { sequence } => Ok(Outcome::Added(Box::new(Added {
                    record,
                    sequence,
                    target: targets[at].clone(),
                }))),
            };
            outcomes.insert(at, outcome);
        }
        Ok(Recording {
            outcomes: outcomes.into_values().collect(),
            created,
            facts,
        })
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
        let deprecated = target.version.is_some_and(|version| version.deprecated);
        if deprecated && report.kind == RecordKind::Deployed {
            return Err(LedgerError::VersionDeprecated {
                application: report.application.clone(),
                version: report.version.clone(),
            });
        }
        Ok(deployment_time(report.deployed_at.unwrap_or(now), now)?)
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

    /// The persons behind all claimed names; new ones are written down.
    async fn claim_names<'n>(
        &self,
        change: &mut Change<'_>,
        reports: &[&'n Report],
        targets: &[Target],
    ) -> Result<BTreeMap<&'n str, PersonId>, CommandError> {
        let mut known = BTreeMap::new();
        let mut unknown = BTreeMap::new();
        for (report, target) in reports.iter().zip(targets) {
            if let Some(name) = &report.deployed_by {
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
        })
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
