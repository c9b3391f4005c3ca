//! Webhooks.

use sea_orm::{FromQueryResult, Value};
use slipway_kernel::{Page, PageSize, ProjectId, Slug, StoreError, WebhookId};
use slipway_notifications::Webhook;
use uuid::Uuid;

use crate::{
    connection::{Connection, limit, placeholders},
    identity::project::hold,
    row::{Place, changed_one, to_json},
};

const TABLE: &str = "webhook";
const COLUMNS: &str =
    "id, project_id, slug, display_name, target, filter, enabled, created_at, revision";
const COLUMN_COUNT: usize = 9;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    slug: String,
    display_name: String,
    target: String,
    filter: String,
    enabled: bool,
    created_at: i64,
    revision: i64,
}

impl TryFrom<Row> for Webhook {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: TABLE,
            row: &row.id,
        };
        Ok(Self {
            id: WebhookId::from_uuid(row.id),
            project: ProjectId::from_uuid(row.project_id),
            slug: place.parse("slug", row.slug)?,
            display_name: place.parse("display_name", row.display_name)?,
            target: place.json("target", &row.target)?,
            filter: place.json("filter", &row.filter)?,
            enabled: row.enabled,
            created_at: place.parse("created_at", row.created_at)?,
            revision: place.revision(row.revision)?,
        })
    }
}

pub(super) async fn insert(connection: &Connection, webhook: &Webhook) -> Result<bool, StoreError> {
    let values: [Value; COLUMN_COUNT] = [
        webhook.id.uuid().into(),
        webhook.project.uuid().into(),
        webhook.slug.as_str().into(),
        webhook.display_name.as_str().into(),
        to_json(&webhook.target)?.into(),
        to_json(&webhook.filter)?.into(),
        webhook.enabled.into(),
        webhook.created_at.micros().into(),
        webhook.revision.0.into(),
    ];
    let sql = format!(
        "INSERT INTO webhook ({COLUMNS}) VALUES {} ON CONFLICT (project_id, slug) DO NOTHING",
        placeholders(1, COLUMN_COUNT)
    );
    Ok(connection.execute(sql, values).await? == 1)
}

/// The project's row is held, so that those who count come one after the other.
pub(super) async fn count(connection: &Connection, project: ProjectId) -> Result<u32, StoreError> {
    #[derive(FromQueryResult)]
    struct Counted {
        number: i64,
    }
    hold(connection, project).await?;
    let sql = "SELECT count(*) AS number FROM webhook WHERE project_id = $1";
    let counted: Option<Counted> = connection.one(sql, [project.uuid().into()]).await?;
    let number = counted.map_or(0, |counted| counted.number);
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

pub(super) async fn by_slug(
    connection: &Connection,
    project: ProjectId,
    slug: &Slug,
    lock: &str,
) -> Result<Option<Webhook>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM webhook WHERE project_id = $1 AND slug = $2{lock}");
    let row: Option<Row> = connection
        .one(sql, [project.uuid().into(), slug.as_str().into()])
        .await?;
    row.map(Webhook::try_from).transpose()
}

pub(super) async fn by_id(
    connection: &Connection,
    id: WebhookId,
) -> Result<Option<Webhook>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM webhook WHERE id = $1");
    let row: Option<Row> = connection.one(sql, [id.uuid().into()]).await?;
    row.map(Webhook::try_from).transpose()
}

pub(super) async fn update(connection: &Connection, webhook: &Webhook) -> Result<(), StoreError> {
    let values: [Value; 6] = [
        webhook.display_name.as_str().into(),
        to_json(&webhook.target)?.into(),
        to_json(&webhook.filter)?.into(),
        webhook.enabled.into(),
        webhook.revision.0.into(),
        webhook.id.uuid().into(),
    ];
    let sql = "UPDATE webhook SET display_name = $1, target = $2, filter = $3, enabled = $4, revision = $5 \
               WHERE id = $6 AND revision = $5 - 1";
    let changed = connection.execute(sql, values).await?;
    changed_one(changed, TABLE, webhook.id)
}

/// The row is held first: who is about to insert a delivery holds it as well ([`enabled`]), so that none comes in between.
pub(super) async fn delete(connection: &Connection, id: WebhookId) -> Result<(), StoreError> {
    #[derive(FromQueryResult)]
    struct Held {}
    let lock = connection.dialect().postgres_only(" FOR UPDATE");
    let sql = format!("SELECT id FROM webhook WHERE id = $1{lock}");
    let _held: Option<Held> = connection.one(sql, [id.uuid().into()]).await?;
    for sql in [
        "DELETE FROM delivery WHERE webhook_id = $1",
        "DELETE FROM webhook WHERE id = $1",
    ] {
        connection.execute(sql, [id.uuid().into()]).await?;
    }
    Ok(())
}

/// They are held, so that they are still there when their deliveries are inserted.
pub(super) async fn enabled(
    connection: &Connection,
    project: ProjectId,
) -> Result<Vec<Webhook>, StoreError> {
    let lock = connection.dialect().postgres_only(" FOR KEY SHARE");
    let sql = format!(
        "SELECT {COLUMNS} FROM webhook WHERE project_id = $1 AND enabled ORDER BY slug{lock}"
    );
    let rows: Vec<Row> = connection.all(sql, [project.uuid().into()]).await?;
    rows.into_iter().map(Webhook::try_from).collect()
}

pub(super) async fn page(
    connection: &Connection,
    project: ProjectId,
    after: Option<&Slug>,
    size: PageSize,
) -> Result<Page<Webhook, Slug>, StoreError> {
    // Every slug is behind the empty text.
    let sql = format!(
        "SELECT {COLUMNS} FROM webhook WHERE project_id = $1 AND slug > $2 ORDER BY slug LIMIT $3"
    );
    let after = after.map_or("", Slug::as_str);
    let rows: Vec<Row> = connection
        .all(sql, [project.uuid().into(), after.into(), limit(size)])
        .await?;
    let webhooks: Result<Vec<_>, _> = rows.into_iter().map(Webhook::try_from).collect();
    Ok(Page::from_rows(webhooks?, size, |webhook: &Webhook| {
        webhook.slug.clone()
    }))
}
