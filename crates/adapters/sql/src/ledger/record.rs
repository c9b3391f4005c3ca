//! Rows of records, parsed.

use sea_orm::{FromQueryResult, prelude::Uuid};
use slipway_kernel::{
    ApplicationId, DeploymentId, EnvironmentId, PersonId, PrincipalId, ProjectId, RecordId,
    StoreError, VersionId,
};
use slipway_ledger::{NewRecord, Record, Retraction};

use crate::row::Place;

/// A record with the names of what it is about.
#[derive(FromQueryResult)]
pub(super) struct RecordRow {
    sequence: i64,
    id: Uuid,
    application: String,
    application_name: String,
    application_kind: String,
    version: String,
    environment: String,
    environment_name: String,
    kind: String,
    deployed_at: i64,
    recorded_at: i64,
    reporter_id: Uuid,
    deployed_by: Option<String>,
    risk: Option<String>,
    notes: String,
    attributes: String,
    external_id: Option<String>,
    retracted_at: Option<i64>,
    retracted_by: Option<Uuid>,
    retraction_reason: Option<String>,
    deployment_id: Option<Uuid>,
    outside_governance: bool,
}

impl TryFrom<RecordRow> for Record {
    type Error = StoreError;

    fn try_from(row: RecordRow) -> Result<Self, StoreError> {
        let place = Place {
            table: "deployment_record",
            row: &row.id,
        };
        let retraction = match (row.retracted_at, row.retracted_by, row.retraction_reason) {
            (None, None, None) => None,
            (Some(at), Some(by), Some(reason)) => Some(retraction(row.id, at, by, reason)?),
            _ => return Err(place.inconsistent("sequence", "half a retraction belongs to it")),
        };
        Ok(Self {
            id: RecordId::from_uuid(row.id),
            sequence: row.sequence,
            application: place.parse("application_id", row.application)?,
            application_name: row.application_name,
            application_kind: place.word("application_id", &row.application_kind)?,
            version: place.parse("version_id", row.version)?,
            environment: place.parse("environment_id", row.environment)?,
            environment_name: row.environment_name,
            kind: place.word("kind", &row.kind)?,
            deployed_at: place.parse("deployed_at", row.deployed_at)?,
            recorded_at: place.parse("recorded_at", row.recorded_at)?,
            reporter: PrincipalId::from_uuid(row.reporter_id),
            deployed_by: row.deployed_by,
            risk: row
                .risk
                .as_deref()
                .map(|risk| place.word("risk", risk))
                .transpose()?,
            notes: row.notes,
            attributes: place.json("attributes", &row.attributes)?,
            external_id: row.external_id,
            retraction,
            deployment: row.deployment_id.map(DeploymentId::from_uuid),
            outside_governance: row.outside_governance,
        })
    }
}

/// A record exactly as it was added.
#[derive(FromQueryResult)]
pub(crate) struct PlainRecordRow {
    pub(crate) sequence: i64,
    id: Uuid,
    project_id: Uuid,
    application_id: Uuid,
    version_id: Uuid,
    environment_id: Uuid,
    kind: String,
    deployed_at: i64,
    reported_at: i64,
    recorded_at: i64,
    reporter_id: Uuid,
    deployed_by_id: Option<Uuid>,
    risk: Option<String>,
    notes: String,
    attributes: String,
    external_id: Option<String>,
    deployment_id: Option<Uuid>,
    outside_governance: bool,
}

impl TryFrom<PlainRecordRow> for NewRecord {
    type Error = StoreError;

    fn try_from(row: PlainRecordRow) -> Result<Self, StoreError> {
        let place = Place {
            table: "deployment_record",
            row: &row.id,
        };
        Ok(Self {
            id: RecordId::from_uuid(row.id),
            project: ProjectId::from_uuid(row.project_id),
            application: ApplicationId::from_uuid(row.application_id),
            version: VersionId::from_uuid(row.version_id),
            environment: EnvironmentId::from_uuid(row.environment_id),
            kind: place.word("kind", &row.kind)?,
            deployed_at: place.parse("deployed_at", row.deployed_at)?,
            reported_at: place.parse("reported_at", row.reported_at)?,
            recorded_at: place.parse("recorded_at", row.recorded_at)?,
            reporter: PrincipalId::from_uuid(row.reporter_id),
            deployed_by: row.deployed_by_id.map(PersonId::from_uuid),
            risk: row
                .risk
                .as_deref()
                .map(|risk| place.word("risk", risk))
                .transpose()?,
            notes: place.parse("notes", row.notes)?,
            attributes: place.json("attributes", &row.attributes)?,
            external_id: place.parse_option("external_id", row.external_id)?,
            deployment: row.deployment_id.map(DeploymentId::from_uuid),
            outside_governance: row.outside_governance,
        })
    }
}

/// A retraction, beside the sequence and the project of the record that it names, where that exists.
#[derive(FromQueryResult)]
pub(crate) struct RetractionRow {
    record_sequence: i64,
    record_id: Uuid,
    project_id: Uuid,
    retracted_at: i64,
    retracted_by: Uuid,
    reason: String,
    named_sequence: Option<i64>,
    named_project_id: Option<Uuid>,
}

impl TryFrom<RetractionRow> for Retraction {
    type Error = StoreError;

    fn try_from(row: RetractionRow) -> Result<Self, StoreError> {
        let place = Place {
            table: "record_retraction",
            row: &row.record_id,
        };
        // Reads join by the sequence, and events vouch by the id: they have to mean the same record.
        if let Some(named) = row.named_sequence.filter(|s| *s != row.record_sequence) {
            let problem = format!("{} is not the record's, {named}", row.record_sequence);
            return Err(place.inconsistent("record_sequence", problem));
        }
        if let Some(named) = row.named_project_id.filter(|p| *p != row.project_id) {
            let problem = format!("{} is not the record's, {named}", row.project_id);
            return Err(place.inconsistent("project_id", problem));
        }
        retraction(
            row.record_id,
            row.retracted_at,
            row.retracted_by,
            row.reason,
        )
    }
}

fn retraction(record: Uuid, at: i64, by: Uuid, reason: String) -> Result<Retraction, StoreError> {
    let place = Place {
        table: "record_retraction",
        row: &record,
    };
    Ok(Retraction {
        record: RecordId::from_uuid(record),
        at: place.parse("retracted_at", at)?,
        by: PrincipalId::from_uuid(by),
        reason: place.parse("reason", reason)?,
    })
}
