//! Webhooks, the outbox, deliveries.

mod claim;
mod delivery;
mod outbox;
mod webhook;

use std::time::Duration;

use async_trait::async_trait;
use slipway_kernel::{
    DeliveryId, Page, PageSize, ProjectId, Slug, StoreError, Timestamp, WebhookId,
};
use slipway_notifications::{
    Claimed, Delivery, DeliveryFilter, NewEvent, NotificationQueries, NotificationRepository,
    Occurrence, PendingWork, Webhook,
};

use crate::{SqlReader, SqlUnitOfWork};

#[async_trait]
impl NotificationRepository for SqlUnitOfWork {
    async fn insert_webhook(&mut self, webhook: &Webhook) -> Result<bool, StoreError> {
        webhook::insert(self.connection().await?, webhook).await
    }

    async fn count_webhooks(&mut self, project: ProjectId) -> Result<u32, StoreError> {
        webhook::count(self.connection().await?, project).await
    }

    async fn find_webhook(
        &mut self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<Webhook>, StoreError> {
        let connection = self.connection().await?;
        let lock = connection.dialect().postgres_only(" FOR NO KEY UPDATE");
        webhook::by_slug(connection, project, slug, lock).await
    }

    async fn update_webhook(&mut self, webhook: &Webhook) -> Result<(), StoreError> {
        webhook::update(self.connection().await?, webhook).await
    }

    async fn delete_webhook(&mut self, id: WebhookId) -> Result<(), StoreError> {
        webhook::delete(self.connection().await?, id).await
    }

    async fn append_event(&mut self, event: &NewEvent) -> Result<(), StoreError> {
        outbox::append(self.connection().await?, event).await
    }

    async fn take_events(&mut self, limit: u32) -> Result<Vec<Occurrence>, StoreError> {
        outbox::take(self.connection().await?, limit).await
    }

    async fn enabled_webhooks(&mut self, project: ProjectId) -> Result<Vec<Webhook>, StoreError> {
        webhook::enabled(self.connection().await?, project).await
    }

    async fn insert_deliveries(&mut self, deliveries: &[Delivery]) -> Result<(), StoreError> {
        delivery::insert(self.connection().await?, deliveries).await
    }

    async fn claim_delivery(
        &mut self,
        now: Timestamp,
        lease: Duration,
        at_once: u32,
    ) -> Result<Option<Claimed>, StoreError> {
        claim::claim(self.connection().await?, now, lease, at_once).await
    }

    async fn end_attempt(&mut self, delivery: &Delivery, epoch: i64) -> Result<bool, StoreError> {
        claim::end(self.connection().await?, delivery, epoch).await
    }

    async fn find_delivery(
        &mut self,
        project: ProjectId,
        id: DeliveryId,
    ) -> Result<Option<Delivery>, StoreError> {
        delivery::find(self.connection().await?, project, id).await
    }

    async fn redeliver(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        claim::redeliver(self.connection().await?, delivery).await
    }

    async fn forget_deliveries(
        &mut self,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let connection = self.connection().await?;
        let deliveries = delivery::forget(connection, before, limit).await?;
        Ok(deliveries.max(outbox::forget(connection, before, limit).await?))
    }
}

#[async_trait]
impl NotificationQueries for SqlReader {
    async fn webhook(
        &self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<Webhook>, StoreError> {
        webhook::by_slug(&self.connection, project, slug, "").await
    }

    async fn webhook_by_id(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        webhook::by_id(&self.connection, id).await
    }

    async fn webhooks(
        &self,
        project: ProjectId,
        after: Option<&Slug>,
        size: PageSize,
    ) -> Result<Page<Webhook, Slug>, StoreError> {
        webhook::page(&self.connection, project, after, size).await
    }

    async fn deliveries(
        &self,
        project: ProjectId,
        filter: &DeliveryFilter,
        after: Option<DeliveryId>,
        size: PageSize,
    ) -> Result<Page<(Delivery, Slug), DeliveryId>, StoreError> {
        delivery::page(&self.connection, project, filter, after, size).await
    }

    async fn pending_work(&self, now: Timestamp, at_once: u32) -> Result<PendingWork, StoreError> {
        claim::pending_work(&self.connection, now, at_once).await
    }
}
