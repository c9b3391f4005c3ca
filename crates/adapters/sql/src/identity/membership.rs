//! Memberships.

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_identity::{Given, IssuerName, Membership, MembershipRepository};
use slipway_kernel::{Page, PageSize, PrincipalId, ProjectId, Slug, StoreError};
use uuid::Uuid;

use crate::{
    SqlUnitOfWork,
    connection::{Connection, limit, list, rows_per_statement},
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

/// The source of what was set by hand.
const BY_HAND: &str = "";

#[async_trait]
impl MembershipRepository for SqlUnitOfWork {
    async fn set(&mut self, membership: &Membership) -> Result<(), StoreError> {
        save_part(self, BY_HAND, membership).await
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
    ) -> Result<bool, StoreError> {
        remove_part(self, BY_HAND, project, principal).await
    }

    async fn give(&mut self, given: &Given) -> Result<(), StoreError> {
        save_part(self, given.issuer.as_str(), &given.membership).await
    }

    async fn take_back(
        &mut self,
        issuer: &IssuerName,
        project: ProjectId,
        principal: PrincipalId,
    ) -> Result<(), StoreError> {
        remove_part(self, issuer.as_str(), project, principal).await?;
        Ok(())
    }

    async fn given(
        &mut self,
        issuer: &IssuerName,
        principal: PrincipalId,
    ) -> Result<Vec<Membership>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM membership_part m WHERE m.principal_id = $1 AND m.source = $2 \
             ORDER BY m.project_id"
        );
        let values = [principal.uuid().into(), issuer.as_str().into()];
        parse(self.connection().await?.all(sql, values).await?)
    }
}

async fn save_part(
    unit: &mut SqlUnitOfWork,
    source: &str,
    part: &Membership,
) -> Result<(), StoreError> {
    lock(unit, part.principal).await?;
    unit.connection().await?
        .execute(
            "INSERT INTO membership_part \
             (project_id, principal_id, source, roles, groups, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (project_id, principal_id, source) DO UPDATE \
             SET roles = excluded.roles, groups = excluded.groups, updated_at = excluded.updated_at",
            [
                part.project.uuid().into(),
                part.principal.uuid().into(),
                source.into(),
                to_json(&part.roles)?.into(),
                to_json(&part.groups)?.into(),
                part.created_at.micros().into(),
                part.updated_at.micros().into(),
            ],
        )
        .await?;
    sum_up(unit, part.project, part.principal).await
}

async fn remove_part(
    unit: &mut SqlUnitOfWork,
    source: &str,
    project: ProjectId,
    principal: PrincipalId,
) -> Result<bool, StoreError> {
    lock(unit, principal).await?;
    let removed = unit
        .connection()
        .await?
        .execute(
            "DELETE FROM membership_part WHERE project_id = $1 AND principal_id = $2 AND source = $3",
            [
                project.uuid().into(),
                principal.uuid().into(),
                source.into(),
            ],
        )
        .await?;
    if removed == 1 {
        sum_up(unit, project, principal).await?;
    }
    Ok(removed == 1)
}

/// Lets one at a time change what a principal may do: each sums up what the others gave.
async fn lock(unit: &mut SqlUnitOfWork, principal: PrincipalId) -> Result<(), StoreError> {
    #[derive(FromQueryResult)]
    struct Locked {
        #[expect(dead_code, reason = "only locked")]
        id: Uuid,
    }
    let lock = unit.dialect().postgres_only("FOR NO KEY UPDATE");
    let sql = format!("SELECT id FROM principal WHERE id = $1 {lock}");
    let connection = unit.connection().await?;
    connection
        .one::<Locked>(sql, [principal.uuid().into()])
        .await?;
    Ok(())
}

/// Makes the membership what all its parts are together; without any it ends.
async fn sum_up(
    unit: &mut SqlUnitOfWork,
    project: ProjectId,
    principal: PrincipalId,
) -> Result<(), StoreError> {
    let key: [Value; 2] = [project.uuid().into(), principal.uuid().into()];
    let sql = format!(
        "SELECT {COLUMNS} FROM membership_part m WHERE m.project_id = $1 AND m.principal_id = $2"
    );
    let connection = unit.connection().await?;
    let parts = parse(connection.all(sql, key.clone()).await?)?;
    let Some(sum) = parts.into_iter().reduce(together) else {
        let sql = "DELETE FROM membership WHERE project_id = $1 AND principal_id = $2";
        connection.execute(sql, key).await?;
        return Ok(());
    };
    connection
        .execute(
            "INSERT INTO membership (project_id, principal_id, roles, groups, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (project_id, principal_id) DO UPDATE SET roles = excluded.roles, \
             groups = excluded.groups, created_at = excluded.created_at, updated_at = excluded.updated_at",
            [
                sum.project.uuid().into(),
                sum.principal.uuid().into(),
                to_json(&sum.roles)?.into(),
                to_json(&sum.groups)?.into(),
                sum.created_at.micros().into(),
                sum.updated_at.micros().into(),
            ],
        )
        .await?;
    Ok(())
}

fn together(mut sum: Membership, part: Membership) -> Membership {
    sum.roles.extend(part.roles);
    sum.groups.extend(part.groups);
    sum.created_at = sum.created_at.min(part.created_at);
    sum.updated_at = sum.updated_at.max(part.updated_at);
    sum
}

/// What issuers give these principals.
pub(super) async fn given(
    connection: &Connection,
    principals: &[PrincipalId],
) -> Result<Vec<Given>, StoreError> {
    #[derive(FromQueryResult)]
    struct Part {
        source: String,
        #[sea_orm(nested)]
        membership: Row,
    }
    let mut given = Vec::new();
    for principals in principals.chunks(rows_per_statement(1)) {
        let places = list(principals.len());
        let sql = format!(
            "SELECT m.source, {COLUMNS} FROM membership_part m \
             WHERE m.principal_id IN ({places}) AND m.source <> '' \
             ORDER BY m.project_id, m.principal_id, m.source"
        );
        let values = principals.iter().map(|id| id.uuid().into());
        for part in connection.all::<Part>(sql, values).await? {
            let place = Place {
                table: "membership_part",
                row: &part.membership.principal_id,
            };
            given.push(Given {
                issuer: place.parse("source", part.source)?,
                membership: part.membership.try_into()?,
            });
        }
    }
    Ok(given)
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
