//! `slipway rollback`.

use clap::Args;
use slipway_api::deployments::v1::{Plan, RollbackDeploymentRequest, RollbackDeploymentResponse};

use super::ending::{Ending, help};
use super::wait::WaitArgs;
use super::{CallArgs, RequestIdArgs, Session, Step, deployment};
use crate::cli::Failure;
use crate::cli::output::{counted, printable};

const HELP: &str = help!(
    "\
A release is put back to what was current right after an earlier deployment had succeeded; a promotion or a restore to the
snapshot from before it. The rollback is a deployment of its own.

Examples:
  slipway rollback 7 --reason \"Orders get lost\" --wait
  slipway rollback 7 --reason \"Orders get lost\" --back-to 4
  slipway rollback 7 --reason \"Orders get lost\" --validate-only"
);

/// The arguments of `slipway rollback`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct Rollback {
    /// The number or id of the deployment to undo
    #[arg(value_name = "DEPLOYMENT")]
    deployment: String,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// Of a release: the number or id of the deployment whose outcome to go back to [default: the last one before]
    #[arg(long, value_name = "DEPLOYMENT")]
    back_to: Option<String>,

    /// Say what would be done, and do nothing; with something against it, the status is 3
    #[arg(long, conflicts_with = "wait")]
    validate_only: bool,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    request_id: RequestIdArgs,

    #[command(flatten)]
    calls: CallArgs,
}

impl Step for Rollback {
    fn calls(&self) -> &CallArgs {
        &self.calls
    }

    async fn run(&self, session: &Session) -> Result<Ending, Failure> {
        let request = RollbackDeploymentRequest {
            project: session.project.clone(),
            deployment: self.deployment.clone(),
            reason: self.reason.clone(),
            validate_only: self.validate_only,
            request_id: self.request_id.id(),
            back_to: self.back_to.clone().unwrap_or_default(),
        };
        let mut answer = session
            .call(async || {
                let mut deployments = session.client.deployments();
                deployments.rollback_deployment(request.clone()).await
            })
            .await?;
        let mut ending = Ending::Done;
        let mut lines = Vec::new();
        if let Some(made) = answer.deployment.take() {
            let (made, ended) = self.wait.follow(session, made).await?;
            ending = ended;
            lines.push(deployment::words(&made));
            answer.deployment = Some(made);
        }
        if let Some(plan) = &answer.plan {
            lines.push(planned(plan));
            if !plan.problems.is_empty() {
                ending = Ending::Refused;
            }
        }
        tell(session, &answer, &lines.join("\n"), self.validate_only)?;
        Ok(ending)
    }
}

fn tell(
    session: &Session,
    answer: &RollbackDeploymentResponse,
    words: &str,
    only_validated: bool,
) -> Result<(), Failure> {
    let words = if only_validated {
        format!("would be done: {words}")
    } else {
        words.to_owned()
    };
    let name = "slipway.deployments.v1.RollbackDeploymentResponse";
    session.tell(name, answer, &words)
}

/// A plan in words: what stands against it, and what people should know, one a line.
fn planned(plan: &Plan) -> String {
    let count = u64::try_from(plan.items.len()).unwrap_or(u64::MAX);
    let mut lines = vec![format!("{} in the plan", counted(count, "item"))];
    let problems = plan.problems.iter().map(|problem| ("error", problem));
    let warnings = plan.warnings.iter().map(|warning| ("warning", warning));
    for (severity, problem) in problems.chain(warnings) {
        let told = format!("{severity} {}: {}", problem.reason, problem.message);
        lines.push(printable(&told));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use slipway_api::deployments::v1::{PlannedItem, Problem};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        rollback: Rollback,
    }

    #[test]
    fn a_reason_is_needed_and_a_try_is_not_waited_for() {
        let parse = |arguments: &[&str]| {
            Line::try_parse_from(["rollback", "7"].iter().chain(arguments))
                .map(|line| line.rollback)
        };
        assert!(parse(&[]).is_err());
        assert!(parse(&["--reason", "r", "--validate-only", "--wait"]).is_err());
        let given = parse(&["--reason", "r", "--back-to", "4", "--wait"]).unwrap();
        assert_eq!(given.back_to.as_deref(), Some("4"));
    }

    #[test]
    fn what_stands_against_a_plan_is_told_line_by_line() {
        let problem = |reason: &str| Problem {
            reason: reason.to_owned(),
            message: "words".to_owned(),
        };
        let plan = Plan {
            items: vec![PlannedItem::default()],
            problems: vec![problem("KEY_TAKEN")],
            warnings: vec![problem("WORKFLOW_DELETED")],
            ..Plan::default()
        };
        assert_eq!(
            planned(&plan),
            "1 item in the plan\nerror KEY_TAKEN: words\nwarning WORKFLOW_DELETED: words"
        );
    }
}
