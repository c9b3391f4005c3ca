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
use slipway_api::errors::v1::ErrorReason;
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
            ErrorReason::MethodUnknown,
            "this server has no such method".to_owned(),
        ),
        Code::Unimplemented if says(&["Content is compressed"]) => (
            Code::Unimplemented,
            ErrorReason::CompressionUnsupported,
            words.to_owned(),
        ),
        Code::OutOfRange | Code::ResourceExhausted if says(&REQUEST_TOO_LARGE) => {
            let message = format!("the message is too large; send less, or in parts ({words})");
            (
                Code::ResourceExhausted,
                ErrorReason::MessageTooLarge,
                message,
            )
        }
        Code::OutOfRange | Code::ResourceExhausted if says(&ANSWER_TOO_LARGE) => {
            let message =
                format!("the answer would be too large; ask for less, or in parts ({words})");
            (
                Code::ResourceExhausted,
                ErrorReason::AnswerTooLarge,
                message,
            )
        }
        Code::Internal if says(&MALFORMED) => {
            let message = format!(
                "the call's bytes are no message of this method; is the client's contract this server's? ({words})"
            );
            (
                Code::InvalidArgument,
                ErrorReason::MessageMalformed,
                message,
            )
        }
        _ => return None,
    };
    let mut translated = refusal(code, reason, message);
    // Such as `grpc-accept-encoding`, and what is no status' business but stood beside it.
    *translated.metadata_mut() = status.metadata().clone();
    Some(translated)
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use http_body_util::Full;
    use tonic::service::Routes;
    use tonic_health::pb::health_server::HealthServer;
    use tonic_health::server::{HealthReporter, HealthService};
    use tower::ServiceExt;

    use super::super::tests::{Bench, end, reason};
    use super::*;
    use crate::config::Limits;

    /// Sends these bytes to a real generated service.
    async fn raw(bytes: &[u8], headers: &[(&'static str, &str)], path: &str) -> Status {
        let bench = Bench::new(Limits::default());
        let service = HealthService::from_health_reporter(HealthReporter::new());
        let service = HealthServer::new(service)
            .max_decoding_message_size(100)
            .max_encoding_message_size(1);
        let routes = bench.transport.wrap(Routes::new(service));
        let mut request = Request::post(path).header("content-type", "application/grpc");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(Bytes::copy_from_slice(bytes));
        let request = request.body(tonic::body::Body::new(body)).unwrap();
        end(routes.oneshot(request).await.unwrap()).await.0
    }

    #[tokio::test]
    async fn what_the_library_refuses_has_our_form() {
        const CHECK: &str = "/grpc.health.v1.Health/Check";
        let too_large = [&[0, 0, 0, 0, 101][..], &[0; 101]].concat();
        let gzip = [("grpc-encoding", "gzip")];
        for (bytes, headers, path, code, reason_expected) in [
            // Field 1 is a string: a number there, a string that is no UTF-8, a string that ends too soon.
            (
                &[0, 0, 0, 0, 2, 8, 1][..],
                &[][..],
                CHECK,
                Code::InvalidArgument,
                "MESSAGE_MALFORMED",
            ),
            (
                &[0, 0, 0, 0, 3, 10, 1, 255],
                &[],
                CHECK,
                Code::InvalidArgument,
                "MESSAGE_MALFORMED",
            ),
            (
                &[0, 0, 0, 0, 2, 10, 9],
                &[],
                CHECK,
                Code::InvalidArgument,
                "MESSAGE_MALFORMED",
            ),
            // A frame that is cut off, no frame at all, flags that mean nothing.
            (
                &[0, 0, 0, 0, 9, 1],
                &[],
                CHECK,
                Code::InvalidArgument,
                "MESSAGE_MALFORMED",
            ),
            (&[], &[], CHECK, Code::InvalidArgument, "MESSAGE_MALFORMED"),
            (
                &[1, 0, 0, 0, 0],
                &[],
                CHECK,
                Code::InvalidArgument,
                "MESSAGE_MALFORMED",
            ),
            (
                &[7, 0, 0, 0, 0],
                &[],
                CHECK,
                Code::InvalidArgument,
                "MESSAGE_MALFORMED",
            ),
            (
                &too_large,
                &[],
                CHECK,
                Code::ResourceExhausted,
                "MESSAGE_TOO_LARGE",
            ),
            // The whole server's health takes two bytes, one more than allowed here.
            (
                &[0, 0, 0, 0, 0],
                &[],
                CHECK,
                Code::ResourceExhausted,
                "ANSWER_TOO_LARGE",
            ),
            (
                &[0, 0, 0, 0, 0],
                &[],
                "/grpc.health.v1.Health/No",
                Code::Unimplemented,
                "METHOD_UNKNOWN",
            ),
            (
                &[0, 0, 0, 0, 0],
                &[],
                "/no.Such/Method",
                Code::Unimplemented,
                "METHOD_UNKNOWN",
            ),
            (
                &[0, 0, 0, 0, 0],
                &gzip,
                CHECK,
                Code::Unimplemented,
                "COMPRESSION_UNSUPPORTED",
            ),
        ] {
            let status = raw(bytes, headers, path).await;
            if reason_expected == "COMPRESSION_UNSUPPORTED" {
                assert_eq!(
                    status.metadata().get("grpc-accept-encoding").unwrap(),
                    "identity"
                );
            }
            assert_eq!(status.code(), code, "{bytes:?} {path}: {status:?}");
            assert_eq!(
                reason(&status),
                reason_expected,
                "{bytes:?} {path}: {status:?}"
            );
        }
    }
}
