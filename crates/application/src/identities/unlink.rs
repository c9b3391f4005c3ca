use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::{Command, IdentityKey};

use super::{Doing, IdentityError, assertion::Wanted, described};
use crate::{
    Call, Context,
    change::{Change, Done},
};

/// An identity to unlink.
#[derive(Debug, Clone, Serialize)]
pub struct UnlinkIdentity {
    /// What its issuer calls it.
    pub key: IdentityKey,
}

/// Says that an identity stands for nobody any more, and takes back what its issuer gave. It does not shut the person out:
/// the next sign-in makes a new principal, where the issuer may do so.
pub async fn unlink_identity(
    context: &Context,
    call: &Call<'_>,
    command: UnlinkIdentity,
) -> Result<(), IdentityError> {
    let mut change = Change::in_installation(context, call, Command::UnlinkIdentity).await?;
    // The identity itself may name a person.
    if change.made_before(&command, "").await?.is_some() {
        return Ok(());
    }
    let identity = change.unit.identities().get(&command.key).await?;
    let Some(identity) = identity else {
        return Err(IdentityError::NotFound { key: command.key });
    };
    let doing = Doing {
        context,
        command: Command::UnlinkIdentity.name(),
        principal: call.caller.principal,
        correlation_id: call.correlation_id,
        now: change.now,
    };
    let asserted_at = identity.asserted_at;
    doing
        .carry_over(&mut *change.unit, &identity, &Wanted::NOTHING, asserted_at)
        .await?;
    change.unit.identities().remove(&identity.key).await?;
    change
        .audit(Done {
            resource: Resource::new("principal", &identity.principal),
            before: Some(described(&identity)),
            after: None,
            facts: &[],
        })
        .await?;
    change.commit().await?;
    context.forget_bearers();
    Ok(())
}
