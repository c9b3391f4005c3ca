//! How a command for pipelines ends, and the status that says so.

use std::process::ExitCode;

use slipway_api::deployments::v1::DeploymentState;
use tonic::Code;

use crate::cli::call_error::CallError;
use crate::cli::client::ConnectError;

/// A command's help: its words, then the table of statuses.
macro_rules! help {
    ($($words:literal),+ $(,)?) => {
        concat!($($words,)+ "

Exit status:
  0  done; where the deployment is over, it succeeded
  1  something else failed, here or in the server
  2  the arguments are wrong, and nothing was asked
  3  the server refused: the reason is on standard error
  4  the deployment was rejected
  5  it failed, and what was done was undone as far as that can be; or a later one rolled it back
  6  it was canceled, or nobody approved it in time
  7  it is not over after --timeout
  8  it is in doubt: a person has to look
  9  the server can't be reached, or is too busy to answer")
    };
}
pub(super) use help;

/// How a command ended; the numbers are its exit status. 2 is clap's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// What was asked for is done, or under way.
    Done = 0,
    /// Something failed that none of the others tells.
    Broken = 1,
    /// The server refused.
    Refused = 3,
    /// People disagreed.
    Rejected = 4,
    /// The deployment failed, or was undone.
    Failed = 5,
    /// It was canceled, or it expired.
    Canceled = 6,
    /// It was not over in time.
    TimedOut = 7,
    /// Nobody can tell what became of it.
    InDoubt = 8,
    /// There is no answer from the server.
    Unreachable = 9,
}

impl Ending {
    /// What a deployment in this state ended as; `None` while it goes on.
    pub(super) fn of_state(state: DeploymentState) -> Option<Self> {
        match state {
            DeploymentState::Succeeded => Some(Self::Done),
            DeploymentState::Failed | DeploymentState::RolledBack => Some(Self::Failed),
            DeploymentState::Canceled | DeploymentState::Expired => Some(Self::Canceled),
            DeploymentState::Rejected => Some(Self::Rejected),
            DeploymentState::InDoubt => Some(Self::InDoubt),
            DeploymentState::Unspecified
            | DeploymentState::PendingApproval
            | DeploymentState::Approved
            | DeploymentState::Queued
            | DeploymentState::Running
            | DeploymentState::Canceling
            | DeploymentState::Compensating => None,
        }
    }

    /// What a failure means for a job.
    pub(super) fn of_failure(failure: &(dyn std::error::Error + 'static)) -> Self {
        if let Some(error) = failure.downcast_ref::<CallError>() {
            return Self::of_call(error);
        }
        match failure.downcast_ref::<ConnectError>() {
            Some(ConnectError::Unreachable { .. } | ConnectError::Untrusted { .. }) => {
                Self::Unreachable
            }
            _ => Self::Broken,
        }
    }

    fn of_call(error: &CallError) -> Self {
        match error.code() {
            // Two changes at once: the server did answer.
            Code::Aborted => Self::Refused,
            _ if error.is_passing() => Self::Unreachable,
            Code::Internal | Code::Unknown | Code::DataLoss => Self::Broken,
            _ => Self::Refused,
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(ending as u8)
    }
}

#[cfg(test)]
mod tests {
    use slipway_api::errors::v1::ErrorReason;
    use tonic::Status;

    use super::*;
    use crate::transport::refusal;

    fn of(status: Status) -> Ending {
        let error = CallError::new("http://127.0.0.1:1", "the variable SLIPWAY_TOKEN", status);
        Ending::of_failure(&error)
    }

    #[test]
    fn answers_become_statuses() {
        let refused = |code, reason| of(refusal(code, reason, "words"));
        let cases = [
            (
                Code::FailedPrecondition,
                ErrorReason::ReleaseHasFindings,
                Ending::Refused,
            ),
            (
                Code::InvalidArgument,
                ErrorReason::InvalidField,
                Ending::Refused,
            ),
            (
                Code::Unauthenticated,
                ErrorReason::TokenInvalid,
                Ending::Refused,
            ),
            (
                Code::PermissionDenied,
                ErrorReason::SelfApproval,
                Ending::Refused,
            ),
            (
                Code::NotFound,
                ErrorReason::DeploymentNotFound,
                Ending::Refused,
            ),
            (Code::Aborted, ErrorReason::PlanChanged, Ending::Refused),
            (Code::Aborted, ErrorReason::StoreConflict, Ending::Refused),
            (Code::Internal, ErrorReason::Internal, Ending::Broken),
            (
                Code::Unavailable,
                ErrorReason::ShuttingDown,
                Ending::Unreachable,
            ),
            (
                Code::ResourceExhausted,
                ErrorReason::Overloaded,
                Ending::Unreachable,
            ),
        ];
        for (code, reason, ending) in cases {
            assert_eq!(refused(code, reason), ending, "{reason:?}");
        }
        assert_eq!(
            of(Status::unknown("h2 protocol error")),
            Ending::Unreachable
        );
    }

    #[test]
    fn connections_become_statuses() {
        let url = "http://127.0.0.1:1".to_owned();
        let cause = "refused".to_owned();
        let absent = ConnectError::Unreachable {
            url: url.clone(),
            cause,
        };
        assert_eq!(Ending::of_failure(&absent), Ending::Unreachable);
        let malformed = ConnectError::Url { url };
        assert_eq!(Ending::of_failure(&malformed), Ending::Broken);
        let other = std::io::Error::other("disk full");
        assert_eq!(Ending::of_failure(&other), Ending::Broken);
    }

    #[test]
    fn every_state_ends_as_its_own_kind_or_goes_on() {
        let ends = [
            (DeploymentState::Succeeded, Ending::Done),
            (DeploymentState::Rejected, Ending::Rejected),
            (DeploymentState::Failed, Ending::Failed),
            (DeploymentState::RolledBack, Ending::Failed),
            (DeploymentState::Canceled, Ending::Canceled),
            (DeploymentState::Expired, Ending::Canceled),
            (DeploymentState::InDoubt, Ending::InDoubt),
        ];
        for (state, ending) in ends {
            assert_eq!(Ending::of_state(state), Some(ending), "{state:?}");
        }
        let going_on = (0..=13)
            .filter_map(|number| DeploymentState::try_from(number).ok())
            .filter(|state| Ending::of_state(*state).is_none());
        assert_eq!(going_on.count(), 14 - ends.len());
    }

    #[test]
    fn the_table_has_every_status_once() {
        let table = help!("");
        for ending in [
            Ending::Done,
            Ending::Broken,
            Ending::Refused,
            Ending::Rejected,
            Ending::Failed,
            Ending::Canceled,
            Ending::TimedOut,
            Ending::InDoubt,
            Ending::Unreachable,
        ] {
            let row = format!("\n  {}  ", ending as u8);
            assert_eq!(table.matches(&row).count(), 1, "{ending:?}");
        }
    }

    #[test]
    fn the_readme_has_the_same_table() {
        let readme = include_str!("../../../../../README.md").replace('`', "");
        let rows: Vec<_> = help!("")
            .lines()
            .filter_map(|line| line.trim_start().split_once("  "))
            .collect();
        assert_eq!(rows.len(), 10);
        for (status, meaning) in rows {
            let row = format!("| {status} | {meaning} |");
            assert!(readme.contains(&row), "{row}");
        }
    }
}
