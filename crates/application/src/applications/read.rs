use slipway_catalog::Application;
use slipway_identity::Command;
use slipway_kernel::{ApplicationKind, Key, Page, PageSize, Slug};

use super::ApplicationError;
use crate::{Call, CommandError, Context};

/// The application with this key, archived or not.
pub async fn get_application(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    key: &Key,
) -> Result<Application, ApplicationError> {
    let project = context
        .authorise_in(call, Command::GetApplication, project)
        .await?;
    let application = context.reader().application(project, key).await?;
    application.ok_or_else(|| ApplicationError::NotFound { key: key.clone() })
}

/// A project's applications by key, of one kind where one is named.
pub async fn list_applications(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    kind: Option<ApplicationKind>,
    include_archived: bool,
    after: Option<&Key>,
    size: PageSize,
) -> Result<Page<Application, Key>, CommandError> {
    let project = context
        .authorise_in(call, Command::ListApplications, project)
        .await?;
    Ok(context
        .reader()
        .applications(project, kind, include_archived, after, size)
        .await?)
}
