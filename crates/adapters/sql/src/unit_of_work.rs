//! A change: one transaction. The repositories' implementations stand beside their nouns.

use async_trait::async_trait;
use slipway_approvals::{ApprovalRepository, FreezeRepository, PolicyRepository};
use slipway_audit::{AuditLog, ChainRepository};
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
use slipway_store::{RequestRepository, StoreError, UnitOfWork};
use slipway_workflows::EngineRepository;

use crate::{
    SqlStore,
    audit::SharedHorizon,
    connection::{Connection, Dialect, VALUES_PER_STATEMENT},
    error::store_error,
    script::Script,
};

/// A change that becomes visible as a whole, or, where it is dropped, not at all.
///
/// Writes that answer nothing wait for the next statement or the commit, and go to the database in one statement. On
/// `PostgreSQL` the transaction begins with the first statement that needs it: where nothing was asked but what needs no
/// transaction, that one statement is all there is to commit.
#[derive(Debug)]
pub struct SqlUnitOfWork {
    store: SqlStore,
    begun: Option<Connection>,
    waiting: Script,
}

impl SqlUnitOfWork {
    pub(crate) const fn new(store: SqlStore, begun: Option<Connection>, waiting: Script) -> Self {
        Self {
            store,
            begun,
            waiting,
        }
    }

    /// The transaction. Everything written before is seen there.
    pub(crate) async fn connection(&mut self) -> Result<&Connection, StoreError> {
        let connection = match self.begun.take() {
            Some(connection) => connection,
            None => self.store.transaction().await?,
        };
        let connection = self.begun.insert(connection);
        if let Some((sql, values)) = self.waiting.take(connection.dialect()) {
            connection.execute(sql, values).await?;
        }
        Ok(connection)
    }

    /// For a statement that locks nothing and so needs no transaction: under READ COMMITTED it sees the same outside of
    /// one that has not written yet.
    pub(crate) async fn glance(&mut self) -> Result<&Connection, StoreError> {
        if self.begun.is_some() || !self.waiting.is_empty() {
            return self.connection().await;
        }
        Ok(self.store.alone())
    }

    /// Where the next write to a table is added, if it answers nothing; it has at most so many values.
    pub(crate) async fn later(
        &mut self,
        table: &'static str,
        values: usize,
    ) -> Result<&mut Script, StoreError> {
        // Writes to one table keep their order.
        if self.waiting.writes_to(table)
            || self.waiting.values.len() + values > VALUES_PER_STATEMENT
        {
            self.connection().await?;
        }
        Ok(&mut self.waiting)
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        self.store.dialect
    }

    pub(crate) fn horizon(&self) -> SharedHorizon {
        self.store.horizon.clone()
    }
}

#[async_trait]
impl UnitOfWork for SqlUnitOfWork {
    fn projects(&mut self) -> &mut dyn ProjectRepository {
        self
    }

    fn principals(&mut self) -> &mut dyn PrincipalRepository {
        self
    }

    fn memberships(&mut self) -> &mut dyn MembershipRepository {
        self
    }

    fn identities(&mut self) -> &mut dyn IdentityRepository {
        self
    }

    fn tokens(&mut self) -> &mut dyn TokenRepository {
        self
    }

    fn environments(&mut self) -> &mut dyn EnvironmentRepository {
        self
    }

    fn applications(&mut self) -> &mut dyn ApplicationRepository {
        self
    }

    fn versions(&mut self) -> &mut dyn VersionRepository {
        self
    }

    fn records(&mut self) -> &mut dyn RecordRepository {
        self
    }

    fn pipelines(&mut self) -> &mut dyn PipelineRepository {
        self
    }

    fn deployments(&mut self) -> &mut dyn DeploymentRepository {
        self
    }

    fn checks(&mut self) -> &mut dyn CheckRepository {
        self
    }

    fn templates(&mut self) -> &mut dyn TemplateRepository {
        self
    }

    fn approvals(&mut self) -> &mut dyn ApprovalRepository {
        self
    }

    fn policies(&mut self) -> &mut dyn PolicyRepository {
        self
    }

    fn freezes(&mut self) -> &mut dyn FreezeRepository {
        self
    }

    fn snapshots(&mut self) -> &mut dyn SnapshotRepository {
        self
    }

    fn engines(&mut self) -> &mut dyn EngineRepository {
        self
    }

    fn notifications(&mut self) -> &mut dyn NotificationRepository {
        self
    }

    fn audit(&mut self) -> &mut dyn AuditLog {
        self
    }

    fn chain(&mut self) -> &mut dyn ChainRepository {
        self
    }

    fn requests(&mut self) -> &mut dyn RequestRepository {
        self
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        if self.begun.is_none() {
            let alone = self.store.alone();
            if let Some((sql, values)) = self.waiting.take(alone.dialect()) {
                alone.execute(sql, values).await?;
            }
            return Ok(());
        }
        self.connection().await?;
        match self.begun {
            Some(Connection::Transaction(transaction)) => {
                transaction.commit().await.map_err(store_error)
            }
            Some(Connection::Pool(..)) | None => Ok(()),
        }
    }
}
