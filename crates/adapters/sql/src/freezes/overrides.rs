//! What deployments were let through.

use sea_orm::{FromQueryResult, Value};
use slipway_approvals::FreezeOverride;
use slipway_kernel::{DeploymentId, FreezeWindowId, PrincipalId, ProjectId, StoreError};
use uuid::Uuid;

use crate::{
    connection::{Connection, VALUES_PER_STATEMENT, placeholders},
    row::{Place, changed_one},
    values::Values,
};

const TABLE: &str = "freeze_override";
const COLUMNS: &str = "deployment_id, window_id, project_id, overridden_by, overridden_at, reason, \
    plan_digest";
const COLUMN_COUNT: usize = 7;

#[derive(FromQueryResult)]
struct Row {
    deployment_id: Uuid,
    window_id: Uuid,
    slug: String,
    project_id: Uuid,
    overridden_by: Uuid,
    overridden_at: i64,
    reason: String,
    plan_digest: Vec<u8>,
}

impl TryFrom<Row> for FreezeOverride {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let key = format!("({}, {})", row.deployment_id, row.window_id);
        let place = Place {
            table: TABLE,
            row: &key,
        };
        Ok(Self {
            deployment: DeploymentId::from_uuid(row.deployment_id),
            window: FreezeWindowId::from_uuid(row.window_id),
            slug: place.parse("window_id", row.slug)?,
            project: ProjectId::from_uuid(row.project_id),
            by: PrincipalId::from_uuid(row.overridden_by),
            at: place.parse("overridden_at", row.overridden_at)?,
            reason: place.parse("reason", row.reason)?,
            digest: place.digest("plan_digest", &row.plan_digest)?,
        })
    }
}

pub(super) async fn add(connection: &Connection, made: &FreezeOverride) -> Result<(), StoreError> {
    let values: [Value; COLUMN_COUNT] = [
        made.deployment.uuid().into(),
        made.window.uuid().into(),
        made.project.uuid().into(),
        made.by.uuid().into(),
        made.at.micros().into(),
        made.reason.as_str().into(),
        made.digest.as_bytes().to_vec().into(),
    ];
    let sql = format!(
        "INSERT INTO freeze_override ({COLUMNS}) VALUES {} ON CONFLICT (deployment_id, window_id, plan_digest) DO NOTHING",
        placeholders(1, COLUMN_COUNT)
    );
    let added = connection.execute(sql, values).await?;
    changed_one(
        added,
        TABLE,
        format!("({}, {})", made.deployment, made.window),
    )
}

/// By deployment, then oldest first, of one moment by slug.
pub(super) async fn of(
    connection: &Connection,
    deployments: &[DeploymentId],
) -> Result<Vec<FreezeOverride>, StoreError> {
    let mut found = Vec::new();
    let mut ids: Vec<_> = deployments.iter().map(|id| id.uuid()).collect();
    ids.sort_unstable();
    ids.dedup();
    for ids in ids.chunks(VALUES_PER_STATEMENT) {
        let mut values = Values::default();
        let columns = COLUMNS.replace(", ", ", o.");
        let sql = format!(
            "SELECT o.{columns}, w.slug FROM freeze_override o JOIN freeze_window w ON w.id = o.window_id \
             WHERE o.deployment_id IN ({}) ORDER BY o.deployment_id, o.overridden_at, w.slug",
            values.bind_all(ids.iter().copied())
        );
        let rows: Vec<Row> = connection.all(sql, values).await?;
        for row in rows {
            found.push(row.try_into()?);
        }
    }
    Ok(found)
}
