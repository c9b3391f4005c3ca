use serde::Serialize;
use serde_json::json;
use slipway_audit::{Fact, FactKind, Resource};
use slipway_identity::Command;
use slipway_kernel::{RecordId, Slug, text::Reason};
use slipway_ledger::{Record, Retraction};

use super::LedgerError;
use crate::{
    Call, Context,
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
