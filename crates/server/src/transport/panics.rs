//! A handler that panics fails its own call, and no other.

use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::{FutureExt, stream};
use http_body_util::{BodyExt, StreamBody};
use slipway_api::errors::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::refusal::{answer, code_in, error_info, trailers};
use super::{RequestId, Transport};

/// Answers `INTERNAL` without a word about the cause, which goes to the log.
pub(super) async fn catch(
    State(transport): State<Arc<Transport>>,
    request: Request,
    next: Next,
) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let streaming = transport.methods.at(request.uri().path()).streaming;
    // What the handler shares with others is behind locks that know poisoning, or in the database.
    let response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => return answer(transport.panicked(&*panic, id.as_ref())),
    };
    // A unary answer is complete by now; a stream's handler still runs.
    if !streaming || code_in(response.headers()).is_some() {
        return response;
    }
    response.map(|body| guard(transport, id, body))
}

fn guard(transport: Arc<Transport>, id: Option<RequestId>, body: Body) -> Body {
    let frames = stream::unfold(Some((transport, id, body)), async |state| {
        let (transport, id, mut body) = state?;
        match AssertUnwindSafe(body.frame()).catch_unwind().await {
            Ok(frame) => frame.map(|frame| (frame, Some((transport, id, body)))),
            Err(panic) => Some((
                Ok(trailers(&transport.panicked(&*panic, id.as_ref()))),
                None,
            )),
        }
    });
    Body::new(StreamBody::new(frames))
}

impl Transport {
    fn panicked(&self, panic: &(dyn Any + Send), id: Option<&RequestId>) -> Status {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        self.metrics.panics.inc();
        tracing::error!(
            panic = text.unwrap_or("without words"),
            "a handler panicked"
        );
        let id = id.map(|id| ("correlation_id".to_owned(), id.as_str().to_owned()));
        let metadata: HashMap<_, _> = id.into_iter().collect();
        let details = error_info(ErrorReason::Internal, metadata);
        let message =
            "the server failed to answer; its log tells why, under this call's x-request-id";
        Status::with_error_details(Code::Internal, message, details)
    }
}
