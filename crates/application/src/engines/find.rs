use slipway_catalog::Environment;
use slipway_identity::Command;
use slipway_kernel::Slug;

use super::EngineCommandError;
use crate::{Call, Context};

/// The environment with this slug, where the caller may give the command.
pub(super) async fn found(
    context: &Context,
    call: &Call<'_>,
    command: Command,
    project: &Slug,
    slug: &Slug,
) -> Result<Environment, EngineCommandError> {
    let project = context.authorise_in(call, command, project).await?;
    let environment = context.reader().environment(project, slug).await?;
    environment.ok_or_else(|| EngineCommandError::EnvironmentNotFound { slug: slug.clone() })
}
