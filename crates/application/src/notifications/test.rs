use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::{DeliveryId, Slug};
use slipway_notifications::{Delivery, DeliveryState, EventKind, Message};

use super::{ShownDelivery, WebhookError, deliveries::remembered};
use crate::{Call, Context, change::Change};

/// A webhook to try.
#[derive(Debug, Clone, Serialize)]
pub struct TestWebhook {
    /// The project.
    pub project: Slug,
    /// The webhook.
    pub webhook: Slug,
}

/// Sends a webhook a message that tries it, whatever it filters. What came of it stands in the list of deliveries.
pub async fn test_webhook(
    context: &Context,
    call: &Call<'_>,
    command: TestWebhook,
) -> Result<ShownDelivery, WebhookError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::TestWebhook, &command.project).await?;
    let slug = &command.webhook;
    let webhook = change.unit.notifications().find_webhook(project, slug);
    let webhook = webhook
        .await?
        .ok_or_else(|| WebhookError::NotFound { slug: slug.clone() })?;
    let id = DeliveryId::new(&*context.ids);
    if let Some(earlier) = change.made_before(&command, &id.to_string()).await? {
        let delivery = remembered(&mut change, project, &earlier).await?;
        return Ok(ShownDelivery {
            delivery,
            webhook: webhook.slug,
        });
    }
    change.require_open(&command.project).await?;
    if !webhook.enabled {
        return Err(WebhookError::Disabled { slug: webhook.slug });
    }
    let now = change.now;
    let delivery = Delivery {
        id,
        project,
        webhook: webhook.id,
        sequence: None,
        deployment: None,
        kind: EventKind::Test,
        message: Message::test(command.project, call.caller.principal, now),
        state: DeliveryState::Pending,
        attempts: 0,
        last: None,
        created_at: now,
        due_at: now,
    };
    let deliveries = std::slice::from_ref(&delivery);
    change
        .unit
        .notifications()
        .insert_deliveries(deliveries)
        .await?;
    let after = json!({"delivery_id": delivery.id, "event": delivery.kind});
    change
        .done(Resource::new("webhook", &webhook.slug), None, Some(after))
        .await?;
    Ok(ShownDelivery {
        delivery,
        webhook: webhook.slug,
    })
}
