//! What the names in a report stand for.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{FromQueryResult, Value, prelude::Uuid};
use slipway_kernel::{
    ApplicationId, EnvironmentId, PersonId, ProjectId, RecordId, StoreError, VersionId,
};
use slipway_ledger::record::{
    DeployedBy, ExternalId, Known, Target, TargetApplication, TargetEnvironment, TargetNames,
    TargetVersion,
};

use crate::{
    approvals::policy::governed,
    connection::{Connection, Dialect, rows_per_statement},
    row::Place,
    values::Values,
};

#[derive(FromQueryResult)]
struct TargetRow {
    number: i32,
    sequence: i64,
    project_archived_at: Option<i64>,
    application_id: Option<Uuid>,
    application_kind: Option<String>,
    application_name: Option<String>,
    application_archived_at: Option<i64>,
    environment_id: Option<Uuid>,
    environment_name: Option<String>,
    environment_archived_at: Option<i64>,
    governed: i32,
    version_id: Option<Uuid>,
    deprecated_at: Option<i64>,
    person_id: Option<Uuid>,
    #[sea_orm(nested)]
    known: Option<KnownRow>,
}

#[derive(FromQueryResult)]
struct KnownRow {
    #[sea_orm(from_alias = "known_id")]
    id: Uuid,
    #[sea_orm(from_alias = "known_application_id")]
    application_id: Uuid,
    #[sea_orm(from_alias = "known_version_id")]
    version_id: Uuid,
    #[sea_orm(from_alias = "known_environment_id")]
    environment_id: Uuid,
    #[sea_orm(from_alias = "known_kind")]
    kind: String,
}

impl KnownRow {
    fn parse(&self) -> Result<Known, StoreError> {
        let place = Place {
            table: "deployment_record",
            row: &self.id,
        };
        Ok(Known {
            id: RecordId::from_uuid(self.id),
            application: ApplicationId::from_uuid(self.application_id),
            version: VersionId::from_uuid(self.version_id),
            environment: EnvironmentId::from_uuid(self.environment_id),
            kind: place.word("kind", &self.kind)?,
        })
    }
}

/// One statement for each 124 reports.
pub(super) async fn targets(
    connection: &Connection,
    project: ProjectId,
    names: &[TargetNames<'_>],
) -> Result<Vec<Target>, StoreError> {
    let mut numbers = 0..;
    let mut targets = Vec::with_capacity(names.len());
    for names in names.chunks(rows_per_statement(8) - 1) {
        let numbers: Vec<i64> = numbers.by_ref().take(names.len()).collect();
        targets.extend(some_targets(connection, project, &numbers, names).await?);
    }
    Ok(targets)
}

/// `PostgreSQL` counts places in the ledger across units of work. On `SQLite` this is the only unit of work, and `n` is a
/// report's number in it.
const SEQUENCE: (&str, &str) = (
    "(SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'deployment_record') + 1 + n.column1",
    "nextval('deployment_record_sequence_seq')",
);

async fn some_targets(
    connection: &Connection,
    project: ProjectId,
    numbers: &[i64],
    names: &[TargetNames<'_>],
) -> Result<Vec<Target>, StoreError> {
    let mut values = Values::default();
    let project_id = values.bind(project.uuid());
    let reports: Vec<_> = numbers
        .iter()
        .zip(names)
        .map(|(number, names)| {
            let values = values.bind_all([
                Value::from(names.application.as_str()),
                names.version.as_str().into(),
                names.environment.as_str().into(),
                names.deployed_by.map(DeployedBy::as_str).into(),
                names.reporter.uuid().into(),
                names.external_id.map(ExternalId::as_str).into(),
                names.reported_at.micros().into(),
                names.kind.as_str().into(),
            ]);
            format!("({number}, {values})")
        })
        .collect();
    let sequence = match connection.dialect() {
        Dialect::Sqlite => SEQUENCE.0,
        Dialect::Postgres => SEQUENCE.1,
    };
    let governed = governed();
    // Both databases call the columns of VALUES column1, column2, … A record is known by one of two natural keys.
    let sql = format!(
        "SELECT n.column1 AS number, {sequence} AS sequence, j.archived_at AS project_archived_at, \
         a.id AS application_id, a.kind AS application_kind, a.display_name AS application_name, \
         a.archived_at AS application_archived_at, e.id AS environment_id, e.display_name AS environment_name, \
         e.archived_at AS environment_archived_at, {governed} AS governed, v.id AS version_id, v.deprecated_at, p.id AS person_id, \
         coalesce(x.id, c.id) AS known_id, coalesce(x.application_id, c.application_id) AS known_application_id, \
         coalesce(x.version_id, c.version_id) AS known_version_id, \
         coalesce(x.environment_id, c.environment_id) AS known_environment_id, coalesce(x.kind, c.kind) AS known_kind \
         FROM (VALUES {}) AS n JOIN project j ON j.id = {project_id} \
         LEFT JOIN application a ON a.project_id = j.id AND a.key = n.column2 \
         LEFT JOIN version v ON v.application_id = a.id AND v.identifier = n.column3 \
         LEFT JOIN environment e ON e.project_id = j.id AND e.slug = n.column4 \
         LEFT JOIN person p ON p.project_id = j.id AND p.display_name = n.column5 \
         LEFT JOIN deployment_record x ON x.project_id = j.id AND x.reporter_id = n.column6 \
         AND x.external_id = n.column7 \
         LEFT JOIN deployment_record c ON n.column7 IS NULL AND c.application_id = a.id AND c.version_id = v.id \
         AND c.environment_id = e.id AND c.reported_at = n.column8 AND c.kind = n.column9 AND c.external_id IS NULL \
         ORDER BY n.column1",
        reports.join(", ")
    );
    let rows: Vec<TargetRow> = connection.all(sql, values).await?;
    let found: Vec<_> = rows.iter().map(|row| i64::from(row.number)).collect();
    if found != numbers {
        let problem = format!("the reports {numbers:?} have the targets {found:?}");
        let place = Place {
            table: "project",
            row: &project,
        };
        return Err(place.inconsistent("id", problem));
    }
    // Rows need not get their places in the order in which they come.
    let mut sequences: Vec<_> = rows.iter().map(|row| row.sequence).collect();
    sequences.sort_unstable();
    rows.iter()
        .zip(sequences)
        .map(|(row, sequence)| target(row, sequence))
        .collect()
}

fn target(row: &TargetRow, sequence: i64) -> Result<Target, StoreError> {
    let application = row
        .application_id
        .map(|id| {
            let place = Place {
                table: "application",
                row: &id,
            };
            let kind = row.application_kind.as_deref().unwrap_or_default();
            Ok(TargetApplication {
                id: ApplicationId::from_uuid(id),
                display_name: row.application_name.clone().unwrap_or_default(),
                kind: place.word("kind", kind)?,
                archived: row.application_archived_at.is_some(),
            })
        })
        .transpose()?;
    Ok(Target {
        project_archived: row.project_archived_at.is_some(),
        application,
        environment: row.environment_id.map(|id| TargetEnvironment {
            id: EnvironmentId::from_uuid(id),
            display_name: row.environment_name.clone().unwrap_or_default(),
            archived: row.environment_archived_at.is_some(),
            governed: row.governed > 0,
            refuses_reports: row.governed > 1,
        }),
        version: row.version_id.map(|id| TargetVersion {
            id: VersionId::from_uuid(id),
            deprecated: row.deprecated_at.is_some(),
        }),
        deployed_by: row.person_id.map(PersonId::from_uuid),
        known: row.known.as_ref().map(KnownRow::parse).transpose()?,
        sequence,
    })
}

#[derive(FromQueryResult)]
struct PersonRow {
    id: Uuid,
    display_name: String,
}

/// Adds in the names' order, so that two units of work wait for each other rather than lock each other out; then looks
/// up those that were there already.
pub(super) async fn claim_names(
    connection: &Connection,
    project: ProjectId,
    names: &[(&DeployedBy, PersonId)],
) -> Result<Vec<PersonId>, StoreError> {
    let wanted: BTreeMap<&str, PersonId> = names
        .iter()
        .map(|(name, id)| (name.as_str(), *id))
        .collect();
    let wanted: Vec<_> = wanted.into_iter().collect();
    let mut known: HashMap<String, PersonId> = HashMap::with_capacity(wanted.len());
    for chunk in wanted.chunks(rows_per_statement(2) - 1) {
        let mut values = Values::default();
        let project = values.bind(project.uuid());
        let rows: Vec<_> = chunk
            .iter()
            .map(|(name, id)| {
                format!(
                    "({}, {project}, {})",
                    values.bind(id.uuid()),
                    values.bind(*name)
                )
            })
            .collect();
        let sql = format!(
            "INSERT INTO person (id, project_id, display_name) VALUES {} ON CONFLICT DO NOTHING \
             RETURNING id, display_name",
            rows.join(", ")
        );
        known.extend(by_name(connection.all(sql, values).await?));
    }
    let present: Vec<_> = wanted
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !known.contains_key(*name))
        .collect();
    for chunk in present.chunks(rows_per_statement(1) - 1) {
        let mut values = Values::default();
        let project = values.bind(project.uuid());
        let sql = format!(
            "SELECT id, display_name FROM person WHERE project_id = {project} AND display_name IN ({})",
            values.bind_all(chunk.iter().copied())
        );
        known.extend(by_name(connection.all(sql, values).await?));
    }
    names
        .iter()
        .map(|(name, _)| {
            known.get(name.as_str()).copied().ok_or_else(|| {
                // Erased between the two statements.
                StoreError::Conflict(format!("the name claimed in {project} is gone").into())
            })
        })
        .collect()
}

fn by_name(rows: Vec<PersonRow>) -> impl Iterator<Item = (String, PersonId)> {
    rows.into_iter()
        .map(|row| (row.display_name, PersonId::from_uuid(row.id)))
}
