use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::{ProjectId, Slug, SnapshotId, id::IdError, text::Notes};
use slipway_snapshots::{Snapshot, SnapshotKind};

use super::{SnapshotError, Taking, take};
use crate::{
    Call, Context,
    change::{Change, bad_resource},
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
    // A request that was carried out answers when it is repeated, whatever the engine holds now.
    if call.request_id.is_some() {
        let mut change =
            Change::begin(context, call, Command::CreateSnapshot, Some(project)).await?;
        let earlier = change.made_before(&command, "").await?;
        drop(change);
        if let Some(earlier) = earlier {
            return taken_before(context, project, &earlier).await;
        }
    }
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
    let id = snapshot.id.to_string();
    if let Some(earlier) = change.made_before(&command, &id).await? {
        drop(change);
        return taken_before(context, project, &earlier).await;
    }
    change.require_open(&command.project).await?;
    change.unit.snapshots().insert(&snapshot).await?;
    let engines = change.unit.engines();
    engines.set_links(environment.id, &links).await?;
    change
        .done(
            Resource::new("snapshot", &snapshot.id),
            None,
            Some(json!({
                "environment": slug,
                "kind": snapshot.kind,
                "commit": snapshot.commit,
                "content_hash": snapshot.content_hash,
            })),
        )
        .await?;
    Ok(snapshot)
}

async fn taken_before(
    context: &Context,
    project: ProjectId,
    earlier: &str,
) -> Result<Snapshot, SnapshotError> {
    let id: SnapshotId = earlier
        .parse()
        .map_err(|error: IdError| bad_resource(earlier, error.to_string()))?;
    let found = context.reader().snapshot(project, id).await?;
    Ok(found.ok_or_else(|| bad_resource(earlier, "there is no such snapshot"))?)
}
