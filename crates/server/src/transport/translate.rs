//! Statuses that the gRPC library makes before a service sees a call, given the form of ours.
//!
//! The library answers `INTERNAL` for bytes that are no message, as the gRPC specification proposes. To whoever watches
//! this server, `INTERNAL` means a defect of the server, so such a call is `INVALID_ARGUMENT` here. The library's
//! statuses have no details, by which they are known, and no code of their own, so their words have to tell what
//! happened; a test sends each kind and holds them to it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http_body_util::BodyExt;
use tonic::{Code, Status};

use super::Transport;
use super::refusal::{answer, refusal, trailers};

/// How the library begins to speak of bytes that are no message.
const MALFORMED: [&str; 5] = [
    "failed to decode Protobuf message",
    "protocol error: received message",
    "Unexpected EOF decoding stream",
    "Missing request message",
    "Error decompressing",
];
const REQUEST_TOO_LARGE: [&str; 2] = [
    "Error, decoded message length too large",
    "Error decompressing: size limit",
];
const ANSWER_TOO_LARGE: [&str; 2] = [
    "Error, encoded message length too large",
    "Cannot return body with more than 4GB",
];

/// Translates the status at the answer's head or end where the library made it.
pub(super) async fn statuses(
    State(transport): State<Arc<Transport>>,
    request: Request,
    next: Next,
) -> Response {
    let known = transport.methods.knows(request.uri().path());
    let response = next.run(request).await;
    if response.headers().contains_key(Status::GRPC_STATUS) {
        return match translated(response.headers(), known) {
            Some(status) => answer(status),
            None => response,
        };
    }
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let status = frame
                .trailers_ref()
                .and_then(|found| translated(found, known));
            status.map_or(frame, |status| trailers(&status))
        }))
    })
}

/// The status in our form, where these headers or trailers hold one of the library's.
fn translated(headers: &HeaderMap, known_method: bool) -> Option<Status> {
    let status = Status::from_header_map(headers)?;
    if status.code() == Code::Ok || !status.details().is_empty() {
        return None;
    }
    let says = |beginnings: &[&str]| {
        beginnings
            .iter()
            .any(|beginning| status.message().starts_with(beginning))
    };
    let words = status.message();
    let (code, reason, message) = match status.code() {
        Code::Unimplemented if !known_method => (
            Code::Unimplemented,
            "METHOD_UNKNOWN",
            "this server has no such method".to_owned(),
        ),
        Code::Unimplemented if says(&["Content is compressed"]) => (
            Code::Unimplemented,
            "COMPRESSION_UNSUPPORTED",
            words.to_owned(),
        ),
        Code::OutOfRange | Code::ResourceExhausted if says(&REQUEST_TOO_LARGE) => {
            let message = format!("the message is too large; send less, or in parts ({words})");
            (Code::ResourceExhausted, "MESSAGE_TOO_LARGE", message)
        }
        Code::OutOfRange | Code::ResourceExhausted if says(&ANSWER_TOO_LARGE) => {
            let message =
                format!("the answer would be too large; ask for less, or in parts ({words})");
            (Code::ResourceExhausted, "ANSWER_TOO_LARGE", message)
        }
        Code::Internal if says(&MALFORMED) => {
            let message = format!(
                "the call's bytes are no message of this method; is the client's contract this server's? ({words})"
            );
            (Code::InvalidArgument, "MESSAGE_MALFORMED", message)
        }
        _ => return None,
    };
    Some(refusal(code, reason, message))
}
