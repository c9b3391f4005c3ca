//! Memberships.

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_identity::{Membership, MembershipRepository};
use slipway_kernel::{Page, PageSize, PrincipalId, ProjectId, Slug, StoreError};
use uuid::Uuid;

use crate::{
    SqlUnitOfWork,
    connection::{Connection, limit},
    row::{Place, to_json},
};

const TABLE: &str = "membership";
const COLUMNS: &str = "m.project_id, m.principal_id, m.roles, m.groups, m.created_at, m.updated_at";

#[derive(FromQueryResult)]
struct Row {
    project_id: Uuid,
    principal_id: Uuid,
    roles: String,
    groups: String,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<Row> for Membership {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let key = format!("({}, {})", row.project_id, row.principal_id);
        let place = Place {
            table: TABLE,
            row: &key,
        };
        let membership = Self {
            project: ProjectId::from_uuid(row.project_id),
            principal: PrincipalId::from_uuid(row.principal_id),
            roles: place.json("roles", &row.roles)?,
            groups: place.json("groups", &row.groups)?,
            created_at: place.parse("created_at", row.created_at)?,
            updated_at: place.parse("updated_at", row.updated_at)?,
        };
        if membership.roles.is_empty() {
            return Err(place.inconsistent("roles", "no role"));
        }
        Ok(membership)
    }
}

#[async_trait]
impl MembershipRepository for SqlUnitOfWork {
    async fn set(&mut self, membership: &Membership) -> Result<(), StoreError> {
        self.connection().await?
            .execute(
                "INSERT INTO membership (project_id, principal_id, roles, groups, created_at, updated_at) \
                 VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (project_id, principal_id) DO UPDATE \
                 SET roles = excluded.roles, groups = excluded.groups, updated_at = excluded.updated_at",
                [
                    membership.project.uuid().into(),
                    membership.principal.uuid().into(),
                    to_json(&membership.roles)?.into(),
                    to_json(&membership.groups)?.into(),
                    membership.created_at.micros().into(),
                    membership.updated_at.micros().into(),
                ],
            )
            .await?;
        Ok(())
    }

    async fn get(
        &mut self,
        project: ProjectId,
        principal: PrincipalId,
    ) -> Result<Option<Membership>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM membership m WHERE m.project_id = $1 AND m.principal_id = $2"
        );
        let row: Option<Row> = self
            .connection()
            .await?
            .one(sql, [project.uuid().into(), principal.uuid().into()])
            .await?;
        row.map(Membership::try_from).transpose()
    }

    async fn remove(
        &mut self,
        project: ProjectId,
        principal: PrincipalId,
    ) -> Result<(), StoreError> {
        self.connection()
            .await?
            .execute(
                "DELETE FROM membership WHERE project_id = $1 AND principal_id = $2",
                [project.uuid().into(), principal.uuid().into()],
            )
            .await?;
        Ok(())
    }
}

pub(super) async fn page(
    connection: &Connection,
    project: ProjectId,
    after: Option<PrincipalId>,
    size: PageSize,
) -> Result<Page<Membership, PrincipalId>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM membership m WHERE m.project_id = $1 AND m.principal_id > $2 \
         ORDER BY m.principal_id LIMIT $3"
    );
    let values: [Value; 3] = [
        project.uuid().into(),
        after.map_or(Uuid::nil(), PrincipalId::uuid).into(),
        limit(size),
    ];
    let rows: Vec<Row> = connection.all(sql, values).await?;
    Ok(Page::from_rows(parse(rows)?, size, |membership| {
        membership.principal
    }))
}

/// All memberships of a principal.
pub(super) async fn of_principal(
    connection: &Connection,
    principal: PrincipalId,
) -> Result<Vec<Membership>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM membership m WHERE m.principal_id = $1");
    parse(connection.all(sql, [principal.uuid().into()]).await?)
}

fn parse(rows: Vec<Row>) -> Result<Vec<Membership>, StoreError> {
    rows.into_iter().map(Membership::try_from).collect()
}

pub(super) async fn with_slugs(
    connection: &Connection,
    principal: PrincipalId,
) -> Result<Vec<(Slug, Membership)>, StoreError> {
    #[derive(FromQueryResult)]
    struct InProject {
        slug: String,
        #[sea_orm(nested)]
        membership: Row,
    }
    let sql = format!(
        "SELECT p.slug, {COLUMNS} FROM membership m JOIN project p ON p.id = m.project_id \
         WHERE m.principal_id = $1 ORDER BY p.slug"
    );
    let rows: Vec<InProject> = connection.all(sql, [principal.uuid().into()]).await?;
    rows.into_iter()
        .map(|row| {
            let place = Place {
                table: "project",
                row: &row.membership.project_id,
            };
            let slug = place.parse("slug", row.slug)?;
            Ok((slug, row.membership.try_into()?))
        })
        .collect()
}
