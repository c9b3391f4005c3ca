use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::Slug;

use super::{WebhookError, described};
use crate::{Call, Context, change::Change};

/// A webhook to remove.
#[derive(Debug, Clone, Serialize)]
pub struct DeleteWebhook {
    /// The project.
    pub project: Slug,
    /// The webhook.
    pub webhook: Slug,
}

/// Removes a webhook, what is on its way to it and the log of what was sent to it. An attempt that is under way may still
/// arrive.
pub async fn delete_webhook(
    context: &Context,
    call: &Call<'_>,
    command: DeleteWebhook,
) -> Result<(), WebhookError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::DeleteWebhook, &command.project).await?;
    let slug = &command.webhook;
    if change.made_before(&command, slug.as_str()).await?.is_some() {
        return Ok(());
    }
    change.require_open(&command.project).await?;
    let before = change.unit.notifications().find_webhook(project, slug);
    let before = before
        .await?
        .ok_or_else(|| WebhookError::NotFound { slug: slug.clone() })?;
    change
        .unit
        .notifications()
        .delete_webhook(before.id)
        .await?;
    change
        .done(
            Resource::new("webhook", &before.slug),
            Some(described(&before)),
            None,
        )
        .await?;
    Ok(())
}
