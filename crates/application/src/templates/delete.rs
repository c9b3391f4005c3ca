use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::Slug;

use super::{TemplateError, described};
use crate::{Call, Context, change::Change};

/// A template to delete.
#[derive(Debug, Clone, Serialize)]
pub struct DeleteTemplate {
    /// The project.
    pub project: Slug,
    /// The template.
    pub template: Slug,
}

/// Deletes a template with all of its versions. Its slug is free again.
pub async fn delete_template(
    context: &Context,
    call: &Call<'_>,
    command: DeleteTemplate,
) -> Result<(), TemplateError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::DeleteTemplate, &command.project).await?;
    let slug = &command.template;
    if change.made_before(&command, slug.as_str()).await?.is_some() {
        return Ok(());
    }
    change.require_open(&command.project).await?;
    let found = change.unit.templates().find(project, slug).await?;
    let before = found.ok_or_else(|| TemplateError::NotFound { slug: slug.clone() })?;
    let now = change.now;
    change.unit.templates().delete(before.id, now).await?;
    let resource = Resource::new("template", &before.slug);
    change
        .done(resource, Some(described(&before)), None)
        .await?;
    Ok(())
}
