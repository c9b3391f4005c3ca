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

use slipway_application::Context;
use tonic::service::RoutesBuilder;

use crate::config::Limits;
use crate::metrics::Metrics;
use crate::rate_limit::RateLimit;

/// What all services share.
pub struct Api {
    context: Arc<Context>,
    metrics: Arc<Metrics>,
    rate_limit: RateLimit,
}

impl Api {
    /// The services' surroundings.
    pub fn new(context: Arc<Context>, metrics: Arc<Metrics>, limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            context,
            metrics,
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
}
