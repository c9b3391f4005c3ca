//! A change: one transaction. The repositories' implementations stand beside their nouns.

use async_trait::async_trait;
use sea_orm::DatabaseTransaction;
use slipway_audit::{AuditLog, ChainRepository};
use slipway_catalog::{ApplicationRepository, EnvironmentRepository, VersionRepository};
use slipway_identity::{
    MembershipRepository, PrincipalRepository, ProjectRepository, TokenRepository,
};
use slipway_ledger::RecordRepository;
use slipway_store::{RequestRepository, StoreError, UnitOfWork};

use crate::{
    audit::SharedHorizon,
    connection::{Connection, VALUES_PER_STATEMENT},
    error::store_error,
    script::Script,
};

/// A change that becomes visible as a whole, or, where it is dropped, not at all.
///
/// Writes that answer nothing wait for the next statement or the commit, and go to the database in one statement.
#[derive(Debug)]
pub struct SqlUnitOfWork {
    connection: Connection,
    waiting: Script,
    pub(crate) horizon: SharedHorizon,
}

impl SqlUnitOfWork {
    pub(crate) fn new(transaction: DatabaseTransaction, horizon: SharedHorizon) -> Self {
        Self {
            connection: Connection::Transaction(transaction),
            waiting: Script::default(),
            horizon,
        }
    }

    /// What statements run on. Everything written before is seen there.
    pub(crate) async fn connection(&mut self) -> Result<&Connection, StoreError> {
        if let Some((sql, values)) = self.waiting.take(self.connection.dialect()) {
            self.connection.execute(sql, values).await?;
        }
        Ok(&self.connection)
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
        self.connection().await?;
        match self.connection {
            Connection::Transaction(transaction) => transaction.commit().await.map_err(store_error),
            Connection::Pool(..) => Ok(()),
        }
    }
}
