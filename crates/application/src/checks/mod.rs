//! Checks: what tests and scans elsewhere say about a deployment.

mod report;

pub use report::{ReportCheck, report_check};

use slipway_deployments::{
    Deployment, DeploymentName, State,
    check::{self, CheckReport, MAX_CHECKS, MAX_REPORTS, Missing},
};
use slipway_kernel::StoreError;
use slipway_store::UnitOfWork;

use crate::{CommandError, Context, deployments::told, error::meets_command_errors};

/// Why a check was not reported.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// There is no such deployment.
    #[error("there is no deployment {} in this project", told(*name))]
    DeploymentNotFound {
        /// How it was named.
        name: DeploymentName,
    },
    /// Something else would happen than what was checked.
    #[error(
        "deployment #{number} would do something else by now than in the plan with this digest: read it again, and check \
         that"
    )]
    PlanChanged {
        /// Its number.
        number: i64,
    },
    /// It has begun, so that nothing depends on checks any more.
    #[error("deployment #{number} is {state}: checks are reported before it begins")]
    TooLate {
        /// Its number.
        number: i64,
        /// Where it is.
        state: State,
    },
    /// More reports or names than a deployment takes.
    #[error(
        "deployment #{number} has {MAX_CHECKS} checks of other names or {MAX_REPORTS} reports, which is all it takes: \
         report results alone, or under fewer names"
    )]
    TooMany {
        /// Its number.
        number: i64,
    },
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(CheckError);

/// How the checks of a deployment stand, by name: the last report for its plan, or the last one for another plan, which
/// does not count.
pub async fn checks(
    context: &Context,
    deployment: &Deployment,
) -> Result<Vec<CheckReport>, StoreError> {
    let reports = context.reader().checks(deployment.id).await?;
    Ok(check::latest(reports, deployment.plan_digest))
}

/// Which of the required checks have not passed for what a deployment would do. The caller holds the deployment.
pub async fn missing(
    unit: &mut dyn UnitOfWork,
    deployment: &Deployment,
    required: &[&str],
) -> Result<Vec<Missing>, StoreError> {
    if required.is_empty() {
        return Ok(Vec::new());
    }
    let reports = unit.checks().last(deployment.id).await?;
    Ok(check::missing(reports, deployment.plan_digest, required))
}
