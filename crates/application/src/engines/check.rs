use std::collections::{BTreeSet, HashMap};

use slipway_identity::Command;
use slipway_kernel::{EnvironmentId, Key, Page, PageSize, Slug, StoreError};
use slipway_workflows::{EngineSettings, inventory::Entry};

use super::{EngineCommandError, called, engine_of, find::found, survey};
use crate::{Call, Context};

/// An engine that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedEngine {
    /// What it says it is, for people.
    pub description: String,
    /// How many workflows it holds.
    pub workflows: usize,
    /// How many of them can't be read.
    pub unreadable: usize,
}

/// A workflow as an engine holds it.
#[derive(Debug, Clone)]
pub struct FoundWorkflow {
    /// The workflow with its key.
    pub entry: Entry,
    /// Whether the key is written down.
    pub fixed: bool,
}

/// Where the workflows of environments run; those without an engine are missing. For showing environments, which the
/// caller was allowed to see.
pub async fn engine_settings(
    context: &Context,
    environments: &[EnvironmentId],
) -> Result<HashMap<EnvironmentId, EngineSettings>, StoreError> {
    if environments.is_empty() {
        return Ok(HashMap::new());
    }
    context.reader().engines(environments).await
}

/// Asks an environment's engine whether it answers, and reads what it holds.
pub async fn check_engine(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    environment: &Slug,
) -> Result<CheckedEngine, EngineCommandError> {
    let environment = found(context, call, Command::CheckEngine, project, environment).await?;
    let engine = engine_of(context, &environment).await?;
    let description = called(&environment, engine.check().await)?;
    let workflows = called(&environment, engine.export().await)?;
    let unreadable = workflows.iter().filter(|found| found.workflow.is_err());
    Ok(CheckedEngine {
        description,
        unreadable: unreadable.count(),
        workflows: workflows.len(),
    })
}

/// What an environment's engine holds, by key. The whole engine is read for each page.
pub async fn list_workflows(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    environment: &Slug,
    after: Option<&Key>,
    size: PageSize,
) -> Result<Page<FoundWorkflow, Key>, EngineCommandError> {
    let environment = found(context, call, Command::ListWorkflows, project, environment).await?;
    let surveyed = survey(context, &environment, None).await?;
    let new: BTreeSet<_> = surveyed.new_links.iter().map(|link| &link.key).collect();
    let behind = |entry: &&Entry| after.is_none_or(|after| entry.key > *after);
    // One more than fits says whether there is another page.
    let most = size.get() as usize + 1;
    let entries = surveyed.inventory.iter().filter(behind).take(most);
    let workflows = entries
        .map(|entry| FoundWorkflow {
            fixed: !new.contains(&entry.key),
            entry: entry.clone(),
        })
        .collect();
    Ok(Page::from_rows(
        workflows,
        size,
        |workflow: &FoundWorkflow| workflow.entry.key.clone(),
    ))
}
