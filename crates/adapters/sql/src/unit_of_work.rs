//! A change: one transaction. The repositories' implementations stand beside their nouns.

use sea_orm::DatabaseTransaction;
use slipway_store::StoreError;

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

    async fn commit_transaction(self) -> Result<(), StoreError> {
        match self.connection {
            Connection::Transaction(transaction) => transaction.commit().await.map_err(store_error),
            Connection::Pool(_) => Ok(()),
        }
    }
}
