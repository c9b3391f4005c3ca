use serde::Serialize;
use slipway_audit::Resource;
use slipway_deployments::Pipeline;
use slipway_identity::Command;
use slipway_kernel::{
    Slug,
    text::{Description, DisplayName},
};

use super::{PipelineError, Stages, described};
use crate::{Call, Context, change::Change};

/// What to change about a pipeline; what is `None` stays.
#[derive(Debug, Clone, Serialize)]
pub struct UpdatePipeline {
    /// The project.
    pub project: Slug,
    /// The pipeline.
    pub pipeline: Slug,
    /// What people call it.
    pub display_name: Option<DisplayName>,
    /// What it is for.
    pub description: Option<Description>,
    /// Its stages, all of them.
    pub stages: Option<Stages>,
    /// The etag that the caller read; `None` to change whatever is there.
    pub etag: Option<String>,
}

/// Changes a pipeline. Promotions that were asked for before keep the gates they had then; but where a stage requires
/// approval from now on, those that have not begun wait for it.
pub async fn update_pipeline(
    context: &Context,
    call: &Call<'_>,
    command: UpdatePipeline,
) -> Result<Pipeline, PipelineError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::UpdatePipeline, &command.project).await?;
    let slug = &command.pipeline;
    let before = change.unit.pipelines().find(project, slug).await?;
    let before = before.ok_or_else(|| PipelineError::NotFound { slug: slug.clone() })?;
    if change.made_before(&command, slug.as_str()).await?.is_some() {
        return Ok(before);
    }
    change.require_open(&command.project).await?;
    if before.archived_at.is_some() {
        return Err(PipelineError::Archived { slug: before.slug });
    }
    before.revision.check(command.etag.as_deref())?;
    let stages = match &command.stages {
        Some(stages) => stages.resolve(&mut change, project).await?,
        None => before.stages.clone(),
    };
    let after = Pipeline {
        display_name: command
            .display_name
            .unwrap_or_else(|| before.display_name.clone()),
        description: command
            .description
            .unwrap_or_else(|| before.description.clone()),
        stages,
        revision: before.revision.next(),
        ..before.clone()
    };
    change.unit.pipelines().update(&after).await?;
    change
        .done(
            Resource::new("pipeline", &after.slug),
            Some(described(&before)),
            Some(described(&after)),
        )
        .await?;
    Ok(after)
}
