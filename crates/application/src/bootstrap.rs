//! The first start of an installation.

use slipway_audit::Resource;
use slipway_identity::{Command, Project, TokenSecret};
use slipway_kernel::{ProjectId, Revision, Slug, text::Description};

use crate::{
    CommandError, Context,
    change::{Change, Done},
    projects,
    tokens::administrator::Administrator,
};

/// The project that a new installation has.
pub const PROJECT: &str = "default";

/// What the first start made.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// The secret of the administrator's token. Nobody can read it again.
    pub secret: TokenSecret,
}

/// Gives an empty installation an administrator with a token that never expires, and a project `default`; all of it, or
/// nothing. Where somebody administers the installation already, it changes nothing and answers `None`.
pub async fn bootstrap(context: &Context) -> Result<Option<Bootstrap>, CommandError> {
    let administrator = Administrator::new(context, None);
    let call = administrator.call();
    let mut change = Change::begin(context, &call, Command::CreateProject, None).await?;
    if change.unit.principals().count_tenant_admins().await? > 0 {
        return Ok(None);
    }
    let Ok(slug) = PROJECT.parse::<Slug>() else {
        return Ok(None);
    };
    let project = Project {
        id: ProjectId::new(&*context.ids),
        display_name: PROJECT.parse().unwrap_or_default(),
        slug,
        description: Description::default(),
        created_at: change.now,
        archived_at: None,
        revision: Revision::FIRST,
    };
    // Of several replicas that start at once, the one that takes the slug goes on.
    if !change.unit.projects().insert(&project).await? {
        return Ok(None);
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
    change.commit().await?;
    Ok(Some(Bootstrap {
        secret: administrator.secret,
    }))
}
