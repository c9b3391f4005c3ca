//! What reporting one deployment and importing many have in common.
//!
//! All of it happens inside one unit of work: names are looked up, what is missing and allowed is created, the records
//! are added, and the current state moves. Its cost for one report whose names all exist is three statements.

use std::collections::BTreeMap;

use slipway_audit::{Fact, FactKind};
use slipway_identity::{Command, Scope, authorise};
use slipway_kernel::{ApplicationKind, PersonId, ProjectId, RecordId, Slug};
use slipway_ledger::{
    CellPlace, NaturalKey, NewRecord, Record, RecordKind,
    record::{Inserted, Placed, Target, TargetNames, deployment_time},
};

use super::{CreateMissing, LedgerError, Report, creation::Created};
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
    Added(Box<Record>),
    /// It was there already.
    Present(RecordId),
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
    /// Records deployments. The first one's record gets the id given, where one is.
    pub(super) async fn record(
        &self,
        change: &mut Change<'_>,
        reports: &[Report],
        mut id: Option<RecordId>,
    ) -> Result<Recording, CommandError> {
        let names: Vec<_> = reports.iter().map(Report::names).collect();
        let mut targets = change.unit.records().targets(self.project, &names).await?;
        if targets.iter().any(|target| target.project_archived) {
            return Err(CommandError::ProjectArchived {
                slug: self.slug.clone(),
            });
        }
        let created = self.create_missing(change, &names, &targets).await?;
        if !created.is_empty() {
            targets = change.unit.records().targets(self.project, &names).await?;
        }
        let claims = self.claim_names(change, &names, &targets).await?;

        let mut outcomes: Vec<Option<Result<Outcome, LedgerError>>> =
            Vec::with_capacity(reports.len());
        let mut records = Vec::with_capacity(reports.len());
        for (report, target) in reports.iter().zip(&targets) {
            match self.decide(change, report, target, &claims).await? {
                Ok(record) => {
                    records.push(NewRecord {
                        id: id.take().unwrap_or(record.id),
                        ..record
                    });
                    outcomes.push(None);
                }
                Err(refused) => outcomes.push(Some(
                    self.present_or(change, report, target, refused).await?,
                )),
            }
        }
        let inserted = change.unit.records().insert(&records).await?;

        let accepted: Vec<usize> = (0..reports.len())
            .filter(|at| outcomes[*at].is_none())
            .collect();
        let mut placed = Vec::with_capacity(records.len());
        let mut facts = Vec::with_capacity(records.len());
        for ((at, record), inserted) in accepted.iter().zip(&records).zip(&inserted) {
            let report = &reports[*at];
            outcomes[*at] = Some(Ok(match *inserted {
                Inserted::Present { id } => Outcome::Present(id),
                Inserted::Added { sequence } => {
                    let cell = CellPlace {
                        application: report.application.clone(),
                        environment: report.environment.clone(),
                    };
                    placed.push(Placed {
                        record,
                        sequence,
                        cell,
                    });
                    facts.push(Fact {
                        kind: FactKind::DeploymentRecord,
                        record: record.id,
                        digest: record.digest()?,
                    });
                    Outcome::Added(Box::new(
                        self.shown(report, &targets[*at], record, sequence).await?,
                    ))
                }
            }));
        }
        if !placed.is_empty() {
            change.unit.records().advance(&placed).await?;
        }
        Ok(Recording {
            outcomes: outcomes.into_iter().flatten().collect(),
            created,
            facts,
        })
    }

    /// The persons behind all claimed names; new ones are written down.
    async fn claim_names<'n>(
        &self,
        change: &mut Change<'_>,
        names: &[TargetNames<'n>],
        targets: &[Target],
    ) -> Result<BTreeMap<&'n str, PersonId>, CommandError> {
        let mut known = BTreeMap::new();
        let mut unknown = BTreeMap::new();
        for (names, target) in names.iter().zip(targets) {
            if let Some(name) = names.deployed_by {
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
    async fn decide(
        &self,
        change: &mut Change<'_>,
        report: &Report,
        target: &Target,
        claims: &BTreeMap<&str, PersonId>,
    ) -> Result<Result<NewRecord, LedgerError>, CommandError> {
        let Some(environment) = &target.environment else {
            let allowed = self.create_missing.environments.is_some();
            let absent = LedgerError::EnvironmentNotFound {
                slug: report.environment.clone(),
            };
            return Ok(Err(self.denied_or(
                allowed,
                Command::CreateEnvironment,
                absent,
            )));
        };
        let Some(application) = &target.application else {
            let allowed = self.create_missing.applications.is_some();
            let absent = LedgerError::ApplicationNotFound {
                key: report.application.clone(),
            };
            return Ok(Err(self.denied_or(
                allowed,
                Command::CreateApplication,
                absent,
            )));
        };
        if application.archived {
            return Ok(Err(LedgerError::ApplicationArchived {
                key: report.application.clone(),
            }));
        }
        let Some(version) = &target.version else {
            let (key, identifier) = (report.application.clone(), report.version.clone());
            let elsewhere = change
                .unit
                .versions()
                .exists_elsewhere(self.project, application.id, &identifier)
                .await?;
            let absent = if elsewhere {
                LedgerError::VersionElsewhere {
                    application: key,
                    version: identifier,
                }
            } else {
                LedgerError::VersionNotFound {
                    application: key,
                    version: identifier,
                }
            };
            return Ok(Err(self.denied_or(
                self.create_missing.versions,
                Command::CreateVersion,
                absent,
            )));
        };
        if environment.archived {
            return Ok(Err(LedgerError::EnvironmentArchived {
                slug: report.environment.clone(),
            }));
        }
        if version.deprecated && report.kind == RecordKind::Deployed {
            let (application, version) = (report.application.clone(), report.version.clone());
            return Ok(Err(LedgerError::VersionDeprecated {
                application,
                version,
            }));
        }
        let reported_at = report.deployed_at.unwrap_or(change.now);
        let deployed_at = match deployment_time(reported_at, change.now) {
            Ok(time) => time,
            Err(ahead) => return Ok(Err(ahead.into())),
        };
        let reporter = self.call.caller.principal;
        let claimed = report
            .deployed_by
            .as_ref()
            .and_then(|name| claims.get(name.as_str()).copied());
        Ok(Ok(NewRecord {
            id: RecordId::new(&*self.context.ids),
            project: self.project,
            application: application.id,
            version: version.id,
            environment: environment.id,
            kind: report.kind,
            deployed_at,
            reported_at,
            recorded_at: change.now,
            reporter,
            deployed_by: Some(claimed.unwrap_or(PersonId::from_uuid(reporter.uuid()))),
            risk: report.risk,
            notes: report.notes.clone(),
            attributes: report.attributes.clone(),
            external_id: report.external_id.clone(),
        }))
    }

    /// Why something that may be created was not: because the caller may not create such things.
    fn denied_or(&self, allowed: bool, command: Command, absent: LedgerError) -> LedgerError {
        match authorise(self.call.caller, command, Scope::Project(self.project)) {
            Err(denied) if allowed => CommandError::Denied(denied).into(),
            _ => absent,
        }
    }

    /// A report that would be refused today, but was recorded before, is present all the same.
    async fn present_or(
        &self,
        change: &mut Change<'_>,
        report: &Report,
        target: &Target,
        refused: LedgerError,
    ) -> Result<Result<Outcome, LedgerError>, CommandError> {
        let key = match (report.external_id.as_ref(), target, report.deployed_at) {
            (Some(external_id), _, _) => Some(NaturalKey::External {
                project: self.project,
                reporter: self.call.caller.principal,
                external_id,
            }),
            (
                None,
                Target {
                    application: Some(application),
                    version: Some(version),
                    environment: Some(environment),
                    ..
                },
                Some(reported_at),
            ) => Some(NaturalKey::Content {
                application: application.id,
                version: version.id,
                environment: environment.id,
                reported_at,
                kind: report.kind,
            }),
            _ => None,
        };
        let present = match key {
            Some(key) => change
                .unit
                .records()
                .present(&[key])
                .await?
                .into_iter()
                .flatten()
                .next(),
            None => None,
        };
        Ok(present.map(Outcome::Present).ok_or(refused))
    }

    /// A record that was just added, as people read it: without asking the database for what is known.
    async fn shown(
        &self,
        report: &Report,
        target: &Target,
        record: &NewRecord,
        sequence: i64,
    ) -> Result<Record, CommandError> {
        let deployed_by = if let Some(name) = &report.deployed_by {
            Some(name.to_string())
        } else {
            let names = self.context.display_names([record.reporter]).await?;
            names.get(&record.reporter).map(ToString::to_string)
        };
        let application = target.application.as_ref();
        Ok(Record {
            id: record.id,
            sequence,
            application: report.application.clone(),
            application_name: application
                .map(|application| application.display_name.clone())
                .unwrap_or_default(),
            application_kind: application.map_or(ApplicationKind::Service, |target| target.kind),
            version: report.version.clone(),
            environment: report.environment.clone(),
            environment_name: target
                .environment
                .as_ref()
                .map(|e| e.display_name.clone())
                .unwrap_or_default(),
            kind: record.kind,
            deployed_at: record.deployed_at,
            recorded_at: record.recorded_at,
            reporter: record.reporter,
            deployed_by,
            risk: record.risk,
            notes: record.notes.to_string(),
            attributes: record.attributes.clone(),
            external_id: record.external_id.as_ref().map(ToString::to_string),
            retraction: None,
        })
    }
}
