//! A store whose audit trail forgets. Only this benchmark has one.

use std::sync::Arc;

use async_trait::async_trait;
use slipway_approvals::{ApprovalRepository, FreezeRepository, PolicyRepository};
use slipway_audit::{AuditLog, ChainRepository, ChangeFeed, Event};
use slipway_catalog::{ApplicationRepository, EnvironmentRepository, VersionRepository};
use slipway_deployments::{
    CheckRepository, DeploymentRepository, PipelineRepository, TemplateRepository,
};
use slipway_identity::{
    IdentityRepository, MembershipRepository, PrincipalRepository, ProjectRepository,
    TokenRepository,
};
use slipway_ledger::RecordRepository;
use slipway_notifications::NotificationRepository;
use slipway_snapshots::SnapshotRepository;
use slipway_store::{Reader, RequestRepository, Store, StoreError, UnitOfWork};
use slipway_workflows::EngineRepository;

/// Everything is that of the store inside, but for audit events.
pub(crate) struct Silent(pub(crate) Arc<dyn Store>);

#[async_trait]
impl Store for Silent {
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        Ok(Box::new(SilentUnitOfWork {
            unit: self.0.begin().await?,
            audit: Forgetful,
        }))
    }

    fn reader(&self) -> &dyn Reader {
        self.0.reader()
    }

    async fn snapshot(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.0.snapshot().await
    }

    fn changes(&self) -> &dyn ChangeFeed {
        self.0.changes()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }
}

struct SilentUnitOfWork {
    unit: Box<dyn UnitOfWork>,
    audit: Forgetful,
}

struct Forgetful;

#[async_trait]
impl AuditLog for Forgetful {
    async fn append(&mut self, _: &Event) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl UnitOfWork for SilentUnitOfWork {
    fn projects(&mut self) -> &mut dyn ProjectRepository {
        self.unit.projects()
    }

    fn principals(&mut self) -> &mut dyn PrincipalRepository {
        self.unit.principals()
    }

    fn memberships(&mut self) -> &mut dyn MembershipRepository {
        self.unit.memberships()
    }

    fn identities(&mut self) -> &mut dyn IdentityRepository {
        self.unit.identities()
    }

    fn tokens(&mut self) -> &mut dyn TokenRepository {
        self.unit.tokens()
    }

    fn environments(&mut self) -> &mut dyn EnvironmentRepository {
        self.unit.environments()
    }

    fn applications(&mut self) -> &mut dyn ApplicationRepository {
        self.unit.applications()
    }

    fn versions(&mut self) -> &mut dyn VersionRepository {
        self.unit.versions()
    }

    fn records(&mut self) -> &mut dyn RecordRepository {
        self.unit.records()
    }

    fn pipelines(&mut self) -> &mut dyn PipelineRepository {
        self.unit.pipelines()
    }

    fn deployments(&mut self) -> &mut dyn DeploymentRepository {
        self.unit.deployments()
    }

    fn checks(&mut self) -> &mut dyn CheckRepository {
        self.unit.checks()
    }

    fn templates(&mut self) -> &mut dyn TemplateRepository {
        self.unit.templates()
    }

    fn policies(&mut self) -> &mut dyn PolicyRepository {
        self.unit.policies()
    }

    fn approvals(&mut self) -> &mut dyn ApprovalRepository {
        self.unit.approvals()
    }

    fn freezes(&mut self) -> &mut dyn FreezeRepository {
        self.unit.freezes()
    }

    fn snapshots(&mut self) -> &mut dyn SnapshotRepository {
        self.unit.snapshots()
    }

    fn engines(&mut self) -> &mut dyn EngineRepository {
        self.unit.engines()
    }

    fn notifications(&mut self) -> &mut dyn NotificationRepository {
        self.unit.notifications()
    }

    fn audit(&mut self) -> &mut dyn AuditLog {
        &mut self.audit
    }

    fn chain(&mut self) -> &mut dyn ChainRepository {
        self.unit.chain()
    }

    fn requests(&mut self) -> &mut dyn RequestRepository {
        self.unit.requests()
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.unit.commit().await
    }
}
