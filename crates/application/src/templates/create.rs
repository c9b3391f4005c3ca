use serde::Serialize;
use slipway_audit::Resource;
use slipway_deployments::{Template, TemplateItems, TemplateText};
use slipway_identity::Command;
use slipway_kernel::{Revision, Slug, TemplateId, text::DisplayName};

use super::{TemplateError, described};
use crate::{Call, Context, change::Change};

/// A template to add.
#[derive(Debug, Clone, Serialize)]
pub struct CreateTemplate {
    /// The project.
    pub project: Slug,
    /// Its name in every request.
    pub slug: Slug,
    /// What people call it; empty for the slug.
    pub display_name: DisplayName,
    /// The description of releases made from it.
    pub description: TemplateText<2_000>,
    /// What is released.
    pub items: TemplateItems,
}

/// Adds a template in its first version.
pub async fn create_template(
    context: &Context,
    call: &Call<'_>,
    command: CreateTemplate,
) -> Result<Template, TemplateError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::CreateTemplate, &command.project).await?;
    if change
        .made_before(&command, command.slug.as_str())
        .await?
        .is_some()
    {
        let template = change.unit.templates().find(project, &command.slug);
        return template
            .await?
            .ok_or(TemplateError::NotFound { slug: command.slug });
    }
    change.require_open(&command.project).await?;
    let template = Template {
        id: TemplateId::new(&*context.ids),
        project,
        version: Revision::FIRST,
        display_name: if command.display_name.is_empty() {
            command.slug.as_str().parse().unwrap_or_default()
        } else {
            command.display_name
        },
        slug: command.slug,
        description: command.description,
        items: command.items,
        created_by: call.caller.principal,
        created_at: change.now,
    };
    if !change.unit.templates().insert(&template).await? {
        return Err(TemplateError::AlreadyExists {
            slug: template.slug,
        });
    }
    change
        .done(
            Resource::new("template", &template.slug),
            None,
            Some(described(&template)),
        )
        .await?;
    Ok(template)
}
