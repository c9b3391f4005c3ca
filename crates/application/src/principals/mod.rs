//! Principals: users and service accounts.

mod create;
mod disable;
mod read;
mod who_am_i;

pub use create::{CreatePrincipal, NewPrincipal, create_principal};
pub use disable::{DisablePrincipal, disable_principal};
pub use read::{get_principal, list_principals};
pub use who_am_i::{WhoAmI, With, who_am_i};

use serde_json::{Value, json};
use slipway_identity::{Principal, PrincipalKind};
use slipway_kernel::PrincipalId;

use crate::{CommandError, error::meets_command_errors};

/// Why a command about a principal was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum PrincipalError {
    /// There is no such principal, or the caller may not know of it.
    #[error("there is no principal {id}, or you may not see it")]
    NotFound {
        /// The id given.
        id: PrincipalId,
    },
    /// The e-mail address is another user's.
    #[error("a user with this e-mail address exists already; an address belongs to one user")]
    AlreadyExists,
    /// The owner named for a service account is a service account itself.
    #[error("the principal {id} is a service account; name the user who answers for the new one")]
    OwnerNotUser {
        /// The owner given.
        id: PrincipalId,
    },
    /// The owner named for a service account is disabled.
    #[error("the principal {id} is disabled; name an enabled user as the owner")]
    OwnerDisabled {
        /// The owner given.
        id: PrincipalId,
    },
    /// Nobody would be left to administer the installation.
    #[error(
        "{id} is the last enabled administrator of the installation; make another principal one first"
    )]
    LastTenantAdmin {
        /// The principal.
        id: PrincipalId,
    },
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(PrincipalError);

/// A principal as the audit trail shows it: without its name and its e-mail address, which can be erased elsewhere.
pub(crate) fn described(principal: &Principal) -> Value {
    let (kind, owner) = match principal.kind {
        PrincipalKind::User => ("USER", None),
        PrincipalKind::ServiceAccount { owner } => ("SERVICE_ACCOUNT", Some(owner)),
    };
    json!({
        "principal_id": principal.id,
        "kind": kind,
        "owner_principal_id": owner,
        "tenant_admin": principal.tenant_admin,
        "disabled_at": principal.disabled.as_ref().map(|disabled| disabled.at.to_string()),
        "disable_reason": principal.disabled.as_ref().map(|disabled| disabled.reason.as_str()),
    })
}
