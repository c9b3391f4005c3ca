//! Templates for releases, in all of their versions.

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_deployments::{Template, TemplateQueries, TemplateRepository};
use slipway_kernel::{
    Page, PageSize, PrincipalId, ProjectId, Revision, Slug, StoreError, TemplateId, Timestamp,
};
use uuid::Uuid;

use crate::{
    SqlReader, SqlUnitOfWork,
    connection::{Connection, limit},
    row::{Place, changed_one, to_json},
};

const TABLE: &str = "template";
/// Templates `t` that were not deleted, each with one of its versions `v`.
const SELECT: &str = "SELECT t.id, t.project_id, t.slug, v.version, v.display_name, v.description, v.items, \
    v.created_by, v.created_at FROM template t JOIN template_version v ON v.template_id = t.id \
    WHERE t.deleted_at IS NULL AND t.project_id = $1 AND ";

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    slug: String,
    version: i64,
    display_name: String,
    description: String,
    items: String,
    created_by: Uuid,
    created_at: i64,
}

#[derive(FromQueryResult)]
struct Held {
    version: i64,
}

impl TryFrom<Row> for Template {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let key = format!("({}, {})", row.id, row.version);
        let place = Place {
            table: "template_version",
            row: &key,
        };
        Ok(Self {
            id: TemplateId::from_uuid(row.id),
            project: ProjectId::from_uuid(row.project_id),
            slug: place.parse("slug", row.slug)?,
            version: place.revision(row.version)?,
            display_name: place.parse("display_name", row.display_name)?,
            description: place.parse("description", row.description)?,
            items: place.json("items", &row.items)?,
            created_by: PrincipalId::from_uuid(row.created_by),
            created_at: place.parse("created_at", row.created_at)?,
        })
    }
}

#[async_trait]
impl TemplateRepository for SqlUnitOfWork {
    async fn insert(&mut self, template: &Template) -> Result<bool, StoreError> {
        let connection = self.connection().await?;
        let added = connection
            .execute(
                "INSERT INTO template (id, project_id, slug, version) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (project_id, slug) WHERE deleted_at IS NULL DO NOTHING",
                [
                    template.id.uuid().into(),
                    template.project.uuid().into(),
                    template.slug.as_str().into(),
                    template.version.0.into(),
                ],
            )
            .await?;
        if added == 1 {
            insert_version(connection, template).await?;
        }
        Ok(added == 1)
    }

    /// Two statements: a join would show the version that was the last one before the lock was waited for.
    async fn find(
        &mut self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<Template>, StoreError> {
        let connection = self.connection().await?;
        let lock = connection.dialect().postgres_only(" FOR NO KEY UPDATE");
        let sql = format!(
            "SELECT version FROM template WHERE deleted_at IS NULL AND project_id = $1 AND slug = $2{lock}"
        );
        let held: Option<Held> = connection
            .one(sql, [project.uuid().into(), slug.as_str().into()])
            .await?;
        match held {
            None => Ok(None),
            Some(held) => one(connection, project, slug, Some(Revision(held.version))).await,
        }
    }

    async fn add_version(&mut self, template: &Template) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        let changed = connection
            .execute(
                "UPDATE template SET version = $1 WHERE id = $2 AND version = $1 - 1 AND deleted_at IS NULL",
                [template.version.0.into(), template.id.uuid().into()],
            )
            .await?;
        changed_one(changed, TABLE, template.id)?;
        insert_version(connection, template).await
    }

    async fn delete(&mut self, id: TemplateId, at: Timestamp) -> Result<(), StoreError> {
        let changed = self
            .connection()
            .await?
            .execute(
                "UPDATE template SET deleted_at = $1 WHERE id = $2 AND deleted_at IS NULL",
                [at.micros().into(), id.uuid().into()],
            )
            .await?;
        changed_one(changed, TABLE, id)
    }
}

async fn insert_version(connection: &Connection, template: &Template) -> Result<(), StoreError> {
    let values: [Value; 7] = [
        template.id.uuid().into(),
        template.version.0.into(),
        template.display_name.as_str().into(),
        template.description.as_str().into(),
        to_json(&template.items)?.into(),
        template.created_by.uuid().into(),
        template.created_at.micros().into(),
    ];
    let sql = "INSERT INTO template_version (template_id, version, display_name, description, items, created_by, \
               created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    connection.execute(sql, values).await?;
    Ok(())
}

async fn one(
    connection: &Connection,
    project: ProjectId,
    slug: &Slug,
    version: Option<Revision>,
) -> Result<Option<Template>, StoreError> {
    let mut values: Vec<Value> = vec![project.uuid().into(), slug.as_str().into()];
    let which = match version {
        None => "t.version",
        Some(version) => {
            values.push(version.0.into());
            "$3"
        }
    };
    let sql = format!("{SELECT}t.slug = $2 AND v.version = {which}");
    let row: Option<Row> = connection.one(sql, values).await?;
    row.map(Template::try_from).transpose()
}

#[async_trait]
impl TemplateQueries for SqlReader {
    async fn template(
        &self,
        project: ProjectId,
        slug: &Slug,
        version: Option<Revision>,
    ) -> Result<Option<Template>, StoreError> {
        one(&self.connection, project, slug, version).await
    }

    async fn templates(
        &self,
        project: ProjectId,
        after: Option<&Slug>,
        size: PageSize,
    ) -> Result<Page<Template, Slug>, StoreError> {
        // Every slug is behind the empty text.
        let after = after.map_or("", Slug::as_str);
        let sql = format!("{SELECT}v.version = t.version AND t.slug > $2 ORDER BY t.slug LIMIT $3");
        let rows: Vec<Row> = self
            .connection
            .all(sql, [project.uuid().into(), after.into(), limit(size)])
            .await?;
        let templates = rows
            .into_iter()
            .map(Template::try_from)
            .collect::<Result<_, _>>()?;
        Ok(Page::from_rows(templates, size, |template: &Template| {
            template.slug.clone()
        }))
    }

    async fn template_slug(&self, id: TemplateId) -> Result<Option<Slug>, StoreError> {
        #[derive(FromQueryResult)]
        struct Named {
            slug: String,
        }
        let sql = "SELECT slug FROM template WHERE id = $1";
        let named: Option<Named> = self.connection.one(sql, [id.uuid().into()]).await?;
        let place = Place {
            table: TABLE,
            row: &id,
        };
        named
            .map(|named| place.parse("slug", named.slug))
            .transpose()
    }
}
