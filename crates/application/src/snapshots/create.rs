use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::{Slug, text::Notes};
use slipway_snapshots::{Snapshot, SnapshotKind};

use super::{SnapshotError, Taking, take};
use crate::{
    Call, Context,
    change::{Change, Done},
};

/// A backup to take now.
#[derive(Debug, Clone, Serialize)]
pub struct CreateSnapshot {
    /// The project.
    pub project: Slug,
    /// The environment.
    pub environment: Slug,
    /// What is said about it.
    pub notes: Notes,
}

/// Takes a backup of an environment.
pub async fn create_snapshot(
    context: &Context,
    call: &Call<'_>,
    command: CreateSnapshot,
) -> Result<Snapshot, SnapshotError> {
    let project = context
        .authorise_in(call, Command::CreateSnapshot, &command.project)
        .await?;
    let slug = &command.environment;
    let environment = context.reader().environment(project, slug).await?;
    let environment =
        environment.ok_or_else(|| SnapshotError::EnvironmentNotFound { slug: slug.clone() })?;
    // Outside of the unit of work: it may take long.
    let (snapshot, links) = take(
        context,
        Taking {
            environment: &environment,
            kind: SnapshotKind::ManualBackup,
            by: Some(call.caller.principal),
            deployment: None,
            notes: command.notes.clone(),
            message: "backup".to_owned(),
        },
    )
    .await?;
    let mut change = Change::begin(context, call, Command::CreateSnapshot, Some(project)).await?;
    change.require_open(&command.project).await?;
    change.unit.snapshots().insert(&snapshot).await?;
    if !links.is_empty() {
        change
            .unit
            .engines()
            .set_links(environment.id, &links)
            .await?;
    }
    change
        .audit(Done {
            resource: Resource::new("snapshot", &snapshot.id),
            before: None,
            after: Some(json!({
                "environment": slug,
                "kind": snapshot.kind,
                "commit": snapshot.commit,
                "content_hash": snapshot.content_hash,
            })),
            facts: &[],
        })
        .await?;
    change.commit().await?;
    Ok(snapshot)
}
