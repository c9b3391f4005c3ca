//! Cells: what is where, now and at other times.

use sea_orm::{FromQueryResult, prelude::Uuid};
use slipway_kernel::{
    Key, Page, PageSize, ProjectId, RecordId, Slug, StoreError, Timestamp, VersionId,
};
use slipway_ledger::{AsOf, Cell, CellFilter, CellNow, CellPlace, Resolved};

use crate::{
    connection::{Connection, rows_per_statement},
    row::Place,
    values::Values,
};

/// A cell `s` with what its record put into it, where there is one.
const COLUMNS: &str = "s.application_key, s.application_name, s.application_kind, s.environment_slug, \
    s.environment_name, s.environment_tier, v.identifier AS version, v.id AS version_id, \
    v.created_at AS version_created_at, s.record_id, s.deployed_at, p.display_name AS deployed_by";
/// A cell `c` with the names of its place.
const NAMED: &str = "c.application_key, a.display_name AS application_name, a.kind AS application_kind, \
    c.environment_slug, e.display_name AS environment_name, e.tier AS environment_tier";
/// The names of the cell `c`. `SQLite` keeps the order of cross joins, and without that it would go through all cells of
/// the project, environment by environment, and sort them for each page.
const NAMES: &str = "CROSS JOIN application a CROSS JOIN environment e";
const NAMES_FIT: &str = "a.id = c.application_id AND e.id = c.environment_id";

#[derive(FromQueryResult)]
struct CellRow {
    application_key: String,
    application_name: String,
    application_kind: String,
    environment_slug: String,
    environment_name: String,
    environment_tier: String,
    version: Option<String>,
    version_id: Option<Uuid>,
    version_created_at: Option<i64>,
    record_id: Option<Uuid>,
    deployed_at: Option<i64>,
    deployed_by: Option<String>,
}

impl TryFrom<CellRow> for CellNow {
    type Error = StoreError;

    fn try_from(row: CellRow) -> Result<Self, StoreError> {
        let key = format!("{} in {}", row.application_key, row.environment_slug);
        let place = Place {
            table: "current_state",
            row: &key,
        };
        let at = CellPlace {
            application: place.parse("application_key", row.application_key)?,
            environment: place.parse("environment_slug", row.environment_slug)?,
        };
        let content = (
            row.record_id,
            row.deployed_at,
            row.version_id,
            row.version,
            row.version_created_at,
        );
        let cell = match content {
            (None, None, None, None, None) => None,
            (
                Some(record),
                Some(deployed_at),
                Some(version_id),
                Some(version),
                Some(created_at),
            ) => Some(Cell {
                application: at.application.clone(),
                application_name: row.application_name,
                application_kind: place.word("application_id", &row.application_kind)?,
                environment: at.environment.clone(),
                environment_name: row.environment_name,
                environment_tier: place.word("environment_id", &row.environment_tier)?,
                version: place.parse("version_id", version)?,
                version_id: VersionId::from_uuid(version_id),
                version_created_at: place.parse("version_id", created_at)?,
                record: RecordId::from_uuid(record),
                deployed_at: place.parse("deployed_at", deployed_at)?,
                deployed_by: row.deployed_by,
            }),
            _ => return Err(place.inconsistent("record_sequence", "half a record is in it")),
        };
        Ok(Self { place: at, cell })
    }
}

pub(super) async fn cell(
    connection: &Connection,
    project: ProjectId,
    application: &Key,
    environment: &Slug,
    as_of: Option<AsOf>,
) -> Result<Option<Cell>, StoreError> {
    let filter = CellFilter {
        application: Some(application.clone()),
        environment: Some(environment.clone()),
        include_archived: true,
    };
    let (sql, values) = cells_query(project, &filter, as_of, None, 1);
    let row: Option<CellRow> = connection.one(sql, values).await?;
    Ok(row
        .map(CellNow::try_from)
        .transpose()?
        .and_then(|now| now.cell))
}

pub(super) async fn cells(
    connection: &Connection,
    project: ProjectId,
    filter: &CellFilter,
    as_of: Option<AsOf>,
    after: Option<&CellPlace>,
    size: PageSize,
) -> Result<Page<Cell, CellPlace>, StoreError> {
    let limit = i64::from(size.get()) + 1;
    let (sql, values) = cells_query(project, filter, as_of, after, limit);
    let rows: Vec<CellRow> = connection.all(sql, values).await?;
    let cells: Result<Vec<_>, _> = rows.into_iter().map(CellNow::try_from).collect();
    let cells = cells?.into_iter().filter_map(|now| now.cell).collect();
    Ok(Page::from_rows(cells, size, Cell::place))
}

/// The filled cells of a page. Every cell that ever had a record has a row in the current state, so that is where the
/// candidates for other times come from too; the page is found first and named then.
fn cells_query(
    project: ProjectId,
    filter: &CellFilter,
    as_of: Option<AsOf>,
    after: Option<&CellPlace>,
    limit: i64,
) -> (String, Values) {
    let mut values = Values::default();
    let project = values.bind(project.uuid());
    let mut conditions = vec![NAMES_FIT.to_owned()];
    // Each selects by an index that has its order: (environment_id, application_key), or (project_id, application_key,
    // environment_slug).
    let mut order = "{}.application_key, {}.environment_slug";
    if let Some(application) = &filter.application {
        let application = values.bind(application.as_str());
        conditions.push(format!("c.application_key = {application}"));
        order = "{}.environment_slug";
    }
    if let Some(environment) = &filter.environment {
        let environment = values.bind(environment.as_str());
        if filter.application.is_some() {
            conditions.push(format!("c.environment_slug = {environment}"));
        } else {
            // It is in the project. Said twice, SQLite would rather go through all cells of the project, whose index has
            // every column that the past asks for.
            conditions.push(format!(
                "c.environment_id = (SELECT id FROM environment WHERE project_id = {project} AND slug = {environment})"
            ));
            order = "{}.application_key";
        }
    }
    if filter.environment.is_none() || filter.application.is_some() {
        conditions.push(format!("c.project_id = {project}"));
    }
    if let Some(place) = after {
        let application = values.bind(place.application.as_str());
        let environment = values.bind(place.environment.as_str());
        conditions.push(format!(
            "(c.application_key, c.environment_slug) > ({application}, {environment})"
        ));
    }
    if !filter.include_archived {
        conditions.push("a.archived_at IS NULL AND e.archived_at IS NULL".to_owned());
    }
    let (holder, id, record) = match as_of {
        None => ("c", "record_id", ""),
        Some(as_of) => {
            let latest = latest_record(&mut values, as_of);
            conditions.push(format!("l.sequence = ({latest})"));
            ("l", "id", "CROSS JOIN deployment_record l")
        }
    };
    conditions.push(format!("{holder}.kind = 'DEPLOYED'"));
    let limit = values.bind(limit);
    let sql = format!(
        "SELECT {COLUMNS} FROM (SELECT {NAMED}, {holder}.{id} AS record_id, {holder}.version_id, \
         {holder}.deployed_at, {holder}.deployed_by_id FROM current_state c {NAMES} {record} \
         WHERE {} ORDER BY {} LIMIT {limit}) s JOIN version v ON v.id = s.version_id \
         LEFT JOIN person p ON p.id = s.deployed_by_id ORDER BY {}",
        conditions.join(" AND "),
        order.replace("{}", "c"),
        order.replace("{}", "s"),
    );
    (sql, values)
}

/// The sequence of the record that counted in the cell `c`.
pub(super) fn latest_record(values: &mut Values, as_of: AsOf) -> String {
    let at = values.bind(as_of.at.micros());
    let (known, retracted) = match as_of.known_at.map(Timestamp::micros) {
        None => (String::new(), String::new()),
        Some(known_at) => {
            let known_at = values.bind(known_at);
            (
                format!("AND d.recorded_at <= {known_at}"),
                format!("AND x.retracted_at <= {known_at}"),
            )
        }
    };
    format!(
        "SELECT d.sequence FROM deployment_record d WHERE d.environment_id = c.environment_id \
         AND d.application_id = c.application_id AND d.deployed_at <= {at} {known} \
         AND NOT EXISTS (SELECT 1 FROM record_retraction x WHERE x.record_sequence = d.sequence {retracted}) \
         ORDER BY d.deployed_at DESC, d.sequence DESC LIMIT 1"
    )
}

/// One statement for each 999 records.
pub(super) async fn cells_of_records(
    connection: &Connection,
    project: ProjectId,
    records: &[RecordId],
) -> Result<Vec<CellNow>, StoreError> {
    let mut cells = Vec::new();
    for chunk in records.chunks(rows_per_statement(1) - 1) {
        let mut values = Values::default();
        let project = values.bind(project.uuid());
        let records = values.bind_all(chunk.iter().map(|record| record.uuid()));
        let filled = ["record_id", "version_id", "deployed_at", "deployed_by_id"]
            .map(|column| format!("CASE c.kind WHEN 'DEPLOYED' THEN c.{column} END AS {column}"));
        let sql = format!(
            "SELECT {COLUMNS} FROM (SELECT {NAMED}, {} FROM (\
             SELECT DISTINCT environment_id, application_id FROM deployment_record \
             WHERE project_id = {project} AND id IN ({records})) d JOIN current_state c \
             ON c.environment_id = d.environment_id AND c.application_id = d.application_id {NAMES} WHERE {NAMES_FIT}) s \
             LEFT JOIN version v ON v.id = s.version_id LEFT JOIN person p ON p.id = s.deployed_by_id \
             ORDER BY s.application_key, s.environment_slug",
            filled.join(", ")
        );
        let rows: Vec<CellRow> = connection.all(sql, values).await?;
        for row in rows {
            cells.push(CellNow::try_from(row)?);
        }
    }
    if records.len() >= rows_per_statement(1) {
        cells.sort_by(|a, b| a.place.cmp(&b.place));
        cells.dedup_by(|a, b| a.place == b.place);
    }
    Ok(cells)
}

#[derive(FromQueryResult)]
struct ResolvedRow {
    version_id: Uuid,
    identifier: String,
    digest: Option<Vec<u8>>,
    content_type: Option<String>,
    record_id: Uuid,
    deployed_at: i64,
}

pub(super) async fn resolve(
    connection: &Connection,
    project: ProjectId,
    application: &Key,
    environment: &Slug,
) -> Result<Option<Resolved>, StoreError> {
    let row: Option<ResolvedRow> = connection
        .one(
            "SELECT v.id AS version_id, v.identifier, v.digest, v.content_type, c.record_id, c.deployed_at \
             FROM current_state c JOIN version v ON v.id = c.version_id \
             WHERE c.project_id = $1 AND c.application_key = $2 AND c.environment_slug = $3 AND c.kind = 'DEPLOYED'",
            [
                project.uuid().into(),
                application.as_str().into(),
                environment.as_str().into(),
            ],
        )
        .await?;
    row.map(resolved).transpose()
}

fn resolved(row: ResolvedRow) -> Result<Resolved, StoreError> {
    let place = Place {
        table: "version",
        row: &row.version_id,
    };
    Ok(Resolved {
        version: VersionId::from_uuid(row.version_id),
        identifier: place.parse("identifier", row.identifier)?,
        digest: row
            .digest
            .as_deref()
            .map(|digest| place.digest("digest", digest))
            .transpose()?,
        media_type: place.parse_option("content_type", row.content_type)?,
        record: RecordId::from_uuid(row.record_id),
        deployed_at: place.parse("deployed_at", row.deployed_at)?,
    })
}
