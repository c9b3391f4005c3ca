use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_deployments::{
    Deployment, DeploymentName, State,
    check::{CheckReport, CheckStatus, CheckUrl, MAX_CHECKS, MAX_REPORTS, latest},
};
use slipway_identity::Command;
use slipway_kernel::{
    Sha256, Slug,
    text::{CheckName, Reason},
};

use super::CheckError;
use crate::{Call, Context, change::Change};

/// How a check of a deployment stands.
#[derive(Debug, Clone, Serialize)]
pub struct ReportCheck {
    /// The project.
    pub project: Slug,
    /// The deployment.
    pub deployment: DeploymentName,
    /// The check.
    pub name: CheckName,
    /// How it stands.
    pub status: CheckStatus,
    /// The digest of what was checked.
    pub plan_digest: Sha256,
    /// Where more can be read about it.
    pub url: CheckUrl,
    /// What it says, in a few words.
    pub summary: Reason,
}

/// Takes down how a check of a deployment stands, and answers with all that is known of its checks. A repeated request
/// changes nothing.
pub async fn report_check(
    context: &Context,
    call: &Call<'_>,
    command: ReportCheck,
) -> Result<Vec<CheckReport>, CheckError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::ReportCheck, &command.project).await?;
    let name = command.deployment;
    let found = change.unit.deployments().find(project, name).await?;
    let deployment = found.ok_or(CheckError::DeploymentNotFound { name })?;
    let resource = deployment.id.to_string();
    let repeated = change.made_before(&command, &resource).await?.is_some();
    let mut reports = change.unit.checks().last(deployment.id).await?;
    if repeated {
        return Ok(latest(reports, deployment.plan_digest));
    }
    change.require_open(&command.project).await?;
    let position = change.unit.checks().count(deployment.id).await?;
    accept(&deployment, &command, &reports, position)?;
    let report = CheckReport {
        deployment: deployment.id,
        position,
        name: command.name,
        status: command.status,
        plan_digest: command.plan_digest,
        url: command.url,
        summary: command.summary,
        reported_by: call.caller.principal,
        reported_at: change.now,
    };
    change.unit.checks().insert(&report).await?;
    change
        .done(
            Resource::new("deployment", &deployment.id),
            None,
            Some(json!({
                "check": report.name,
                "status": report.status,
                "plan_digest": report.plan_digest,
                "url": report.url,
                "summary": report.summary,
            })),
        )
        .await?;
    reports.push(report);
    Ok(latest(reports, deployment.plan_digest))
}

/// Passes where a report still matters, and is one of not too many.
fn accept(
    deployment: &Deployment,
    command: &ReportCheck,
    reports: &[CheckReport],
    count: u32,
) -> Result<(), CheckError> {
    let number = deployment.number;
    let state = deployment.state;
    if !matches!(
        state,
        State::PendingApproval | State::Approved | State::Queued
    ) {
        return Err(CheckError::TooLate { number, state });
    }
    if command.plan_digest != deployment.plan_digest {
        return Err(CheckError::PlanChanged { number });
    }
    let mut names: BTreeSet<_> = reports.iter().map(|report| &report.name).collect();
    names.insert(&command.name);
    if names.len() > MAX_CHECKS || count >= MAX_REPORTS {
        return Err(CheckError::TooMany { number });
    }
    Ok(())
}
