//! Memberships: what principals may do in projects.

mod read;
mod remove;
mod set;

pub use read::list_members;
pub use remove::{RemoveMember, remove_member};
pub use set::{SetMembership, set_membership};

use serde_json::{Value, json};
use slipway_identity::Membership;
use slipway_kernel::{PrincipalId, Slug};

use crate::{CommandError, error::meets_command_errors};

/// Why a command about a membership was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// There is no such principal.
    #[error("there is no principal {id}")]
    PrincipalNotFound {
        /// The id given.
        id: PrincipalId,
    },
    /// The principal was shut out.
    #[error("the principal {id} is disabled and can't become a member")]
    PrincipalDisabled {
        /// The principal.
        id: PrincipalId,
    },
    /// The principal is no member.
    #[error("the principal {principal} is no member of the project `{project}`")]
    NotFound {
        /// The project.
        project: Slug,
        /// The principal given.
        principal: PrincipalId,
    },
    /// An identity provider gives the membership, and nothing was set by hand.
    #[error(
        "the principal {principal} is a member of the project `{project}` because {issuer} says so; take the person out of \
         the group there, or ask the operator to change what that group means here"
    )]
    FromIssuer {
        /// The project.
        project: Slug,
        /// The principal given.
        principal: PrincipalId,
        /// The identity provider.
        issuer: String,
    },
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(MembershipError);

/// A membership as the audit trail shows it.
pub(crate) fn described(membership: &Membership) -> Value {
    json!({
        "principal_id": membership.principal,
        "roles": membership.roles,
        "groups": membership.groups,
    })
}
