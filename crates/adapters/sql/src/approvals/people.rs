//! Who people are as far as approvals ask, and what part they had.

use std::collections::{BTreeSet, HashMap};

use sea_orm::FromQueryResult;
use slipway_approvals::{Person, Voter, VoterRole};
use slipway_kernel::{
    DeploymentId, EnvironmentId, PrincipalId, ProjectId, Slug, StoreError, VersionId,
};
use uuid::Uuid;

use crate::{
    connection::{Connection, VALUES_PER_STATEMENT},
    row::Place,
    values::Values,
};

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    owner_id: Option<Uuid>,
    tenant_admin: bool,
    disabled_at: Option<i64>,
    owner_disabled_at: Option<i64>,
    roles: Option<String>,
    groups: Option<String>,
}

impl TryFrom<Row> for Voter {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: "membership",
            row: &row.id,
        };
        let mut roles: BTreeSet<VoterRole> = match &row.roles {
            Some(roles) => place.json("roles", roles)?,
            None => BTreeSet::new(),
        };
        if row.tenant_admin {
            roles.insert(VoterRole::TenantAdmin);
        }
        let groups: BTreeSet<Slug> = match &row.groups {
            Some(groups) => place.json("groups", groups)?,
            None => BTreeSet::new(),
        };
        Ok(Self {
            person: Person {
                principal: PrincipalId::from_uuid(row.id),
                owner: row.owner_id.map(PrincipalId::from_uuid),
            },
            disabled: row.disabled_at.is_some() || row.owner_disabled_at.is_some(),
            roles,
            groups,
        })
    }
}

/// In ascending order of their ids.
pub(super) async fn voters(
    connection: &Connection,
    project: ProjectId,
    only: Option<&[PrincipalId]>,
) -> Result<Vec<Voter>, StoreError> {
    let mut values = Values::default();
    let of = values.bind(project.uuid());
    let who = match only {
        Some([]) => return Ok(Vec::new()),
        Some(ids) => values.bind_all(ids.iter().map(|id| id.uuid())),
        None => format!(
            "SELECT principal_id FROM membership WHERE project_id = {of} \
             UNION SELECT id FROM principal WHERE tenant_admin AND disabled_at IS NULL"
        ),
    };
    let sql = format!(
        "SELECT p.id, p.owner_id, p.tenant_admin, p.disabled_at, o.disabled_at AS owner_disabled_at, m.roles, m.groups \
         FROM principal p LEFT JOIN principal o ON o.id = p.owner_id \
         LEFT JOIN membership m ON m.principal_id = p.id AND m.project_id = {of} \
         WHERE p.id IN ({who}) ORDER BY p.id"
    );
    let rows: Vec<Row> = connection.all(sql, values).await?;
    rows.into_iter().map(Voter::try_from).collect()
}

/// Whoever asked for deployments, and the authors and makers of the versions that the catalog knows by what they write.
pub(super) async fn parts_in(
    connection: &Connection,
    deployments: &[DeploymentId],
) -> Result<HashMap<DeploymentId, Vec<Person>>, StoreError> {
    #[derive(FromQueryResult)]
    struct Part {
        deployment_id: Uuid,
        id: Uuid,
        owner_id: Option<Uuid>,
    }
    let mut parts: HashMap<_, Vec<_>> = HashMap::with_capacity(deployments.len());
    for deployments in deployments.chunks(VALUES_PER_STATEMENT) {
        let mut values = Values::default();
        let ids = values.bind_all(deployments.iter().map(|id| id.uuid()));
        let made_by = |column: &str| {
            format!(
                "SELECT i.deployment_id, v.{column} FROM deployment_item i \
                 JOIN application a ON a.project_id = i.project_id AND a.key = i.key \
                 JOIN version v ON v.application_id = a.id AND v.digest = i.after_digest \
                 WHERE i.deployment_id IN ({ids}) \
                 UNION SELECT i.deployment_id, v.{column} FROM deployment_item i \
                 JOIN version v ON v.id = i.version_after_id WHERE i.deployment_id IN ({ids})"
            )
        };
        let sql = format!(
            "SELECT h.deployment_id, p.id, p.owner_id FROM ( \
             SELECT id AS deployment_id, requested_by AS principal_id FROM deployment WHERE id IN ({ids}) \
             UNION {} UNION {}) h JOIN principal p ON p.id = h.principal_id ORDER BY h.deployment_id, p.id",
            made_by("author_id"),
            made_by("created_by")
        );
        let rows: Vec<Part> = connection.all(sql, values).await?;
        for row in rows {
            let of = DeploymentId::from_uuid(row.deployment_id);
            parts.entry(of).or_default().push(Person {
                principal: PrincipalId::from_uuid(row.id),
                owner: row.owner_id.map(PrincipalId::from_uuid),
            });
        }
    }
    Ok(parts)
}

/// By the contents of snapshots: the one from before the deployment is the one from after another, to which people agreed
/// who were asked.
const CAME_AFTER_APPROVED: &str = "SELECT d.id FROM deployment u JOIN snapshot b ON b.id = u.pre_snapshot_id \
    JOIN deployment d ON d.target_id = u.target_id AND d.succeeded_at IS NOT NULL AND d.approved_by IS NOT NULL \
        AND d.id <> u.id \
    JOIN snapshot a ON a.id = d.post_snapshot_id AND a.content_hash = b.content_hash \
    WHERE u.id = $1 AND NOT EXISTS (SELECT 1 FROM approval_override o WHERE o.deployment_id = d.id) LIMIT 1";

pub(super) async fn came_after_approved(
    connection: &Connection,
    deployment: DeploymentId,
) -> Result<bool, StoreError> {
    #[derive(FromQueryResult)]
    struct Found {
        #[expect(dead_code, reason = "only whether there is one is asked")]
        id: Uuid,
    }
    let id = deployment.uuid().into();
    let found: Option<Found> = connection.one(CAME_AFTER_APPROVED, [id]).await?;
    Ok(found.is_some())
}

/// By the items of deployments that succeeded, and to which people agreed who were asked.
pub(super) async fn were_approved(
    connection: &Connection,
    environment: EnvironmentId,
    versions: &[VersionId],
) -> Result<bool, StoreError> {
    #[derive(FromQueryResult)]
    struct Found {
        approved: i64,
    }
    for versions in versions.chunks(VALUES_PER_STATEMENT) {
        let mut values = Values::default();
        let target = values.bind(environment.uuid());
        let ids = values.bind_all(versions.iter().map(|id| id.uuid()));
        let sql = format!(
            "SELECT COUNT(DISTINCT i.version_after_id) AS approved FROM deployment d \
             JOIN deployment_item i ON i.deployment_id = d.id \
             WHERE d.target_id = {target} AND d.succeeded_at IS NOT NULL AND d.approved_by IS NOT NULL \
             AND i.status = 'SUCCEEDED' AND i.version_after_id IN ({ids}) \
             AND NOT EXISTS (SELECT 1 FROM approval_override o WHERE o.deployment_id = d.id)"
        );
        let found: Option<Found> = connection.one(sql, values).await?;
        let approved = found.map_or(0, |found| found.approved);
        if usize::try_from(approved) != Ok(versions.len()) {
            return Ok(false);
        }
    }
    Ok(true)
}
