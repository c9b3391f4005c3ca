//! Approval requests, and what people answered.

mod decision;
mod list;
mod overriding;
mod people;
pub(crate) mod policy;

use std::collections::HashMap;

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_approvals::{
    ApprovalFilter, ApprovalPlace, ApprovalQueries, ApprovalRepository, ApprovalRequest, Asked,
    Decision, Override, Person, RequestState, Review, StateKind, Voter, Withdrawal,
};
use slipway_kernel::{
    ApprovalRequestId, DeploymentId, EnvironmentId, Page, PageSize, PrincipalId, ProjectId,
    StoreError, Timestamp, VersionId,
};
use uuid::Uuid;

use crate::{
    SqlReader, SqlUnitOfWork,
    connection::{Connection, VALUES_PER_STATEMENT, placeholders},
    row::{Place, changed_one, micros, to_json},
    values::Values,
};
use overriding::OverrideRow;

const TABLE: &str = "approval_request";
/// What a [`Row`] is read from; `r` is the request, `d` its deployment, `o` who overrode it, `v` what was said about that.
const COLUMNS: &str = "r.id, r.project_id, r.deployment_id, d.number AS deployment_number, r.environment_id, \
    r.plan_digest, r.requested_by, r.created_at, r.expires_at, r.state, r.closed_at, r.rules, r.not_before, \
    o.principal_id AS override_principal, o.person_id AS override_person, o.overridden_at, o.reason AS override_reason, \
    v.principal_id AS review_principal, v.person_id AS review_person, v.finding, v.comment AS review_comment, \
    v.reviewed_at";
/// What stands beside the request `r`.
const JOINS: &str = "JOIN deployment d ON d.id = r.deployment_id \
    LEFT JOIN approval_override o ON o.request_id = r.id LEFT JOIN override_review v ON v.request_id = r.id";
const INSERTED: &str = "id, project_id, deployment_id, environment_id, plan_digest, requested_by, created_at, \
    expires_at, state, closed_at, rules, not_before";
const INSERTED_COUNT: usize = 12;

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
    rules: String,
    not_before: Option<i64>,
    #[sea_orm(nested)]
    overridden: OverrideRow,
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

impl Row {
    fn rules(&self, place: &Place<'_>) -> Result<Vec<Asked>, StoreError> {
        let rules: Vec<Asked> = place.json("rules", &self.rules)?;
        match rules.iter().find(|asked| !asked.is_sound()) {
            None => Ok(rules),
            Some(asked) => {
                let name = &asked.rule.name;
                let problem =
                    format!("the rule `{name}` asks for nobody, or of people out of order");
                Err(place.inconsistent("rules", problem))
            }
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
        let digest = place.digest("plan_digest", &row.plan_digest)?;
        let state = row.state(&place)?;
        let rules = row.rules(&place)?;
        Ok(Self {
            id: ApprovalRequestId::from_uuid(row.id),
            project: ProjectId::from_uuid(row.project_id),
            deployment: DeploymentId::from_uuid(row.deployment_id),
            deployment_number: row.deployment_number,
            environment: EnvironmentId::from_uuid(row.environment_id),
            digest,
            requester: PrincipalId::from_uuid(row.requested_by),
            created_at: place.parse("created_at", row.created_at)?,
            expires_at: place.parse("expires_at", row.expires_at)?,
            not_before: place.parse_option("not_before", row.not_before)?,
            rules,
            state,
            decisions: Vec::new(),
            overridden: row.overridden.parse(&row.id, digest)?,
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
            to_json(&request.rules)?.into(),
            micros(request.not_before).into(),
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

    async fn withdraw(
        &mut self,
        request: ApprovalRequestId,
        person: PrincipalId,
        withdrawal: &Withdrawal,
    ) -> Result<(), StoreError> {
        decision::withdraw(self.connection().await?, request, person, withdrawal).await
    }

    async fn override_request(
        &mut self,
        request: &ApprovalRequest,
        overridden: &Override,
    ) -> Result<(), StoreError> {
        overriding::insert(self.connection().await?, request, overridden).await
    }

    async fn review(
        &mut self,
        request: ApprovalRequestId,
        review: &Review,
    ) -> Result<(), StoreError> {
        overriding::review(self.connection().await?, request, review).await
    }

    async fn overridden(
        &mut self,
        deployment: DeploymentId,
    ) -> Result<Option<ApprovalRequest>, StoreError> {
        let connection = self.connection().await?;
        let lock = connection
            .dialect()
            .postgres_only(" FOR NO KEY UPDATE OF r");
        let sql = format!(
            "SELECT {COLUMNS} FROM approval_request r {JOINS} \
             WHERE r.deployment_id = $1 AND o.request_id IS NOT NULL \
             ORDER BY v.request_id IS NULL DESC, r.created_at DESC, r.id DESC LIMIT 1{lock}"
        );
        read_one(connection, sql, [deployment.uuid().into()]).await
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

    async fn voters(
        &mut self,
        project: ProjectId,
        only: Option<&[PrincipalId]>,
    ) -> Result<Vec<Voter>, StoreError> {
        people::voters(self.connection().await?, project, only).await
    }

    async fn had_a_part(&mut self, deployment: DeploymentId) -> Result<Vec<Person>, StoreError> {
        let mut parts = people::parts_in(self.connection().await?, &[deployment]).await?;
        Ok(parts.remove(&deployment).unwrap_or_default())
    }

    async fn came_after_approved(&mut self, deployment: DeploymentId) -> Result<bool, StoreError> {
        people::came_after_approved(self.connection().await?, deployment).await
    }

    async fn were_approved(
        &mut self,
        environment: EnvironmentId,
        versions: &[VersionId],
    ) -> Result<bool, StoreError> {
        people::were_approved(self.connection().await?, environment, versions).await
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
        "SELECT {COLUMNS} FROM approval_request r {JOINS} WHERE {condition} \
         ORDER BY r.state IN ('PENDING', 'APPROVED') DESC, r.created_at DESC, r.id DESC LIMIT 1{lock}"
    );
    read_one(connection, sql, values).await
}

async fn read_one<const N: usize>(
    connection: &Connection,
    sql: String,
    values: [Value; N],
) -> Result<Option<ApprovalRequest>, StoreError> {
    let row: Option<Row> = connection.one(sql, values).await?;
    let Some(row) = row else { return Ok(None) };
    let mut requests = [ApprovalRequest::try_from(row)?];
    decision::fill(connection, &mut requests).await?;
    let [request] = requests;
    Ok(Some(request))
}

/// All requests of these deployments, oldest first: two statements for each 1,000 of them, at least.
pub(crate) async fn of_deployments(
    connection: &Connection,
    deployments: &[DeploymentId],
) -> Result<HashMap<DeploymentId, Vec<ApprovalRequest>>, StoreError> {
    let mut requests = Vec::with_capacity(deployments.len());
    for deployments in deployments.chunks(VALUES_PER_STATEMENT) {
        let mut values = Values::default();
        let sql = format!(
            "SELECT {COLUMNS} FROM approval_request r {JOINS} WHERE r.deployment_id IN ({}) \
             ORDER BY r.created_at, r.id",
            values.bind_all(deployments.iter().map(|id| id.uuid()))
        );
        let rows: Vec<Row> = connection.all(sql, values).await?;
        for row in rows {
            requests.push(ApprovalRequest::try_from(row)?);
        }
    }
    decision::fill(connection, &mut requests).await?;
    let mut found: HashMap<_, Vec<_>> = HashMap::with_capacity(deployments.len());
    for request in requests {
        found.entry(request.deployment).or_default().push(request);
    }
    Ok(found)
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

    async fn project_voters(&self, project: ProjectId) -> Result<Vec<Voter>, StoreError> {
        people::voters(&self.connection, project, None).await
    }

    async fn parts_in(
        &self,
        deployments: &[DeploymentId],
    ) -> Result<HashMap<DeploymentId, Vec<Person>>, StoreError> {
        people::parts_in(&self.connection, deployments).await
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
