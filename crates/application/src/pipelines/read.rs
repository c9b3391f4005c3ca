use slipway_deployments::Pipeline;
use slipway_identity::Command;
use slipway_kernel::{Page, PageSize, Slug};

use super::PipelineError;
use crate::{Call, CommandError, Context};

/// The pipeline with this slug, archived or not.
pub async fn get_pipeline(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    slug: &Slug,
) -> Result<Pipeline, PipelineError> {
    let project = context
        .authorise_in(call, Command::GetPipeline, project)
        .await?;
    let pipeline = context.reader().pipeline(project, slug).await?;
    pipeline.ok_or_else(|| PipelineError::NotFound { slug: slug.clone() })
}

/// A project's pipelines by slug.
pub async fn list_pipelines(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    include_archived: bool,
    after: Option<&Slug>,
    size: PageSize,
) -> Result<Page<Pipeline, Slug>, CommandError> {
    let project = context
        .authorise_in(call, Command::ListPipelines, project)
        .await?;
    Ok(context
        .reader()
        .pipelines(project, include_archived, after, size)
        .await?)
}
