//! Why commands about snapshots are refused.

use slipway_api::errors::v1::ErrorReason;
use slipway_application::snapshots::{ContentsError, SnapshotError, TakeError};
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
            SnapshotError::NoSnapshot { environment } => Self::new(
                Code::FailedPrecondition,
                ErrorReason::NoSnapshotYet,
                message,
            )
            .about("environment", environment),
            SnapshotError::WorkflowNotInSnapshot { key, .. } => {
                not_found(ErrorReason::WorkflowNotInSnapshot).about("workflow", key)
            }
            SnapshotError::Contents(error) => error.into(),
            SnapshotError::Take(error) => error.into(),
            SnapshotError::PuttingBack(error) => error.into(),
            SnapshotError::Command(error) => error.into(),
        }
    }
}

impl From<ContentsError> for Refusal {
    fn from(error: ContentsError) -> Self {
        let message = explain(&error);
        match error {
            ContentsError::Git(error) => from_git(&error, message),
            ContentsError::Damaged { .. } => Self::new(
                Code::FailedPrecondition,
                ErrorReason::SnapshotDamaged,
                message,
            ),
            ContentsError::Store(error) => error.into(),
        }
    }
}

fn from_git(error: &GitError, message: String) -> Refusal {
    match error {
        GitError::Unavailable { .. } | GitError::Moved { .. } => {
            Refusal::new(Code::Unavailable, ErrorReason::GitUnavailable, message)
        }
        GitError::Corrupt { .. }
        | GitError::Unauthenticated { .. }
        | GitError::NoRepository { .. }
        | GitError::Refused { .. } => {
            Refusal::new(Code::FailedPrecondition, ErrorReason::GitRefused, message)
        }
    }
}

impl From<TakeError> for Refusal {
    fn from(error: TakeError) -> Self {
        let message = explain(&error);
        match error {
            TakeError::Engine(error) => error.into(),
            TakeError::Git(error) => from_git(&error, message),
            TakeError::Store(error) => error.into(),
            TakeError::Canonical(error) => Self::internal(error),
        }
    }
}
