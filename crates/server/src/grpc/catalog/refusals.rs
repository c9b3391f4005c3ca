//! Why commands about the catalog are refused.

use slipway_api::errors::v1::ErrorReason;
use slipway_application::applications::ApplicationError;
use slipway_application::environments::EnvironmentError;
use slipway_application::versions::VersionError;
use tonic::Code;

use crate::grpc::refusal::Refusal;

impl From<EnvironmentError> for Refusal {
    fn from(error: EnvironmentError) -> Self {
        let message = error.to_string();
        match error {
            EnvironmentError::AlreadyExists { slug } => Self::new(
                Code::AlreadyExists,
                ErrorReason::EnvironmentAlreadyExists,
                message,
            )
            .about("environment", slug),
            EnvironmentError::NotFound { slug } => {
                Self::new(Code::NotFound, ErrorReason::EnvironmentNotFound, message)
                    .about("environment", slug)
            }
            EnvironmentError::Archived { slug } => Self::new(
                Code::FailedPrecondition,
                ErrorReason::EnvironmentArchived,
                message,
            )
            .about("environment", slug),
            EnvironmentError::Etag(error) => error.into(),
            EnvironmentError::Command(error) => error.into(),
        }
    }
}

impl From<ApplicationError> for Refusal {
    fn from(error: ApplicationError) -> Self {
        let message = error.to_string();
        match error {
            ApplicationError::AlreadyExists { key } => Self::new(
                Code::AlreadyExists,
                ErrorReason::ApplicationAlreadyExists,
                message,
            )
            .about("application", key),
            ApplicationError::NotFound { key } => {
                Self::new(Code::NotFound, ErrorReason::ApplicationNotFound, message)
                    .about("application", key)
            }
            ApplicationError::Archived { key } => Self::new(
                Code::FailedPrecondition,
                ErrorReason::ApplicationArchived,
                message,
            )
            .about("application", key),
            ApplicationError::Etag(error) => error.into(),
            ApplicationError::Command(error) => error.into(),
        }
    }
}

impl From<VersionError> for Refusal {
    fn from(error: VersionError) -> Self {
        let message = error.to_string();
        let invalid =
            |reason, field| Self::new(Code::InvalidArgument, reason, message.clone()).field(field);
        let not_found = |reason| Self::new(Code::NotFound, reason, message.clone());
        let unfit = |reason| Self::new(Code::FailedPrecondition, reason, message.clone());
        match error {
            VersionError::AlreadyExists {
                application,
                version,
            } => Self::new(
                Code::AlreadyExists,
                ErrorReason::VersionAlreadyExists,
                message,
            )
            .about("version", format!("{application} {version}")),
            VersionError::NotFound {
                application,
                version,
            } => not_found(ErrorReason::VersionNotFound)
                .about("version", format!("{application} {version}")),
            VersionError::ApplicationNotFound { key } => {
                not_found(ErrorReason::ApplicationNotFound).about("application", key)
            }
            VersionError::ApplicationArchived { key } => {
                unfit(ErrorReason::ApplicationArchived).about("application", key)
            }
            VersionError::AuthorNotFound { id } => {
                not_found(ErrorReason::PrincipalNotFound).about("principal", id)
            }
            VersionError::AuthorDisabled { id } => {
                unfit(ErrorReason::NamedPrincipalDisabled).about("principal", id)
            }
            VersionError::ContentTooLarge { .. } => {
                invalid(ErrorReason::ContentTooLarge, "content")
            }
            VersionError::DigestMismatch { .. } => invalid(ErrorReason::DigestMismatch, "digest"),
            VersionError::ContentMissing { .. } => Self::internal(error),
            VersionError::Object(error) => error.into(),
            VersionError::Command(error) => error.into(),
        }
    }
}
