//! Why commands about webhooks are refused.

use slipway_api::errors::v1::ErrorReason;
use slipway_application::notifications::WebhookError;
use tonic::Code;

use crate::cli::explain;
use crate::grpc::refusal::Refusal;

impl From<WebhookError> for Refusal {
    fn from(error: WebhookError) -> Self {
        let message = explain(&error);
        let not_found = |reason| Self::new(Code::NotFound, reason, message.clone());
        let unfit = |reason| Self::new(Code::FailedPrecondition, reason, message.clone());
        match error {
            WebhookError::AlreadyExists { slug } => Self::new(
                Code::AlreadyExists,
                ErrorReason::WebhookAlreadyExists,
                message,
            )
            .about("webhook", slug),
            WebhookError::NotFound { slug } => {
                not_found(ErrorReason::WebhookNotFound).about("webhook", slug)
            }
            WebhookError::TooMany => Self::new(
                Code::ResourceExhausted,
                ErrorReason::TooManyWebhooks,
                message,
            ),
            WebhookError::EnvironmentNotFound { slug } => {
                not_found(ErrorReason::EnvironmentNotFound).about("environment", slug)
            }
            WebhookError::NotAllowed(refused) => {
                unfit(ErrorReason::WebhookTargetNotAllowed).with("part", refused.field)
            }
            WebhookError::Disabled { slug } => {
                unfit(ErrorReason::WebhookDisabled).about("webhook", slug)
            }
            WebhookError::DeliveryNotFound { id } => {
                not_found(ErrorReason::DeliveryNotFound).about("delivery", id)
            }
            WebhookError::DeploymentNotFound { name } => {
                not_found(ErrorReason::DeploymentNotFound).about("deployment", name)
            }
            WebhookError::Etag(error) => error.into(),
            WebhookError::Command(error) => error.into(),
        }
    }
}
