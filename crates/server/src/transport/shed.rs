//! Load shedding: a call beyond the limit is refused at once, because a queue would only make every call late.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use slipway_api::errors::v1::ErrorReason;
use tonic::Code;

use super::Transport;
use super::refusal::{answer, refusal_after};

/// The pause that a refused caller is told to make first.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Admits the call while there is room and holds its place until its answer has ended.
///
/// Unary calls and streams are counted apart, so that idle watchers can't stop unary calls. Health is exempt: a server
/// that is busy isn't dead, and must not be restarted for it.
pub(super) async fn admit(
    State(transport): State<Arc<Transport>>,
    request: Request,
    next: Next,
) -> Response {
    let method = transport.methods.at(request.uri().path());
    if method.is_health() {
        return next.run(request).await;
    }
    let (places, limit, what) = if method.streaming {
        (
            &transport.streams,
            transport.limits.max_open_streams,
            "open streams",
        )
    } else {
        (
            &transport.requests,
            transport.limits.max_concurrent_requests,
            "calls in flight",
        )
    };
    let Ok(place) = places.clone().try_acquire_owned() else {
        transport.metrics.shed.inc();
        let message = format!(
            "the server has its limit of {limit} {what}; try again after a pause that grows"
        );
        return answer(refusal_after(
            RETRY_AFTER,
            Code::ResourceExhausted,
            ErrorReason::Overloaded,
            message,
        ));
    };
    let response = next.run(request).await;
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            // The closure owns the place; both go when the answer has ended or was given up.
            let _held = &place;
            frame
        }))
    })
}
