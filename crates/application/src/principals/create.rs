use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::{Command, Principal, PrincipalKind, principal::Email};
use slipway_kernel::{PrincipalId, text::DisplayName};

use super::{PrincipalError, described};
use crate::{Call, Context, change::Change};

/// A principal to add.
#[derive(Debug, Clone, Serialize)]
pub struct CreatePrincipal {
    /// A person or a machine.
    pub kind: NewPrincipal,
    /// What people call it.
    pub display_name: DisplayName,
    /// Whether it shall administer the whole installation.
    pub tenant_admin: bool,
}

/// A person or a machine to add.
#[derive(Debug, Clone, Serialize)]
pub enum NewPrincipal {
    /// A person.
    User {
        /// Where to reach the person.
        email: Option<Email>,
    },
    /// A machine.
    ServiceAccount {
        /// The enabled user who answers for it.
        owner: PrincipalId,
    },
}

/// Adds a principal, without membership and without token.
pub async fn create_principal(
    context: &Context,
    call: &Call<'_>,
    command: CreatePrincipal,
) -> Result<Principal, PrincipalError> {
    let mut change = Change::in_installation(context, call, Command::CreatePrincipal).await?;
    let id = PrincipalId::new(&*context.ids);
    if let Some(earlier) = change.made_before(&command, &id.to_string()).await? {
        let id = earlier.parse().unwrap_or(id);
        let principal = change.unit.principals().get(id).await?;
        return principal.ok_or(PrincipalError::NotFound { id });
    }
    let (kind, email) = match command.kind {
        NewPrincipal::User { email } => (PrincipalKind::User, email),
        NewPrincipal::ServiceAccount { owner } => {
            require_owner(&mut change, owner).await?;
            (PrincipalKind::ServiceAccount { owner }, None)
        }
    };
    let principal = Principal {
        id,
        kind,
        display_name: command.display_name,
        email,
        tenant_admin: command.tenant_admin,
        created_at: change.now,
        disabled: None,
    };
    if !change.unit.principals().insert(&principal).await? {
        return Err(PrincipalError::AlreadyExists);
    }
    change
        .done(
            Resource::new("principal", &principal.id),
            None,
            Some(described(&principal)),
        )
        .await?;
    Ok(principal)
}

async fn require_owner(change: &mut Change<'_>, id: PrincipalId) -> Result<(), PrincipalError> {
    let owner = change.unit.principals().get(id).await?;
    let owner = owner.ok_or(PrincipalError::NotFound { id })?;
    if owner.kind != PrincipalKind::User {
        Err(PrincipalError::OwnerNotUser { id })
    } else if owner.disabled.is_some() {
        Err(PrincipalError::OwnerDisabled { id })
    } else {
        Ok(())
    }
}
