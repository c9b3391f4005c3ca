use std::sync::Arc;

use slipway_catalog::Environment;
use slipway_kernel::{DeploymentId, PrincipalId, ProjectId, SnapshotId, StoreError, text::Notes};
use slipway_snapshots::{
    Committed, GitError, GitStore, NewCommit, Snapshot, SnapshotKind, content,
};
use slipway_workflows::{Link, inventory::Inventory};

use super::TakeError;
use crate::{
    Context,
    engines::{Surveyed, survey},
    error::dangling,
};

/// How often a commit is tried where somebody else commits to the same branch.
const ATTEMPTS: u32 = 5;

/// A snapshot to take.
pub(crate) struct Taking<'a> {
    /// Of what.
    pub(crate) environment: &'a Environment,
    /// Why.
    pub(crate) kind: SnapshotKind,
    /// Who asked for it; `None` where nobody did.
    pub(crate) by: Option<PrincipalId>,
    /// The deployment that it is taken for.
    pub(crate) deployment: Option<DeploymentId>,
    /// What is said about it.
    pub(crate) notes: Notes,
    /// What Git says of it behind the environment's name: one short line, and behind an empty one whatever else there is to
    /// tell. The notes follow.
    pub(crate) message: String,
}

/// Reads the environment's engine and commits what it holds. The snapshot and the keys that were given on the way are the
/// caller's to write down; a commit that nobody writes down does no harm.
pub(crate) async fn take(
    context: &Context,
    taking: Taking<'_>,
) -> Result<(Snapshot, Vec<Link>), TakeError> {
    let surveyed = survey(context, taking.environment, None).await?;
    keep(context, taking, surveyed).await
}

/// Commits what was read of an environment's engine, like [`take`].
pub(crate) async fn keep(
    context: &Context,
    taking: Taking<'_>,
    surveyed: Surveyed,
) -> Result<(Snapshot, Vec<Link>), TakeError> {
    let environment = taking.environment;
    let git = open_repository(context, environment.project).await?;
    let created_at = context.clock.now();
    let author = author(context, &taking).await?;
    let commit = commit(&*git, &taking, &surveyed.inventory, &author, created_at).await?;
    let snapshot = Snapshot {
        id: SnapshotId::new(&*context.ids),
        project: environment.project,
        environment: environment.id,
        commit,
        content_hash: content::content_hash(&surveyed.inventory)?,
        kind: taking.kind,
        created_at,
        created_by: taking.by,
        deployment: taking.deployment,
        notes: taking.notes,
        workflows: u32::try_from(surveyed.inventory.iter().count()).unwrap_or(u32::MAX),
    };
    Ok((snapshot, surveyed.new_links))
}

/// The repository of a project.
pub(crate) async fn open_repository(
    context: &Context,
    project: ProjectId,
) -> Result<Arc<dyn GitStore>, TakeError> {
    let found = context.reader().project_by_id(project).await?;
    let found = found.ok_or_else(|| dangling("project", project))?;
    Ok(context.repositories.open(&found.slug).await?)
}

/// Whose name the commit has: whoever asked for it, else Slipway.
async fn author(context: &Context, taking: &Taking<'_>) -> Result<(String, String), StoreError> {
    let Some(by) = taking.by else {
        return Ok(("Slipway".to_owned(), "slipway@localhost".to_owned()));
    };
    let names = context.display_names([by]).await?;
    let plain = |text: &str| text.replace(['<', '>', '\n', '\r'], " ");
    let name = names.get(&by).map_or("somebody", |name| name.as_str());
    Ok((plain(name), format!("{by}@slipway.localhost")))
}

async fn commit(
    git: &dyn GitStore,
    taking: &Taking<'_>,
    inventory: &Inventory,
    author: &(String, String),
    at: slipway_kernel::Timestamp,
) -> Result<slipway_snapshots::CommitSha, TakeError> {
    let environment = &taking.environment.slug;
    let files = content::files(environment, inventory)?;
    let mut message = format!("{environment}: {}\n", taking.message);
    let notes = taking.notes.as_str();
    if !notes.is_empty() {
        message = format!("{message}\n{notes}\n");
    }
    let mut attempt = 1;
    loop {
        let parent = git.head(environment).await?;
        let committed = git
            .commit(&NewCommit {
                environment,
                parent: parent.as_ref(),
                files: &files,
                message: &message,
                author: (&author.0, &author.1),
                at,
            })
            .await;
        match committed {
            Ok(Committed::New(sha) | Committed::Unchanged(sha)) => return Ok(sha),
            Err(GitError::Moved { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}
