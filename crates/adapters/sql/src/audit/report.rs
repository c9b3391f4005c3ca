//! What compliance reports read.

mod items;

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use slipway_approvals::{ApprovalRequest, Person};
use slipway_audit::report::{
    Bounds, ReportQueries, ReportedDeployment, ReportedItem, ReportedLink,
};
use slipway_deployments::Transition;
use slipway_kernel::{ApplicationKind, DeploymentId, EnvironmentId, PrincipalId, StoreError};
use uuid::Uuid;

use crate::{
    SqlReader, approvals,
    connection::{Connection, VALUES_PER_STATEMENT},
    row::Place,
    values::Values,
};

const COLUMNS: &str = "d.id, d.number, d.kind, d.name, d.state, d.target_id, e.slug AS environment, d.approval_required, \
    d.plan_digest, d.requested_by, d.executed_by, d.created_at, d.started_at, d.finished_at, d.reason, d.problem_reason, \
    d.risk, d.undoes_id, u.number AS undoes_number, d.rolled_back_by, b.number AS rolled_back_by_number, d.back_to_id, \
    t.number AS back_to_number";
const JOINS: &str = "JOIN environment e ON e.id = d.target_id LEFT JOIN deployment u ON u.id = d.undoes_id \
    LEFT JOIN deployment b ON b.id = d.rolled_back_by LEFT JOIN deployment t ON t.id = d.back_to_id";

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    number: i64,
    kind: String,
    name: Option<String>,
    state: String,
    target_id: Uuid,
    environment: String,
    approval_required: bool,
    plan_digest: Vec<u8>,
    requested_by: Uuid,
    executed_by: Option<Uuid>,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    reason: Option<String>,
    problem_reason: Option<String>,
    risk: String,
    undoes_id: Option<Uuid>,
    undoes_number: Option<i64>,
    rolled_back_by: Option<Uuid>,
    rolled_back_by_number: Option<i64>,
    back_to_id: Option<Uuid>,
    back_to_number: Option<i64>,
}

fn link(id: Option<Uuid>, number: Option<i64>) -> Option<ReportedLink> {
    let id = DeploymentId::from_uuid(id?);
    number.map(|number| ReportedLink { id, number })
}

impl TryFrom<Row> for ReportedDeployment {
    type Error = StoreError;

    /// The deployment without what is known of its items.
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: "deployment",
            row: &row.id,
        };
        Ok(Self {
            id: DeploymentId::from_uuid(row.id),
            number: row.number,
            kind: place.word("kind", &row.kind)?,
            name: row.name,
            state: place.word("state", &row.state)?,
            target: EnvironmentId::from_uuid(row.target_id),
            environment: place.parse("target_id", row.environment)?,
            approval_required: row.approval_required,
            plan_digest: place.digest("plan_digest", &row.plan_digest)?,
            requested_by: PrincipalId::from_uuid(row.requested_by),
            executed_by: row.executed_by.map(PrincipalId::from_uuid),
            created_at: place.parse("created_at", row.created_at)?,
            started_at: place.parse_option("started_at", row.started_at)?,
            finished_at: place.parse_option("finished_at", row.finished_at)?,
            reason: row.reason,
            problem: row.problem_reason,
            risk: place.word("risk", &row.risk)?,
            kinds: BTreeSet::new(),
            items: 0,
            undoes: link(row.undoes_id, row.undoes_number),
            rolled_back_by: link(row.rolled_back_by, row.rolled_back_by_number),
            back_to: link(row.back_to_id, row.back_to_number),
        })
    }
}

#[async_trait]
impl ReportQueries for SqlReader {
    async fn reported_deployments(
        &self,
        bounds: &Bounds,
        limit: u32,
    ) -> Result<Vec<ReportedDeployment>, StoreError> {
        let mut values = Values::default();
        let project = values.bind(bounds.project.uuid());
        let from = values.bind(bounds.from.micros());
        let to = values.bind(bounds.to.micros());
        let only = |values: &mut Values, column: &str| match &bounds.environment {
            Some((id, _)) => format!(" AND {column} = {}", values.bind(id.uuid())),
            None => String::new(),
        };
        let of_target = only(&mut values, "d.target_id");
        let of_environment = only(&mut values, "r.environment_id");
        let limit = values.bind(i64::from(limit));
        let sql = format!(
            "SELECT {COLUMNS} FROM (\
             SELECT d.id FROM deployment d WHERE d.project_id = {project} AND d.created_at < {to} \
             AND (d.finished_at IS NULL OR d.finished_at >= {from}){of_target} \
             UNION SELECT r.deployment_id FROM deployment_record r WHERE r.project_id = {project} \
             AND r.deployed_at >= {from} AND r.deployed_at < {to} AND r.deployment_id IS NOT NULL{of_environment}\
             ) AS p JOIN deployment d ON d.id = p.id {JOINS} ORDER BY d.number LIMIT {limit}"
        );
        let rows: Vec<Row> = self.connection.all(sql, values).await?;
        let found: Result<Vec<_>, _> = rows.into_iter().map(ReportedDeployment::try_from).collect();
        let mut found = found?;
        fill_kinds(&self.connection, &mut found).await?;
        Ok(found)
    }

    async fn items_of(
        &self,
        deployments: &[DeploymentId],
        limit: usize,
    ) -> Result<HashMap<DeploymentId, Vec<ReportedItem>>, StoreError> {
        items::of(&self.connection, deployments, limit).await
    }

    async fn histories(
        &self,
        deployments: &[DeploymentId],
    ) -> Result<HashMap<DeploymentId, Vec<Transition>>, StoreError> {
        #[derive(FromQueryResult)]
        struct Row {
            deployment_id: Uuid,
            state: String,
            at: i64,
        }
        let mut found: HashMap<_, Vec<_>> = HashMap::with_capacity(deployments.len());
        for deployments in deployments.chunks(VALUES_PER_STATEMENT) {
            let mut values = Values::default();
            let sql = format!(
                "SELECT deployment_id, state, at FROM deployment_transition WHERE deployment_id IN ({}) \
                 ORDER BY deployment_id, position",
                values.bind_all(deployments.iter().map(|id| id.uuid()))
            );
            let rows: Vec<Row> = self.connection.all(sql, values).await?;
            for row in rows {
                let place = Place {
                    table: "deployment_transition",
                    row: &row.deployment_id,
                };
                let of = DeploymentId::from_uuid(row.deployment_id);
                found.entry(of).or_default().push(Transition {
                    state: place.word("state", &row.state)?,
                    at: place.parse("at", row.at)?,
                });
            }
        }
        Ok(found)
    }

    async fn requests_of(
        &self,
        deployments: &[DeploymentId],
    ) -> Result<HashMap<DeploymentId, Vec<ApprovalRequest>>, StoreError> {
        approvals::of_deployments(&self.connection, deployments).await
    }

    async fn people(
        &self,
        principals: &[PrincipalId],
    ) -> Result<HashMap<PrincipalId, Person>, StoreError> {
        #[derive(FromQueryResult)]
        struct Row {
            id: Uuid,
            owner_id: Option<Uuid>,
        }
        let mut found = HashMap::with_capacity(principals.len());
        for principals in principals.chunks(VALUES_PER_STATEMENT) {
            let mut values = Values::default();
            let sql = format!(
                "SELECT id, owner_id FROM principal WHERE id IN ({})",
                values.bind_all(principals.iter().map(|id| id.uuid()))
            );
            let rows: Vec<Row> = self.connection.all(sql, values).await?;
            found.extend(rows.into_iter().map(|row| {
                let principal = PrincipalId::from_uuid(row.id);
                let owner = row.owner_id.map(PrincipalId::from_uuid);
                (principal, Person { principal, owner })
            }));
        }
        Ok(found)
    }
}

/// Gives deployments the number and the kinds of their items: one statement for each 1,000 deployments.
async fn fill_kinds(
    connection: &Connection,
    deployments: &mut [ReportedDeployment],
) -> Result<(), StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        deployment_id: Uuid,
        kind: Option<String>,
        items: i64,
    }
    for deployments in deployments.chunks_mut(VALUES_PER_STATEMENT) {
        let mut values = Values::default();
        let sql = format!(
            "SELECT deployment_id, application_kind AS kind, count(*) AS items FROM deployment_item \
             WHERE deployment_id IN ({}) GROUP BY deployment_id, application_kind",
            values.bind_all(deployments.iter().map(|deployment| deployment.id.uuid()))
        );
        let rows: Vec<Row> = connection.all(sql, values).await?;
        let mut by_id: HashMap<_, _> = deployments
            .iter_mut()
            .map(|deployment| (deployment.id, deployment))
            .collect();
        for row in rows {
            let place = Place {
                table: "deployment_item",
                row: &row.deployment_id,
            };
            let id = DeploymentId::from_uuid(row.deployment_id);
            let Some(deployment) = by_id.get_mut(&id) else {
                continue;
            };
            let kind: ApplicationKind = match &row.kind {
                Some(kind) => place.word("application_kind", kind)?,
                // A document that is written into an engine.
                None => ApplicationKind::Workflow,
            };
            let items: u64 = place.parse("position", row.items)?;
            deployment.kinds.insert(kind);
            deployment.items += items;
        }
    }
    Ok(())
}
