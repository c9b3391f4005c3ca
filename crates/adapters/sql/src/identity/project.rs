//! Projects.

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_identity::{Project, ProjectRepository};
use slipway_kernel::{Page, PageSize, PrincipalId, ProjectId, Requirements, Slug, StoreError};
use uuid::Uuid;

use crate::{
    SqlUnitOfWork,
    connection::{Connection, limit},
    row::{Place, changed_one, micros, to_json},
};

const TABLE: &str = "project";
const COLUMNS: &str = "id, slug, display_name, description, created_at, archived_at, revision, required_locales, \
                       validation_rules";

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    slug: String,
    display_name: String,
    description: String,
    created_at: i64,
    archived_at: Option<i64>,
    revision: i64,
    required_locales: String,
    validation_rules: String,
}

impl TryFrom<Row> for Project {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: TABLE,
            row: &row.id,
        };
        Ok(Self {
            slug: place.parse("slug", row.slug)?,
            display_name: place.parse("display_name", row.display_name)?,
            description: place.parse("description", row.description)?,
            requirements: Requirements {
                locales: place.json("required_locales", &row.required_locales)?,
                rules: place.json("validation_rules", &row.validation_rules)?,
            },
            created_at: place.parse("created_at", row.created_at)?,
            archived_at: place.parse_option("archived_at", row.archived_at)?,
            revision: place.revision(row.revision)?,
            id: ProjectId::from_uuid(row.id),
        })
    }
}

#[async_trait]
impl ProjectRepository for SqlUnitOfWork {
    async fn insert(&mut self, project: &Project) -> Result<bool, StoreError> {
        let sql = format!(
            "INSERT INTO project ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (slug) DO NOTHING"
        );
        let added = self
            .connection()
            .await?
            .execute(
                sql,
                [
                    project.id.uuid().into(),
                    project.slug.as_str().into(),
                    project.display_name.as_str().into(),
                    project.description.as_str().into(),
                    project.created_at.micros().into(),
                    micros(project.archived_at).into(),
                    project.revision.0.into(),
                    to_json(&project.requirements.locales)?.into(),
                    to_json(&project.requirements.rules)?.into(),
                ],
            )
            .await?;
        Ok(added == 1)
    }

    async fn find(&mut self, slug: &Slug) -> Result<Option<Project>, StoreError> {
        let lock = self
            .connection()
            .await?
            .dialect()
            .postgres_only(" FOR NO KEY UPDATE");
        one(
            self.connection().await?,
            "slug = $1",
            slug.as_str().into(),
            lock,
        )
        .await
    }

    async fn get(&mut self, id: ProjectId) -> Result<Option<Project>, StoreError> {
        one(self.connection().await?, "id = $1", id.uuid().into(), "").await
    }

    async fn update(&mut self, project: &Project) -> Result<(), StoreError> {
        let changed = self.connection().await?
            .execute(
                "UPDATE project SET display_name = $1, description = $2, archived_at = $3, revision = $4, \
                 required_locales = $6, validation_rules = $7 WHERE id = $5 AND revision = $4 - 1",
                [
                    project.display_name.as_str().into(),
                    project.description.as_str().into(),
                    micros(project.archived_at).into(),
                    project.revision.0.into(),
                    project.id.uuid().into(),
                    to_json(&project.requirements.locales)?.into(),
                    to_json(&project.requirements.rules)?.into(),
                ],
            )
            .await?;
        changed_one(changed, TABLE, project.id)
    }
}

pub(super) async fn by_slug(
    connection: &Connection,
    slug: &Slug,
) -> Result<Option<Project>, StoreError> {
    one(connection, "slug = $1", slug.as_str().into(), "").await
}

pub(super) async fn by_id(
    connection: &Connection,
    id: ProjectId,
) -> Result<Option<Project>, StoreError> {
    one(connection, "id = $1", id.uuid().into(), "").await
}

async fn one(
    connection: &Connection,
    condition: &str,
    value: Value,
    lock: &str,
) -> Result<Option<Project>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM project WHERE {condition}{lock}");
    let row: Option<Row> = connection.one(sql, [value]).await?;
    row.map(Project::try_from).transpose()
}

/// Holds a project's row, so that those who count what it has come one after the other.
pub(crate) async fn hold(connection: &Connection, id: ProjectId) -> Result<(), StoreError> {
    let lock = connection.dialect().postgres_only(" FOR NO KEY UPDATE");
    one(connection, "id = $1", id.uuid().into(), lock).await?;
    Ok(())
}

pub(super) async fn page(
    connection: &Connection,
    visible_to: Option<PrincipalId>,
    include_archived: bool,
    after: Option<&Slug>,
    size: PageSize,
) -> Result<Page<Project, Slug>, StoreError> {
    // Every slug is behind the empty text.
    let mut values: Vec<Value> = vec![after.map_or("", Slug::as_str).into(), limit(size)];
    let mut conditions = "slug > $1".to_owned();
    if !include_archived {
        conditions.push_str(" AND archived_at IS NULL");
    }
    if let Some(principal) = visible_to {
        values.push(principal.uuid().into());
        conditions
            .push_str(" AND id IN (SELECT project_id FROM membership WHERE principal_id = $3)");
    }
    let sql = format!("SELECT {COLUMNS} FROM project WHERE {conditions} ORDER BY slug LIMIT $2");
    let rows: Vec<Row> = connection.all(sql, values).await?;
    let projects = rows
        .into_iter()
        .map(Project::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Page::from_rows(projects, size, |project: &Project| {
        project.slug.clone()
    }))
}
