use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::{Command, Principal, principal::Disabled};
use slipway_kernel::{PrincipalId, text::Reason};

use super::{PrincipalError, described};
use crate::{Call, Context, change::Change};

/// A principal to shut out.
#[derive(Debug, Clone, Serialize)]
pub struct DisablePrincipal {
    /// The principal.
    pub principal: PrincipalId,
    /// Why.
    pub reason: Reason,
}

/// Shuts a principal out for good. One that is disabled already is returned as it is.
pub async fn disable_principal(
    context: &Context,
    call: &Call<'_>,
    command: DisablePrincipal,
) -> Result<Principal, PrincipalError> {
    let mut change = Change::in_installation(context, call, Command::DisablePrincipal).await?;
    let id = command.principal;
    let repeated = change.made_before(&command, &id.to_string()).await?;
    // Locks the administrators before anything is read: two that disable each other at once come one after the other.
    let admins = change.unit.principals().count_tenant_admins().await?;
    let before = change.unit.principals().get(id).await?;
    let before = before.ok_or(PrincipalError::NotFound { id })?;
    if repeated.is_some() || before.disabled.is_some() {
        return Ok(before);
    }
    if before.tenant_admin && admins <= 1 {
        return Err(PrincipalError::LastTenantAdmin { id });
    }
    let disabled = Disabled {
        at: change.now,
        reason: command.reason,
    };
    if !change.unit.principals().disable(id, &disabled).await? {
        // Somebody else was faster: theirs is the reason that stands.
        let found = change.unit.principals().get(id).await?;
        return found.ok_or(PrincipalError::NotFound { id });
    }
    let after = Principal {
        disabled: Some(disabled),
        ..before.clone()
    };
    change
        .done(
            Resource::new("principal", &id),
            Some(described(&before)),
            Some(described(&after)),
        )
        .await?;
    context.forget_bearers();
    Ok(after)
}
