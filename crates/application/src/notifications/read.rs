use slipway_identity::Command;
use slipway_kernel::{Page, PageSize, Slug};
use slipway_notifications::Webhook;

use super::WebhookError;
use crate::{Call, CommandError, Context};

/// The webhook with this slug.
pub async fn get_webhook(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    slug: &Slug,
) -> Result<Webhook, WebhookError> {
    let project = context
        .authorise_in(call, Command::GetWebhook, project)
        .await?;
    let webhook = context.reader().webhook(project, slug).await?;
    webhook.ok_or_else(|| WebhookError::NotFound { slug: slug.clone() })
}

/// A project's webhooks by slug.
pub async fn list_webhooks(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    after: Option<&Slug>,
    size: PageSize,
) -> Result<Page<Webhook, Slug>, CommandError> {
    let project = context
        .authorise_in(call, Command::ListWebhooks, project)
        .await?;
    Ok(context.reader().webhooks(project, after, size).await?)
}
