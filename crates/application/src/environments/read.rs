use slipway_catalog::Environment;
use slipway_identity::Command;
use slipway_kernel::{Page, PageSize, Slug};

use super::EnvironmentError;
use crate::{Call, CommandError, Context};

/// The environment with this slug, archived or not.
pub async fn get_environment(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    slug: &Slug,
) -> Result<Environment, EnvironmentError> {
    let project = context
        .authorise_in(call, Command::GetEnvironment, project)
        .await?;
    let environment = context.reader().environment(project, slug).await?;
    environment.ok_or_else(|| EnvironmentError::NotFound { slug: slug.clone() })
}

/// A project's environments by position, then slug.
pub async fn list_environments(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    include_archived: bool,
    after: Option<&(i32, Slug)>,
    size: PageSize,
) -> Result<Page<Environment, (i32, Slug)>, CommandError> {
    let project = context
        .authorise_in(call, Command::ListEnvironments, project)
        .await?;
    Ok(context
        .reader()
        .environments(project, include_archived, after, size)
        .await?)
}
