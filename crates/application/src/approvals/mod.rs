//! Approvals: whether a deployment may be carried out, asked of people and checked again before it begins.
//!
//! Every kind of deployment comes through `gate`: it is added there, waits there where somebody has to agree, and is
//! looked at there again by the executor that claims it.

mod decide;
mod expire;
pub(crate) mod gate;
mod people;
mod read;

pub use decide::{Decide, Decided, approve, reject};
pub use expire::expire_approvals;
pub use read::{ListApprovalRequests, get_approval_request, list_approval_requests};

use slipway_approvals::{NotDecided, StateKind, WhyNot};
use slipway_deployments::{Deployment, DeploymentKind, DeploymentName};
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
    /// The caller asked for the deployment.
    #[error(
        "you asked for deployment #{number} yourself, or by another account: somebody else has to answer"
    )]
    OwnRequest {
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
    fn new(why: NotDecided, deployment: &Deployment, looked_at: Sha256, command: Command) -> Self {
        let number = deployment.number;
        match why {
            NotDecided::NotPending { state } => Self::NotPending { number, state },
            NotDecided::AlreadyDecided => Self::AlreadyDecided { number },
            NotDecided::OtherDigest => Self::PlanChanged {
                number,
                kind: deployment.kind,
                digest: deployment.plan_digest,
                looked_at,
            },
            NotDecided::WhyNot(WhyNot::Excluded) => Self::OwnRequest { number },
            // What the door remembers of the caller is a few seconds old.
            NotDecided::WhyNot(WhyNot::Disabled | WhyNot::NotEligible) => {
                Self::Command(CommandError::Denied(Denied::RoleMissing {
                    command: command.name(),
                    roles: &[Role::Admin],
                }))
            }
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
