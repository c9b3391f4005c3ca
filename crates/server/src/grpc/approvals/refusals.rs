//! Why commands about approvals are refused.

use slipway_api::errors::v1::ErrorReason;
use slipway_application::approvals::ApprovalError;
use tonic::Code;

use crate::grpc::refusal::Refusal;

impl From<ApprovalError> for Refusal {
    fn from(error: ApprovalError) -> Self {
        let message = error.to_string();
        let about = |code, reason, number: i64| {
            Self::new(code, reason, message.clone()).about("deployment", number)
        };
        match error {
            ApprovalError::DeploymentNotFound { name } => {
                Self::new(Code::NotFound, ErrorReason::DeploymentNotFound, message)
                    .about("deployment", name)
            }
            ApprovalError::EnvironmentNotFound { slug } => {
                Self::new(Code::NotFound, ErrorReason::EnvironmentNotFound, message)
                    .about("environment", slug)
            }
            ApprovalError::NotFound { number } => {
                about(Code::NotFound, ErrorReason::ApprovalRequestNotFound, number)
            }
            ApprovalError::NotPending { number, state } => about(
                Code::FailedPrecondition,
                ErrorReason::ApprovalNotPending,
                number,
            )
            .with("state", state.as_str()),
            ApprovalError::AlreadyDecided { number } => about(
                Code::FailedPrecondition,
                ErrorReason::AlreadyDecided,
                number,
            ),
            ApprovalError::OwnRequest { number } => {
                about(Code::PermissionDenied, ErrorReason::SelfApproval, number)
            }
            ApprovalError::PlanChanged { number, .. } => {
                about(Code::Aborted, ErrorReason::PlanChanged, number)
            }
            ApprovalError::Command(error) => error.into(),
        }
    }
}
