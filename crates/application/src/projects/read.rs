use slipway_identity::{Command, Project};
use slipway_kernel::{Page, PageSize, Slug};

use crate::{Call, CommandError, Context};

/// The project with this slug, archived or not.
pub async fn get_project(
    context: &Context,
    call: &Call<'_>,
    slug: &Slug,
) -> Result<Project, CommandError> {
    context
        .authorise_in(call, Command::GetProject, slug)
        .await?;
    let project = context.reader().project(slug).await?;
    project.ok_or_else(|| CommandError::ProjectNotFound { slug: slug.clone() })
}

/// The projects that the caller may see, by slug.
pub async fn list_projects(
    context: &Context,
    call: &Call<'_>,
    include_archived: bool,
    after: Option<&Slug>,
    size: PageSize,
) -> Result<Page<Project, Slug>, CommandError> {
    Context::authorise_installation(call, Command::ListProjects)?;
    let visible_to = (!call.caller.tenant_admin).then_some(call.caller.principal);
    Ok(context
        .reader()
        .projects(visible_to, include_archived, after, size)
        .await?)
}
