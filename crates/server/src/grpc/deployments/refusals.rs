//! Why commands about pipelines and deployments are refused.

use std::collections::BTreeSet;

use slipway_api::errors::v1::ErrorReason;
use slipway_application::deployments::{DeploymentError, PuttingBackError};
use slipway_application::pipelines::PipelineError;
use slipway_application::releases::ReleaseError;
use tonic::Code;

use crate::grpc::refusal::{Refusal, Unmet};

impl From<PipelineError> for Refusal {
    fn from(error: PipelineError) -> Self {
        let message = error.to_string();
        let not_found = |reason| Self::new(Code::NotFound, reason, message.clone());
        let unfit = |reason| Self::new(Code::FailedPrecondition, reason, message.clone());
        match error {
            PipelineError::AlreadyExists { slug } => Self::new(
                Code::AlreadyExists,
                ErrorReason::PipelineAlreadyExists,
                message,
            )
            .about("pipeline", slug),
            PipelineError::NotFound { slug } => {
                not_found(ErrorReason::PipelineNotFound).about("pipeline", slug)
            }
            PipelineError::Archived { slug } => {
                unfit(ErrorReason::PipelineArchived).about("pipeline", slug)
            }
            PipelineError::EnvironmentNotFound { slug } => {
                not_found(ErrorReason::EnvironmentNotFound).about("environment", slug)
            }
            PipelineError::EnvironmentArchived { slug } => {
                unfit(ErrorReason::EnvironmentArchived).about("environment", slug)
            }
            PipelineError::Etag(error) => error.into(),
            PipelineError::Command(error) => error.into(),
        }
    }
}

impl From<PuttingBackError> for Refusal {
    fn from(error: PuttingBackError) -> Self {
        let message = error.to_string();
        match error {
            PuttingBackError::Outside(error) => error.into(),
            PuttingBackError::Impossible(problem) => Self::new(
                Code::FailedPrecondition,
                ErrorReason::CannotBePutBack,
                message,
            )
            .with("problem", problem.reason),
        }
    }
}

impl From<ReleaseError> for Refusal {
    fn from(error: ReleaseError) -> Self {
        let message = error.to_string();
        let unfit = |reason| Self::new(Code::FailedPrecondition, reason, message.clone());
        match error {
            ReleaseError::HasFindings { findings } => {
                let unmet = findings.errors().map(|finding| Unmet {
                    reason: finding.reason.as_str(),
                    subject: finding
                        .item
                        .map(|item| format!("items[{item}]"))
                        .unwrap_or_default(),
                    message: finding.message.clone(),
                });
                unfit(ErrorReason::ReleaseHasFindings).unmet(unmet)
            }
            ReleaseError::StartTime { at } => {
                let what =
                    format!("is {at}; it must not be before now, nor more than 90 days ahead");
                Self::fields(vec![("start_time".to_owned(), what)])
            }
            ReleaseError::ApprovalFell { number, .. } => {
                unfit(ErrorReason::ApprovalFell).about("deployment", number)
            }
            ReleaseError::NotExecutable {
                number,
                kind,
                state,
            } => unfit(ErrorReason::DeploymentNotExecutable)
                .about("deployment", number)
                .with("kind", kind.as_str())
                .with("state", state.as_str()),
            ReleaseError::NoContent {
                application,
                version,
                ..
            } => unfit(ErrorReason::VersionWithoutContent)
                .with("application", application)
                .with("version", version),
            ReleaseError::NotATarget { number, .. } => {
                unfit(ErrorReason::NotARollbackTarget).about("deployment", number)
            }
            ReleaseError::Frozen(frozen) => frozen.into(),
            ReleaseError::ChecksMissing { number, missing } => {
                let names = missing.iter().map(|check| &*check.name);
                unfit(ErrorReason::ChecksMissing)
                    .about("deployment", number)
                    .with_names("checks", names)
            }
            ReleaseError::TooEarly { number, until } => unfit(ErrorReason::TooEarly)
                .about("deployment", number)
                .with("not_before_time", until.to_string()),
            ReleaseError::Changed { number, .. } => {
                Self::new(Code::Aborted, ErrorReason::PlanChanged, message)
                    .about("deployment", number)
            }
        }
    }
}

impl From<DeploymentError> for Refusal {
    fn from(error: DeploymentError) -> Self {
        let message = error.to_string();
        let not_found = |reason| Self::new(Code::NotFound, reason, message.clone());
        let unfit = |reason| Self::new(Code::FailedPrecondition, reason, message.clone());
        match error {
            DeploymentError::NotFound { name } => {
                not_found(ErrorReason::DeploymentNotFound).about("deployment", name)
            }
            DeploymentError::EnvironmentNotFound { slug } => {
                not_found(ErrorReason::EnvironmentNotFound).about("environment", slug)
            }
            DeploymentError::EnvironmentArchived { slug } => {
                unfit(ErrorReason::EnvironmentArchived).about("environment", slug)
            }
            DeploymentError::NotCancelable { number, state } => {
                unfit(ErrorReason::DeploymentNotCancelable)
                    .about("deployment", number)
                    .with("state", state.as_str())
            }
            DeploymentError::PipelineNotFound { slug } => {
                not_found(ErrorReason::PipelineNotFound).about("pipeline", slug)
            }
            DeploymentError::PipelineArchived { slug } => {
                unfit(ErrorReason::PipelineArchived).about("pipeline", slug)
            }
            DeploymentError::StageNotFound { pipeline, .. } => {
                not_found(ErrorReason::StageNotFound).about("pipeline", pipeline)
            }
            DeploymentError::PlanHasProblems { problems } => {
                let reasons: BTreeSet<_> = problems.into_iter().map(|it| it.reason).collect();
                let reasons: Vec<_> = reasons.into_iter().collect();
                unfit(ErrorReason::PlanHasProblems).with("problems", reasons.join(","))
            }
            DeploymentError::PlanChanged { .. } => {
                Self::new(Code::Aborted, ErrorReason::PlanChanged, message)
            }
            DeploymentError::NothingToDo => unfit(ErrorReason::NothingToDo),
            DeploymentError::TooManyItems { .. } => unfit(ErrorReason::TooManyItems),
            DeploymentError::NotReversible {
                number,
                kind,
                state,
                ..
            } => unfit(ErrorReason::DeploymentNotReversible)
                .about("deployment", number)
                .with("kind", kind.as_str())
                .with("state", state.as_str()),
            DeploymentError::UndoneAlready { number, by, .. } => unfit(ErrorReason::UndoneAlready)
                .about("deployment", number)
                .with("undone_by", by.to_string()),
            DeploymentError::LaterDeployments { number, later } => {
                let later: Vec<_> = later.iter().map(ToString::to_string).collect();
                unfit(ErrorReason::LaterDeployments)
                    .about("deployment", number)
                    .with("deployments", later.join(","))
            }
            DeploymentError::NotInDoubt { number, state } => {
                unfit(ErrorReason::DeploymentNotInDoubt)
                    .about("deployment", number)
                    .with("state", state.as_str())
            }
            DeploymentError::Unresolvable { number, .. } => {
                unfit(ErrorReason::VerdictNotPossible).about("deployment", number)
            }
            DeploymentError::Template(error) => error.into(),
            DeploymentError::Release(error) => error.into(),
            DeploymentError::PuttingBack(error) => error.into(),
            DeploymentError::Engine(error) => error.into(),
            DeploymentError::Objects(error) => error.into(),
            DeploymentError::Command(error) => error.into(),
        }
    }
}
