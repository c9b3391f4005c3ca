//! The gRPC services: they parse requests, call use cases, and show results. They decide nothing.
//!
//! Every method is the same five steps: enter the door (`door.rs`), admit the caller to what the request is about, parse the
//! message with all its faults, call the use case, leave through the door.

mod approvals;
mod audit;
mod catalog;
mod certificate;
mod deployments;
mod door;
mod fields;
mod identity;
mod ledger;
mod notifications;
mod page;
mod page_token;
mod refusal;
mod show;
mod snapshots;
mod stream;

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use slipway_api::approvals::v1::approval_service_server::ApprovalServiceServer;
use slipway_api::approvals::v1::freeze_service_server::FreezeServiceServer;
use slipway_api::audit::v1::audit_service_server::AuditServiceServer;
use slipway_api::catalog::v1::application_service_server::ApplicationServiceServer;
use slipway_api::catalog::v1::environment_service_server::EnvironmentServiceServer;
use slipway_api::deployments::v1::deployment_service_server::DeploymentServiceServer;
use slipway_api::deployments::v1::pipeline_service_server::PipelineServiceServer;
use slipway_api::deployments::v1::template_service_server::TemplateServiceServer;
use slipway_api::identity::v1::identity_service_server::IdentityServiceServer;
use slipway_api::ledger::v1::ledger_service_server::LedgerServiceServer;
use slipway_api::notifications::v1::webhook_service_server::WebhookServiceServer;
use slipway_api::snapshots::v1::snapshot_service_server::SnapshotServiceServer;
use slipway_application::Context;
use tonic::service::{Routes, RoutesBuilder};

use crate::config::Limits;
use crate::metrics::Metrics;
use crate::rate_limit::RateLimit;
use crate::serve::{Process, Protect};
use crate::shutdown::Shutdown;

/// What all services share.
pub struct Api {
    context: Arc<Context>,
    metrics: Arc<Metrics>,
    rate_limit: RateLimit,
    shutdown: Shutdown,
    /// How large an answer's items may be together, in bytes.
    max_page_bytes: usize,
}

/// What a client takes unless it was told otherwise.
const COMMON_MAX_MESSAGE: usize = 4 * 1024 * 1024;
/// What is kept free in an answer for everything but its items.
const PAGE_RESERVE: usize = 16 * 1024;

impl Api {
    /// The services' surroundings.
    pub fn new(context: Arc<Context>, process: &Process, limits: &Limits) -> Arc<Self> {
        let max_message = limits.max_send_bytes.min(COMMON_MAX_MESSAGE);
        Arc::new(Self {
            context,
            metrics: Arc::clone(&process.metrics),
            rate_limit: RateLimit::new(limits),
            shutdown: process.shutdown.clone(),
            max_page_bytes: max_message.saturating_sub(PAGE_RESERVE),
        })
    }

    /// All services. Strangers are turned away by their headers, before their messages are read.
    pub fn services(self: &Arc<Self>, limits: &Limits) -> RoutesBuilder {
        let mut routes = RoutesBuilder::default();
        self.add_services(&mut routes, limits);
        let api = Arc::clone(self);
        let guard = from_fn(move |request: Request, next: Next| {
            let api = Arc::clone(&api);
            async move {
                let (parts, body) = request.into_parts();
                match api.foresee(&parts).await {
                    Ok(()) => next.run(Request::from_parts(parts, body)).await,
                    Err(status) => status.into_http(),
                }
            }
        });
        // Not around what answers unknown paths: health and reflection are added later.
        let guarded = routes.routes().into_axum_router().route_layer(guard);
        RoutesBuilder::from(Routes::from(guarded))
    }

    fn add_services(self: &Arc<Self>, routes: &mut RoutesBuilder, limits: &Limits) {
        let (receive, send) = (limits.max_receive_bytes, limits.max_send_bytes);
        macro_rules! add {
            ($($server:ident),* $(,)?) => {$(
                routes.add_service(
                    $server::from_arc(Arc::clone(self))
                        .max_decoding_message_size(receive)
                        .max_encoding_message_size(send),
                );
            )*};
        }
        add!(
            IdentityServiceServer,
            EnvironmentServiceServer,
            ApplicationServiceServer,
            LedgerServiceServer,
            PipelineServiceServer,
            TemplateServiceServer,
            DeploymentServiceServer,
            ApprovalServiceServer,
            FreezeServiceServer,
            SnapshotServiceServer,
            WebhookServiceServer,
            AuditServiceServer,
        );
    }

    /// Lets only known callers through.
    pub fn protect(self: &Arc<Self>) -> Protect {
        let api = Arc::clone(self);
        Box::new(move |routes: Routes| {
            let guard = from_fn(move |request: Request, next: Next| {
                let api = Arc::clone(&api);
                async move {
                    let (parts, body) = request.into_parts();
                    match api.known(&parts).await {
                        Ok(()) => next.run(Request::from_parts(parts, body)).await,
                        Err(status) => status.into_http(),
                    }
                }
            });
            routes.into_axum_router().layer(guard).into()
        })
    }
}
