use serde::Serialize;
use slipway_audit::Resource;
use slipway_deployments::{Template, TemplateItems, TemplateText};
use slipway_identity::Command;
use slipway_kernel::{Slug, text::DisplayName};

use super::{TemplateError, described};
use crate::{Call, Context, change::Change};

/// What to change about a template; what is `None` stays.
#[derive(Debug, Clone, Serialize)]
pub struct UpdateTemplate {
    /// The project.
    pub project: Slug,
    /// The template.
    pub template: Slug,
    /// What people call it.
    pub display_name: Option<DisplayName>,
    /// The description of releases made from it.
    pub description: Option<TemplateText<2_000>>,
    /// What is released.
    pub items: Option<TemplateItems>,
    /// The etag that the caller read; `None` to change whatever is there.
    pub etag: Option<String>,
}

/// Makes a new version of a template. Older ones stay as they were.
pub async fn update_template(
    context: &Context,
    call: &Call<'_>,
    command: UpdateTemplate,
) -> Result<Template, TemplateError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::UpdateTemplate, &command.project).await?;
    let slug = &command.template;
    let before = change.unit.templates().find(project, slug).await?;
    let before = before.ok_or_else(|| TemplateError::NotFound { slug: slug.clone() })?;
    if change.made_before(&command, slug.as_str()).await?.is_some() {
        return Ok(before);
    }
    change.require_open(&command.project).await?;
    before.version.check(command.etag.as_deref())?;
    let after = Template {
        version: before.version.next(),
        display_name: command
            .display_name
            .unwrap_or_else(|| before.display_name.clone()),
        description: command
            .description
            .unwrap_or_else(|| before.description.clone()),
        items: command.items.unwrap_or_else(|| before.items.clone()),
        created_by: call.caller.principal,
        created_at: change.now,
        ..before.clone()
    };
    change.unit.templates().add_version(&after).await?;
    change
        .done(
            Resource::new("template", &after.slug),
            Some(described(&before)),
            Some(described(&after)),
        )
        .await?;
    Ok(after)
}
