//! `slipway execute`.

use clap::Args;
use slipway_api::deployments::v1::{ExecuteDeploymentRequest, ExecuteDeploymentResponse};

use super::ending::{Ending, help};
use super::session::present;
use super::wait::WaitArgs;
use super::{CallArgs, DigestArgs, RequestIdArgs, Session, Step, deployment};
use crate::cli::Failure;

const HELP: &str = help!(
    "\
What people agreed to is looked at again: where something else would happen by now, the release waits for approval anew, and
nothing is touched.

Examples:
  slipway execute 7 --plan-digest 3f1c… --wait
  slipway execute 7 --current"
);

/// The arguments of `slipway execute`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct Execute {
    /// The deployment's number or id
    #[arg(value_name = "DEPLOYMENT")]
    deployment: String,

    #[command(flatten)]
    digest: DigestArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    request_id: RequestIdArgs,

    #[command(flatten)]
    calls: CallArgs,
}

impl Step for Execute {
    fn calls(&self) -> &CallArgs {
        &self.calls
    }

    async fn run(&self, session: &Session) -> Result<Ending, Failure> {
        let request = ExecuteDeploymentRequest {
            project: session.project.clone(),
            deployment: self.deployment.clone(),
            plan_digest: self.digest.digest(session, &self.deployment).await?,
            request_id: self.request_id.id(),
        };
        let answer = session
            .call(async || {
                let mut deployments = session.client.deployments();
                deployments.execute_deployment(request.clone()).await
            })
            .await?;
        let executed = present(answer.deployment)?;
        let (executed, ending) = self.wait.follow(session, executed).await?;
        let words = deployment::words(&executed);
        let answer = ExecuteDeploymentResponse {
            deployment: Some(executed),
        };
        session.tell(
            "slipway.deployments.v1.ExecuteDeploymentResponse",
            &answer,
            &words,
        )?;
        Ok(ending)
    }
}
