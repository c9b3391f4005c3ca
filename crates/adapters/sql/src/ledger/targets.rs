//! What the names in a report stand for.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{FromQueryResult, prelude::Uuid};
use slipway_kernel::{ApplicationId, EnvironmentId, PersonId, ProjectId, StoreError, VersionId};
use slipway_ledger::record::{
    DeployedBy, Target, TargetApplication, TargetEnvironment, TargetNames, TargetVersion,
};

use crate::{
    connection::{Connection, rows_per_statement},
    row::Place,
    values::Values,
};

#[derive(FromQueryResult)]
struct TargetRow {
    number: i32,
    project_archived_at: Option<i64>,
    application_id: Option<Uuid>,
    application_kind: Option<String>,
    application_name: Option<String>,
    application_archived_at: Option<i64>,
    environment_id: Option<Uuid>,
    environment_name: Option<String>,
    environment_archived_at: Option<i64>,
    version_id: Option<Uuid>,
    deprecated_at: Option<i64>,
    person_id: Option<Uuid>,
}

/// One statement for each 249 reports.
pub(super) async fn targets(
    connection: &Connection,
    project: ProjectId,
    names: &[TargetNames<'_>],
) -> Result<Vec<Target>, StoreError> {
    let mut targets = Vec::with_capacity(names.len());
    for names in names.chunks(rows_per_statement(4) - 1) {
        let mut values = Values::default();
        let project_id = values.bind(project.uuid());
        let reports: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(number, names)| {
                format!(
                    "({number}, {}, {}, {}, {})",
                    values.bind(names.application.as_str()),
                    values.bind(names.version.as_str()),
                    values.bind(names.environment.as_str()),
                    values.bind(names.deployed_by.map(DeployedBy::as_str)),
                )
            })
            .collect();
        // Both databases call the columns of VALUES column1, column2, …
        let sql = format!(
            "SELECT n.column1 AS number, j.archived_at AS project_archived_at, a.id AS application_id, \
             a.kind AS application_kind, a.display_name AS application_name, \
             a.archived_at AS application_archived_at, e.id AS environment_id, e.display_name AS environment_name, \
             e.archived_at AS environment_archived_at, v.id AS version_id, v.deprecated_at, p.id AS person_id \
             FROM (VALUES {}) AS n JOIN project j ON j.id = {project_id} \
             LEFT JOIN application a ON a.project_id = j.id AND a.key = n.column2 \
             LEFT JOIN version v ON v.application_id = a.id AND v.identifier = n.column3 \
             LEFT JOIN environment e ON e.project_id = j.id AND e.slug = n.column4 \
             LEFT JOIN person p ON p.project_id = j.id AND p.display_name = n.column5 \
             ORDER BY n.column1",
            reports.join(", ")
        );
        let rows: Vec<TargetRow> = connection.all(sql, values).await?;
        if rows.len() != names.len() || (0..).zip(&rows).any(|(number, row)| number != row.number) {
            let problem = format!("{} reports have {} targets", names.len(), rows.len());
            let place = Place {
                table: "project",
                row: &project,
            };
            return Err(place.inconsistent("id", problem));
        }
        for row in rows {
            targets.push(target(&row)?);
        }
    }
    Ok(targets)
}

fn target(row: &TargetRow) -> Result<Target, StoreError> {
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
        }),
        version: row.version_id.map(|id| TargetVersion {
            id: VersionId::from_uuid(id),
            deprecated: row.deprecated_at.is_some(),
        }),
        deployed_by: row.person_id.map(PersonId::from_uuid),
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
