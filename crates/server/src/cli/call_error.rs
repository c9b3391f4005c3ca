//! Why a call failed, in words for people: code, reason, every faulty field, and what to do.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{FieldViolation, PreconditionViolation, StatusExt};

use crate::transport::code_name;

/// A call that did not succeed.
#[derive(Debug)]
pub(super) struct CallError {
    server: String,
    token_from: String,
    // A status is large, and errors are passed up by value.
    status: Box<Status>,
}

impl CallError {
    /// What `server` answered to a call with the token found in `token_from`, or why it did not.
    pub(super) fn new(server: &str, token_from: &str, status: Status) -> Self {
        Self {
            server: server.to_owned(),
            token_from: token_from.to_owned(),
            status: Box::new(status),
        }
    }

    /// Whether the same call may succeed a little later: the connection broke, the server restarts or is overloaded, or
    /// another change got in between.
    pub(super) fn is_passing(&self) -> bool {
        match self.status.code() {
            Code::Unavailable | Code::DeadlineExceeded => true,
            // What people looked at is not what would happen any more: asking again changes nothing.
            Code::Aborted => self.reason() != "PLAN_CHANGED",
            Code::ResourceExhausted => {
                matches!(self.reason().as_str(), "OVERLOADED" | "RATE_LIMITED")
            }
            // Without a reason these are not the server's words but the broken connection's.
            Code::Unknown | Code::Cancelled | Code::Internal => self.reason().is_empty(),
            _ => false,
        }
    }

    /// How long the server asks to wait before the next try.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.status
            .get_details_retry_info()
            .and_then(|info| info.retry_delay)
    }

    /// The failure in as few words as tell it, for one that is going to be tried again.
    pub(super) fn brief(&self) -> String {
        match self.broken_by() {
            Some(cause) => format!("the connection broke ({cause})"),
            None => self.to_string(),
        }
    }

    /// What broke the connection; `None` where the server answered.
    fn broken_by(&self) -> Option<String> {
        let source = self.status.source()?;
        self.reason().is_empty().then(|| root_cause(source))
    }

    /// The server's code; of a broken connection what the transport made of it.
    pub(super) fn code(&self) -> Code {
        self.status.code()
    }

    /// What the server says, for people.
    pub(super) fn message(&self) -> &str {
        self.status.message()
    }

    /// What stands against what was asked: reason, subject and explanation of each.
    pub(super) fn unmet(&self) -> Vec<PreconditionViolation> {
        self.status
            .get_details_precondition_failure()
            .map_or(Vec::new(), |failure| failure.violations)
    }

    /// The faulty fields of the request.
    pub(super) fn faulty_fields(&self) -> Vec<FieldViolation> {
        self.status
            .get_details_bad_request()
            .map_or(Vec::new(), |faulty| faulty.field_violations)
    }

    /// The name of the server's reason; empty where it gave none.
    pub(super) fn reason(&self) -> String {
        self.status
            .get_details_error_info()
            .map(|info| info.reason)
            .unwrap_or_default()
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(cause) = self.broken_by() {
            return write!(
                f,
                "the connection to {} broke ({cause}); is the server running? start it with `slipway`, and write \
                 https:// where it speaks TLS",
                self.server
            );
        }
        let reason = self.reason();
        let status = &self.status;
        f.write_str(code_name(status.code()))?;
        if !reason.is_empty() {
            write!(f, " / {reason}")?;
        }
        write!(f, ": {}", status.message())?;
        for violation in self.faulty_fields() {
            // Servers sum the violations up in the message; what they left out is told.
            if !status.message().contains(&violation.description) {
                write!(f, "; {}: {}", violation.field, violation.description)?;
            }
        }
        match status.code() {
            Code::Unauthenticated => write!(
                f,
                "; the token came from {}: name the file that holds yours with --token-file",
                self.token_from
            ),
            _ => Ok(()),
        }
    }
}

impl Error for CallError {}

/// The innermost cause: what the network or the operating system said.
pub(super) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use slipway_api::errors::v1::ErrorReason;
    use tonic_types::ErrorDetails;

    use super::*;
    use crate::transport::{refusal, refusal_after};

    fn error(status: Status) -> CallError {
        CallError::new("http://127.0.0.1:1", "the variable SLIPWAY_TOKEN", status)
    }

    #[test]
    fn code_reason_and_every_violation_are_told_once() {
        let mut details = ErrorDetails::with_error_info("INVALID_FIELD", "slipway", []);
        details.add_bad_request_violation("report.version", "is required");
        details.add_bad_request_violation("project", "has a capital");
        let message = "the request is not valid: project: has a capital";
        let status = Status::with_error_details(Code::InvalidArgument, message, details);
        assert_eq!(
            error(status).to_string(),
            "INVALID_ARGUMENT / INVALID_FIELD: the request is not valid: project: has a capital; report.version: is \
             required"
        );
    }

    #[test]
    fn a_refused_token_is_told_by_where_it_came_from() {
        let refused = refusal(
            Code::Unauthenticated,
            ErrorReason::TokenInvalid,
            "the token is unknown",
        );
        let told = error(refused).to_string();
        assert!(told.contains("from the variable SLIPWAY_TOKEN"), "{told}");
    }

    #[test]
    fn a_broken_connection_says_what_broke() {
        let broken = std::io::Error::other("connection reset");
        let told = error(Status::from_error(Box::new(broken))).to_string();
        assert!(
            told.contains("connection reset") && told.contains("`slipway`"),
            "{told}"
        );
    }

    #[test]
    fn what_may_pass_is_told_from_what_stays() {
        let passing = |code, reason| error(refusal(code, reason, "words")).is_passing();
        assert!(passing(Code::Unavailable, ErrorReason::ShuttingDown));
        assert!(passing(Code::DeadlineExceeded, ErrorReason::DeadlinePassed));
        assert!(passing(Code::ResourceExhausted, ErrorReason::Overloaded));
        assert!(!passing(
            Code::ResourceExhausted,
            ErrorReason::MessageTooLarge
        ));
        assert!(!passing(Code::Internal, ErrorReason::Internal));
        assert!(!passing(Code::NotFound, ErrorReason::ProjectNotFound));
        assert!(passing(Code::Aborted, ErrorReason::StoreConflict));
        assert!(!passing(Code::Aborted, ErrorReason::PlanChanged));
        assert!(error(Status::unknown("h2 protocol error")).is_passing());

        let pause = Duration::from_secs(3);
        let asked = refusal_after(
            pause,
            Code::ResourceExhausted,
            ErrorReason::Overloaded,
            "words",
        );
        assert_eq!(error(asked).pause(), Some(pause));
    }
}
