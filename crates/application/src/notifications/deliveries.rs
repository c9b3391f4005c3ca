use serde::Serialize;
use serde_json::{Value, json};
use slipway_audit::Resource;
use slipway_deployments::DeploymentName;
use slipway_identity::Command;
use slipway_kernel::{DeliveryId, DeploymentId, Page, PageSize, ProjectId, Slug};
use slipway_notifications::{Delivery, DeliveryFilter, DeliveryState, Webhook};

use super::WebhookError;
use crate::{
    Call, Context,
    change::{Change, bad_resource},
    error::dangling,
};

/// A delivery, and what requests call the webhook that it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownDelivery {
    /// The delivery.
    pub delivery: Delivery,
    /// The webhook.
    pub webhook: Slug,
}

/// Which deliveries to list.
#[derive(Debug, Clone, Serialize)]
pub struct AskedDeliveries {
    /// The project.
    pub project: Slug,
    /// To this webhook.
    pub webhook: Option<Slug>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// About this deployment.
    pub deployment: Option<DeploymentName>,
}

/// A project's deliveries, the newest first.
pub async fn list_deliveries(
    context: &Context,
    call: &Call<'_>,
    asked: &AskedDeliveries,
    after: Option<DeliveryId>,
    size: PageSize,
) -> Result<Page<ShownDelivery, DeliveryId>, WebhookError> {
    let project = context
        .authorise_in(call, Command::ListDeliveries, &asked.project)
        .await?;
    let reader = context.reader();
    let webhook = match &asked.webhook {
        Some(slug) => {
            let found = reader.webhook(project, slug).await?;
            Some(found.ok_or_else(|| WebhookError::NotFound { slug: slug.clone() })?)
        }
        None => None,
    };
    let filter = DeliveryFilter {
        webhook: webhook.map(|webhook| webhook.id),
        state: asked.state,
        deployment: match asked.deployment {
            Some(name) => Some(deployment(context, project, name).await?),
            None => None,
        },
    };
    let page = reader.deliveries(project, &filter, after, size).await?;
    let shown = |(delivery, webhook)| ShownDelivery { delivery, webhook };
    Ok(Page {
        items: page.items.into_iter().map(shown).collect(),
        next: page.next,
    })
}

async fn deployment(
    context: &Context,
    project: ProjectId,
    name: DeploymentName,
) -> Result<DeploymentId, WebhookError> {
    let found = context.reader().deployment(project, name).await?;
    found.map(|found| found.id).ok_or_else(|| {
        let name = name.to_string();
        WebhookError::DeploymentNotFound { name }
    })
}

/// A delivery to make once more.
#[derive(Debug, Clone, Serialize)]
pub struct RedeliverWebhook {
    /// The project.
    pub project: Slug,
    /// The delivery.
    pub delivery: DeliveryId,
}

/// Makes a delivery once more, with its old id and as many attempts as a new one has; where it waits, at once.
pub async fn redeliver_webhook(
    context: &Context,
    call: &Call<'_>,
    command: RedeliverWebhook,
) -> Result<ShownDelivery, WebhookError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::RedeliverWebhook, &command.project).await?;
    let id = command.delivery;
    let before = change
        .unit
        .notifications()
        .find_delivery(project, id)
        .await?;
    let before = before.ok_or(WebhookError::DeliveryNotFound { id })?;
    let webhook = webhook_of(context, &before).await?;
    if change
        .made_before(&command, &id.to_string())
        .await?
        .is_some()
    {
        return Ok(ShownDelivery {
            delivery: before,
            webhook: webhook.slug,
        });
    }
    change.require_open(&command.project).await?;
    if !webhook.enabled {
        return Err(WebhookError::Disabled { slug: webhook.slug });
    }
    let described = |delivery: &Delivery| -> Option<Value> {
        Some(
            json!({"state": delivery.state, "attempts": delivery.attempts, "event": delivery.kind}),
        )
    };
    let after = before.clone().again(change.now);
    change.unit.notifications().redeliver(&after).await?;
    change
        .done(
            Resource::new("delivery", &id),
            described(&before),
            described(&after),
        )
        .await?;
    Ok(ShownDelivery {
        delivery: after,
        webhook: webhook.slug,
    })
}

async fn webhook_of(context: &Context, delivery: &Delivery) -> Result<Webhook, WebhookError> {
    let found = context.reader().webhook_by_id(delivery.webhook).await?;
    Ok(found.ok_or_else(|| dangling("webhook", delivery.webhook))?)
}

/// The delivery that a request made before.
pub(super) async fn remembered(
    change: &mut Change<'_>,
    project: ProjectId,
    resource: &str,
) -> Result<Delivery, WebhookError> {
    let id: DeliveryId = resource
        .parse()
        .map_err(|error: slipway_kernel::id::IdError| bad_resource(resource, error.to_string()))?;
    let found = change
        .unit
        .notifications()
        .find_delivery(project, id)
        .await?;
    found.ok_or(WebhookError::DeliveryNotFound { id })
}
