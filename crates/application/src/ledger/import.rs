use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::{RecordId, Slug, StoreError};

use super::{
    CreateMissing, LedgerError, Report,
    recording::{ATTEMPTS, Outcome, Reporting},
};
use crate::{
    Call, CommandError, Context,
    change::{Change, Done},
};

/// Lines of an import that are committed together.
#[derive(Debug, Clone, Serialize)]
pub struct ImportBatch {
    /// The project.
    pub project: Slug,
    /// What may be created in the catalog on the way.
    pub create_missing: CreateMissing,
    /// The lines, in the order of their numbers.
    pub lines: Vec<ImportLine>,
}

/// One deployment of an import.
#[derive(Debug, Clone, Serialize)]
pub struct ImportLine {
    /// The caller's number for it.
    pub line: i64,
    /// The deployment.
    pub report: Report,
}

/// What became of a batch. It is committed.
#[derive(Debug)]
pub struct BatchOutcome {
    /// What became of each line, in their order.
    pub lines: Vec<LineOutcome>,
    /// How many applications were created.
    pub created_applications: usize,
    /// How many versions were created.
    pub created_versions: usize,
    /// How many environments were created.
    pub created_environments: usize,
}

/// What became of one line.
#[derive(Debug)]
pub enum LineOutcome {
    /// It became a new record.
    Recorded,
    /// It was known before.
    AlreadyPresent,
    /// It was refused; nothing of it was written.
    Refused(LedgerError),
}

/// Reports many deployments in one transaction. A faulty line is refused by itself; the others are committed.
pub async fn import_batch(
    context: &Context,
    call: &Call<'_>,
    batch: &ImportBatch,
) -> Result<BatchOutcome, CommandError> {
    let mut attempt = 1;
    loop {
        match try_batch(context, call, batch, attempt > 1).await {
            Err(CommandError::Store(StoreError::Conflict(_))) if attempt < ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}

async fn try_batch(
    context: &Context,
    call: &Call<'_>,
    batch: &ImportBatch,
    one_by_one: bool,
) -> Result<BatchOutcome, CommandError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::ImportDeployments, &batch.project).await?;
    if one_by_one {
        // Held until the end, so that batches that got in each other's way once don't do so again.
        change.unit.projects().find(&batch.project).await?;
    }
    let reporting = Reporting {
        context,
        call,
        project,
        slug: &batch.project,
        create_missing: batch.create_missing,
    };
    let (ids, reports): (Vec<_>, Vec<_>) = batch
        .lines
        .iter()
        .map(|line| (RecordId::new(&*context.ids), &line.report))
        .unzip();
    let recording = reporting.record(&mut change, &ids, &reports).await?;
    let created = &recording.created;
    let outcome = BatchOutcome {
        created_applications: created.applications.len(),
        created_versions: created.versions.len(),
        created_environments: created.environments.len(),
        lines: recording
            .outcomes
            .into_iter()
            .map(|outcome| match outcome {
                Ok(Outcome::Added(_)) => LineOutcome::Recorded,
                Ok(Outcome::Present(_)) => LineOutcome::AlreadyPresent,
                Err(refused) => LineOutcome::Refused(refused),
            })
            .collect(),
    };
    if recording.facts.is_empty() && created.is_empty() {
        return Ok(outcome);
    }
    let lines = (
        batch.lines.first().map(|line| line.line),
        batch.lines.last().map(|line| line.line),
    );
    change
        .audit(Done {
            resource: Resource::new("deployment_import", &batch.project),
            before: None,
            after: Some(json!({
                "first_line": lines.0,
                "last_line": lines.1,
                "recorded": recording.facts.len(),
                "created": created.described(),
            })),
            facts: &recording.facts,
        })
        .await?;
    change.commit().await?;
    Ok(outcome)
}
