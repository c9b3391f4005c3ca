//! What an answer must be: granted, or refused with a code, a reason and the details that go with them.

use std::fmt::Debug;

use slipway_api::errors::v1::ErrorReason;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

/// An answer that must be a refusal.
pub trait Refused {
    /// Asserts that the call was refused with this code and reason and with proper details, and returns the status.
    #[track_caller]
    fn refused(self, code: Code, reason: ErrorReason) -> Status;
}

/// An answer that must be a success.
pub trait Granted<T> {
    /// The message, where the call succeeded.
    #[track_caller]
    fn granted(self) -> T;
}

impl<T: Debug> Refused for Result<Response<T>, Status> {
    fn refused(self, code: Code, reason: ErrorReason) -> Status {
        match self {
            Ok(response) => panic!(
                "expected {code:?} / {}, was granted: {:?}",
                name(reason),
                response.into_inner()
            ),
            Err(status) => {
                let found = (status.code(), reason_of(&status));
                assert_eq!(
                    found,
                    (code, Some(name(reason).to_owned())),
                    "expected {code:?} / {}: {status:?}",
                    name(reason)
                );
                check_details(&status).unwrap_or_else(|fault| panic!("{fault}: {status:?}"));
                status
            }
        }
    }
}

impl<T> Granted<T> for Result<Response<T>, Status> {
    fn granted(self) -> T {
        match self {
            Ok(response) => response.into_inner(),
            Err(status) => panic!(
                "expected success, was refused with {:?} / {}: {}",
                status.code(),
                reason_of(&status).unwrap_or_default(),
                status.message()
            ),
        }
    }
}

/// A reason's name as `ErrorInfo` bears it.
pub fn name(reason: ErrorReason) -> &'static str {
    reason
        .as_str_name()
        .strip_prefix("ERROR_REASON_")
        .unwrap_or_default()
}

/// The reason that a status bears, if it bears any.
pub fn reason_of(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// The fields that a refusal complains about, in its order.
pub fn violated_fields(status: &Status) -> Vec<String> {
    status
        .get_details_bad_request()
        .map(|detail| detail.field_violations)
        .unwrap_or_default()
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}

/// Whether a refusal has the form that every refusal must have; if not, what is missing.
pub fn check_details(status: &Status) -> Result<(), String> {
    if status.code() == Code::Unimplemented {
        // Answered before any of our code, for what no service has.
        return Ok(());
    }
    if status.message().is_empty() {
        return Err("a refusal without a message".to_owned());
    }
    let Some(info) = status.get_details_error_info() else {
        return Err("a refusal without ErrorInfo".to_owned());
    };
    if info.domain != "slipway" {
        return Err(format!("ErrorInfo of the domain `{}`", info.domain));
    }
    let full_name = format!("ERROR_REASON_{}", info.reason);
    let Some(reason) = ErrorReason::from_str_name(&full_name) else {
        return Err(format!("`{}` is no ErrorReason", info.reason));
    };
    if reason == ErrorReason::Unspecified {
        return Err("an unspecified reason".to_owned());
    }
    match reason {
        ErrorReason::InvalidField => match status.get_details_bad_request() {
            Some(detail) if !detail.field_violations.is_empty() => {
                let incomplete = detail.field_violations.iter().any(|violation| {
                    violation.field.is_empty() || violation.description.is_empty()
                });
                if incomplete {
                    return Err("a violation without field or description".to_owned());
                }
            }
            _ => return Err("INVALID_FIELD without violations".to_owned()),
        },
        ErrorReason::PermissionMissing
            if !(info.metadata.contains_key("command") && info.metadata.contains_key("roles")) =>
        {
            return Err("PERMISSION_MISSING that names no command or no roles".to_owned());
        }
        ErrorReason::Overloaded if status.get_details_retry_info().is_none() => {
            return Err("OVERLOADED without RetryInfo".to_owned());
        }
        _ => {}
    }
    if status.code() == Code::NotFound && status.get_details_resource_info().is_none() {
        return Err("NOT_FOUND without ResourceInfo".to_owned());
    }
    if status.code() == Code::FailedPrecondition
        && status.get_details_precondition_failure().is_none()
    {
        return Err("FAILED_PRECONDITION without PreconditionFailure".to_owned());
    }
    Ok(())
}
