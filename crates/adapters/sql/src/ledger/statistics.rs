//! A project's figures.

use sea_orm::FromQueryResult;
use slipway_kernel::{PageSize, ProjectId, Slug, StoreError, Timestamp};
use slipway_ledger::{DayCount, RecordFilter, Statistics, statistics::MAX_DAY_COUNTS};

use super::{NOT_RETRACTED, history};
use crate::{connection::Connection, row::Place, values::Values};

/// How many of the latest records are shown.
const LATEST: i32 = 10;
/// No end. A plan for any beginning takes a third of the history for what lies behind it, and reads all of it; what lies
/// between two times it takes for little, and finds by the index.
const ENDLESS: &str = "d.deployed_at <= 9223372036854775807";
/// The UTC day of the record `d`. Division cuts towards zero, and days before 1970 are negative.
const DAY: &str =
    "(d.deployed_at - ((d.deployed_at % 86400000000) + 86400000000) % 86400000000) / 86400000000";

#[derive(FromQueryResult)]
struct CountsRow {
    applications: i64,
    environments: i64,
    recent_deployments: i64,
}

#[derive(FromQueryResult)]
struct DayRow {
    environment: String,
    day: i64,
    deployed: i64,
    removed: i64,
}

pub(super) async fn statistics(
    connection: &Connection,
    project: ProjectId,
    since: Timestamp,
    days_from: Timestamp,
    environment: Option<&Slug>,
) -> Result<Statistics, StoreError> {
    let counts: Option<CountsRow> = connection
        .one(
            format!(
                "SELECT (SELECT count(*) FROM application WHERE project_id = $1 AND archived_at IS NULL) AS applications, \
                 (SELECT count(*) FROM environment WHERE project_id = $1 AND archived_at IS NULL) AS environments, \
                 (SELECT count(*) FROM deployment_record d WHERE d.project_id = $1 AND d.kind = 'DEPLOYED' \
                 AND d.deployed_at >= $2 AND {ENDLESS} AND {NOT_RETRACTED}) AS recent_deployments"
            ),
            [project.uuid().into(), since.micros().into()],
        )
        .await?;
    let ten = PageSize::from_request(LATEST).unwrap_or(PageSize::DEFAULT);
    let latest = history::records(connection, project, &RecordFilter::default(), None, ten).await?;
    let mut per_day = per_day(connection, project, days_from, environment).await?;
    let limit = MAX_DAY_COUNTS as usize;
    let per_day_truncated = per_day.len() > limit;
    per_day.truncate(limit);
    let place = Place {
        table: "project",
        row: &project,
    };
    let counts = counts.ok_or_else(|| place.inconsistent("id", "counts nothing"))?;
    Ok(Statistics {
        applications: place.parse("id", counts.applications)?,
        environments: place.parse("id", counts.environments)?,
        recent_deployments: place.parse("id", counts.recent_deployments)?,
        latest: latest.items,
        per_day,
        per_day_truncated,
    })
}

/// One more than an answer may have, where there are that many.
async fn per_day(
    connection: &Connection,
    project: ProjectId,
    from: Timestamp,
    environment: Option<&Slug>,
) -> Result<Vec<DayCount>, StoreError> {
    let mut values = Values::default();
    let project = values.bind(project.uuid());
    let from = values.bind(from.micros());
    let environment = environment.map_or_else(String::new, |slug| {
        let slug = values.bind(slug.as_str());
        format!(
            "AND d.environment_id = (SELECT id FROM environment WHERE project_id = {project} AND slug = {slug})"
        )
    });
    let limit = values.bind(i64::from(MAX_DAY_COUNTS) + 1);
    let sql = format!(
        "SELECT e.slug AS environment, s.day, s.deployed, s.removed FROM (\
         SELECT d.environment_id, {DAY} AS day, count(*) FILTER (WHERE d.kind = 'DEPLOYED') AS deployed, \
         count(*) FILTER (WHERE d.kind = 'REMOVED') AS removed FROM deployment_record d \
         WHERE d.project_id = {project} AND d.deployed_at >= {from} AND {ENDLESS} {environment} AND {NOT_RETRACTED} \
         GROUP BY d.environment_id, {DAY}) s JOIN environment e ON e.id = s.environment_id \
         ORDER BY s.day DESC, e.slug LIMIT {limit}"
    );
    let rows: Vec<DayRow> = connection.all(sql, values).await?;
    rows.into_iter()
        .map(|row| {
            let place = Place {
                table: "environment",
                row: &row.environment.clone(),
            };
            Ok(DayCount {
                environment: place.parse("slug", row.environment)?,
                day: row.day,
                deployed: place.parse("id", row.deployed)?,
                removed: place.parse("id", row.removed)?,
            })
        })
        .collect()
}
