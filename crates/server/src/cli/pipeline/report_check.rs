//! `slipway report-check`.

use clap::{Args, ValueEnum};
use slipway_api::deployments::v1::{CheckStatus, DeploymentCheck, ReportCheckRequest};

use super::deployment::short;
use super::ending::{Ending, help};
use super::{CallArgs, DigestArgs, RequestIdArgs, Session, Step};
use crate::cli::Failure;
use crate::cli::output::printable;

const HELP: &str = help!(
    "\
A check counts for the plan that it looked at, and is reported before the deployment begins. It may be reported again: the
last report counts. The status tells whether the report was taken, not whether the check passed.

Examples:
  slipway report-check 7 --plan-digest 3f1c… --name unit-tests --status passed
  slipway report-check 7 --current --name scan --status failed --url https://ci.example/runs/1 --summary \"2 findings\""
);

/// The arguments of `slipway report-check`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct ReportCheck {
    /// The deployment's number or id
    #[arg(value_name = "DEPLOYMENT")]
    deployment: String,

    #[command(flatten)]
    digest: DigestArgs,

    /// What the check is called; policies name the ones that must have passed
    #[arg(long, value_name = "NAME")]
    name: String,

    /// How it stands
    #[arg(long, value_enum)]
    status: CheckState,

    /// Where more can be read about it
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// What it says, in a few words
    #[arg(long, value_name = "TEXT")]
    summary: Option<String>,

    #[command(flatten)]
    request_id: RequestIdArgs,

    #[command(flatten)]
    calls: CallArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CheckState {
    Running,
    Passed,
    Failed,
}

impl Step for ReportCheck {
    fn calls(&self) -> &CallArgs {
        &self.calls
    }

    async fn run(&self, session: &Session) -> Result<Ending, Failure> {
        let status = match self.status {
            CheckState::Running => CheckStatus::Running,
            CheckState::Passed => CheckStatus::Passed,
            CheckState::Failed => CheckStatus::Failed,
        };
        let request = ReportCheckRequest {
            project: session.project.clone(),
            deployment: self.deployment.clone(),
            name: self.name.clone(),
            status: status.into(),
            plan_digest: self.digest.digest(session, &self.deployment).await?,
            url: self.url.clone().unwrap_or_default(),
            summary: self.summary.clone().unwrap_or_default(),
            request_id: self.request_id.id(),
        };
        let answer = session
            .call(async || {
                let mut deployments = session.client.deployments();
                deployments.report_check(request.clone()).await
            })
            .await?;
        let lines: Vec<_> = answer.checks.iter().map(line).collect();
        session.tell(
            "slipway.deployments.v1.ReportCheckResponse",
            &answer,
            &lines.join("\n"),
        )?;
        Ok(Ending::Done)
    }
}

/// A check on one line.
fn line(check: &DeploymentCheck) -> String {
    let status = short(check.status().as_str_name(), "CHECK_STATUS_");
    let summary = match check.summary.as_str() {
        "" => String::new(),
        summary => format!(": {summary}"),
    };
    printable(&format!("{} {status}{summary}", check.name))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        check: ReportCheck,
    }

    #[test]
    fn name_status_and_digest_are_needed() {
        let parse = |arguments: &[&str]| {
            Line::try_parse_from(
                ["report-check", "7", "--name", "unit"]
                    .iter()
                    .chain(arguments),
            )
            .map(|line| line.check)
        };
        let passed = parse(&["--current", "--status", "passed"]).unwrap();
        assert_eq!(passed.status, CheckState::Passed);
        assert!(parse(&["--current"]).is_err());
        assert!(parse(&["--status", "passed"]).is_err());
        assert!(parse(&["--current", "--status", "fine"]).is_err());
    }

    #[test]
    fn a_check_is_one_line() {
        let check = DeploymentCheck {
            name: "unit".to_owned(),
            status: CheckStatus::Failed.into(),
            summary: "2\nof 9".to_owned(),
            ..DeploymentCheck::default()
        };
        assert_eq!(line(&check), "unit FAILED: 2 of 9");
    }
}
