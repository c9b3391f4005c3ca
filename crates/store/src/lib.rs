//! The port to the database, as the use cases see it.
//!
//! A change is a [`UnitOfWork`]: it lends one repository per noun, and what they did becomes visible at once with
//! [`UnitOfWork::commit`], or not at all. A read is a [`Reader`]: read models, one statement for a hot call.
//!
//! Units of work run at READ COMMITTED on `PostgreSQL`; on `SQLite` there is one writer at a time (BEGIN IMMEDIATE).
//! What must hold under concurrency is therefore kept by unique keys and by the locks that the ports' comments demand,
//! and proven by the contract that every store passes.

#[cfg(feature = "contract")]
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "the cases are tests: a panic is how they fail"
)]
pub mod contract;
pub mod request;

pub use request::{RequestKey, RequestRecord, RequestRepository};
pub use slipway_kernel::StoreError;

use async_trait::async_trait;
use slipway_approvals::{
    ApprovalQueries, ApprovalRepository, FreezeQueries, FreezeRepository, PolicyQueries,
    PolicyRepository,
};
use slipway_audit::{
    AuditLog, AuditQueries, ChainRepository, ChangeFeed, dora::DoraQueries, report::ReportQueries,
};
use slipway_catalog::{
    ApplicationRepository, CatalogQueries, EnvironmentRepository, VersionRepository,
};
use slipway_deployments::{
    CheckQueries, CheckRepository, DeploymentQueries, DeploymentRepository, PipelineRepository,
    TemplateQueries, TemplateRepository,
};
use slipway_identity::{
    IdentityQueries, IdentityRepository, MembershipRepository, PrincipalRepository,
    ProjectRepository, TokenRepository,
};
use slipway_ledger::{LedgerQueries, RecordRepository};
use slipway_notifications::{NotificationQueries, NotificationRepository};
use slipway_snapshots::{SnapshotQueries, SnapshotRepository};
use slipway_workflows::{EngineQueries, EngineRepository};

/// A database.
#[async_trait]
pub trait Store: Send + Sync {
    /// Begins a change. It waits for a connection, and on `SQLite` for the writer before it, and answers
    /// [`StoreError::Unavailable`] where none is free in time.
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError>;

    /// Reads.
    fn reader(&self) -> &dyn Reader;

    /// Reads that all see the same moment, for walks that take several statements. It holds a connection until it is
    /// dropped.
    async fn snapshot(&self) -> Result<Box<dyn Reader>, StoreError>;

    /// What changed since.
    fn changes(&self) -> &dyn ChangeFeed;

    /// Answers where the database does.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// A change that becomes visible as a whole, or not at all: dropping it rolls everything back.
#[async_trait]
pub trait UnitOfWork: Send {
    /// Projects.
    fn projects(&mut self) -> &mut dyn ProjectRepository;
    /// Users and service accounts.
    fn principals(&mut self) -> &mut dyn PrincipalRepository;
    /// Who may do what in which project.
    fn memberships(&mut self) -> &mut dyn MembershipRepository;
    /// What identity providers and certificates call principals.
    fn identities(&mut self) -> &mut dyn IdentityRepository;
    /// Tokens.
    fn tokens(&mut self) -> &mut dyn TokenRepository;
    /// Environments.
    fn environments(&mut self) -> &mut dyn EnvironmentRepository;
    /// Applications.
    fn applications(&mut self) -> &mut dyn ApplicationRepository;
    /// Versions.
    fn versions(&mut self) -> &mut dyn VersionRepository;
    /// The ledger.
    fn records(&mut self) -> &mut dyn RecordRepository;
    /// Pipelines.
    fn pipelines(&mut self) -> &mut dyn PipelineRepository;
    /// Deployments and their steps.
    fn deployments(&mut self) -> &mut dyn DeploymentRepository;
    /// What tests and scans elsewhere say about deployments.
    fn checks(&mut self) -> &mut dyn CheckRepository;
    /// Templates for releases.
    fn templates(&mut self) -> &mut dyn TemplateRepository;
    /// Approval requests.
    fn approvals(&mut self) -> &mut dyn ApprovalRepository;
    /// Approval policies.
    fn policies(&mut self) -> &mut dyn PolicyRepository;
    /// Freezes.
    fn freezes(&mut self) -> &mut dyn FreezeRepository;
    /// Snapshots.
    fn snapshots(&mut self) -> &mut dyn SnapshotRepository;
    /// What is kept about workflow engines.
    fn engines(&mut self) -> &mut dyn EngineRepository;
    /// Webhooks, and what is told to them.
    fn notifications(&mut self) -> &mut dyn NotificationRepository;
    /// Audit events.
    fn audit(&mut self) -> &mut dyn AuditLog;
    /// The chain over the audit events.
    fn chain(&mut self) -> &mut dyn ChainRepository;
    /// Requests that were made before.
    fn requests(&mut self) -> &mut dyn RequestRepository;

    /// Makes everything visible and durable. Where it answers [`StoreError::Unavailable`], whether it did is unknown.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// All reads.
pub trait Reader:
    IdentityQueries
    + CatalogQueries
    + LedgerQueries
    + DeploymentQueries
    + CheckQueries
    + TemplateQueries
    + ApprovalQueries
    + PolicyQueries
    + FreezeQueries
    + SnapshotQueries
    + EngineQueries
    + NotificationQueries
    + AuditQueries
    + ReportQueries
    + DoraQueries
{
}

impl<T> Reader for T where
    T: IdentityQueries
        + CatalogQueries
        + LedgerQueries
        + DeploymentQueries
        + CheckQueries
        + TemplateQueries
        + ApprovalQueries
        + PolicyQueries
        + FreezeQueries
        + SnapshotQueries
        + EngineQueries
        + NotificationQueries
        + AuditQueries
        + ReportQueries
        + DoraQueries
{
}
