//! Applications.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_catalog::{Application, ApplicationRepository};
use slipway_kernel::{ApplicationId, ApplicationKind, Key, Page, PageSize, ProjectId, StoreError};
use uuid::Uuid;

use crate::{
    SqlUnitOfWork,
    connection::{Connection, limit, placeholders, rows_per_statement},
    row::{Place, changed_one, micros},
    values::Values,
};

const TABLE: &str = "application";
const COLUMNS: &str =
    "id, project_id, key, kind, display_name, description, created_at, archived_at, revision";
const COLUMN_COUNT: usize = 9;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    key: String,
    kind: String,
    display_name: String,
    description: String,
    created_at: i64,
    archived_at: Option<i64>,
    revision: i64,
}

impl TryFrom<Row> for Application {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: TABLE,
            row: &row.id,
        };
        Ok(Self {
            id: ApplicationId::from_uuid(row.id),
            project: ProjectId::from_uuid(row.project_id),
            key: place.parse("key", row.key)?,
            kind: place.word("kind", &row.kind)?,
            display_name: place.parse("display_name", row.display_name)?,
            description: place.parse("description", row.description)?,
            created_at: place.parse("created_at", row.created_at)?,
            archived_at: place.parse_option("archived_at", row.archived_at)?,
            revision: place.revision(row.revision)?,
        })
    }
}

fn values(application: &Application) -> [Value; COLUMN_COUNT] {
    [
        application.id.uuid().into(),
        application.project.uuid().into(),
        application.key.as_str().into(),
        application.kind.as_str().into(),
        application.display_name.as_str().into(),
        application.description.as_str().into(),
        application.created_at.micros().into(),
        micros(application.archived_at).into(),
        application.revision.0.into(),
    ]
}

#[async_trait]
impl ApplicationRepository for SqlUnitOfWork {
    async fn insert(&mut self, applications: &[Application]) -> Result<Vec<Key>, StoreError> {
        #[derive(FromQueryResult)]
        struct Added {
            id: Uuid,
            key: String,
        }
        // In the order of the keys, so that two of these wait for each other rather than deadlock.
        let mut sorted: Vec<_> = applications.iter().collect();
        sorted.sort_by(|a, b| (a.project, &a.key).cmp(&(b.project, &b.key)));
        let mut keys = Vec::with_capacity(applications.len());
        for applications in sorted.chunks(rows_per_statement(COLUMN_COUNT)) {
            let sql = format!(
                "INSERT INTO application ({COLUMNS}) VALUES {} \
                 ON CONFLICT (project_id, key) DO NOTHING RETURNING id, key",
                placeholders(applications.len(), COLUMN_COUNT)
            );
            let values = applications
                .iter()
                .flat_map(|application| values(application));
            let added: Vec<Added> = self.connection().await?.all(sql, values).await?;
            for row in added {
                let place = Place {
                    table: TABLE,
                    row: &row.id,
                };
                keys.push(place.parse("key", row.key)?);
            }
        }
        Ok(keys)
    }

    async fn find(
        &mut self,
        project: ProjectId,
        key: &Key,
    ) -> Result<Option<Application>, StoreError> {
        let lock = self
            .connection()
            .await?
            .dialect()
            .postgres_only(" FOR NO KEY UPDATE");
        one(self.connection().await?, project, key, lock).await
    }

    async fn update(&mut self, application: &Application) -> Result<(), StoreError> {
        let changed = self.connection().await?
            .execute(
                "UPDATE application SET display_name = $1, description = $2, archived_at = $3, revision = $4 \
                 WHERE id = $5 AND revision = $4 - 1",
                [
                    application.display_name.as_str().into(),
                    application.description.as_str().into(),
                    micros(application.archived_at).into(),
                    application.revision.0.into(),
                    application.id.uuid().into(),
                ],
            )
            .await?;
        changed_one(changed, TABLE, application.id)
    }
}

pub(super) async fn by_key(
    connection: &Connection,
    project: ProjectId,
    key: &Key,
) -> Result<Option<Application>, StoreError> {
    one(connection, project, key, "").await
}

async fn one(
    connection: &Connection,
    project: ProjectId,
    key: &Key,
    lock: &str,
) -> Result<Option<Application>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM application WHERE project_id = $1 AND key = $2{lock}");
    let row: Option<Row> = connection
        .one(sql, [project.uuid().into(), key.as_str().into()])
        .await?;
    row.map(Application::try_from).transpose()
}

pub(super) async fn with(
    connection: &Connection,
    project: ProjectId,
    keys: &BTreeSet<Key>,
) -> Result<Vec<Application>, StoreError> {
    let keys: Vec<_> = keys.iter().map(Key::as_str).collect();
    let mut found = Vec::new();
    for keys in keys.chunks(rows_per_statement(1) - 1) {
        let mut values = Values::default();
        let project = values.bind(project.uuid());
        let sql = format!(
            "SELECT {COLUMNS} FROM application WHERE project_id = {project} AND key IN ({})",
            values.bind_all(keys.iter().copied())
        );
        let rows: Vec<Row> = connection.all(sql, values).await?;
        for row in rows {
            found.push(row.try_into()?);
        }
    }
    Ok(found)
}

pub(super) async fn page(
    connection: &Connection,
    project: ProjectId,
    kind: Option<ApplicationKind>,
    include_archived: bool,
    after: Option<&Key>,
    size: PageSize,
) -> Result<Page<Application, Key>, StoreError> {
    // Every key is behind the empty text.
    let mut values: Vec<Value> = vec![
        project.uuid().into(),
        after.map_or("", Key::as_str).into(),
        limit(size),
    ];
    let mut conditions = "project_id = $1 AND key > $2".to_owned();
    if !include_archived {
        conditions.push_str(" AND archived_at IS NULL");
    }
    if let Some(kind) = kind {
        values.push(kind.as_str().into());
        conditions.push_str(" AND kind = $4");
    }
    let sql = format!("SELECT {COLUMNS} FROM application WHERE {conditions} ORDER BY key LIMIT $3");
    let rows: Vec<Row> = connection.all(sql, values).await?;
    let applications = rows
        .into_iter()
        .map(Application::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Page::from_rows(
        applications,
        size,
        |application: &Application| application.key.clone(),
    ))
}
