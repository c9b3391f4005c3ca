//! Webhooks.

use slipway_api::notifications::v1 as proto;
use slipway_application::notifications::{
    CreateWebhook, DeleteWebhook, UpdateWebhook, create_webhook, delete_webhook, get_webhook,
    list_webhooks, update_webhook,
};
use slipway_kernel::Slug;
use slipway_notifications::Webhook;

use super::words;
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page::fitting;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show;

pub(super) async fn create(
    api: &Api,
    session: &mut Session,
    message: proto::CreateWebhookRequest,
) -> Result<proto::CreateWebhookResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let slug = fields.required("slug", &message.slug);
    let display_name = fields.text("display_name", message.display_name);
    let target = words::target(&mut fields, message.target);
    let filter = words::filter(&mut fields, message.filter);
    let command = fields.finish(|| {
        Some(CreateWebhook {
            project: project?,
            slug: slug?,
            display_name,
            target: target?,
            filter,
            enabled: !message.disabled,
        })
    })?;
    let call = session.call(&message.request_id);
    let webhook = create_webhook(&api.context, &call, command).await?;
    Ok(proto::CreateWebhookResponse {
        webhook: Some(shown(webhook, message.project)),
    })
}

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetWebhookRequest,
) -> Result<proto::GetWebhookResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let slug: Option<Slug> = fields.required("webhook", &message.webhook);
    let (project, slug) = fields.finish(|| Some((project?, slug?)))?;
    let webhook = get_webhook(&api.context, &session.call(""), &project, &slug).await?;
    Ok(proto::GetWebhookResponse {
        webhook: Some(shown(webhook, message.project)),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListWebhooksRequest,
) -> Result<proto::ListWebhooksResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let size = fields.page_size(message.page_size);
    let project = fields.finish(|| project)?;
    let list = List::of("ListWebhooks", &project)?;
    let after: Option<Slug> = list.place(&message.page_token)?;
    let call = session.call("");
    let page = list_webhooks(&api.context, &call, &project, after.as_ref(), size).await?;
    let place = |webhook: &Webhook| webhook.slug.clone();
    let page = fitting(page, api.max_page_bytes, place, |webhook| {
        shown(webhook, project.to_string())
    });
    Ok(proto::ListWebhooksResponse {
        webhooks: page.items,
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn update(
    api: &Api,
    session: &mut Session,
    message: proto::UpdateWebhookRequest,
) -> Result<proto::UpdateWebhookResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let webhook = fields.required("webhook", &message.webhook);
    let mask = fields.mask(
        message.update_mask,
        &["display_name", "target", "filter", "enabled"],
    );
    let changes = |field: &str| mask.iter().any(|path| path == field);
    let display_name =
        changes("display_name").then(|| fields.required_text("display_name", message.display_name));
    let target = changes("target")
        .then(|| words::target(&mut fields, message.target))
        .flatten();
    let filter = changes("filter").then(|| words::filter(&mut fields, message.filter));
    let enabled = changes("enabled").then_some(message.enabled);
    let etag = Some(message.etag).filter(|etag| !etag.is_empty());
    let command = fields.finish(|| {
        Some(UpdateWebhook {
            project: project?,
            webhook: webhook?,
            display_name,
            target,
            filter,
            enabled,
            etag,
        })
    })?;
    let call = session.call(&message.request_id);
    let webhook = update_webhook(&api.context, &call, command).await?;
    Ok(proto::UpdateWebhookResponse {
        webhook: Some(shown(webhook, message.project)),
    })
}

pub(super) async fn delete(
    api: &Api,
    session: &mut Session,
    message: proto::DeleteWebhookRequest,
) -> Result<proto::DeleteWebhookResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let webhook = fields.required("webhook", &message.webhook);
    let command = fields.finish(|| {
        Some(DeleteWebhook {
            project: project?,
            webhook: webhook?,
        })
    })?;
    delete_webhook(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::DeleteWebhookResponse {})
}

fn shown(webhook: Webhook, project: String) -> proto::Webhook {
    proto::Webhook {
        webhook_id: webhook.id.to_string(),
        project,
        slug: webhook.slug.into(),
        display_name: webhook.display_name.into(),
        target: Some(words::shown_target(webhook.target)),
        filter: Some(words::shown_filter(webhook.filter)),
        enabled: webhook.enabled,
        created_time: Some(show::time(webhook.created_at)),
        etag: webhook.revision.to_string(),
    }
}
