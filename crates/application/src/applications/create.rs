use serde::Serialize;
use slipway_audit::Resource;
use slipway_catalog::Application;
use slipway_identity::Command;
use slipway_kernel::{
    ApplicationId, ApplicationKind, Key, Revision, Slug,
    text::{Description, DisplayName},
};

use super::{ApplicationError, described};
use crate::{Call, Context, change::Change};

/// An application to add.
#[derive(Debug, Clone, Serialize)]
pub struct CreateApplication {
    /// The project.
    pub project: Slug,
    /// Its name in every request.
    pub key: Key,
    /// What kind of thing it is.
    pub kind: ApplicationKind,
    /// What people call it; empty for the key.
    pub display_name: DisplayName,
    /// What it is for.
    pub description: Description,
}

/// Adds an application.
pub async fn create_application(
    context: &Context,
    call: &Call<'_>,
    command: CreateApplication,
) -> Result<Application, ApplicationError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::CreateApplication, &command.project).await?;
    if change
        .made_before(&command, command.key.as_str())
        .await?
        .is_some()
    {
        let application = change.unit.applications().find(project, &command.key);
        return application
            .await?
            .ok_or(ApplicationError::NotFound { key: command.key });
    }
    change.require_open(&command.project).await?;
    let application = Application {
        id: ApplicationId::new(&*context.ids),
        project,
        display_name: if command.display_name.is_empty() {
            command.key.as_str().parse().unwrap_or_default()
        } else {
            command.display_name
        },
        key: command.key,
        kind: command.kind,
        description: command.description,
        created_at: change.now,
        archived_at: None,
        revision: Revision::FIRST,
    };
    let inserted = change
        .unit
        .applications()
        .insert(std::slice::from_ref(&application))
        .await?;
    if inserted.is_empty() {
        return Err(ApplicationError::AlreadyExists {
            key: application.key,
        });
    }
    change
        .done(
            Resource::new("application", &application.key),
            None,
            Some(described(&application)),
        )
        .await?;
    Ok(application)
}
