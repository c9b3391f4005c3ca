//! Deployments: governed acts of change to one environment.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use slipway_kernel::{
    ApplicationId, DeploymentId, EnvironmentId, Key, PipelineId, PrincipalId, ProjectId, RiskLevel,
    Sha256, SnapshotId, StoreError, Timestamp, text::Reason, words,
};
use slipway_workflows::WorkflowId;

use crate::{
    Direction, Gates, OnFailure, Ordered, Phase, Release, Released, Resolution, State, Step,
    Verdict,
};

/// The most items of a deployment.
pub const MAX_ITEMS: usize = 5_000;

/// The reason of the [`Problem`] of a deployment that waits for a freeze to end.
pub const FROZEN: &str = "FROZEN";

/// The reason of the [`Problem`] of a deployment that waits for approval again.
pub const APPROVAL_NEEDED: &str = "APPROVAL_NEEDED";

/// The reason of the [`Problem`] of a deployment that would do something else than what was asked for.
pub const PLAN_CHANGED: &str = "PLAN_CHANGED";

/// What kind of change a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentKind {
    /// Versions that somebody chose.
    Release,
    /// Workflows through a stage of a pipeline.
    Promotion,
    /// An environment back to a snapshot.
    Restore,
    /// What another deployment changed back to what it was before.
    Rollback,
}

words! {
    DeploymentKind, "kind of deployment":
    Release = "RELEASE",
    Promotion = "PROMOTION",
    Restore = "RESTORE",
    Rollback = "ROLLBACK",
}

/// What a deployment does to one application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Change {
    /// The target does not have it yet.
    Created,
    /// The target has another one.
    Updated,
    /// The target has it, and shall not.
    Deleted,
    /// The target has exactly this.
    Unchanged,
    /// It is left as it is; the item says why.
    Skipped,
}

words! {
    Change, "change":
    Created = "CREATED",
    Updated = "UPDATED",
    Deleted = "DELETED",
    Unchanged = "UNCHANGED",
    Skipped = "SKIPPED",
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ItemStatus {
    /// Nothing yet.
    Pending,
    /// The target is as the item says.
    Succeeded,
    /// It is not; the item says why.
    Failed,
    /// There was nothing to do, or the deployment ended before.
    Skipped,
    /// It was done, and undone again.
    Compensated,
}

words! {
    ItemStatus, "status of an item":
    Pending = "PENDING",
    Succeeded = "SUCCEEDED",
    Failed = "FAILED",
    Skipped = "SKIPPED",
    Compensated = "COMPENSATED",
}

/// One governed act of change to one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its identifier.
    pub id: DeploymentId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// What people call it: counts up in its project from 1. A new one has 0 until it is added.
    pub number: i64,
    /// What kind of change it is.
    pub kind: DeploymentKind,
    /// Where it is in its life cycle.
    pub state: State,
    /// What it changes.
    pub target: EnvironmentId,
    /// Where it comes from.
    pub origin: Origin,
    /// What had to hold when it was asked for, and how it is carried out.
    pub gates: Gates,
    /// The digest of what it is to do (`slipway.plan.v1`).
    pub plan_digest: Sha256,
    /// Who asked for it.
    pub requested_by: PrincipalId,
    /// When.
    pub created_at: Timestamp,
    /// Why, where it had to be said.
    pub reason: Option<Reason>,
    /// Who agreed, where somebody had to.
    pub approved_by: Option<PrincipalId>,
    /// No executor claims it before, where that is to be so.
    pub not_before: Option<Timestamp>,
    /// When its first step began.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
    /// The environment before.
    pub pre_snapshot: Option<SnapshotId>,
    /// The environment after.
    pub post_snapshot: Option<SnapshotId>,
    /// Why it waits for approval again, failed, is in doubt, or lacks its last snapshot.
    pub problem: Option<Problem>,
    /// Who asked to stop it.
    pub cancel: Option<Cancel>,
    /// How a person resolved its last doubt.
    pub resolution: Option<Resolution>,
    /// The deployment that undid it.
    pub rolled_back_by: Option<DeploymentId>,
    /// What a release is called and how it goes on; `None` for every other kind.
    pub release: Option<Release>,
    /// The earlier deployment whose outcome a rollback of a release goes back to; `None` for every other one, and where
    /// there was none.
    pub back_to: Option<DeploymentId>,
    /// How risky it is taken to be: as its riskiest item.
    pub risk: RiskLevel,
    /// Who executed it, where somebody had to.
    pub executed_by: Option<PrincipalId>,
    /// The digest of what its chosen workflows take in the target's engine; `None` where it changes the ledger alone, and for
    /// what chooses no versions.
    pub workflows: Option<Sha256>,
    /// Its items, by position.
    pub items: Vec<Item>,
}

/// A deployment that is asked for: what is known of it before anything is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDeployment {
    /// Its identifier.
    pub id: DeploymentId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// What kind of change it is.
    pub kind: DeploymentKind,
    /// What it changes.
    pub target: EnvironmentId,
    /// Where it comes from.
    pub origin: Origin,
    /// What has to hold, and how it is done.
    pub gates: Gates,
    /// The digest of what it is to do.
    pub plan_digest: Sha256,
    /// Who asks for it.
    pub requested_by: PrincipalId,
    /// When.
    pub created_at: Timestamp,
    /// Why, where it has to be said.
    pub reason: Option<Reason>,
    /// Its items, by position; none where it is planned when it is carried out.
    pub items: Vec<Item>,
}

impl From<NewDeployment> for Deployment {
    /// The deployment in [`State::Queued`], without a number.
    fn from(new: NewDeployment) -> Self {
        Self {
            id: new.id,
            project: new.project,
            number: 0,
            kind: new.kind,
            state: State::Queued,
            target: new.target,
            origin: new.origin,
            gates: new.gates,
            plan_digest: new.plan_digest,
            requested_by: new.requested_by,
            created_at: new.created_at,
            reason: new.reason,
            approved_by: None,
            not_before: None,
            started_at: None,
            finished_at: None,
            pre_snapshot: None,
            post_snapshot: None,
            problem: None,
            cancel: None,
            resolution: None,
            rolled_back_by: None,
            release: None,
            back_to: None,
            risk: RiskLevel::Low,
            executed_by: None,
            workflows: None,
            items: new.items,
        }
    }
}

impl Deployment {
    /// What becomes of what was done where a part fails: as its stage says, unless a person said that it ends as it stands.
    pub fn on_failure(&self) -> OnFailure {
        match self.verdict() {
            Some(Verdict::Failed) => OnFailure::Keep,
            _ => self.gates.on_failure,
        }
    }

    /// Whether it waits for a freeze to end.
    pub fn is_frozen(&self) -> bool {
        self.problem
            .as_ref()
            .is_some_and(|problem| problem.reason == FROZEN)
    }

    /// Whether it is approved and was held up when it was to begin: [`Self::not_before`] only says when it is looked at again
    /// then.
    pub fn is_put_off(&self) -> bool {
        let waits_for_people = [APPROVAL_NEEDED, PLAN_CHANGED];
        let problem = self.problem.as_ref();
        self.state == State::Approved
            && problem.is_some_and(|it| !waits_for_people.contains(&it.reason.as_str()))
    }

    /// Lets it wait for a freeze no more. What else it waits for was over when it was found to be frozen.
    pub fn thaw(&mut self) {
        if self.is_frozen() {
            self.problem = None;
            self.not_before = None;
        }
    }

    /// Whether a person said that everything is there: then the target is looked at, and not written any more. A wish to stop
    /// does not matter then.
    pub fn only_looks(&self) -> bool {
        self.verdict() == Some(Verdict::Succeeded)
    }

    /// Whether it waits in [`State::Approved`] until somebody executes it, or its time has come.
    pub const fn waits_for_execution(&self) -> bool {
        match &self.release {
            Some(release) => !release.execute_on_approval,
            None => false,
        }
    }

    /// Whether all of its items are chosen versions: it is a release, or rolls one back.
    pub fn chooses_versions(&self) -> bool {
        !self.items.is_empty() && self.items.iter().all(|item| item.released.is_some())
    }

    /// Whether it is carried out in the one unit of work of whoever says so, because it changes nothing outside of the
    /// database: all of its items are chosen versions, and none is written into an engine.
    pub fn runs_inline(&self) -> bool {
        self.workflows.is_none() && self.chooses_versions()
    }

    fn verdict(&self) -> Option<Verdict> {
        self.resolution
            .as_ref()
            .map(|resolution| resolution.verdict)
    }
}

/// Where a deployment comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Whoever asked for it chose its items.
    Chosen,
    /// A stage of a pipeline.
    Stage {
        /// The pipeline.
        pipeline: PipelineId,
        /// The stage's place in it, from 0.
        stage: u32,
        /// The environment that workflows come from.
        source: EnvironmentId,
    },
    /// A snapshot of the target.
    Snapshot {
        /// The snapshot.
        snapshot: SnapshotId,
    },
    /// An earlier deployment to the target, which is undone.
    Undoes {
        /// The deployment.
        deployment: DeploymentId,
    },
}

/// Why something did not go as it should, for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A word that never changes its meaning: `PLAN_CHANGED`, `PRE_SNAPSHOT_FAILED`.
    pub reason: String,
    /// What happened, and what to do.
    pub message: String,
}

/// A wish to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// Whose.
    pub by: PrincipalId,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// One application in a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its place in the deployment, from 0.
    pub position: u32,
    /// The application's key: the workflow's.
    pub key: Key,
    /// What people called it then.
    pub name: String,
    /// The application in the catalog; `None` where it is not there yet.
    pub application: Option<ApplicationId>,
    /// What is done to it.
    pub change: Change,
    /// What became of that.
    pub status: ItemStatus,
    /// What the target's engine calls it; `None` while it does not have it.
    pub workflow: Option<WorkflowId>,
    /// The document in the target before, in the object store.
    pub before: Option<Sha256>,
    /// The document in the target afterwards, in the object store. References to other workflows stand in it by key.
    pub after: Option<Sha256>,
    /// When it is written: higher than the ranks of the items that it refers to, from 0.
    pub rank: u32,
    /// Whether it refers to an item that gets its id no sooner than itself, so that it is written again when all have one.
    pub in_cycle: bool,
    /// Why it was skipped or failed.
    pub problem: Option<Problem>,
    /// What a release chose; `None` where the item is nothing but a document that is written into an engine.
    pub released: Option<Released>,
}

impl Item {
    /// Whether the target's engine is changed for it: there is a document, before or afterwards.
    pub const fn is_written(&self) -> bool {
        self.before.is_some() || self.after.is_some()
    }

    /// Its place among the items that are written.
    pub const fn ordered(&self) -> Ordered {
        Ordered {
            position: self.position,
            rank: self.rank,
            in_cycle: self.in_cycle,
        }
    }
}

/// How a deployment is named in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentName {
    /// By its number in the project.
    Number(i64),
    /// By its identifier.
    Id(DeploymentId),
}

impl fmt::Display for DeploymentName {
    /// As requests spell it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

/// A deployment that an executor may work on until its lease is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Which claim it is: every write of the executor names it.
    pub epoch: i64,
    /// How often it was claimed without coming to an end.
    pub claims: u32,
}

/// Changes deployments, inside a unit of work.
#[async_trait]
pub trait DeploymentRepository: Send {
    /// Adds a deployment with its items and no steps, and answers with its number: the next one of its project.
    async fn insert(&mut self, deployment: &Deployment) -> Result<i64, StoreError>;

    /// One deployment with its items. An adapter MUST hold it until the unit of work ends.
    async fn find(
        &mut self,
        project: ProjectId,
        name: DeploymentName,
    ) -> Result<Option<Deployment>, StoreError>;

    /// One deployment with its items, held likewise, for an executor.
    async fn find_by_id(&mut self, id: DeploymentId) -> Result<Option<Deployment>, StoreError>;

    /// Saves everything about a deployment but its items, which was in the state `from` when it was read. An adapter
    /// MUST answer [`StoreError::Conflict`] where it is in another, and where another deployment holds the environment
    /// that this one would hold (see [`State::holds_environment`]). A wish to stop that is written already MUST stay.
    async fn update(&mut self, deployment: &Deployment, from: State) -> Result<(), StoreError>;

    /// The number of the deployment that undoes this one, or has undone it. Those that failed, or never began, don't count.
    async fn undone_by(&mut self, id: DeploymentId) -> Result<Option<i64>, StoreError>;

    /// The last deployment that succeeded in the same environment before this one did, and was not rolled back since.
    async fn success_before(&mut self, id: DeploymentId) -> Result<Option<Deployment>, StoreError>;

    /// The number of the deployment that is carried out in an environment, be it undone or stopped. An adapter MUST let no
    /// other one begin there until the unit of work ends.
    async fn under_way_in(&mut self, target: EnvironmentId) -> Result<Option<i64>, StoreError>;

    /// Whether somebody asked to stop a deployment.
    async fn cancel(&mut self, id: DeploymentId) -> Result<Option<Cancel>, StoreError>;

    /// Adds the items of a deployment that was added without any.
    async fn add_items(&mut self, deployment: &Deployment) -> Result<(), StoreError>;

    /// Saves items: their application, status, workflow, documents, order and problem.
    async fn update_items(
        &mut self,
        deployment: DeploymentId,
        items: &[Item],
    ) -> Result<(), StoreError>;

    /// Claims the oldest deployment that an executor should work on: one that is queued while no other holds or waits
    /// longer for its environment, or one that is carried out and whose lease is over. One that is not to begin yet is not
    /// claimed, and no other waits for it. It raises the epoch and sets the lease by the database's own clock. `None` where
    /// there is none.
    async fn claim(&mut self, owner: &str, lease: Duration) -> Result<Option<Claim>, StoreError>;

    /// Makes a lease last that long from now. `false` where somebody else has claimed the deployment since.
    async fn renew(&mut self, claim: &Claim, lease: Duration) -> Result<bool, StoreError>;

    /// Gives a lease back. `false` where somebody else has claimed the deployment since.
    async fn give_back(&mut self, claim: &Claim) -> Result<bool, StoreError>;

    /// Gives a lease back as if the deployment had not been claimed, which is not to begin before a moment, nor within
    /// `pause` from now by the database's clock, which may be ahead of others. `false` where somebody else has claimed the
    /// deployment since.
    async fn put_off(
        &mut self,
        claim: &Claim,
        until: Timestamp,
        pause: Duration,
    ) -> Result<bool, StoreError>;

    /// Lets the deployments of a project that wait in [`State::Queued`] or [`State::Approved`] for a freeze to end wait no
    /// more: the next claim, or the next start, looks at them again. An adapter MUST wait for units of work that are about to let one wait.
    async fn thaw(&mut self, project: ProjectId) -> Result<(), StoreError>;

    /// Holds the deployment for the claim until the unit of work ends. `false` where somebody else has claimed it since:
    /// nothing may be written then.
    async fn guard(&mut self, claim: &Claim) -> Result<bool, StoreError>;

    /// Adds a deployment's steps, none begun, where it has none.
    async fn add_steps(
        &mut self,
        deployment: DeploymentId,
        steps: &[Step],
    ) -> Result<(), StoreError>;

    /// Replaces a running deployment's items and steps by its new items and these steps, none begun. An adapter MUST answer
    /// [`StoreError::Conflict`] where more than [`Work::Preflight`](crate::Work::Preflight) was begun.
    async fn replace_plan(
        &mut self,
        deployment: &Deployment,
        steps: &[Step],
    ) -> Result<(), StoreError>;

    /// Overwrites the phases of a deployment's steps, and raises its epoch, so that late writes of an earlier claim are
    /// refused. An adapter MUST answer [`StoreError::Conflict`] where the deployment is not in doubt.
    async fn rewrite_steps(
        &mut self,
        deployment: DeploymentId,
        steps: &[Step],
    ) -> Result<(), StoreError>;

    /// A deployment's steps, by number.
    async fn steps(&mut self, deployment: DeploymentId) -> Result<Vec<Step>, StoreError>;

    /// Writes down that a step begins. `false`, and nothing written, where the claim is no longer the last one, or the
    /// step is neither [`Phase::Waiting`] nor [`Phase::Begun`].
    async fn begin_step(
        &mut self,
        claim: &Claim,
        number: u32,
        direction: Direction,
    ) -> Result<bool, StoreError>;

    /// Writes down how far a step is now. `false`, and nothing written, where the claim is no longer the last one, or the
    /// step is not [`Phase::Begun`].
    async fn end_step(
        &mut self,
        claim: &Claim,
        number: u32,
        direction: Direction,
        phase: Phase,
    ) -> Result<bool, StoreError>;
}
