//! `slipway approve`.

use clap::Args;
use slipway_api::approvals::v1::{ApprovalState, ApproveRequest, ApproveResponse};

use super::ending::{Ending, help};
use super::session::present;
use super::{CallArgs, DigestArgs, RequestIdArgs, Session, Step, deployment};
use crate::cli::Failure;
use crate::cli::output::printable;

const HELP: &str = help!(
    "\
An approval is for exactly what was looked at: where something else would happen by now, it is refused. Nobody approves
what they asked for. The status tells whether the approval was taken, not what becomes of the deployment.

Examples:
  slipway approve 7 --plan-digest 3f1c… --comment \"Tried in staging\"
  slipway approve 7 --current --rule two-people"
);

/// The arguments of `slipway approve`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct Approve {
    /// The deployment's number or id
    #[arg(value_name = "DEPLOYMENT")]
    deployment: String,

    #[command(flatten)]
    digest: DigestArgs,

    /// Why
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,

    /// The rule that the approval is for [default: whichever needs it]
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,

    #[command(flatten)]
    request_id: RequestIdArgs,

    #[command(flatten)]
    calls: CallArgs,
}

impl Step for Approve {
    fn calls(&self) -> &CallArgs {
        &self.calls
    }

    async fn run(&self, session: &Session) -> Result<Ending, Failure> {
        let request = ApproveRequest {
            project: session.project.clone(),
            deployment: self.deployment.clone(),
            plan_digest: self.digest.digest(session, &self.deployment).await?,
            comment: self.comment.clone().unwrap_or_default(),
            request_id: self.request_id.id(),
            rule: self.rule.clone().unwrap_or_default(),
        };
        let answer = session
            .call(async || {
                let mut approvals = session.client.approvals();
                approvals.approve(request.clone()).await
            })
            .await?;
        let words = words(&answer)?;
        session.tell("slipway.approvals.v1.ApproveResponse", &answer, &words)?;
        Ok(Ending::Done)
    }
}

/// The deployment, and what is missing still.
fn words(answer: &ApproveResponse) -> Result<String, Failure> {
    let mut lines = vec![deployment::words(&present(answer.deployment.clone())?)];
    let request = answer.approval_request.clone().unwrap_or_default();
    if request.state() == ApprovalState::Pending {
        for progress in request.rules {
            let rule = progress.rule.unwrap_or_default();
            lines.push(printable(&format!(
                "  rule {}: {} of {}",
                rule.name,
                progress.counted.len(),
                rule.required
            )));
        }
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        approve: Approve,
    }

    #[test]
    fn the_digest_is_given_or_asked_for_and_never_left_out() {
        let parse = |arguments: &[&str]| {
            Line::try_parse_from(["approve", "7"].iter().chain(arguments)).map(|line| line.approve)
        };
        let given = parse(&["--plan-digest", "ab"]).unwrap();
        assert_eq!(given.digest.plan_digest.as_deref(), Some("ab"));
        assert!(parse(&["--current"]).unwrap().digest.current);
        assert!(parse(&[]).is_err());
        assert!(parse(&["--current", "--plan-digest", "ab"]).is_err());
    }
}
