//! The ports to the database.

use std::time::Duration;

use async_trait::async_trait;
use slipway_kernel::{
    DeliveryId, DeploymentId, Page, PageSize, ProjectId, Slug, StoreError, Timestamp, WebhookId,
};

use crate::{Delivery, DeliveryState, EventKind, Facts, Occurrence, Webhook};

/// Something that happens to a deployment, other than a change of its state, which the database writes down itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The deployment. Whoever adds an event holds it, so that its events keep their order.
    pub deployment: DeploymentId,
    /// What happens.
    pub kind: EventKind,
    /// What is known.
    pub facts: Facts,
}

/// A delivery that this server attempts, until its lease is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The delivery; the attempt is counted already.
    pub delivery: Delivery,
    /// Who is told.
    pub webhook: Webhook,
    /// Which claim it is.
    pub epoch: i64,
}

/// Which deliveries are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// To this webhook.
    pub webhook: Option<WebhookId>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// About this deployment.
    pub deployment: Option<DeploymentId>,
}

/// What waits to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingWork {
    /// Whether the outbox holds events that were not dispatched.
    pub events: bool,
    /// Whether a delivery may be attempted.
    pub deliveries: bool,
}

/// Changes webhooks, the outbox and deliveries, inside a unit of work.
#[async_trait]
pub trait NotificationRepository: Send {
    /// Adds a webhook. An adapter MUST answer `false`, and change nothing, where the slug is taken.
    async fn insert_webhook(&mut self, webhook: &Webhook) -> Result<bool, StoreError>;

    /// How many webhooks a project has. An adapter MUST let units of work that ask for one project come one after the
    /// other, so that a limit on the number holds.
    async fn count_webhooks(&mut self, project: ProjectId) -> Result<u32, StoreError>;

    /// The webhook with this slug. An adapter MUST hold it until the unit of work ends.
    async fn find_webhook(
        &mut self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<Webhook>, StoreError>;

    /// Saves a changed webhook, whose revision is one above the stored one. An adapter MUST answer
    /// [`StoreError::Conflict`] where the stored revision is another.
    async fn update_webhook(&mut self, webhook: &Webhook) -> Result<(), StoreError>;

    /// Removes a webhook and everything that was on its way to it.
    async fn delete_webhook(&mut self, id: WebhookId) -> Result<(), StoreError>;

    /// Adds an event to the outbox, where the project has an enabled webhook.
    async fn append_event(&mut self, event: &NewEvent) -> Result<(), StoreError>;

    /// Takes up to `limit` events out of the outbox, in their order. An adapter MUST pass over those that another unit of
    /// work takes, and MUST NOT skip an event for good because it became visible late.
    async fn take_events(&mut self, limit: u32) -> Result<Vec<Occurrence>, StoreError>;

    /// The enabled webhooks of a project, by slug.
    async fn enabled_webhooks(&mut self, project: ProjectId) -> Result<Vec<Webhook>, StoreError>;

    /// Adds deliveries.
    async fn insert_deliveries(&mut self, deliveries: &[Delivery]) -> Result<(), StoreError>;

    /// Claims a delivery that is due now, for the length of the lease by the database's clock. An adapter MUST claim none
    /// that stands behind another one about the same deployment to the same webhook, or behind an event of the deployment
    /// that was not dispatched; none to a disabled webhook; and none to a webhook to which `at_once` are under way, but for
    /// claims that are made at the same moment.
    async fn claim_delivery(
        &mut self,
        now: Timestamp,
        lease: Duration,
        at_once: u32,
    ) -> Result<Option<Claimed>, StoreError>;

    /// Saves what came of an attempt, and gives the claim back; `false`, and nothing saved, where another claim came since.
    async fn end_attempt(&mut self, delivery: &Delivery, epoch: i64) -> Result<bool, StoreError>;

    /// A delivery of a project. An adapter MUST hold it until the unit of work ends.
    async fn find_delivery(
        &mut self,
        project: ProjectId,
        id: DeliveryId,
    ) -> Result<Option<Delivery>, StoreError>;

    /// Saves a delivery that is to be made again. A claim on it is void from then on.
    async fn redeliver(&mut self, delivery: &Delivery) -> Result<(), StoreError>;

    /// Removes up to `limit` deliveries, and up to as many dispatched events, from before this time.
    async fn forget_deliveries(&mut self, before: Timestamp, limit: u32)
    -> Result<u64, StoreError>;
}

/// Reads webhooks and deliveries.
#[async_trait]
pub trait NotificationQueries: Send + Sync {
    /// The webhook with this slug.
    async fn webhook(&self, project: ProjectId, slug: &Slug)
    -> Result<Option<Webhook>, StoreError>;

    /// The webhook with this id.
    async fn webhook_by_id(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError>;

    /// A project's webhooks by slug.
    async fn webhooks(
        &self,
        project: ProjectId,
        after: Option<&Slug>,
        size: PageSize,
    ) -> Result<Page<Webhook, Slug>, StoreError>;

    /// A project's deliveries, the newest first.
    async fn deliveries(
        &self,
        project: ProjectId,
        filter: &DeliveryFilter,
        after: Option<DeliveryId>,
        size: PageSize,
    ) -> Result<Page<(Delivery, Slug), DeliveryId>, StoreError>;

    /// What waits to be done, as [`NotificationRepository::take_events`] and
    /// [`NotificationRepository::claim_delivery`] would find it. Nothing is locked.
    async fn pending_work(&self, now: Timestamp, at_once: u32) -> Result<PendingWork, StoreError>;
}
