use slipway_identity::Command;
use slipway_kernel::{Key, Page, PageSize, Slug, SnapshotId};
use slipway_snapshots::{Became, Snapshot};

use super::{
    Comparison, Contents, Side, SnapshotError, TakeError, WorkflowChange, compare, get_authorised,
};
use crate::{Call, Context, engines::survey};

/// A part of a comparison, and the figures of all of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The workflows that are not the same, by key.
    pub changes: Page<WorkflowChange, Key>,
    /// How many only the later side has.
    pub added: usize,
    /// How many only the earlier side has.
    pub removed: usize,
    /// How many both have, and differ.
    pub changed: usize,
    /// How many are the same.
    pub unchanged: usize,
    /// How many can be read on neither side, so that nobody can tell.
    pub unreadable: usize,
}

impl Compared {
    fn page(mut all: Comparison, after: Option<&Key>, size: PageSize) -> Self {
        Self {
            added: all.count(Became::Added),
            removed: all.count(Became::Removed),
            changed: all.count(Became::Changed),
            unchanged: all.unchanged,
            unreadable: all.unreadable,
            changes: all.page(after, size),
        }
    }

    /// Whether nothing is known to differ.
    pub const fn is_same(&self) -> bool {
        self.added + self.removed + self.changed == 0
    }
}

/// Compares two snapshots of a project, of one environment or of two. Their documents are compared with keys in place of
/// ids; credentials are as each environment has them.
pub async fn compare_snapshots(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    (earlier, later): (SnapshotId, SnapshotId),
    after: Option<&Key>,
    size: PageSize,
) -> Result<Compared, SnapshotError> {
    let command = Command::CompareSnapshots;
    let earlier = get_authorised(context, call, command, project, earlier).await?;
    let later = get_authorised(context, call, command, project, later).await?;
    let earlier = Contents::open(context, &earlier).await?;
    let later = Contents::open(context, &later).await?;
    let all = compare(&Side::Kept(&earlier), &Side::Kept(&later), None).await?;
    Ok(Compared::page(all, after, size))
}

/// Compares what an environment's engine holds now with the environment's last snapshot.
pub async fn detect_drift(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    environment: &Slug,
    after: Option<&Key>,
    size: PageSize,
) -> Result<(Snapshot, Compared), SnapshotError> {
    let project = context
        .authorise_in(call, Command::DetectDrift, project)
        .await?;
    let found = context.reader().environment(project, environment).await?;
    let found = found.ok_or_else(|| SnapshotError::EnvironmentNotFound {
        slug: environment.clone(),
    })?;
    let last = context.reader().last_snapshot(found.id).await?;
    let last = last.ok_or_else(|| SnapshotError::NoSnapshot {
        environment: environment.clone(),
    })?;
    let kept = Contents::open(context, &last).await?;
    let surveyed = survey(context, &found, None)
        .await
        .map_err(TakeError::from)?;
    let live = Side::live(&surveyed.inventory, None);
    let all = compare(&Side::Kept(&kept), &live, None).await?;
    Ok((last, Compared::page(all, after, size)))
}
