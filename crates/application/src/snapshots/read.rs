use slipway_identity::Command;
use slipway_kernel::{Page, PageSize, Slug, SnapshotId, Timestamp};
use slipway_snapshots::{Snapshot, SnapshotFilter, SnapshotKind, SnapshotPlace};

use super::SnapshotError;
use crate::{Call, Context};

/// One snapshot.
pub async fn get_snapshot(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    id: SnapshotId,
) -> Result<Snapshot, SnapshotError> {
    get_authorised(context, call, Command::GetSnapshot, project, id).await
}

/// The snapshot that a command is about, where the caller may give it.
pub(super) async fn get_authorised(
    context: &Context,
    call: &Call<'_>,
    command: Command,
    project: &Slug,
    id: SnapshotId,
) -> Result<Snapshot, SnapshotError> {
    let project = context.authorise_in(call, command, project).await?;
    let found = context.reader().snapshot(project, id).await?;
    found.ok_or(SnapshotError::NotFound { id })
}

/// Which snapshots a caller wants; what is `None` selects all.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct ListSnapshots {
    /// Of this environment.
    pub environment: Option<Slug>,
    /// Taken for this reason.
    pub kind: Option<SnapshotKind>,
    /// Taken at this time or later.
    pub from: Option<Timestamp>,
    /// Taken before this time.
    pub to: Option<Timestamp>,
}

/// The snapshots that a filter selects, newest first.
pub async fn list_snapshots(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    wanted: ListSnapshots,
    after: Option<SnapshotPlace>,
    size: PageSize,
) -> Result<Page<Snapshot, SnapshotPlace>, SnapshotError> {
    let project = context
        .authorise_in(call, Command::ListSnapshots, project)
        .await?;
    let reader = context.reader();
    let environment = match wanted.environment {
        Some(slug) => match reader.environment(project, &slug).await? {
            Some(environment) => Some(environment.id),
            None => return Err(SnapshotError::EnvironmentNotFound { slug }),
        },
        None => None,
    };
    let filter = SnapshotFilter {
        environment,
        kind: wanted.kind,
        from: wanted.from,
        to: wanted.to,
    };
    Ok(reader.snapshots(project, &filter, after, size).await?)
}
