//! What reports read.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use slipway_approvals::{ApprovalRequest, Person};
use slipway_deployments::release::RiskFactor;
use slipway_deployments::{Change, DeploymentKind, ItemStatus, State, Transition};
use slipway_kernel::{
    ApplicationKind, DeploymentId, EnvironmentId, Key, PrincipalId, RiskLevel, Sha256, Slug,
    StoreError, Timestamp,
};

use super::Bounds;

/// Another deployment that one names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportedLink {
    /// Its identifier.
    pub id: DeploymentId,
    /// What people call it.
    pub number: i64,
}

/// A deployment as reports show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedDeployment {
    /// Its identifier.
    pub id: DeploymentId,
    /// What people call it.
    pub number: i64,
    /// What kind of change it is.
    pub kind: DeploymentKind,
    /// A release's name.
    pub name: Option<String>,
    /// Where it is.
    pub state: State,
    /// What it changes.
    pub target: EnvironmentId,
    /// That one's slug.
    pub environment: Slug,
    /// Whether its stage demanded that people agree.
    pub approval_required: bool,
    /// The digest of what it is to do.
    pub plan_digest: Sha256,
    /// Who asked for it.
    pub requested_by: PrincipalId,
    /// Who executed it, where somebody had to.
    pub executed_by: Option<PrincipalId>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its first step began.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
    /// Why, where it had to be said.
    pub reason: Option<String>,
    /// Why it failed or waits, for programs.
    pub problem: Option<String>,
    /// How risky it is taken to be.
    pub risk: RiskLevel,
    /// The kinds of its applications; empty where it has no items that say so.
    pub kinds: BTreeSet<ApplicationKind>,
    /// How many items it has, those that change nothing included.
    pub items: u64,
    /// The deployment that it undoes.
    pub undoes: Option<ReportedLink>,
    /// The deployment that undid it.
    pub rolled_back_by: Option<ReportedLink>,
    /// The deployment whose outcome it goes back to.
    pub back_to: Option<ReportedLink>,
}

/// An item of a deployment that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedItem {
    /// Its application.
    pub application: Key,
    /// What is done to it.
    pub change: Change,
    /// What became of that.
    pub status: ItemStatus,
    /// What was chosen for it; `None` where a document is written into an engine.
    pub chosen: Option<ReportedChoice>,
}

/// What was chosen for an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedChoice {
    /// The identifier of the version before.
    pub before: Option<Key>,
    /// The identifier of the version that becomes current; `None` where it is taken out.
    pub after: Option<Key>,
    /// What changes, in the words of who asked for it: the beginning, of [`MESSAGE_CHARACTERS`].
    pub message: String,
    /// How risky they said it is.
    pub declared: RiskLevel,
    /// How risky it is taken to be.
    pub risk: RiskLevel,
    /// What raised it.
    pub factors: Vec<RiskFactor>,
}

/// How much of what people say of a change is in a report.
pub const MESSAGE_CHARACTERS: usize = 500;

/// Reads for reports. Whatever takes deployments or principals takes one statement for each 1,000 of them, or a fixed
/// number of those.
#[async_trait]
pub trait ReportQueries: Send + Sync {
    /// The deployments of a period, by number, at most `limit`: those that were created before its end and not over before
    /// its beginning, and those that wrote a record of it.
    async fn reported_deployments(
        &self,
        bounds: &Bounds,
        limit: u32,
    ) -> Result<Vec<ReportedDeployment>, StoreError>;

    /// The items of these deployments that are not `UNCHANGED` or `SKIPPED`, by position, at most `limit` of all of them.
    async fn items_of(
        &self,
        deployments: &[DeploymentId],
        limit: usize,
    ) -> Result<HashMap<DeploymentId, Vec<ReportedItem>>, StoreError>;

    /// The states that these deployments have had, oldest first.
    async fn histories(
        &self,
        deployments: &[DeploymentId],
    ) -> Result<HashMap<DeploymentId, Vec<Transition>>, StoreError>;

    /// All approval requests of these deployments with their decisions, oldest first.
    async fn requests_of(
        &self,
        deployments: &[DeploymentId],
    ) -> Result<HashMap<DeploymentId, Vec<ApprovalRequest>>, StoreError>;

    /// Whom these accounts belong to. Those that don't exist are left out.
    async fn people(
        &self,
        principals: &[PrincipalId],
    ) -> Result<HashMap<PrincipalId, Person>, StoreError>;
}
