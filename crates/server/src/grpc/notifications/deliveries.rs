//! Deliveries.

use slipway_api::notifications::v1 as proto;
use slipway_application::notifications::{
    AskedDeliveries, RedeliverWebhook, ShownDelivery, TestWebhook, list_deliveries,
    redeliver_webhook, test_webhook,
};
use slipway_kernel::{DeliveryId, Slug};
use slipway_notifications::{Attempt, DeliveryState};
use uuid::Uuid;

use super::words;
use crate::grpc::Api;
use crate::grpc::deployments::named;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page::fitting;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show;

pub(super) async fn test(
    api: &Api,
    session: &mut Session,
    message: proto::TestWebhookRequest,
) -> Result<proto::TestWebhookResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let webhook = fields.required("webhook", &message.webhook);
    let command = fields.finish(|| {
        Some(TestWebhook {
            project: project?,
            webhook: webhook?,
        })
    })?;
    let call = session.call(&message.request_id);
    let delivery = test_webhook(&api.context, &call, command).await?;
    Ok(proto::TestWebhookResponse {
        delivery: Some(shown(delivery)?),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListDeliveriesRequest,
) -> Result<proto::ListDeliveriesResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let webhook: Option<Slug> = fields.optional("webhook", &message.webhook);
    let state = fields.choice("state", message.state, words::state);
    let deployment = if message.deployment.is_empty() {
        None
    } else {
        named(&mut fields, &message.deployment)
    };
    let size = fields.page_size(message.page_size);
    let asked = fields.finish(|| {
        Some(AskedDeliveries {
            project: project?,
            webhook,
            state,
            deployment,
        })
    })?;
    let list = List::of("ListDeliveries", &asked)?;
    let after: Option<Uuid> = list.place(&message.page_token)?;
    let after = after.map(DeliveryId::from_uuid);
    let page = list_deliveries(&api.context, &session.call(""), &asked, after, size).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for item in page.items {
        items.push((item.delivery.id, shown(item)?));
    }
    let page = slipway_kernel::Page {
        items,
        next: page.next,
    };
    let place = |(id, _): &(DeliveryId, proto::Delivery)| *id;
    let page = fitting(page, api.max_page_bytes, place, |(_, delivery)| delivery);
    Ok(proto::ListDeliveriesResponse {
        deliveries: page.items,
        next_page_token: list.token(page.next.map(DeliveryId::uuid))?,
    })
}

pub(super) async fn redeliver(
    api: &Api,
    session: &mut Session,
    message: proto::RedeliverWebhookRequest,
) -> Result<proto::RedeliverWebhookResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let delivery = fields.required("delivery_id", &message.delivery_id);
    let command = fields.finish(|| {
        Some(RedeliverWebhook {
            project: project?,
            delivery: delivery?,
        })
    })?;
    let call = session.call(&message.request_id);
    let delivery = redeliver_webhook(&api.context, &call, command).await?;
    Ok(proto::RedeliverWebhookResponse {
        delivery: Some(shown(delivery)?),
    })
}

fn shown(shown: ShownDelivery) -> Result<proto::Delivery, Refusal> {
    let ShownDelivery { delivery, webhook } = shown;
    let payload = serde_json::to_string(&delivery.message).map_err(Refusal::internal)?;
    let next = (delivery.state == DeliveryState::Pending).then(|| show::time(delivery.due_at));
    Ok(proto::Delivery {
        delivery_id: delivery.id.to_string(),
        webhook: webhook.into(),
        event: delivery.kind.to_string(),
        deployment_id: delivery
            .deployment
            .map(|id| id.to_string())
            .unwrap_or_default(),
        payload,
        state: words::shown_state(delivery.state).into(),
        attempts: i32::try_from(delivery.attempts).unwrap_or(i32::MAX),
        created_time: Some(show::time(delivery.created_at)),
        next_attempt_time: next,
        last_attempt: delivery.last.map(attempt),
    })
}

fn attempt(attempt: Attempt) -> proto::DeliveryAttempt {
    proto::DeliveryAttempt {
        end_time: Some(show::time(attempt.at)),
        status: attempt.outcome.status.map_or(0, i32::from),
        problem: attempt.outcome.problem,
        answer: attempt.outcome.answer,
    }
}
