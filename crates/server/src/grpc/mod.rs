//! The gRPC services: they parse requests, call use cases, and show results. They decide nothing.
//!
//! Every method is the same five steps: enter the [`door`], admit the caller to what the request is about, parse the
//! message with all its faults, call the use case, leave through the door.

mod door;
mod fields;
mod identity;
mod ledger;
mod page_token;
mod refusal;
mod show;

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use slipway_application::Context;
use tonic::service::{Routes, RoutesBuilder};

use crate::config::Limits;
use crate::metrics::Metrics;
use crate::rate_limit::RateLimit;
use crate::serve::{Process, Protect};

/// What all services share.
pub struct Api {
    context: Arc<Context>,
    metrics: Arc<Metrics>,
    rate_limit: RateLimit,
}

impl Api {
    /// The services' surroundings.
    pub fn new(context: Arc<Context>, process: &Process, limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            context,
            metrics: Arc::clone(&process.metrics),
            rate_limit: RateLimit::new(limits),
        })
    }

    /// Adds all services to `routes`.
    pub fn add_services(self: &Arc<Self>, routes: &mut RoutesBuilder, limits: &Limits) {
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
        add!();
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
