//! Why commands about approvals and freezes are refused.

use slipway_api::errors::v1::ErrorReason;
use slipway_application::approvals::ApprovalError;
use slipway_application::approvals::policies::PolicyError;
use slipway_application::freezes::{FreezeError, Frozen};
use slipway_kernel::Slug;
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
            ApprovalError::NotEligible { number } => about(
                Code::PermissionDenied,
                ErrorReason::ApproverNotEligible,
                number,
            ),
            ApprovalError::RuleNotFound { number, rule } => {
                about(Code::NotFound, ErrorReason::ApprovalRuleNotFound, number)
                    .with("rule", rule.as_str())
            }
            ApprovalError::NothingToWithdraw { number } => about(
                Code::FailedPrecondition,
                ErrorReason::NothingToWithdraw,
                number,
            ),
            ApprovalError::Begun { number, state } => {
                about(Code::FailedPrecondition, ErrorReason::ApprovalUsed, number)
                    .with("state", state.as_str())
            }
            ApprovalError::NothingToReview { number } => {
                about(Code::FailedPrecondition, ErrorReason::NotOverridden, number)
            }
            ApprovalError::AlreadyReviewed { number } => about(
                Code::FailedPrecondition,
                ErrorReason::OverrideReviewed,
                number,
            ),
            ApprovalError::OwnOverride { number } => {
                about(Code::PermissionDenied, ErrorReason::OwnOverride, number)
            }
            ApprovalError::PlanChanged { number, .. } => {
                about(Code::Aborted, ErrorReason::PlanChanged, number)
            }
            ApprovalError::Command(error) => error.into(),
        }
    }
}

impl From<PolicyError> for Refusal {
    fn from(error: PolicyError) -> Self {
        let message = error.to_string();
        match error {
            PolicyError::EnvironmentNotFound { slug } => {
                Self::new(Code::NotFound, ErrorReason::EnvironmentNotFound, message)
                    .about("environment", slug)
            }
            PolicyError::NotFound { scope } => {
                Self::new(Code::NotFound, ErrorReason::PolicyNotFound, message)
                    .about("policy", scope)
            }
            PolicyError::Unsatisfiable { rules } => Self::new(
                Code::FailedPrecondition,
                ErrorReason::PolicyUnsatisfiable,
                message,
            )
            .with_names("rules", rules.iter().map(Slug::as_str)),
            PolicyError::Etag(error) => error.into(),
            PolicyError::Command(error) => error.into(),
        }
    }
}
impl From<FreezeError> for Refusal {
    fn from(error: FreezeError) -> Self {
        let message = error.to_string();
        let new = |code, reason| Self::new(code, reason, message.clone());
        let unfit =
            |reason, number: i64| new(Code::FailedPrecondition, reason).about("deployment", number);
        match error {
            FreezeError::NotFound { slug } => {
                new(Code::NotFound, ErrorReason::FreezeWindowNotFound).about("freeze_window", slug)
            }
            FreezeError::AlreadyExists { slug } => {
                new(Code::AlreadyExists, ErrorReason::FreezeWindowAlreadyExists)
                    .about("freeze_window", slug)
            }
            FreezeError::TooMany => {
                new(Code::FailedPrecondition, ErrorReason::TooManyFreezeWindows)
            }
            FreezeError::EnvironmentNotFound { slug } => {
                new(Code::NotFound, ErrorReason::EnvironmentNotFound).about("environment", slug)
            }
            FreezeError::EnvironmentArchived { slug } => {
                new(Code::FailedPrecondition, ErrorReason::EnvironmentArchived)
                    .about("environment", slug)
            }
            FreezeError::Etag(error) => error.into(),
            FreezeError::DeploymentNotFound { name } => {
                new(Code::NotFound, ErrorReason::DeploymentNotFound).about("deployment", name)
            }
            FreezeError::NotWaiting { number, state } => {
                unfit(ErrorReason::DeploymentNotWaiting, number).with("state", state.as_str())
            }
            FreezeError::NotStanding { number, windows } => {
                unfit(ErrorReason::FreezeNotStanding, number)
                    .with_names("freeze_windows", windows.iter().map(Slug::as_str))
            }
            FreezeError::NotNamed { number, windows } => unfit(ErrorReason::FreezeNotNamed, number)
                .with_names("freeze_windows", windows.iter().map(Slug::as_str)),
            FreezeError::Command(error) => error.into(),
        }
    }
}

impl From<Frozen> for Refusal {
    fn from(frozen: Frozen) -> Self {
        let refusal = Self::new(
            Code::FailedPrecondition,
            ErrorReason::Frozen,
            frozen.to_string(),
        )
        .with_names("freeze_windows", frozen.windows().iter().map(Slug::as_str));
        match frozen.opens_again() {
            Some(at) => refusal.with("opens_again", at.to_string()),
            None => refusal,
        }
    }
}
