//! Why commands about snapshots are refused.

use slipway_api::errors::v1::ErrorReason;
use slipway_application::snapshots::{SnapshotError, TakeError};
use slipway_snapshots::GitError;
use tonic::Code;

use crate::cli::explain;
use crate::grpc::refusal::Refusal;

impl From<SnapshotError> for Refusal {
    fn from(error: SnapshotError) -> Self {
        let message = error.to_string();
        let not_found = |reason| Self::new(Code::NotFound, reason, message.clone());
        match error {
            SnapshotError::NotFound { id } => {
                not_found(ErrorReason::SnapshotNotFound).about("snapshot", id)
            }
            SnapshotError::EnvironmentNotFound { slug } => {
                not_found(ErrorReason::EnvironmentNotFound).about("environment", slug)
            }
            SnapshotError::EnvironmentArchived { slug } => Self::new(
                Code::FailedPrecondition,
                ErrorReason::EnvironmentArchived,
                message,
            )
            .about("environment", slug),
            SnapshotError::ApprovalRequired => Self::new(
                Code::FailedPrecondition,
                ErrorReason::ApprovalRequired,
                message,
            ),
            SnapshotError::Take(error) => error.into(),
            SnapshotError::PuttingBack(error) => error.into(),
            SnapshotError::Command(error) => error.into(),
        }
    }
}

impl From<TakeError> for Refusal {
    fn from(error: TakeError) -> Self {
        let message = explain(&error);
        match error {
            TakeError::Engine(error) => error.into(),
            TakeError::Git(GitError::Unavailable { .. } | GitError::Moved { .. }) => {
                Self::new(Code::Unavailable, ErrorReason::GitUnavailable, message)
            }
            TakeError::Git(
                GitError::Corrupt { .. }
                | GitError::Unauthenticated { .. }
                | GitError::NoRepository { .. }
                | GitError::Refused { .. },
            ) => Self::new(Code::FailedPrecondition, ErrorReason::GitRefused, message),
            TakeError::Store(error) => error.into(),
            TakeError::Canonical(error) => Self::internal(error),
        }
    }
}
