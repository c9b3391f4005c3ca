use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_catalog::Environment;
use slipway_identity::Command;
use slipway_kernel::{Key, Slug};
use slipway_workflows::{Link, WorkflowEngine, WorkflowId, inventory::Entry};

use super::{EngineCommandError, FoundWorkflow, called, engine_of, find::found};
use crate::{Call, Context, change::Change};

/// A key, and the workflow that it is to stand for.
#[derive(Debug, Clone, Serialize)]
pub struct LinkWorkflow {
    /// The project.
    pub project: Slug,
    /// The environment.
    pub environment: Slug,
    /// The key.
    pub key: Key,
    /// What the environment's engine calls the workflow.
    pub workflow: WorkflowId,
}

/// Says which workflow of an environment a key stands for. A workflow that had another key loses that one.
pub async fn link_workflow(
    context: &Context,
    call: &Call<'_>,
    command: LinkWorkflow,
) -> Result<FoundWorkflow, EngineCommandError> {
    let (project, slug) = (&command.project, &command.environment);
    let environment = found(context, call, Command::LinkWorkflow, project, slug).await?;
    // Outside of the unit of work: it may take long.
    let engine = engine_of(context, &environment).await?;
    let workflow = linked(&environment, &*engine, &command).await?;
    let gone = gone(context, &environment, &*engine, &command).await?;

    let mut change = Change::begin(
        context,
        call,
        Command::LinkWorkflow,
        Some(environment.project),
    )
    .await?;
    // Held, so that of two calls the second sees what the first linked.
    let held = change.unit.environments().find(environment.project, slug);
    let held = held.await?.unwrap_or(environment);
    if change
        .made_before(&command, command.key.as_str())
        .await?
        .is_some()
    {
        return Ok(workflow);
    }
    change.require_open(project).await?;
    if held.archived_at.is_some() {
        return Err(EngineCommandError::EnvironmentArchived { slug: held.slug });
    }
    let link = Link {
        key: command.key.clone(),
        workflow: command.workflow.clone(),
    };
    let links = change.unit.engines().links(held.id).await?;
    if links.contains(&link) {
        return Ok(workflow);
    }
    for other in in_the_way(&links, &command) {
        if !gone.contains(other) {
            return Err(taken(&command, other));
        }
        change
            .unit
            .engines()
            .remove_link(held.id, &other.key)
            .await?;
    }
    let links_before = links.iter().find(|other| other.workflow == link.workflow);
    let before = links_before.map(|before| json!(before));
    change
        .unit
        .engines()
        .set_links(held.id, std::slice::from_ref(&link))
        .await?;
    change
        .done(
            Resource::new("environment", &held.slug),
            before,
            Some(json!(link)),
        )
        .await?;
    Ok(workflow)
}

/// The workflow with its new key.
async fn linked(
    environment: &Environment,
    engine: &dyn WorkflowEngine,
    command: &LinkWorkflow,
) -> Result<FoundWorkflow, EngineCommandError> {
    let found = called(environment, engine.get(&command.workflow).await)?;
    let found = found.ok_or_else(|| EngineCommandError::WorkflowNotFound {
        environment: command.environment.clone(),
        id: command.workflow.clone(),
    })?;
    Ok(FoundWorkflow {
        entry: Entry {
            key: command.key.clone(),
            id: found.id,
            name: found.name,
            archived: found.archived,
            workflow: found.workflow,
        },
        fixed: true,
    })
}

/// What the key stands for so far, where the engine has that no longer.
async fn gone(
    context: &Context,
    environment: &Environment,
    engine: &dyn WorkflowEngine,
    command: &LinkWorkflow,
) -> Result<Vec<Link>, EngineCommandError> {
    let links = context.reader().workflow_links(environment.id).await?;
    let mut gone = Vec::new();
    for other in in_the_way(&links, command) {
        if called(environment, engine.get(&other.workflow).await)?.is_some() {
            return Err(taken(command, other));
        }
        gone.push(other.clone());
    }
    Ok(gone)
}

/// Other workflows that the key stands for. Keys that differ in case only count as the same.
fn in_the_way<'l>(
    links: &'l [Link],
    command: &'l LinkWorkflow,
) -> impl Iterator<Item = &'l Link> + Send {
    let same = |link: &&Link| {
        link.workflow != command.workflow
            && link.key.as_str().eq_ignore_ascii_case(command.key.as_str())
    };
    links.iter().filter(same)
}

fn taken(command: &LinkWorkflow, other: &Link) -> EngineCommandError {
    EngineCommandError::KeyTaken {
        environment: command.environment.clone(),
        key: command.key.clone(),
        id: other.workflow.clone(),
    }
}
