//! Environments.

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_catalog::{Environment, EnvironmentRepository};
use slipway_kernel::{EnvironmentId, Page, PageSize, ProjectId, Slug, StoreError};
use uuid::Uuid;

use crate::{
    SqlUnitOfWork,
    connection::{Connection, limit},
    row::{Place, changed_one, micros},
};

const TABLE: &str = "environment";
const COLUMNS: &str = "id, project_id, slug, display_name, description, tier, position, backup_seconds, \
     created_at, archived_at, revision";

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    slug: String,
    display_name: String,
    description: String,
    tier: String,
    position: i32,
    backup_seconds: Option<i64>,
    created_at: i64,
    archived_at: Option<i64>,
    revision: i64,
}

impl TryFrom<Row> for Environment {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: TABLE,
            row: &row.id,
        };
        Ok(Self {
            id: EnvironmentId::from_uuid(row.id),
            project: ProjectId::from_uuid(row.project_id),
            slug: place.parse("slug", row.slug)?,
            display_name: place.parse("display_name", row.display_name)?,
            description: place.parse("description", row.description)?,
            tier: place.word("tier", &row.tier)?,
            position: row.position,
            backup_interval: place.parse_option("backup_seconds", row.backup_seconds)?,
            created_at: place.parse("created_at", row.created_at)?,
            archived_at: place.parse_option("archived_at", row.archived_at)?,
            revision: place.revision(row.revision)?,
        })
    }
}

#[async_trait]
impl EnvironmentRepository for SqlUnitOfWork {
    async fn insert(&mut self, environment: &Environment) -> Result<bool, StoreError> {
        let sql = format!(
            "INSERT INTO environment ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
             ON CONFLICT (project_id, slug) DO NOTHING"
        );
        let added = self
            .connection()
            .await?
            .execute(
                sql,
                [
                    environment.id.uuid().into(),
                    environment.project.uuid().into(),
                    environment.slug.as_str().into(),
                    environment.display_name.as_str().into(),
                    environment.description.as_str().into(),
                    environment.tier.as_str().into(),
                    environment.position.into(),
                    environment.backup_interval.map(i64::from).into(),
                    environment.created_at.micros().into(),
                    micros(environment.archived_at).into(),
                    environment.revision.0.into(),
                ],
            )
            .await?;
        Ok(added == 1)
    }

    async fn find(
        &mut self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<Environment>, StoreError> {
        let lock = self
            .connection()
            .await?
            .dialect()
            .postgres_only(" FOR NO KEY UPDATE");
        one(self.connection().await?, project, slug, lock).await
    }

    async fn hold(&mut self, id: EnvironmentId) -> Result<Option<Environment>, StoreError> {
        let connection = self.connection().await?;
        let lock = connection.dialect().postgres_only(" FOR NO KEY UPDATE");
        by_id(connection, id, lock).await
    }

    async fn update(&mut self, environment: &Environment) -> Result<(), StoreError> {
        let changed = self.connection().await?
            .execute(
                "UPDATE environment SET display_name = $1, description = $2, tier = $3, position = $4, \
                 archived_at = $5, revision = $6, backup_seconds = $8 WHERE id = $7 AND revision = $6 - 1",
                [
                    environment.display_name.as_str().into(),
                    environment.description.as_str().into(),
                    environment.tier.as_str().into(),
                    environment.position.into(),
                    micros(environment.archived_at).into(),
                    environment.revision.0.into(),
                    environment.id.uuid().into(),
                    environment.backup_interval.map(i64::from).into(),
                ],
            )
            .await?;
        changed_one(changed, TABLE, environment.id)
    }
}

pub(super) async fn by_slug(
    connection: &Connection,
    project: ProjectId,
    slug: &Slug,
) -> Result<Option<Environment>, StoreError> {
    one(connection, project, slug, "").await
}

pub(super) async fn by_id(
    connection: &Connection,
    id: EnvironmentId,
    lock: &str,
) -> Result<Option<Environment>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM environment WHERE id = $1{lock}");
    let row: Option<Row> = connection.one(sql, [id.uuid().into()]).await?;
    row.map(Environment::try_from).transpose()
}

async fn one(
    connection: &Connection,
    project: ProjectId,
    slug: &Slug,
    lock: &str,
) -> Result<Option<Environment>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM environment WHERE project_id = $1 AND slug = $2{lock}");
    let row: Option<Row> = connection
        .one(sql, [project.uuid().into(), slug.as_str().into()])
        .await?;
    row.map(Environment::try_from).transpose()
}

pub(super) async fn page(
    connection: &Connection,
    project: ProjectId,
    include_archived: bool,
    after: Option<&(i32, Slug)>,
    size: PageSize,
) -> Result<Page<Environment, (i32, Slug)>, StoreError> {
    let mut values: Vec<Value> = vec![project.uuid().into(), limit(size)];
    let mut conditions = "project_id = $1".to_owned();
    if !include_archived {
        conditions.push_str(" AND archived_at IS NULL");
    }
    if let Some((position, slug)) = after {
        values.extend([(*position).into(), slug.as_str().into()]);
        conditions.push_str(" AND (position, slug) > ($3, $4)");
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM environment WHERE {conditions} ORDER BY position, slug LIMIT $2"
    );
    let rows: Vec<Row> = connection.all(sql, values).await?;
    let environments = rows
        .into_iter()
        .map(Environment::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Page::from_rows(
        environments,
        size,
        |environment: &Environment| (environment.position, environment.slug.clone()),
    ))
}
