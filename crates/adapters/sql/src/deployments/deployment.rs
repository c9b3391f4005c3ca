//! Deployments.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_deployments::{
    Cancel, Claim, Deployment, DeploymentKind, DeploymentName, DeploymentRepository, Direction,
    Item, Origin, Phase, State, Step,
};
use slipway_kernel::{
    DeploymentId, EnvironmentId, PipelineId, PrincipalId, ProjectId, SnapshotId, StoreError,
    Timestamp, text::Reason,
};
use uuid::Uuid;

use super::{
    gates::{self, GatesRow},
    item, lease, problem,
    released::{self, ReleaseRow},
    resolution::{self, ResolutionRow},
    step, transition, undoing,
};
use crate::{
    SqlUnitOfWork,
    connection::{Connection, placeholders},
    row::{Place, changed_one, micros},
    values::Values,
};

pub(super) const TABLE: &str = "deployment";
pub(super) const COLUMNS: &str = "id, project_id, number, kind, state, target_id, pipeline_id, stage, source_id, \
    restores_id, undoes_id, approval_required, source_unchanged, drift, on_failure, publish, secrets, plan_digest, \
    requested_by, created_at, approved_by, started_at, finished_at, succeeded_at, pre_snapshot_id, post_snapshot_id, \
    problem_reason, problem_message, cancel_by, cancel_at, cancel_reason, rolled_back_by, reason, resolved_by, \
    resolved_at, verdict, verdict_reason, doubt_reason, doubt_message, name, description, execute_on_approval, \
    template_id, template_version, back_to_id, risk, not_before, executed_by, workflows_digest";
const COLUMN_COUNT: usize = 49;

/// A wish to stop.
#[derive(FromQueryResult)]
struct CancelRow {
    whose: Option<Uuid>,
    at: Option<i64>,
    reason: Option<String>,
}

impl CancelRow {
    fn cancel(self, place: &Place<'_>) -> Result<Option<Cancel>, StoreError> {
        match (self.whose, self.at, self.reason) {
            (None, None, None) => Ok(None),
            (Some(by), Some(at), Some(reason)) => Ok(Some(Cancel {
                by: PrincipalId::from_uuid(by),
                at: place.parse("cancel_at", at)?,
                reason: place.parse("cancel_reason", reason)?,
            })),
            _ => {
                let problem = "only some of the principal, the time and the reason";
                Err(place.inconsistent("cancel_by", problem))
            }
        }
    }
}

#[derive(FromQueryResult)]
pub(super) struct Row {
    id: Uuid,
    project_id: Uuid,
    number: i64,
    kind: String,
    state: String,
    target_id: Uuid,
    #[sea_orm(nested)]
    origin: OriginRow,
    #[sea_orm(nested)]
    gates: GatesRow,
    plan_digest: Vec<u8>,
    requested_by: Uuid,
    created_at: i64,
    approved_by: Option<Uuid>,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    succeeded_at: Option<i64>,
    pre_snapshot_id: Option<Uuid>,
    post_snapshot_id: Option<Uuid>,
    problem_reason: Option<String>,
    problem_message: Option<String>,
    cancel_by: Option<Uuid>,
    cancel_at: Option<i64>,
    cancel_reason: Option<String>,
    rolled_back_by: Option<Uuid>,
    reason: Option<String>,
    #[sea_orm(nested)]
    resolution: ResolutionRow,
    #[sea_orm(nested)]
    release: ReleaseRow,
    back_to_id: Option<Uuid>,
    risk: String,
    not_before: Option<i64>,
    executed_by: Option<Uuid>,
    workflows_digest: Option<Vec<u8>>,
}

#[derive(FromQueryResult)]
struct OriginRow {
    pipeline_id: Option<Uuid>,
    stage: Option<i32>,
    source_id: Option<Uuid>,
    restores_id: Option<Uuid>,
    undoes_id: Option<Uuid>,
}

impl OriginRow {
    fn parse(&self, place: &Place<'_>, kind: DeploymentKind) -> Result<Origin, StoreError> {
        let stage = (self.pipeline_id, self.stage, self.source_id);
        match (kind, stage, self.restores_id, self.undoes_id) {
            (DeploymentKind::Release, (None, None, None), None, None) => Ok(Origin::Chosen),
            (
                DeploymentKind::Promotion,
                (Some(pipeline), Some(stage), Some(source)),
                None,
                None,
            ) => Ok(Origin::Stage {
                pipeline: PipelineId::from_uuid(pipeline),
                stage: place.parse("stage", stage)?,
                source: EnvironmentId::from_uuid(source),
            }),
            (DeploymentKind::Restore, (None, None, None), Some(snapshot), None) => {
                Ok(Origin::Snapshot {
                    snapshot: SnapshotId::from_uuid(snapshot),
                })
            }
            (DeploymentKind::Rollback, (None, None, None), None, Some(deployment)) => {
                Ok(Origin::Undoes {
                    deployment: DeploymentId::from_uuid(deployment),
                })
            }
            _ => {
                let given = [
                    ("pipeline_id", self.pipeline_id.is_some()),
                    ("stage", self.stage.is_some()),
                    ("source_id", self.source_id.is_some()),
                    ("restores_id", self.restores_id.is_some()),
                    ("undoes_id", self.undoes_id.is_some()),
                ];
                let given: Vec<_> = given
                    .iter()
                    .filter(|(_, is)| *is)
                    .map(|(c, _)| *c)
                    .collect();
                let problem = format!("a {kind} that comes from ({})", given.join(", "));
                Err(place.inconsistent("kind", problem))
            }
        }
    }
}

impl Row {
    fn cancel(&mut self, place: &Place<'_>) -> Result<Option<Cancel>, StoreError> {
        let row = CancelRow {
            whose: self.cancel_by,
            at: self.cancel_at,
            reason: self.cancel_reason.take(),
        };
        row.cancel(place)
    }

    /// Passes where the columns that are there are those of the state.
    fn check(&self, place: &Place<'_>, state: State) -> Result<(), StoreError> {
        let refuse = |column, problem: &str| {
            Err(place.inconsistent(column, format!("a deployment that is {state} {problem}")))
        };
        match (self.finished_at.is_some(), state.is_over()) {
            (true, false) => return refuse("finished_at", "has an end"),
            (false, true) => return refuse("finished_at", "has no end"),
            _ => {}
        }
        match (self.rolled_back_by.is_some(), state == State::RolledBack) {
            (true, false) => return refuse("rolled_back_by", "was undone by another"),
            (false, true) => return refuse("rolled_back_by", "was undone by none"),
            _ => {}
        }
        match (self.succeeded_at.is_some(), state) {
            (true, State::Succeeded | State::RolledBack) | (false, State::RolledBack) => Ok(()),
            (true, _) => refuse("succeeded_at", "has succeeded"),
            (false, State::Succeeded) => refuse("succeeded_at", "has not succeeded"),
            (false, _) => Ok(()),
        }
    }

    /// The deployment without its items.
    pub(super) fn parse(mut self) -> Result<Deployment, StoreError> {
        let id = self.id;
        let place = Place {
            table: TABLE,
            row: &id,
        };
        let kind = place.word("kind", &self.kind)?;
        let state = place.word("state", &self.state)?;
        self.check(&place, state)?;
        let cancel = self.cancel(&place)?;
        let release = self.release.parse(&place)?;
        if release.is_some() != (kind == DeploymentKind::Release) {
            return Err(place.inconsistent("name", format!("not what a {kind} has")));
        }
        if state == State::Canceling && cancel.is_none() {
            return Err(place.inconsistent("cancel_by", "a CANCELING that nobody asked for"));
        }
        Ok(Deployment {
            id: DeploymentId::from_uuid(id),
            project: ProjectId::from_uuid(self.project_id),
            number: self.number,
            kind,
            state,
            target: EnvironmentId::from_uuid(self.target_id),
            origin: self.origin.parse(&place, kind)?,
            gates: self.gates.parse(&place)?,
            plan_digest: place.digest("plan_digest", &self.plan_digest)?,
            requested_by: PrincipalId::from_uuid(self.requested_by),
            created_at: place.parse("created_at", self.created_at)?,
            reason: place.parse_option("reason", self.reason)?,
            approved_by: self.approved_by.map(PrincipalId::from_uuid),
            started_at: place.parse_option("started_at", self.started_at)?,
            finished_at: place.parse_option("finished_at", self.finished_at)?,
            pre_snapshot: self.pre_snapshot_id.map(SnapshotId::from_uuid),
            post_snapshot: self.post_snapshot_id.map(SnapshotId::from_uuid),
            problem: problem::parse(&place, self.problem_reason, self.problem_message)?,
            cancel,
            resolution: self.resolution.parse(&place)?,
            rolled_back_by: self.rolled_back_by.map(DeploymentId::from_uuid),
            release,
            back_to: self.back_to_id.map(DeploymentId::from_uuid),
            risk: place.word("risk", &self.risk)?,
            not_before: place.parse_option("not_before", self.not_before)?,
            executed_by: self.executed_by.map(PrincipalId::from_uuid),
            workflows: self
                .workflows_digest
                .map(|digest| place.digest("workflows_digest", &digest))
                .transpose()?,
            items: Vec::new(),
        })
    }
}

fn origin_values(origin: Origin) -> [Value; 5] {
    let (stage, restores, undoes) = match origin {
        Origin::Chosen => (None, None, None),
        Origin::Stage {
            pipeline,
            stage,
            source,
        } => (Some((pipeline, stage, source)), None, None),
        Origin::Snapshot { snapshot } => (None, Some(snapshot.uuid()), None),
        Origin::Undoes { deployment } => (None, None, Some(deployment.uuid())),
    };
    [
        stage.map(|(pipeline, ..)| pipeline.uuid()).into(),
        stage.map(|(_, stage, _)| i64::from(stage)).into(),
        stage.map(|(.., source)| source.uuid()).into(),
        restores.into(),
        undoes.into(),
    ]
}

/// When it succeeded, where that is what it did. A rolled back one keeps the time that stands in its row.
fn succeeded_at(deployment: &Deployment) -> Option<i64> {
    micros(deployment.finished_at).filter(|_| deployment.state == State::Succeeded)
}

fn values(deployment: &Deployment, number: i64) -> impl Iterator<Item = Value> {
    let identity: [Value; 6] = [
        deployment.id.uuid().into(),
        deployment.project.uuid().into(),
        number.into(),
        deployment.kind.as_str().into(),
        deployment.state.as_str().into(),
        deployment.target.uuid().into(),
    ];
    let asked: [Value; 7] = [
        deployment.plan_digest.as_bytes().to_vec().into(),
        deployment.requested_by.uuid().into(),
        deployment.created_at.micros().into(),
        deployment.approved_by.map(PrincipalId::uuid).into(),
        micros(deployment.started_at).into(),
        micros(deployment.finished_at).into(),
        succeeded_at(deployment).into(),
    ];
    let became: [Value; 2] = [
        deployment.pre_snapshot.map(SnapshotId::uuid).into(),
        deployment.post_snapshot.map(SnapshotId::uuid).into(),
    ];
    identity
        .into_iter()
        .chain(origin_values(deployment.origin))
        .chain(gates::values(deployment.gates))
        .chain(asked)
        .chain(became)
        .chain(problem::values(deployment.problem.as_ref()))
        .chain(cancel_values(deployment.cancel.as_ref()))
        .chain([
            deployment.rolled_back_by.map(DeploymentId::uuid).into(),
            deployment.reason.as_ref().map(Reason::as_str).into(),
        ])
        .chain(resolution::values(deployment.resolution.as_ref()))
        .chain(released::values(deployment.release.as_ref()))
        .chain([
            deployment.back_to.map(DeploymentId::uuid).into(),
            deployment.risk.as_str().into(),
            micros(deployment.not_before).into(),
            deployment.executed_by.map(PrincipalId::uuid).into(),
            workflows_value(deployment),
        ])
}

fn workflows_value(deployment: &Deployment) -> Value {
    let digest = deployment.workflows;
    digest.map(|digest| digest.as_bytes().to_vec()).into()
}

fn cancel_values(cancel: Option<&Cancel>) -> [Value; 3] {
    [
        cancel.map(|cancel| cancel.by.uuid()).into(),
        cancel.map(|cancel| cancel.at.micros()).into(),
        cancel.map(|cancel| cancel.reason.as_str()).into(),
    ]
}

/// The next number of a project, whose counter is held until the unit of work ends: so numbers become visible in their
/// order.
async fn next_number(connection: &Connection, project: ProjectId) -> Result<i64, StoreError> {
    #[derive(FromQueryResult)]
    struct Counter {
        last_number: i64,
    }
    let counter: Option<Counter> = connection
        .one(
            "INSERT INTO deployment_counter (project_id, last_number) VALUES ($1, 1) \
             ON CONFLICT (project_id) DO UPDATE SET last_number = deployment_counter.last_number + 1 \
             RETURNING last_number",
            [project.uuid().into()],
        )
        .await?;
    let place = Place {
        table: "deployment_counter",
        row: &project,
    };
    counter
        .map(|counter| counter.last_number)
        .ok_or_else(|| place.inconsistent("last_number", "no number came back"))
}

#[async_trait]
impl DeploymentRepository for SqlUnitOfWork {
    async fn insert(&mut self, deployment: &Deployment) -> Result<i64, StoreError> {
        let connection = self.connection().await?;
        let number = next_number(connection, deployment.project).await?;
        let sql = format!(
            "INSERT INTO deployment ({COLUMNS}, epoch, claims) VALUES {}",
            placeholders(1, COLUMN_COUNT).replace(')', ", 0, 0)")
        );
        connection.execute(sql, values(deployment, number)).await?;
        item::insert(connection, deployment).await?;
        Ok(number)
    }

    async fn add_items(&mut self, deployment: &Deployment) -> Result<(), StoreError> {
        item::insert(self.connection().await?, deployment).await
    }

    async fn find(
        &mut self,
        project: ProjectId,
        name: DeploymentName,
    ) -> Result<Option<Deployment>, StoreError> {
        let connection = self.connection().await?;
        let lock = connection.dialect().postgres_only(" FOR NO KEY UPDATE");
        by_name(connection, project, name, lock).await
    }

    async fn find_by_id(&mut self, id: DeploymentId) -> Result<Option<Deployment>, StoreError> {
        let connection = self.connection().await?;
        let lock = connection.dialect().postgres_only(" FOR NO KEY UPDATE");
        let sql = format!("SELECT {COLUMNS} FROM deployment WHERE id = $1{lock}");
        one(connection, sql, [id.uuid().into()]).await
    }

    async fn update(&mut self, deployment: &Deployment, from: State) -> Result<(), StoreError> {
        let mut values = Values::default();
        let columns: [(&str, Value); 12] = [
            ("workflows_digest", workflows_value(deployment)),
            ("state", deployment.state.as_str().into()),
            (
                "plan_digest",
                deployment.plan_digest.as_bytes().to_vec().into(),
            ),
            (
                "approved_by",
                deployment.approved_by.map(PrincipalId::uuid).into(),
            ),
            ("risk", deployment.risk.as_str().into()),
            ("not_before", micros(deployment.not_before).into()),
            (
                "execute_on_approval",
                deployment
                    .release
                    .as_ref()
                    .map(|release| release.execute_on_approval)
                    .into(),
            ),
            (
                "executed_by",
                deployment.executed_by.map(PrincipalId::uuid).into(),
            ),
            ("started_at", micros(deployment.started_at).into()),
            ("finished_at", micros(deployment.finished_at).into()),
            (
                "pre_snapshot_id",
                deployment.pre_snapshot.map(SnapshotId::uuid).into(),
            ),
            (
                "post_snapshot_id",
                deployment.post_snapshot.map(SnapshotId::uuid).into(),
            ),
        ];
        let cancel = ["cancel_by", "cancel_at", "cancel_reason"]
            .into_iter()
            .zip(cancel_values(deployment.cancel.as_ref()));
        let problem = ["problem_reason", "problem_message"]
            .into_iter()
            .zip(problem::values(deployment.problem.as_ref()));
        let undone = deployment.rolled_back_by.map(DeploymentId::uuid).into();
        let mut assignments: Vec<_> = columns
            .into_iter()
            .chain(problem)
            .chain([("rolled_back_by", undone)])
            .chain(
                resolution::COLUMNS
                    .into_iter()
                    .zip(resolution::values(deployment.resolution.as_ref())),
            )
            .map(|(column, value)| format!("{column} = {}", values.bind(value)))
            .collect();
        // A wish to stop stays, also where whoever saves does not know of it.
        assignments.extend(cancel.map(|(column, value)| {
            format!("{column} = coalesce({column}, {})", values.bind(value))
        }));
        if deployment.state != State::RolledBack {
            let succeeded_at = values.bind(succeeded_at(deployment));
            assignments.push(format!("succeeded_at = {succeeded_at}"));
        }
        // Where no executor works on it, nobody has a lease.
        if deployment.state != State::Queued && !deployment.state.is_carried_out() {
            assignments.push("lease_owner = NULL, lease_until = NULL, claims = 0".to_owned());
        }
        let passed = transition::passed_through(from, deployment.state);
        transition::write(self.connection().await?, deployment.id, passed).await?;
        let sql = format!(
            "UPDATE deployment SET {} WHERE id = {} AND state = {}",
            assignments.join(", "),
            values.bind(deployment.id.uuid()),
            values.bind(from.as_str())
        );
        let changed = self.connection().await?.execute(sql, values).await?;
        changed_one(changed, TABLE, deployment.id)
    }

    async fn cancel(&mut self, id: DeploymentId) -> Result<Option<Cancel>, StoreError> {
        let sql = "SELECT cancel_by AS whose, cancel_at AS at, cancel_reason AS reason FROM deployment \
                   WHERE id = $1";
        let row: Option<CancelRow> = self
            .connection()
            .await?
            .one(sql, [id.uuid().into()])
            .await?;
        let place = Place {
            table: TABLE,
            row: &id,
        };
        row.map_or(Ok(None), |row| row.cancel(&place))
    }

    async fn update_items(
        &mut self,
        deployment: DeploymentId,
        items: &[Item],
    ) -> Result<(), StoreError> {
        item::update(self.connection().await?, deployment, items).await
    }

    async fn claim(&mut self, owner: &str, lease: Duration) -> Result<Option<Claim>, StoreError> {
        lease::claim(self.connection().await?, owner, lease).await
    }

    async fn renew(&mut self, claim: &Claim, lease: Duration) -> Result<bool, StoreError> {
        lease::renew(self.connection().await?, claim, lease).await
    }

    async fn give_back(&mut self, claim: &Claim) -> Result<bool, StoreError> {
        lease::give_back(self.connection().await?, claim).await
    }

    async fn put_off(
        &mut self,
        claim: &Claim,
        until: Timestamp,
        pause: Duration,
    ) -> Result<bool, StoreError> {
        lease::put_off(self.connection().await?, claim, until, pause).await
    }

    async fn thaw(&mut self, project: ProjectId) -> Result<(), StoreError> {
        lease::thaw(self.connection().await?, project).await
    }

    async fn guard(&mut self, claim: &Claim) -> Result<bool, StoreError> {
        lease::guard(self.connection().await?, claim).await
    }

    async fn add_steps(
        &mut self,
        deployment: DeploymentId,
        steps: &[Step],
    ) -> Result<(), StoreError> {
        step::add(self.connection().await?, deployment, steps).await
    }

    async fn replace_plan(
        &mut self,
        deployment: &Deployment,
        steps: &[Step],
    ) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        step::remove(connection, deployment.id).await?;
        item::remove(connection, deployment.id).await?;
        item::insert(connection, deployment).await?;
        step::add(connection, deployment.id, steps).await
    }

    async fn rewrite_steps(
        &mut self,
        deployment: DeploymentId,
        steps: &[Step],
    ) -> Result<(), StoreError> {
        step::rewrite(self.connection().await?, deployment, steps).await
    }

    async fn under_way_in(&mut self, target: EnvironmentId) -> Result<Option<i64>, StoreError> {
        lease::under_way_in(self.connection().await?, target).await
    }

    async fn undone_by(&mut self, id: DeploymentId) -> Result<Option<i64>, StoreError> {
        undoing::undone_by(self.connection().await?, id).await
    }

    async fn success_before(&mut self, id: DeploymentId) -> Result<Option<Deployment>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM deployment WHERE id = (SELECT d.id FROM deployment d \
             JOIN deployment u ON u.target_id = d.target_id AND (d.finished_at, d.number) < (u.finished_at, u.number) \
             WHERE u.id = $1 AND d.state = 'SUCCEEDED' ORDER BY d.finished_at DESC, d.number DESC LIMIT 1)"
        );
        one(self.connection().await?, sql, [id.uuid().into()]).await
    }

    async fn steps(&mut self, deployment: DeploymentId) -> Result<Vec<Step>, StoreError> {
        step::all(self.connection().await?, deployment).await
    }

    async fn begin_step(
        &mut self,
        claim: &Claim,
        number: u32,
        direction: Direction,
    ) -> Result<bool, StoreError> {
        step::begin(self.connection().await?, claim, number, direction).await
    }

    async fn end_step(
        &mut self,
        claim: &Claim,
        number: u32,
        direction: Direction,
        phase: Phase,
    ) -> Result<bool, StoreError> {
        step::end(self.connection().await?, claim, number, direction, phase).await
    }
}

pub(super) async fn by_name(
    connection: &Connection,
    project: ProjectId,
    name: DeploymentName,
    lock: &str,
) -> Result<Option<Deployment>, StoreError> {
    let (column, value): (_, Value) = match name {
        DeploymentName::Number(number) => ("number", number.into()),
        DeploymentName::Id(id) => ("id", id.uuid().into()),
    };
    let sql =
        format!("SELECT {COLUMNS} FROM deployment WHERE project_id = $1 AND {column} = $2{lock}");
    one(connection, sql, [project.uuid().into(), value]).await
}

/// The deployment that a statement finds, with its items.
async fn one<const N: usize>(
    connection: &Connection,
    sql: String,
    values: [Value; N],
) -> Result<Option<Deployment>, StoreError> {
    let row: Option<Row> = connection.one(sql, values).await?;
    let Some(row) = row else { return Ok(None) };
    let mut deployments = [row.parse()?];
    item::fill(connection, &mut deployments).await?;
    let [deployment] = deployments;
    Ok(Some(deployment))
}
