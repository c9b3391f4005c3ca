//! A real store whose writes are watched: it can be stopped around each commit, and it can be made to lie.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use slipway_approvals::{ApprovalRepository, FreezeRepository, PolicyRepository};
use slipway_audit::{AuditLog, ChainRepository, ChangeFeed};
use slipway_catalog::{ApplicationRepository, EnvironmentRepository, VersionRepository};
use slipway_deployments::{
    Cancel, CheckRepository, Claim, Deployment, DeploymentName, DeploymentRepository, Direction,
    Item, Phase, PipelineRepository, State, Step, TemplateRepository,
};
use slipway_identity::{
    IdentityRepository, MembershipRepository, PrincipalRepository, ProjectRepository,
    TokenRepository,
};
use slipway_kernel::{DeploymentId, EnvironmentId, ProjectId, Timestamp};
use slipway_ledger::RecordRepository;
use slipway_notifications::NotificationRepository;
use slipway_snapshots::SnapshotRepository;
use slipway_store::{Reader, RequestRepository, Store, StoreError, UnitOfWork};
use slipway_workflows::EngineRepository;

use super::gate::{Gate, OpenUnit, What};

/// A fault in the store, or in how it is used, that the tests have to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    /// A step's result is written whatever the epoch.
    ResultIgnoresEpoch,
    /// A new state is written whatever the epoch.
    StateIgnoresEpoch,
    /// The intent is not written before the effect, only with its result.
    IntentAfterEffect,
    /// A deployment is claimed although its lease lasts.
    ClaimIgnoresLease,
    /// Whoever resumes does not see that a step was begun, and so does not look what came of it.
    ResumeWithoutLook,
}

impl Planted {
    pub(crate) const ALL: [Self; 5] = [
        Self::ResultIgnoresEpoch,
        Self::StateIgnoresEpoch,
        Self::IntentAfterEffect,
        Self::ClaimIgnoresLease,
        Self::ResumeWithoutLook,
    ];
}

/// What all executors on one database did.
#[derive(Default)]
pub(crate) struct Watch {
    /// The last claim of each deployment.
    latest: Mutex<BTreeMap<DeploymentId, Claim>>,
    /// How many writes of an earlier claim changed no row, and how many did.
    fenced: Mutex<usize>,
    accepted: Mutex<usize>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// How many stale writes changed no row, and how many did, since this was last asked.
    pub(crate) fn take(&self) -> [usize; 2] {
        [&self.fenced, &self.accepted].map(|count| std::mem::take(&mut *lock(count)))
    }

    fn is_stale(&self, claim: &Claim) -> bool {
        let latest = lock(&self.latest);
        let latest = latest.get(&claim.deployment);
        latest.is_some_and(|latest| latest.epoch > claim.epoch)
    }
}

/// A store as one executor sees it.
pub(crate) struct Watched {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) planted: Option<Planted>,
}

#[async_trait]
impl Store for Watched {
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        self.gate.pass(What::Begin, false).await;
        let open = self.gate.unit();
        Ok(Box::new(Unit {
            open,
            inner: self.inner.begin().await?,
            gate: Arc::clone(&self.gate),
            watch: Arc::clone(&self.watch),
            planted: self.planted,
            did: "something",
            claimed: None,
            written: None,
        }))
    }

    fn reader(&self) -> &dyn Reader {
        self.inner.reader()
    }

    async fn snapshot(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.inner.snapshot().await
    }

    fn changes(&self) -> &dyn ChangeFeed {
        self.inner.changes()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}

struct Unit {
    open: OpenUnit,
    inner: Box<dyn UnitOfWork>,
    gate: Arc<Gate>,
    watch: Arc<Watch>,
    planted: Option<Planted>,
    /// The last conditional write.
    did: &'static str,
    claimed: Option<Claim>,
    /// In whose name rows were changed.
    written: Option<Claim>,
}

#[async_trait]
impl UnitOfWork for Unit {
    fn projects(&mut self) -> &mut dyn ProjectRepository {
        self.inner.projects()
    }
    fn principals(&mut self) -> &mut dyn PrincipalRepository {
        self.inner.principals()
    }
    fn memberships(&mut self) -> &mut dyn MembershipRepository {
        self.inner.memberships()
    }
    fn identities(&mut self) -> &mut dyn IdentityRepository {
        self.inner.identities()
    }
    fn tokens(&mut self) -> &mut dyn TokenRepository {
        self.inner.tokens()
    }
    fn environments(&mut self) -> &mut dyn EnvironmentRepository {
        self.inner.environments()
    }
    fn applications(&mut self) -> &mut dyn ApplicationRepository {
        self.inner.applications()
    }
    fn versions(&mut self) -> &mut dyn VersionRepository {
        self.inner.versions()
    }
    fn records(&mut self) -> &mut dyn RecordRepository {
        self.inner.records()
    }
    fn pipelines(&mut self) -> &mut dyn PipelineRepository {
        self.inner.pipelines()
    }
    fn deployments(&mut self) -> &mut dyn DeploymentRepository {
        self
    }
    fn checks(&mut self) -> &mut dyn CheckRepository {
        self.inner.checks()
    }
    fn templates(&mut self) -> &mut dyn TemplateRepository {
        self.inner.templates()
    }
    fn approvals(&mut self) -> &mut dyn ApprovalRepository {
        self.inner.approvals()
    }

    fn policies(&mut self) -> &mut dyn PolicyRepository {
        self.inner.policies()
    }
    fn freezes(&mut self) -> &mut dyn FreezeRepository {
        self.inner.freezes()
    }
    fn snapshots(&mut self) -> &mut dyn SnapshotRepository {
        self.inner.snapshots()
    }
    fn engines(&mut self) -> &mut dyn EngineRepository {
        self.inner.engines()
    }
    fn notifications(&mut self) -> &mut dyn NotificationRepository {
        self.inner.notifications()
    }
    fn audit(&mut self) -> &mut dyn AuditLog {
        self.inner.audit()
    }
    fn chain(&mut self) -> &mut dyn ChainRepository {
        self.inner.chain()
    }
    fn requests(&mut self) -> &mut dyn RequestRepository {
        self.inner.requests()
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let Self {
            open,
            inner,
            gate,
            watch,
            did,
            claimed,
            written,
            ..
        } = *self;
        gate.pass(What::Commit(did), false).await;
        inner.commit().await?;
        if let Some(claim) = claimed {
            lock(&watch.latest).insert(claim.deployment, claim);
        }
        if written.is_some_and(|claim| watch.is_stale(&claim)) {
            *lock(&watch.accepted) += 1;
        }
        drop(open);
        gate.pass(What::Commit(did), true).await;
        Ok(())
    }
}

impl Unit {
    /// The claim as the last executor would name it.
    fn as_latest(&self, claim: &Claim) -> Claim {
        let latest = lock(&self.watch.latest);
        latest.get(&claim.deployment).unwrap_or(claim).clone()
    }

    /// Remembers a write that counts only if it is committed, or counts one that changed no row.
    fn wrote(&mut self, claim: &Claim, changed: bool) {
        if changed {
            self.written = Some(claim.clone());
        } else if self.watch.is_stale(claim) {
            *lock(&self.watch.fenced) += 1;
        }
    }

    fn has(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }
}

#[async_trait]
impl DeploymentRepository for Unit {
    async fn claim(&mut self, owner: &str, lease: Duration) -> Result<Option<Claim>, StoreError> {
        if self.has(Planted::ClaimIgnoresLease) {
            let held: Vec<_> = lock(&self.watch.latest).values().cloned().collect();
            for claim in held {
                self.inner.deployments().give_back(&claim).await?;
            }
        }
        self.did = "claim";
        self.claimed = self.inner.deployments().claim(owner, lease).await?;
        Ok(self.claimed.clone())
    }

    async fn renew(&mut self, claim: &Claim, lease: Duration) -> Result<bool, StoreError> {
        self.did = "renewal";
        let renewed = self.inner.deployments().renew(claim, lease).await?;
        self.wrote(claim, renewed);
        Ok(renewed)
    }

    async fn put_off(
        &mut self,
        claim: &Claim,
        until: Timestamp,
        pause: Duration,
    ) -> Result<bool, StoreError> {
        self.inner.deployments().put_off(claim, until, pause).await
    }

    async fn thaw(&mut self, project: ProjectId) -> Result<(), StoreError> {
        self.inner.deployments().thaw(project).await
    }

    async fn guard(&mut self, claim: &Claim) -> Result<bool, StoreError> {
        self.did = "state";
        let held =
            self.inner.deployments().guard(claim).await? || self.has(Planted::StateIgnoresEpoch);
        self.wrote(claim, held);
        Ok(held)
    }

    async fn begin_step(
        &mut self,
        claim: &Claim,
        number: u32,
        direction: Direction,
    ) -> Result<bool, StoreError> {
        self.did = match direction {
            Direction::Do => "intent",
            Direction::Undo => "intent of an undo",
        };
        if self.has(Planted::IntentAfterEffect) {
            return Ok(true);
        }
        let deployments = self.inner.deployments();
        let begun = deployments.begin_step(claim, number, direction).await?;
        self.wrote(claim, begun);
        Ok(begun)
    }

    async fn end_step(
        &mut self,
        claim: &Claim,
        number: u32,
        direction: Direction,
        phase: Phase,
    ) -> Result<bool, StoreError> {
        self.did = match direction {
            Direction::Do => "result",
            Direction::Undo => "result of an undo",
        };
        let named = if self.has(Planted::ResultIgnoresEpoch) {
            self.as_latest(claim)
        } else {
            claim.clone()
        };
        let late = self.has(Planted::IntentAfterEffect);
        let deployments = self.inner.deployments();
        if late {
            deployments.begin_step(claim, number, direction).await?;
        }
        let ended = deployments
            .end_step(&named, number, direction, phase)
            .await?;
        self.wrote(claim, ended);
        Ok(ended)
    }

    async fn steps(&mut self, deployment: DeploymentId) -> Result<Vec<Step>, StoreError> {
        let mut steps = self.inner.deployments().steps(deployment).await?;
        if self.has(Planted::ResumeWithoutLook) {
            for step in &mut steps {
                for phase in [&mut step.phase, &mut step.undo] {
                    if *phase == Phase::Begun {
                        *phase = Phase::Waiting;
                    }
                }
            }
        }
        Ok(steps)
    }

    // The rest is as it is.

    async fn under_way_in(
        &mut self,
        environment: EnvironmentId,
    ) -> Result<Option<i64>, StoreError> {
        self.inner.deployments().under_way_in(environment).await
    }

    async fn undone_by(&mut self, id: DeploymentId) -> Result<Option<i64>, StoreError> {
        self.inner.deployments().undone_by(id).await
    }

    async fn success_before(&mut self, id: DeploymentId) -> Result<Option<Deployment>, StoreError> {
        self.inner.deployments().success_before(id).await
    }

    async fn replace_plan(
        &mut self,
        deployment: &Deployment,
        steps: &[Step],
    ) -> Result<(), StoreError> {
        self.inner
            .deployments()
            .replace_plan(deployment, steps)
            .await
    }

    async fn rewrite_steps(
        &mut self,
        deployment: DeploymentId,
        steps: &[Step],
    ) -> Result<(), StoreError> {
        self.inner
            .deployments()
            .rewrite_steps(deployment, steps)
            .await
    }

    async fn insert(&mut self, deployment: &Deployment) -> Result<i64, StoreError> {
        self.inner.deployments().insert(deployment).await
    }

    async fn find(
        &mut self,
        project: ProjectId,
        name: DeploymentName,
    ) -> Result<Option<Deployment>, StoreError> {
        self.inner.deployments().find(project, name).await
    }

    async fn find_by_id(&mut self, id: DeploymentId) -> Result<Option<Deployment>, StoreError> {
        self.inner.deployments().find_by_id(id).await
    }

    async fn update(&mut self, deployment: &Deployment, from: State) -> Result<(), StoreError> {
        self.inner.deployments().update(deployment, from).await
    }

    async fn cancel(&mut self, id: DeploymentId) -> Result<Option<Cancel>, StoreError> {
        self.inner.deployments().cancel(id).await
    }

    async fn add_items(&mut self, deployment: &Deployment) -> Result<(), StoreError> {
        self.inner.deployments().add_items(deployment).await
    }

    async fn update_items(
        &mut self,
        deployment: DeploymentId,
        items: &[Item],
    ) -> Result<(), StoreError> {
        self.inner
            .deployments()
            .update_items(deployment, items)
            .await
    }

    async fn give_back(&mut self, claim: &Claim) -> Result<bool, StoreError> {
        self.inner.deployments().give_back(claim).await
    }

    async fn add_steps(
        &mut self,
        deployment: DeploymentId,
        steps: &[Step],
    ) -> Result<(), StoreError> {
        self.inner.deployments().add_steps(deployment, steps).await
    }
}
