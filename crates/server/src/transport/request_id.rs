//! A name for every call, so that its caller, its log lines and its audit events can be told to belong together.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::{Instrument, field};

use super::Transport;

/// The header, in and out.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken from a caller, in bytes.
const MAX_LENGTH: usize = 128;

/// The call's id, among the request's extensions: the caller's `x-request-id` where that is 1 to 128 visible ASCII
/// characters, a new UUID otherwise. It is no idempotency key: that is a message's `request_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn from_caller(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(HEADER)?.to_str().ok()?;
        let fits = !text.is_empty() && text.len() <= MAX_LENGTH;
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(Arc::from(text)))
    }
}

/// Gives the call its id and a span; the answer's headers bear the id too.
///
/// Authentication records `principal` in the span once it knows who calls.
pub(super) async fn assign(
    State(transport): State<Arc<Transport>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId::from_caller(request.headers())
        .unwrap_or_else(|| RequestId(Arc::from(transport.ids.uuid().to_string())));
    let method = &*transport.methods.at(request.uri().path()).path;
    let span = tracing::info_span!(
        "call",
        request_id = id.as_str(),
        method,
        principal = field::Empty
    );

    // Either kind of id is visible ASCII, which every header takes.
    let header = HeaderValue::from_str(id.as_str());
    request.extensions_mut().insert(id);
    let mut response = next.run(request).instrument(span).await;
    if let Ok(header) = header {
        response.headers_mut().insert(HEADER, header);
    }
    response
}
