use slipway_deployments::Template;
use slipway_identity::Command;
use slipway_kernel::{Page, PageSize, ProjectId, Revision, Slug};

use super::TemplateError;
use crate::{Call, CommandError, Context};

/// A version of a template, the last one where none is named.
pub async fn get_template(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    slug: &Slug,
    version: Option<Revision>,
) -> Result<Template, TemplateError> {
    let project = context
        .authorise_in(call, Command::GetTemplate, project)
        .await?;
    a_version(context, project, slug, version).await
}

/// The same for whoever may do what needs it.
pub(crate) async fn a_version(
    context: &Context,
    project: ProjectId,
    slug: &Slug,
    version: Option<Revision>,
) -> Result<Template, TemplateError> {
    let reader = context.reader();
    if let Some(template) = reader.template(project, slug, version).await? {
        return Ok(template);
    }
    let slug = slug.clone();
    Err(match version {
        Some(version) if reader.template(project, &slug, None).await?.is_some() => {
            TemplateError::VersionNotFound { slug, version }
        }
        _ => TemplateError::NotFound { slug },
    })
}

/// The last versions of a project's templates, by slug.
pub async fn list_templates(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    after: Option<&Slug>,
    size: PageSize,
) -> Result<Page<Template, Slug>, CommandError> {
    let project = context
        .authorise_in(call, Command::ListTemplates, project)
        .await?;
    Ok(context.reader().templates(project, after, size).await?)
}
