//! Why commands about the catalog are refused.

use slipway_api::errors::v1::ErrorReason;
use slipway_application::applications::ApplicationError;
use slipway_application::engines::{EngineCommandError, EngineProblem};
use slipway_application::environments::EnvironmentError;
use slipway_application::outside::NotAllowed;
use slipway_application::versions::VersionError;
use slipway_workflows::EngineError;
use tonic::Code;

use crate::cli::explain;
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
            EnvironmentError::InUse { slug, .. } => Self::new(
                Code::FailedPrecondition,
                ErrorReason::EnvironmentInUse,
                message,
            )
            .about("environment", slug),
            EnvironmentError::EngineNotAllowed(NotAllowed { field, problem }) => {
                Self::fields(vec![(engine_field(field).to_owned(), problem)])
            }
            EnvironmentError::Etag(error) => error.into(),
            EnvironmentError::Command(error) => error.into(),
        }
    }
}

/// Where a request has this setting of an engine.
fn engine_field(setting: &str) -> &'static str {
    match setting {
        "path" => "workflow_engine.directory.path",
        "base_url" => "workflow_engine.n8n.base_url",
        "api_key" => "workflow_engine.n8n.api_key_reference",
        _ => "workflow_engine",
    }
}

impl From<EngineCommandError> for Refusal {
    fn from(error: EngineCommandError) -> Self {
        let message = error.to_string();
        match error {
            EngineCommandError::EnvironmentNotFound { slug } => {
                Self::new(Code::NotFound, ErrorReason::EnvironmentNotFound, message)
                    .about("environment", slug)
            }
            EngineCommandError::EnvironmentArchived { slug } => Self::new(
                Code::FailedPrecondition,
                ErrorReason::EnvironmentArchived,
                message,
            )
            .about("environment", slug),
            EngineCommandError::WorkflowNotFound { environment, id } => {
                Self::new(Code::NotFound, ErrorReason::WorkflowNotFound, message)
                    .about("workflow", format!("{environment} {}", id.0))
            }
            EngineCommandError::KeyTaken {
                environment,
                key,
                id,
            } => Self::new(Code::AlreadyExists, ErrorReason::WorkflowKeyTaken, message)
                .about("workflow", format!("{environment} {key}"))
                .with("workflow_id", id.0),
            EngineCommandError::Engine(error) => error.into(),
            EngineCommandError::Command(error) => error.into(),
        }
    }
}

impl From<EngineProblem> for Refusal {
    fn from(error: EngineProblem) -> Self {
        // With the engine's own words, which are its cause.
        let message = explain(&error);
        let unfit = |reason| Self::new(Code::FailedPrecondition, reason, message.clone());
        match error {
            EngineProblem::NoEngine { environment } => {
                unfit(ErrorReason::EngineNotSet).about("environment", environment)
            }
            EngineProblem::NotAllowed { environment, .. } => {
                unfit(ErrorReason::EngineNotAllowed).about("environment", environment)
            }
            EngineProblem::Engine {
                environment,
                source,
            } => {
                let unavailable = Self::new(
                    Code::Unavailable,
                    ErrorReason::EngineUnavailable,
                    message.clone(),
                );
                let refusal = match source {
                    EngineError::Busy { retry_after } => unavailable.retry_after(retry_after),
                    EngineError::Unavailable { .. } | EngineError::Uncertain { .. } => unavailable,
                    EngineError::Refused { .. }
                    | EngineError::NotFound { .. }
                    | EngineError::Unauthenticated
                    | EngineError::Failed { .. } => unfit(ErrorReason::EngineRefused),
                };
                refusal.about("environment", environment)
            }
            EngineProblem::Ambiguous {
                environment, ids, ..
            } => unfit(ErrorReason::WorkflowAmbiguous)
                .about("environment", environment)
                .with("workflow_ids", ids.join(",")),
            EngineProblem::Store(error) => error.into(),
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
