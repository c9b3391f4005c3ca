//! Approval requests, and what people answered.

mod decision;
mod list;

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_approvals::{
    ApprovalFilter, ApprovalPlace, ApprovalQueries, ApprovalRepository, ApprovalRequest, Decision,
    RequestState, StateKind,
};
use slipway_kernel::{
    ApprovalRequestId, DeploymentId, EnvironmentId, Page, PageSize, PrincipalId, ProjectId,
    StoreError, Timestamp,
};
use uuid::Uuid;

use crate::{
    SqlReader, SqlUnitOfWork,
    connection::{Connection, placeholders},
    row::{Place, changed_one, micros},
};

const TABLE: &str = "approval_request";
/// What a [`Row`] is read from; `r` is the request, `d` its deployment.
const COLUMNS: &str = "r.id, r.project_id, r.deployment_id, d.number AS deployment_number, r.environment_id, \
    r.plan_digest, r.requested_by, r.created_at, r.expires_at, r.state, r.closed_at";
const INSERTED: &str = "id, project_id, deployment_id, environment_id, plan_digest, requested_by, created_at, \
    expires_at, state, closed_at";
const INSERTED_COUNT: usize = 10;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    deployment_id: Uuid,
    deployment_number: i64,
    environment_id: Uuid,
    plan_digest: Vec<u8>,
    requested_by: Uuid,
    created_at: i64,
    expires_at: i64,
    state: String,
    closed_at: Option<i64>,
}

impl Row {
    fn state(&self, place: &Place<'_>) -> Result<RequestState, StoreError> {
        let kind: StateKind = place.word("state", &self.state)?;
        match (kind, self.closed_at) {
            (StateKind::Pending, None) => Ok(RequestState::Pending),
            (StateKind::Pending, Some(_)) => {
                Err(place.inconsistent("closed_at", "a PENDING request that was closed"))
            }
            (kind, None) => {
                let problem = format!("a {kind} request that was never closed");
                Err(place.inconsistent("closed_at", problem))
            }
            (kind, Some(at)) => Ok(RequestState::new(kind, place.parse("closed_at", at)?)),
        }
    }
}

impl TryFrom<Row> for ApprovalRequest {
    type Error = StoreError;

    /// The request without its decisions.
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: TABLE,
            row: &row.id,
        };
        Ok(Self {
            id: ApprovalRequestId::from_uuid(row.id),
            project: ProjectId::from_uuid(row.project_id),
            deployment: DeploymentId::from_uuid(row.deployment_id),
            deployment_number: row.deployment_number,
            environment: EnvironmentId::from_uuid(row.environment_id),
            digest: place.digest("plan_digest", &row.plan_digest)?,
            requester: PrincipalId::from_uuid(row.requested_by),
            created_at: place.parse("created_at", row.created_at)?,
            expires_at: place.parse("expires_at", row.expires_at)?,
            state: row.state(&place)?,
            decisions: Vec::new(),
        })
    }
}

#[async_trait]
impl ApprovalRepository for SqlUnitOfWork {
    async fn open(&mut self, request: &ApprovalRequest) -> Result<(), StoreError> {
        let values: [Value; INSERTED_COUNT] = [
            request.id.uuid().into(),
            request.project.uuid().into(),
            request.deployment.uuid().into(),
            request.environment.uuid().into(),
            request.digest.as_bytes().to_vec().into(),
            request.requester.uuid().into(),
            request.created_at.micros().into(),
            request.expires_at.micros().into(),
            request.state.kind().as_str().into(),
            micros(request.state.since()).into(),
        ];
        let sql = format!(
            "INSERT INTO approval_request ({INSERTED}) VALUES {}",
            placeholders(1, INSERTED_COUNT)
        );
        self.connection().await?.execute(sql, values).await?;
        Ok(())
    }

    async fn last_of(
        &mut self,
        deployment: DeploymentId,
    ) -> Result<Option<ApprovalRequest>, StoreError> {
        let connection = self.connection().await?;
        let lock = connection
            .dialect()
            .postgres_only(" FOR NO KEY UPDATE OF r");
        let id = deployment.uuid().into();
        last(connection, "r.deployment_id = $1", lock, [id]).await
    }

    async fn decide(
        &mut self,
        request: ApprovalRequestId,
        decision: &Decision,
    ) -> Result<(), StoreError> {
        decision::insert(self.connection().await?, request, decision).await
    }

    async fn update(
        &mut self,
        request: &ApprovalRequest,
        from: StateKind,
    ) -> Result<(), StoreError> {
        let values: [Value; 4] = [
            request.state.kind().as_str().into(),
            micros(request.state.since()).into(),
            request.id.uuid().into(),
            from.as_str().into(),
        ];
        let sql =
            "UPDATE approval_request SET state = $1, closed_at = $2 WHERE id = $3 AND state = $4";
        let changed = self.connection().await?.execute(sql, values).await?;
        changed_one(changed, TABLE, request.id)
    }
}

/// The one that is pending or approved, or else the newest: the clocks of two servers may differ.
async fn last<const N: usize>(
    connection: &Connection,
    condition: &str,
    lock: &str,
    values: [Value; N],
) -> Result<Option<ApprovalRequest>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM approval_request r JOIN deployment d ON d.id = r.deployment_id WHERE {condition} \
         ORDER BY r.state IN ('PENDING', 'APPROVED') DESC, r.created_at DESC, r.id DESC LIMIT 1{lock}"
    );
    let row: Option<Row> = connection.one(sql, values).await?;
    let Some(row) = row else { return Ok(None) };
    let mut requests = [ApprovalRequest::try_from(row)?];
    decision::fill(connection, &mut requests).await?;
    let [request] = requests;
    Ok(Some(request))
}

#[async_trait]
impl ApprovalQueries for SqlReader {
    async fn approval_request(
        &self,
        project: ProjectId,
        deployment: DeploymentId,
    ) -> Result<Option<ApprovalRequest>, StoreError> {
        let values = [deployment.uuid().into(), project.uuid().into()];
        let condition = "r.deployment_id = $1 AND r.project_id = $2";
        last(&self.connection, condition, "", values).await
    }

    async fn approval_requests(
        &self,
        project: ProjectId,
        filter: &ApprovalFilter,
        after: Option<ApprovalPlace>,
        size: PageSize,
    ) -> Result<Page<ApprovalRequest, ApprovalPlace>, StoreError> {
        list::page(&self.connection, project, filter, after, size).await
    }

    async fn overdue_approvals(
        &self,
        now: Timestamp,
        size: PageSize,
    ) -> Result<Vec<DeploymentId>, StoreError> {
        #[derive(FromQueryResult)]
        struct Overdue {
            deployment_id: Uuid,
        }
        let overdue: Vec<Overdue> = self
            .connection
            .all(
                "SELECT deployment_id FROM approval_request WHERE state = 'PENDING' AND expires_at <= $1 \
                 ORDER BY expires_at, id LIMIT $2",
                [now.micros().into(), i64::from(size.get()).into()],
            )
            .await?;
        let id = |overdue: Overdue| DeploymentId::from_uuid(overdue.deployment_id);
        Ok(overdue.into_iter().map(id).collect())
    }
}
