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

use crate::{audit::SharedHorizon, connection::Connection, error::store_error};

/// A change that becomes visible as a whole, or, where it is dropped, not at all.
#[derive(Debug)]
pub struct SqlUnitOfWork {
    pub(crate) connection: Connection,
    pub(crate) horizon: SharedHorizon,
}

impl SqlUnitOfWork {
    pub(crate) fn new(transaction: DatabaseTransaction, horizon: SharedHorizon) -> Self {
        Self {
            connection: Connection::Transaction(transaction),
            horizon,
        }
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

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        match self.connection {
            Connection::Transaction(transaction) => transaction.commit().await.map_err(store_error),
            Connection::Pool(..) => Ok(()),
        }
    }
}
