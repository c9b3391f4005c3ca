use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::{Revision, Slug, WebhookId, text::DisplayName};
use slipway_notifications::{Filter, MAX_WEBHOOKS, Target, Webhook};

use super::{WebhookError, described, require_environments};
use crate::{Call, Context, change::Change};

/// A webhook to add.
#[derive(Debug, Clone, Serialize)]
pub struct CreateWebhook {
    /// The project.
    pub project: Slug,
    /// Its name in every request.
    pub slug: Slug,
    /// What people call it; empty for the slug.
    pub display_name: DisplayName,
    /// Where messages go.
    pub target: Target,
    /// Which events it is told of.
    pub filter: Filter,
    /// Whether it is told of anything.
    pub enabled: bool,
}

/// Adds a webhook. It is told of what happens from now on.
pub async fn create_webhook(
    context: &Context,
    call: &Call<'_>,
    command: CreateWebhook,
) -> Result<Webhook, WebhookError> {
    let create = Command::CreateWebhook;
    let project = context.authorise_in(call, create, &command.project).await?;
    // It reads files, which nobody should wait for while a unit of work is open.
    let allowed = context.courier.check(&command.target).await;
    let mut change = Change::begin(context, call, create, Some(project)).await?;
    if change
        .made_before(&command, command.slug.as_str())
        .await?
        .is_some()
    {
        let webhook = change.unit.notifications();
        let webhook = webhook.find_webhook(project, &command.slug).await?;
        return webhook.ok_or(WebhookError::NotFound { slug: command.slug });
    }
    change.require_open(&command.project).await?;
    allowed.map_err(WebhookError::NotAllowed)?;
    require_environments(&mut change, project, &command.filter).await?;
    let webhook = Webhook {
        id: WebhookId::new(&*context.ids),
        project,
        display_name: if command.display_name.is_empty() {
            command.slug.as_str().parse().unwrap_or_default()
        } else {
            command.display_name
        },
        slug: command.slug,
        target: command.target,
        filter: command.filter,
        enabled: command.enabled,
        created_at: change.now,
        revision: Revision::FIRST,
    };
    let notifications = change.unit.notifications();
    let count = notifications.count_webhooks(project).await?;
    let taken = notifications.find_webhook(project, &webhook.slug).await?;
    if taken.is_none() && count >= MAX_WEBHOOKS {
        return Err(WebhookError::TooMany);
    }
    if !notifications.insert_webhook(&webhook).await? {
        return Err(WebhookError::AlreadyExists { slug: webhook.slug });
    }
    change
        .done(
            Resource::new("webhook", &webhook.slug),
            None,
            Some(described(&webhook)),
        )
        .await?;
    Ok(webhook)
}
