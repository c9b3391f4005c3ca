use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::{ApplicationKind, ProjectId, RecordId, Slug, StoreError};
use slipway_ledger::Record;

use super::{
    CreateMissing, Created, LedgerError, Report,
    recording::{ATTEMPTS, Added, Outcome, Reporting},
};
use crate::{
    Call, CommandError, Context,
    change::{Change, Done},
};

/// A deployment to report.
#[derive(Debug, Clone, Serialize)]
pub struct RecordDeployment {
    /// The project.
    pub project: Slug,
    /// What happened.
    pub report: Report,
    /// What may be created in the catalog on the way.
    pub create_missing: CreateMissing,
    /// Whether only to check: the same refusals, nothing written.
    pub validate_only: bool,
}

/// The deployment as recorded.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The record, new or found. With `validate_only` its id, sequence and time mean nothing unless it was found.
    pub record: Record,
    /// Whether it was recorded before; nothing was written then.
    pub already_present: bool,
    /// What was created in the catalog on the way.
    pub created: Created,
}

impl Recorded {
    fn before(record: Record) -> Self {
        Self {
            record,
            already_present: true,
            created: Created::default(),
        }
    }
}

/// Reports one deployment. Reporting the same one again returns the record that is there.
///
/// Costs, where all names exist: one look-up, one statement that writes the record, the current state and the audit event,
/// and one commit; with a request id one statement more. It starts over where the same one is reported at the same time.
pub async fn record_deployment(
    context: &Context,
    call: &Call<'_>,
    command: RecordDeployment,
) -> Result<Recorded, LedgerError> {
    let mut attempt = 1;
    loop {
        match try_recording(context, call, &command).await {
            Err(LedgerError::Command(CommandError::Store(StoreError::Conflict(_))))
                if attempt < ATTEMPTS =>
            {
                attempt += 1;
            }
            result => return result,
        }
    }
}

async fn try_recording(
    context: &Context,
    call: &Call<'_>,
    command: &RecordDeployment,
) -> Result<Recorded, LedgerError> {
    // Before the change begins: a unit of work that waits for a second connection may wait for ever.
    let deployed_by = claimed_name(context, call, &command.report).await?;
    let (mut change, project) =
        Change::in_any_project(context, call, Command::RecordDeployment, &command.project).await?;
    let id = RecordId::new(&*context.ids);
    if !command.validate_only
        && let Some(earlier) = change.made_before(command, &id.to_string()).await?
    {
        return found(&mut change, project, &earlier, id).await;
    }
    let reporting = Reporting {
        context,
        call,
        project,
        slug: &command.project,
        create_missing: command.create_missing,
    };
    let recording = reporting
        .record(&mut change, &[id], &[&command.report])
        .await?;
    let outcome = recording
        .outcomes
        .into_iter()
        .next()
        .ok_or(LedgerError::RecordNotFound { id })??;
    let record = match outcome {
        Outcome::Added(added) => shown(*added, &command.report, deployed_by),
        Outcome::Present(present) => {
            let record = change.unit.records().get(project, present).await?;
            return record
                .map(Recorded::before)
                .ok_or(LedgerError::RecordNotFound { id: present });
        }
    };
    let recorded = Recorded {
        record,
        already_present: false,
        created: recording.created,
    };
    if command.validate_only {
        return Ok(recorded);
    }
    change
        .audit(Done {
            resource: Resource::new("deployment_record", &recorded.record.id),
            before: None,
            after: Some(json!({
                "application": recorded.record.application,
                "version": recorded.record.version,
                "environment": recorded.record.environment,
                "kind": recorded.record.kind,
                "deployed_at": recorded.record.deployed_at.to_string(),
                "created": recorded.created.described(),
            })),
            facts: &recording.facts,
        })
        .await?;
    change.commit().await?;
    Ok(recorded)
}

async fn found(
    change: &mut Change<'_>,
    project: ProjectId,
    earlier: &str,
    id: RecordId,
) -> Result<Recorded, LedgerError> {
    let id = earlier.parse().unwrap_or(id);
    let record = change.unit.records().get(project, id).await?;
    record
        .map(Recorded::before)
        .ok_or(LedgerError::RecordNotFound { id })
}

/// Who deployed it, as people will read it: as claimed, else the caller.
async fn claimed_name(
    context: &Context,
    call: &Call<'_>,
    report: &Report,
) -> Result<Option<String>, LedgerError> {
    if let Some(name) = &report.deployed_by {
        return Ok(Some(name.to_string()));
    }
    let reporter = call.caller.principal;
    let names = context.display_names([reporter]).await?;
    Ok(names.get(&reporter).map(ToString::to_string))
}

/// A record that was just added, as people read it: without asking the database for what is known.
fn shown(added: Added, report: &Report, deployed_by: Option<String>) -> Record {
    let Added {
        record,
        sequence,
        target,
    } = added;
    let application = target.application;
    let environment = target.environment;
    Record {
        id: record.id,
        sequence,
        application: report.application.clone(),
        application_kind: application
            .as_ref()
            .map_or(ApplicationKind::Service, |application| application.kind),
        application_name: application
            .map(|application| application.display_name)
            .unwrap_or_default(),
        version: report.version.clone(),
        environment: report.environment.clone(),
        environment_name: environment
            .map(|environment| environment.display_name)
            .unwrap_or_default(),
        kind: record.kind,
        deployed_at: record.deployed_at,
        recorded_at: record.recorded_at,
        reporter: record.reporter,
        deployed_by,
        risk: record.risk,
        notes: record.notes.into(),
        attributes: record.attributes,
        external_id: record.external_id.map(String::from),
        retraction: None,
        deployment: record.deployment,
        outside_governance: record.outside_governance,
    }
}
