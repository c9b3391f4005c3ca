//! The audit trail: events, the chain over them, and the feed of changes.

mod chain;
mod dora;
mod event;
mod facts;
mod feed;
mod horizon;
mod report;

pub(crate) use horizon::SharedHorizon;

use async_trait::async_trait;
use sea_orm::prelude::Uuid;
use slipway_audit::{
    AuditLog, AuditQueries, ChainId, ChainRepository, ChangeFeed, Event, EventFilter, EventPlace,
    FactKind, Link, ListedEvent, Settled, Unchained,
};
use slipway_kernel::{Page, PageSize, ProjectId, RecordId, Sha256, StoreError};

use crate::{SqlReader, SqlStore, SqlUnitOfWork};

/// A chain's key in the database: its project's, and for the installation's the nil UUID.
fn chain_key(chain: ChainId) -> Uuid {
    chain.0.map_or(Uuid::nil(), ProjectId::uuid)
}

fn chain_of(key: Uuid) -> ChainId {
    if key.is_nil() {
        ChainId::INSTALLATION
    } else {
        ProjectId::from_uuid(key).into()
    }
}

#[async_trait]
impl AuditLog for SqlUnitOfWork {
    async fn append(&mut self, event: &Event) -> Result<(), StoreError> {
        event::append(self, event).await
    }
}

#[async_trait]
impl ChainRepository for SqlUnitOfWork {
    async fn lead(&mut self) -> Result<bool, StoreError> {
        chain::lead(self.connection().await?).await
    }

    async fn waiting(&mut self, limit: u32) -> Result<Vec<Event>, StoreError> {
        let horizon = self.horizon();
        let settled = horizon.settled(self.connection().await?).await?;
        chain::waiting(self.connection().await?, settled, limit).await
    }

    async fn heads(&mut self, chains: &[ChainId]) -> Result<Vec<Link>, StoreError> {
        chain::heads(self.connection().await?, chains).await
    }

    async fn append(&mut self, links: &[Link]) -> Result<(), StoreError> {
        chain::append(self.connection().await?, links).await
    }
}

#[async_trait]
impl AuditQueries for SqlReader {
    async fn events(
        &self,
        chain: ChainId,
        filter: &EventFilter,
        after: Option<EventPlace>,
        size: PageSize,
    ) -> Result<Page<ListedEvent, EventPlace>, StoreError> {
        event::events(&self.connection, chain, filter, after, size).await
    }

    async fn links(
        &self,
        chain: ChainId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(Link, Option<Event>)>, StoreError> {
        chain::links(&self.connection, chain, after, limit).await
    }

    async fn head(&self, chain: ChainId) -> Result<Option<Link>, StoreError> {
        Ok(chain::heads(&self.connection, &[chain]).await?.pop())
    }

    async fn unchained(&self, chain: ChainId) -> Result<Unchained, StoreError> {
        chain::unchained(&self.connection, chain).await
    }

    async fn fact_digests(
        &self,
        facts: &[(FactKind, RecordId)],
    ) -> Result<Vec<Option<Sha256>>, StoreError> {
        facts::digests(&self.connection, facts).await
    }

    async fn count_facts(&self, chain: ChainId) -> Result<u64, StoreError> {
        facts::count(&self.connection, chain).await
    }
}

#[async_trait]
impl ChangeFeed for SqlStore {
    async fn settled_after(&self, after: i64, limit: u32) -> Result<Settled, StoreError> {
        let connection = self.pool();
        let settled = self.horizon.settled(connection).await?;
        feed::settled_after(connection, settled, after, limit).await
    }
}
