//! `slipway.notifications.v1`.

mod deliveries;
mod refusals;
mod webhooks;
mod words;

use slipway_api::notifications::v1 as proto;
use slipway_api::notifications::v1::webhook_service_server::WebhookService;
use tonic::{Request, Response, Status};

use super::Api;
use super::door::unary;

#[tonic::async_trait]
impl WebhookService for Api {
    async fn create_webhook(
        &self,
        request: Request<proto::CreateWebhookRequest>,
    ) -> Result<Response<proto::CreateWebhookResponse>, Status> {
        unary!(self, CreateWebhook, request, webhooks::create)
    }

    async fn get_webhook(
        &self,
        request: Request<proto::GetWebhookRequest>,
    ) -> Result<Response<proto::GetWebhookResponse>, Status> {
        unary!(self, GetWebhook, request, webhooks::get)
    }

    async fn list_webhooks(
        &self,
        request: Request<proto::ListWebhooksRequest>,
    ) -> Result<Response<proto::ListWebhooksResponse>, Status> {
        unary!(self, ListWebhooks, request, webhooks::list)
    }

    async fn update_webhook(
        &self,
        request: Request<proto::UpdateWebhookRequest>,
    ) -> Result<Response<proto::UpdateWebhookResponse>, Status> {
        unary!(self, UpdateWebhook, request, webhooks::update)
    }

    async fn delete_webhook(
        &self,
        request: Request<proto::DeleteWebhookRequest>,
    ) -> Result<Response<proto::DeleteWebhookResponse>, Status> {
        unary!(self, DeleteWebhook, request, webhooks::delete)
    }

    async fn test_webhook(
        &self,
        request: Request<proto::TestWebhookRequest>,
    ) -> Result<Response<proto::TestWebhookResponse>, Status> {
        unary!(self, TestWebhook, request, deliveries::test)
    }

    async fn list_deliveries(
        &self,
        request: Request<proto::ListDeliveriesRequest>,
    ) -> Result<Response<proto::ListDeliveriesResponse>, Status> {
        unary!(self, ListDeliveries, request, deliveries::list)
    }

    async fn redeliver_webhook(
        &self,
        request: Request<proto::RedeliverWebhookRequest>,
    ) -> Result<Response<proto::RedeliverWebhookResponse>, Status> {
        unary!(self, RedeliverWebhook, request, deliveries::redeliver)
    }
}
