//! The first start of an installation.

use slipway_audit::Resource;
use slipway_identity::{Command, Project, TokenSecret};
use slipway_kernel::{ProjectId, Requirements, Revision, Slug, text::Description};

use crate::{
    CommandError, Context,
    change::{Change, Done},
    error::meets_command_errors,
    projects,
    tokens::administrator::Administrator,
};

/// The project that a new installation has.
pub const PROJECT: &str = "default";

/// Why the first start did not happen.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The administrator's token could not be handed over; nothing was made.
    #[error("the administrator's token can't be written down")]
    Keep(#[source] std::io::Error),
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(BootstrapError);

/// Gives an empty installation an administrator with a token that never expires, and a project `default`; all of it, or
/// nothing. Where somebody administers the installation already, it changes nothing and answers `false`.
///
/// The token is handed to `keep` before anything becomes visible: nobody could read it afterwards.
pub async fn bootstrap(
    context: &Context,
    keep: impl FnOnce(&TokenSecret) -> std::io::Result<()>,
) -> Result<bool, BootstrapError> {
    let administrator = Administrator::new(context, None);
    let call = administrator.call();
    let mut change = Change::begin(context, &call, Command::CreateProject, None).await?;
    if change.unit.principals().count_tenant_admins().await? > 0 {
        return Ok(false);
    }
    let Ok(slug) = PROJECT.parse::<Slug>() else {
        return Ok(false);
    };
    let project = Project {
        id: ProjectId::new(&*context.ids),
        display_name: PROJECT.parse().unwrap_or_default(),
        slug,
        description: Description::default(),
        requirements: Requirements::default(),
        created_at: change.now,
        archived_at: None,
        revision: Revision::FIRST,
    };
    // Of several replicas that start at once, the one that takes the slug goes on.
    if !change.unit.projects().insert(&project).await? {
        return Ok(false);
    }
    administrator.insert_principal(&mut change).await?;
    administrator.insert_token(&mut change).await?;
    change.command = Command::CreateProject;
    change
        .audit(Done {
            resource: Resource::new("project", &project.slug),
            before: None,
            after: Some(projects::described(&project)),
            facts: &[],
        })
        .await?;
    keep(&administrator.secret).map_err(BootstrapError::Keep)?;
    change.commit().await?;
    Ok(true)
}
