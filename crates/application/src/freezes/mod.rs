//! Freezes: windows in which deployments don't begin, and what is let through all the same.
//!
//! Whether one stands in the way is asked in the unit of work in which a deployment begins ([`standing`]), so that a freeze
//! counts that began after the deployment was asked for.

mod create;
mod delete;
mod gate;
mod overriding;
mod read;
mod update;

pub use create::{CreateFreezeWindow, create_freeze_window};
pub use delete::{DeleteFreezeWindow, delete_freeze_window};
pub(crate) use gate::PAUSE;
pub(crate) use gate::hold_back;
pub use gate::{Frozen, action, standing};
pub use overriding::{Overridden, OverrideFreeze, override_freeze};
pub use read::{ListFreezeWindows, foresee, get_freeze_window, list_freeze_windows};
pub use update::{UpdateFreezeWindow, update_freeze_window};

pub use crate::scope::NamedScope;

use serde_json::{Value, json};
use slipway_approvals::{FreezeScope, FreezeWindow, freeze::MAX_WINDOWS};
use slipway_deployments::{DeploymentName, State};
use slipway_kernel::{FreezeWindowId, ProjectId, Slug, id::IdError, revision::EtagMismatch};

use crate::{
    CommandError, Context,
    change::{Change, bad_resource},
    deployments::told,
    error::meets_command_errors,
};

/// Why a command about a freeze was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// There is no such window.
    #[error("there is no freeze window `{slug}` in this project")]
    NotFound {
        /// The slug given.
        slug: Slug,
    },
    /// The slug is taken.
    #[error("the freeze window `{slug}` exists already in this project; choose another slug")]
    AlreadyExists {
        /// The slug.
        slug: Slug,
    },
    /// The project has as many as it may.
    #[error(
        "the project has {MAX_WINDOWS} freeze windows, as many as it may; delete those that are over"
    )]
    TooMany,
    /// There is no such environment.
    #[error("there is no environment `{slug}` in this project")]
    EnvironmentNotFound {
        /// The slug given.
        slug: Slug,
    },
    /// Nothing is deployed to the environment any more.
    #[error("the environment `{slug}` is archived: there is nothing to freeze")]
    EnvironmentArchived {
        /// The environment.
        slug: Slug,
    },
    /// Somebody changed the window since the caller read it.
    #[error(transparent)]
    Etag(#[from] EtagMismatch),
    /// There is no such deployment.
    #[error("there is no deployment {} in this project", told(*name))]
    DeploymentNotFound {
        /// How it was named.
        name: DeploymentName,
    },
    /// The deployment does not wait.
    #[error("deployment #{number} is {state}: no freeze stands in its way any more")]
    NotWaiting {
        /// The deployment's number.
        number: i64,
        /// Where it is.
        state: State,
    },
    /// What was named does not stand in the deployment's way.
    #[error(
        "{} do not stand in the way of deployment #{number}: they don't exist, don't stand now, cover something else, or \
         were overridden for it before; leave them out",
        listed(windows)
    )]
    NotStanding {
        /// The deployment's number.
        number: i64,
        /// What was named.
        windows: Vec<Slug>,
    },
    /// More stands in the deployment's way than was named.
    #[error(
        "{} stand in the way of deployment #{number} too: name all that stand, or wait",
        listed(windows)
    )]
    NotNamed {
        /// The deployment's number.
        number: i64,
        /// What was not named.
        windows: Vec<Slug>,
    },
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(FreezeError);

/// How many windows are told by name: a refusal has to fit into headers.
const MAX_TOLD: usize = 20;

/// Windows by their slugs.
fn listed(windows: &[Slug]) -> String {
    let told = windows.iter().take(MAX_TOLD);
    let told: Vec<_> = told.map(|slug| format!("`{slug}`")).collect();
    let more = match windows.len().saturating_sub(MAX_TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("the freeze window(s) {}{more}", told.join(", "))
}

/// Which environments a window covers, looked up.
async fn scope_of(
    context: &Context,
    project: ProjectId,
    named: NamedScope,
) -> Result<FreezeScope, FreezeError> {
    let slug = match named {
        NamedScope::Project => return Ok(FreezeScope::Project),
        NamedScope::Tier(tier) => return Ok(FreezeScope::Tier(tier)),
        NamedScope::Environment(slug) => slug,
    };
    let found = context.reader().environment(project, &slug).await?;
    match found {
        None => Err(FreezeError::EnvironmentNotFound { slug }),
        Some(found) if found.archived_at.is_some() => {
            Err(FreezeError::EnvironmentArchived { slug })
        }
        Some(found) => Ok(FreezeScope::Environment(found.id)),
    }
}

/// The window that a request made or changed when it was made before, as it is now.
async fn changed_before(change: &mut Change<'_>, id: &str) -> Result<FreezeWindow, FreezeError> {
    let window: FreezeWindowId = id
        .parse()
        .map_err(|error: IdError| bad_resource(id, error.to_string()))?;
    let found = change.unit.freezes().get(window).await?;
    Ok(found.ok_or_else(|| bad_resource(id, "there is no such freeze window"))?)
}

/// A window as the audit trail shows it.
fn described(window: &FreezeWindow) -> Value {
    json!({
        "freeze_window_id": window.id,
        "slug": window.slug,
        "scope": window.scope,
        "schedule": window.schedule,
        "actions": window.actions,
        "reason": window.reason,
        "suspended": window.suspended,
        "deleted_at": window.deleted_at.map(|at| at.to_string()),
    })
}
