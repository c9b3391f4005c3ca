//! Refusals in one form: a code, words, and a reason that programs can read.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::HeaderMap;
use http_body::Frame;
use slipway_api::errors::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of every reason that Slipway gives in `google.rpc.ErrorInfo`.
pub const ERROR_DOMAIN: &str = "slipway";

/// A status with `google.rpc.ErrorInfo` and nothing else.
pub fn refusal(code: Code, reason: ErrorReason, message: impl Into<String>) -> Status {
    Status::with_error_details(code, message, error_info(reason, []))
}

/// A status with `google.rpc.ErrorInfo`, and `google.rpc.RetryInfo` that asks for this pause.
pub fn refusal_after(
    pause: Duration,
    code: Code,
    reason: ErrorReason,
    message: impl Into<String>,
) -> Status {
    let mut details = error_info(reason, []);
    details.set_retry_info(Some(pause));
    Status::with_error_details(code, message, details)
}

/// Details that hold `google.rpc.ErrorInfo`: the reason under its name without prefix, and what it is about.
pub fn error_info(
    reason: ErrorReason,
    metadata: impl Into<HashMap<String, String>>,
) -> ErrorDetails {
    let name = reason.as_str_name();
    let name = name.strip_prefix("ERROR_REASON_").unwrap_or(name);
    ErrorDetails::with_error_info(name, ERROR_DOMAIN, metadata)
}

/// The status as a whole answer.
pub(super) fn answer(status: Status) -> Response {
    status.into_http::<Body>()
}

/// The status as the end of an answer whose headers are already sent.
pub(super) fn trailers(status: &Status) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        // Only metadata can fail to become a header, and ours has none.
        trailers.insert(Status::GRPC_STATUS, (Code::Internal as i32).into());
    }
    Frame::trailers(trailers)
}

/// The gRPC code among headers or trailers, where there is one.
pub(super) fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers
        .get(Status::GRPC_STATUS)
        .map(|value| Code::from_bytes(value.as_bytes()))
}

/// The code's name as the gRPC specification writes it.
pub(crate) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
