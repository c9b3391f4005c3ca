use serde::Serialize;
use slipway_audit::Resource;
use slipway_deployments::Pipeline;
use slipway_identity::Command;
use slipway_kernel::Slug;

use super::{PipelineError, described};
use crate::{Call, Context, change::Change};

/// A pipeline to close.
#[derive(Debug, Clone, Serialize)]
pub struct ArchivePipeline {
    /// The project.
    pub project: Slug,
    /// The pipeline.
    pub pipeline: Slug,
}

/// Closes a pipeline for promotions. One that is archived already is returned as it is.
pub async fn archive_pipeline(
    context: &Context,
    call: &Call<'_>,
    command: ArchivePipeline,
) -> Result<Pipeline, PipelineError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::ArchivePipeline, &command.project).await?;
    let slug = &command.pipeline;
    let before = change.unit.pipelines().find(project, slug).await?;
    let before = before.ok_or_else(|| PipelineError::NotFound { slug: slug.clone() })?;
    if change.made_before(&command, slug.as_str()).await?.is_some() {
        return Ok(before);
    }
    change.require_open(&command.project).await?;
    if before.archived_at.is_some() {
        return Ok(before);
    }
    let after = Pipeline {
        archived_at: Some(change.now),
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
