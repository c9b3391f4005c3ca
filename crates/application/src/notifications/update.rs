use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::{Slug, text::DisplayName};
use slipway_notifications::{Filter, Target, Webhook};

use super::{WebhookError, described, require_environments};
use crate::{Call, Context, change::Change};

/// What to change about a webhook; what is `None` stays.
#[derive(Debug, Clone, Serialize)]
pub struct UpdateWebhook {
    /// The project.
    pub project: Slug,
    /// The webhook.
    pub webhook: Slug,
    /// What people call it.
    pub display_name: Option<DisplayName>,
    /// Where messages go.
    pub target: Option<Target>,
    /// Which events it is told of, all of the filter.
    pub filter: Option<Filter>,
    /// Whether it is told of anything.
    pub enabled: Option<bool>,
    /// The etag that the caller read; `None` to change whatever is there.
    pub etag: Option<String>,
}

/// Changes a webhook. What is on its way to it goes to the new target; the filter counts for what was not dispatched yet.
pub async fn update_webhook(
    context: &Context,
    call: &Call<'_>,
    command: UpdateWebhook,
) -> Result<Webhook, WebhookError> {
    let update = Command::UpdateWebhook;
    let project = context.authorise_in(call, update, &command.project).await?;
    // It reads files, which nobody should wait for while a unit of work is open.
    let allowed = match &command.target {
        Some(target) => context.courier.check(target).await,
        None => Ok(()),
    };
    let mut change = Change::begin(context, call, update, Some(project)).await?;
    let slug = &command.webhook;
    let before = change.unit.notifications().find_webhook(project, slug);
    let before = before
        .await?
        .ok_or_else(|| WebhookError::NotFound { slug: slug.clone() })?;
    if change.made_before(&command, slug.as_str()).await?.is_some() {
        return Ok(before);
    }
    change.require_open(&command.project).await?;
    before.revision.check(command.etag.as_deref())?;
    allowed.map_err(WebhookError::NotAllowed)?;
    if let Some(filter) = &command.filter {
        require_environments(&mut change, project, filter).await?;
    }
    let after = Webhook {
        display_name: command
            .display_name
            .unwrap_or_else(|| before.display_name.clone()),
        target: command.target.unwrap_or_else(|| before.target.clone()),
        filter: command.filter.unwrap_or_else(|| before.filter.clone()),
        enabled: command.enabled.unwrap_or(before.enabled),
        revision: before.revision.next(),
        ..before.clone()
    };
    change.unit.notifications().update_webhook(&after).await?;
    change
        .done(
            Resource::new("webhook", &after.slug),
            Some(described(&before)),
            Some(described(&after)),
        )
        .await?;
    Ok(after)
}
