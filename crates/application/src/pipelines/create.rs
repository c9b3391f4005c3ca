use serde::Serialize;
use slipway_audit::Resource;
use slipway_deployments::Pipeline;
use slipway_identity::Command;
use slipway_kernel::{
    PipelineId, Revision, Slug,
    text::{Description, DisplayName},
};

use super::{PipelineError, Stages, described};
use crate::{Call, Context, change::Change};

/// A pipeline to add.
#[derive(Debug, Clone, Serialize)]
pub struct CreatePipeline {
    /// The project.
    pub project: Slug,
    /// Its name in every request.
    pub slug: Slug,
    /// What people call it; empty for the slug.
    pub display_name: DisplayName,
    /// What it is for.
    pub description: Description,
    /// Its stages.
    pub stages: Stages,
}

/// Adds a pipeline.
pub async fn create_pipeline(
    context: &Context,
    call: &Call<'_>,
    command: CreatePipeline,
) -> Result<Pipeline, PipelineError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::CreatePipeline, &command.project).await?;
    if change
        .made_before(&command, command.slug.as_str())
        .await?
        .is_some()
    {
        let pipeline = change.unit.pipelines().find(project, &command.slug);
        return pipeline
            .await?
            .ok_or(PipelineError::NotFound { slug: command.slug });
    }
    change.require_open(&command.project).await?;
    let stages = command.stages.resolve(&mut change, project).await?;
    let pipeline = Pipeline {
        id: PipelineId::new(&*context.ids),
        project,
        display_name: if command.display_name.is_empty() {
            command.slug.as_str().parse().unwrap_or_default()
        } else {
            command.display_name
        },
        slug: command.slug,
        description: command.description,
        stages,
        created_at: change.now,
        archived_at: None,
        revision: Revision::FIRST,
    };
    if !change.unit.pipelines().insert(&pipeline).await? {
        return Err(PipelineError::AlreadyExists {
            slug: pipeline.slug,
        });
    }
    change
        .done(
            Resource::new("pipeline", &pipeline.slug),
            None,
            Some(described(&pipeline)),
        )
        .await?;
    Ok(pipeline)
}
