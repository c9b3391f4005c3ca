use serde::Serialize;
use serde_json::json;
use slipway_audit::{Fact, FactKind, Resource};
use slipway_identity::Command;
use slipway_kernel::{ApplicationKind, ProjectId, RecordId, Slug, text::Reason};
use slipway_ledger::{Record, Retraction};

use super::LedgerError;
use crate::{
    Call, Context,
    approvals::gate,
    change::{Change, Done},
};

/// A record to take back.
#[derive(Debug, Clone, Serialize)]
pub struct RetractRecord {
    /// The project.
    pub project: Slug,
    /// The record.
    pub record: RecordId,
    /// Why it is wrong.
    pub reason: Reason,
}

/// Declares a record wrong. It stays in the history, and its cell becomes what it would be without it.
pub async fn retract_deployment_record(
    context: &Context,
    call: &Call<'_>,
    command: RetractRecord,
) -> Result<Record, LedgerError> {
    let (mut change, project) = Change::in_any_project(
        context,
        call,
        Command::RetractDeploymentRecord,
        &command.project,
    )
    .await?;
    let id = command.record;
    let made_before = change.made_before(&command, &id.to_string()).await?;
    let found = change.unit.records().get(project, id).await?;
    let before = found.ok_or(LedgerError::RecordNotFound { id })?;
    if made_before.is_some() {
        return Ok(before);
    }
    change.require_open(&command.project).await?;
    check_governance(&mut change, project, &before).await?;
    let retraction = Retraction {
        record: id,
        at: change.now,
        by: call.caller.principal,
        reason: command.reason,
    };
    if before.retraction.is_some() || !change.unit.records().retract(project, &retraction).await? {
        return Err(LedgerError::AlreadyRetracted { id });
    }
    let fact = Fact {
        kind: FactKind::Retraction,
        record: id,
        digest: retraction.digest()?,
    };
    let described = |retracted| {
        json!({
            "application": before.application,
            "version": before.version,
            "environment": before.environment,
            "kind": before.kind,
            "deployed_at": before.deployed_at.to_string(),
            "retracted": retracted,
        })
    };
    change
        .audit(Done {
            resource: Resource::new("deployment_record", &id),
            before: Some(described(false)),
            after: Some(described(true)),
            facts: &[fact],
        })
        .await?;
    change.commit().await?;
    Ok(Record {
        retraction: Some(retraction),
        ..before
    })
}

/// What a deployment brought about, and what Slipway itself activates, is not taken back beside the policies that govern the
/// environment.
async fn check_governance(
    change: &mut Change<'_>,
    project: ProjectId,
    record: &Record,
) -> Result<(), LedgerError> {
    let slug = &record.environment;
    let Some(environment) = change.unit.environments().find(project, slug).await? else {
        return Ok(());
    };
    let governed = gate::governs(&mut *change.unit, environment.id).await?;
    let reported =
        record.application_kind == ApplicationKind::Service && record.deployment.is_none();
    if !governed.governed || (reported && !governed.refuse_reports) {
        return Ok(());
    }
    Err(LedgerError::EnvironmentGoverned {
        slug: slug.clone(),
        kind: record.application_kind,
    })
}
