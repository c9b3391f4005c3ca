//! Approvals: whether a deployment may be carried out, asked of people and checked again before it begins.
//!
//! Every kind of deployment comes through `gate`: it is added there, and waits there where somebody has to agree. Whoever
//! begins it asks `passage` again.

mod decide;
mod expire;
pub(crate) mod gate;
mod overriding;
pub(crate) mod passage;
pub mod policies;
mod read;
mod withdraw;

pub use decide::{Decide, Decided, approve, reject};
pub use expire::expire_approvals;
pub use overriding::{OverrideApproval, ReviewOverride, override_approval, review_override};
pub use read::{
    ListApprovalRequests, Shown, get_approval_request, list_approval_requests, show_request,
};
pub use withdraw::{WithdrawApproval, withdraw_approval};

use slipway_approvals::{NotDecided, NotOverridden, NotReviewed, NotWithdrawn, StateKind, WhyNot};
use slipway_deployments::{Deployment, DeploymentKind, DeploymentName, State};
use slipway_identity::{Command, Denied, Role};
use slipway_kernel::{Sha256, Slug};

use crate::{CommandError, deployments::told, error::meets_command_errors};

/// Why a command about an approval was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// There is no such deployment.
    #[error("there is no deployment {} in this project", told(*name))]
    DeploymentNotFound {
        /// How it was named.
        name: DeploymentName,
    },
    /// There is no such environment.
    #[error("there is no environment `{slug}` in this project")]
    EnvironmentNotFound {
        /// The slug given.
        slug: Slug,
    },
    /// Nobody was ever asked.
    #[error("deployment #{number} never asked for approval")]
    NotFound {
        /// The deployment's number.
        number: i64,
    },
    /// It does not wait for answers any more.
    #[error("the approval request of deployment #{number} is {state}: it takes no answers")]
    NotPending {
        /// The deployment's number.
        number: i64,
        /// Where the request is.
        state: StateKind,
    },
    /// The same principal answered before.
    #[error("you answered the approval request of deployment #{number} before")]
    AlreadyDecided {
        /// The deployment's number.
        number: i64,
    },
    /// The caller had a part in the deployment.
    #[error(
        "you asked for deployment #{number} or made what it deploys, perhaps by another account: somebody else has to answer"
    )]
    OwnRequest {
        /// The deployment's number.
        number: i64,
    },
    /// The caller is none of those who were asked.
    #[error(
        "no rule asks you about deployment #{number}, or did not when people were asked; its approval request says who can answer"
    )]
    NotEligible {
        /// The deployment's number.
        number: i64,
    },
    /// The rule named is none of the request's.
    #[error("the approval request of deployment #{number} has no rule `{rule}`")]
    RuleNotFound {
        /// The deployment's number.
        number: i64,
        /// The rule given.
        rule: Slug,
    },
    /// The caller has no approval to withdraw.
    #[error("you have no approval of deployment #{number} that you could withdraw")]
    NothingToWithdraw {
        /// The deployment's number.
        number: i64,
    },
    /// What was agreed to has begun.
    #[error(
        "deployment #{number} is {state}: an approval can't be withdrawn any more; cancel it or roll it back"
    )]
    Begun {
        /// The deployment's number.
        number: i64,
        /// Where it is.
        state: State,
    },
    /// Nobody overrode the approval.
    #[error("nobody overrode the approval of deployment #{number}")]
    NothingToReview {
        /// The deployment's number.
        number: i64,
    },
    /// Every override was reviewed.
    #[error("the override of deployment #{number} was reviewed before")]
    AlreadyReviewed {
        /// The deployment's number.
        number: i64,
    },
    /// The caller had a part in what is to be reviewed.
    #[error(
        "you overrode the approval of deployment #{number}, asked for it or made what it deploys, perhaps by another \
         account: somebody else has to review that"
    )]
    OwnOverride {
        /// The deployment's number.
        number: i64,
    },
    /// What was looked at is not what would happen.
    #[error(
        "deployment #{number} would do something else than what was looked at: its digest begins with {digest:.12}, and \
         not with {looked_at:.12}{}: read it with GetDeployment, and look at it again",
        of_another_kind(*kind)
    )]
    PlanChanged {
        /// The deployment's number.
        number: i64,
        /// What kind of change it is.
        kind: DeploymentKind,
        /// The digest of what would happen.
        digest: Sha256,
        /// The digest of what was looked at.
        looked_at: Sha256,
    },
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(ApprovalError);

impl ApprovalError {
    fn new(why: NotDecided, deployment: &Deployment, looked_at: Sha256) -> Self {
        let number = deployment.number;
        match why {
            NotDecided::NotPending { state } => Self::NotPending { number, state },
            NotDecided::AlreadyDecided => Self::AlreadyDecided { number },
            NotDecided::OtherDigest => Self::plan_changed(deployment, looked_at),
            NotDecided::UnknownRule(rule) => Self::RuleNotFound { number, rule },
            NotDecided::WhyNot(WhyNot::Excluded) => Self::OwnRequest { number },
            // What the door remembers of the caller is a few seconds old.
            NotDecided::WhyNot(WhyNot::Disabled | WhyNot::NotEligible) => {
                Self::NotEligible { number }
            }
        }
    }

    const fn plan_changed(deployment: &Deployment, looked_at: Sha256) -> Self {
        Self::PlanChanged {
            number: deployment.number,
            kind: deployment.kind,
            digest: deployment.plan_digest,
            looked_at,
        }
    }

    const fn not_withdrawn(why: NotWithdrawn, number: i64) -> Self {
        match why {
            NotWithdrawn::Over { state } => Self::NotPending { number, state },
            NotWithdrawn::Nothing => Self::NothingToWithdraw { number },
        }
    }

    fn not_overridden(
        why: NotOverridden,
        deployment: &Deployment,
        looked_at: Sha256,
        command: Command,
    ) -> Self {
        let number = deployment.number;
        match why {
            NotOverridden::NotPending { state } => Self::NotPending { number, state },
            NotOverridden::OtherDigest => Self::plan_changed(deployment, looked_at),
            NotOverridden::WhyNot(_) => Self::Command(CommandError::Denied(Denied::RoleMissing {
                command: command.name(),
                roles: &[Role::Admin],
            })),
        }
    }

    const fn not_reviewed(why: NotReviewed, number: i64) -> Self {
        match why {
            NotReviewed::NothingToReview => Self::NothingToReview { number },
            NotReviewed::AlreadyReviewed => Self::AlreadyReviewed { number },
            NotReviewed::OwnDoing => Self::OwnOverride { number },
        }
    }
}

/// What was looked at may have been a preview, whose digest is a plan's.
const fn of_another_kind(kind: DeploymentKind) -> &'static str {
    match kind {
        DeploymentKind::Release | DeploymentKind::Promotion => "",
        DeploymentKind::Restore | DeploymentKind::Rollback => {
            " (the digest of a preview is of another kind than a restore's or a rollback's)"
        }
    }
}
