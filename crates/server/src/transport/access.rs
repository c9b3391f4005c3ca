//! One log line and one count per call, whatever its end; what went well is logged at the level `debug` only.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use tonic::Code;
use tracing::Span;

use super::refusal::{code_in, name};
use super::{Method, Transport, peer};
use crate::metrics::{Counted, Metrics};

/// Counts the call and logs it when its answer has ended. The code is read from the answer's end: a call that fails
/// half-way has a 200 in its head.
pub(super) async fn record(
    State(transport): State<Arc<Transport>>,
    request: Request,
    next: Next,
) -> Response {
    let mut call = Call {
        method: transport.methods.at(request.uri().path()).clone(),
        peer: peer(request.extensions()).map_or(String::new(), |peer| peer.to_string()),
        began: Instant::now(),
        span: Span::current(),
        _in_flight: Counted::new(&transport.metrics.in_flight),
        metrics: transport.metrics.clone(),
        ended: false,
    };

    let response = next.run(request).await;
    if let Some(code) = code_in(response.headers()) {
        call.end(code);
        return response;
    }
    if !response.status().is_success() {
        // Not gRPC, and refused before a service saw it.
        call.end(Code::Unknown);
        return response;
    }
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            if let Some(code) = frame.trailers_ref().and_then(code_in) {
                call.end(code);
            }
            frame
        }))
    })
}

/// A call in progress.
struct Call {
    method: Method,
    peer: String,
    began: Instant,
    span: Span,
    metrics: Arc<Metrics>,
    ended: bool,
    _in_flight: Counted,
}

impl Call {
    fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let took = self.began.elapsed();
        let code = name(code);
        self.metrics.handled(&self.method.path, code, took);

        let _entered = self.span.enter();
        let (peer, milliseconds) = (&*self.peer, took.as_secs_f64() * 1000.0);
        // A line for every answer would cost more than many an answer does; metrics count those that went well.
        if self.method.is_infrastructure() || code == "OK" {
            tracing::debug!(target: "slipway::access", code, milliseconds, peer, "answered");
        } else {
            tracing::info!(target: "slipway::access", code, milliseconds, peer, "answered");
        }
    }
}

impl Drop for Call {
    /// Who hangs up before the end has cancelled the call.
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}
