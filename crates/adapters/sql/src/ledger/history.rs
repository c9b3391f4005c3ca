//! The history: records as people read them.

use sea_orm::Value;
use slipway_kernel::{Page, PageSize, ProjectId, RecordId, StoreError};
use slipway_ledger::{Record, RecordFilter, RecordPlace, record::DeployedBy};

use super::{NOT_RETRACTED, record::RecordRow};
use crate::{
    connection::{Connection, Dialect},
    values::Values,
};

/// The names that belong to the records `r`.
const NAMED: &str = "SELECT r.sequence, r.id, a.key AS application, a.display_name AS application_name, \
    a.kind AS application_kind, v.identifier AS version, e.slug AS environment, e.display_name AS environment_name, \
    r.kind, r.deployed_at, r.recorded_at, r.reporter_id, p.display_name AS deployed_by, r.risk, r.notes, \
    r.attributes, r.external_id, t.retracted_at, t.retracted_by, t.reason AS retraction_reason, \
    r.deployment_id, r.outside_governance FROM ";
const NAMES: &str = " r JOIN application a ON a.id = r.application_id JOIN version v ON v.id = r.version_id \
    JOIN environment e ON e.id = r.environment_id LEFT JOIN person p ON p.id = r.deployed_by_id \
    LEFT JOIN record_retraction t ON t.record_sequence = r.sequence";

pub(super) async fn record(
    connection: &Connection,
    project: ProjectId,
    id: RecordId,
) -> Result<Option<Record>, StoreError> {
    let sql = format!("{NAMED}deployment_record{NAMES} WHERE r.project_id = $1 AND r.id = $2");
    let row = connection
        .one::<RecordRow>(sql, [project.uuid().into(), id.uuid().into()])
        .await?;
    row.map(Record::try_from).transpose()
}

pub(super) async fn records(
    connection: &Connection,
    project: ProjectId,
    filter: &RecordFilter,
    after: Option<RecordPlace>,
    size: PageSize,
) -> Result<Page<Record, RecordPlace>, StoreError> {
    let mut values = Values::default();
    let conditions = conditions(connection.dialect(), &mut values, project, filter, after);
    let limit = values.bind(i64::from(size.get()) + 1);
    // The page is found first and named then, so that no order of joins can read more than the page. The statement holds
    // only the conditions asked for, so that the planner can tell which index fits.
    let sql = format!(
        "{NAMED}(SELECT d.* FROM deployment_record d WHERE {conditions} \
         ORDER BY d.deployed_at DESC, d.sequence DESC LIMIT {limit}){NAMES} \
         ORDER BY r.deployed_at DESC, r.sequence DESC"
    );
    let rows: Vec<RecordRow> = connection.all(sql, values).await?;
    let records: Result<Vec<_>, _> = rows.into_iter().map(Record::try_from).collect();
    Ok(Page::from_rows(records?, size, Record::place))
}

fn conditions(
    dialect: Dialect,
    values: &mut Values,
    project: ProjectId,
    filter: &RecordFilter,
    after: Option<RecordPlace>,
) -> String {
    let project = values.bind(project.uuid());
    let mut conditions = vec![format!("d.project_id = {project}")];
    match (&filter.application, &filter.version) {
        (Some(application), Some(version)) => {
            let application = values.bind(application.as_str());
            let version = values.bind(version.as_str());
            conditions.push(format!(
                "d.version_id = (SELECT v.id FROM version v JOIN application a ON a.id = v.application_id \
                 WHERE a.project_id = {project} AND a.key = {application} AND v.identifier = {version})"
            ));
        }
        (Some(application), None) => {
            let application = values.bind(application.as_str());
            conditions.push(format!(
                "d.application_id = (SELECT id FROM application WHERE project_id = {project} AND key = {application})"
            ));
        }
        (None, Some(version)) => {
            let version = values.bind(version.as_str());
            let versions = format!(
                "SELECT id FROM version WHERE project_id = {project} AND identifier = {version}"
            );
            conditions.push(match dialect {
                Dialect::Sqlite => format!("d.version_id IN ({versions})"),
                // A plan for any identifier takes each for a common one, and would go through the whole history for one
                // that is rare. Of an array it takes for granted that it is short.
                Dialect::Postgres => format!("d.version_id = ANY (ARRAY({versions}))"),
            });
        }
        (None, None) => {}
    }
    if let Some(environment) = &filter.environment {
        let environment = values.bind(environment.as_str());
        conditions.push(format!(
            "d.environment_id = (SELECT id FROM environment WHERE project_id = {project} AND slug = {environment})"
        ));
    }
    if let Some(name) = filter.deployed_by.as_ref().map(DeployedBy::as_str) {
        let name = values.bind(name);
        conditions.push(format!(
            "d.deployed_by_id = (SELECT id FROM person WHERE project_id = {project} AND display_name = {name})"
        ));
    }
    let mut compare = |condition: &str, value: Value| {
        conditions.push(format!("d.deployed_at {condition} {}", values.bind(value)));
    };
    if let Some(from) = filter.from {
        compare(">=", from.micros().into());
    }
    // A place that lies before the end says more than the end, and of two upper bounds SQLite may start at the wrong one.
    if let Some(to) = filter.to
        && after.is_none_or(|place| place.deployed_at >= to)
    {
        compare("<", to.micros().into());
    }
    if let Some(kind) = filter.kind {
        // As text of the statement: removals have an index of their own, which a placeholder would hide.
        conditions.push(format!("d.kind = '{kind}'"));
    }
    if !filter.include_retracted {
        conditions.push(NOT_RETRACTED.to_owned());
    }
    if let Some(place) = after {
        let deployed_at = values.bind(place.deployed_at.micros());
        let sequence = values.bind(place.sequence);
        conditions.push(format!(
            "(d.deployed_at, d.sequence) < ({deployed_at}, {sequence})"
        ));
    }
    conditions.join(" AND ")
}
