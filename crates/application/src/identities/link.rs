use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::{Command, Identity, IdentityKey, identity::CERTIFICATE};
use slipway_kernel::PrincipalId;

use super::{IdentityError, described};
use crate::{Call, Context, change::Change};

/// What the names in certificates begin with.
const CERTIFICATE_NAMES: [&str; 4] = ["uri:", "email:", "dns:", "cn:"];

/// An identity to link to a principal.
#[derive(Debug, Clone, Serialize)]
pub struct LinkIdentity {
    /// The principal.
    pub principal: PrincipalId,
    /// What its issuer calls it.
    pub key: IdentityKey,
}

/// Says that an identity stands for a principal: who proves the one is the other. Linking again changes nothing.
pub async fn link_identity(
    context: &Context,
    call: &Call<'_>,
    command: LinkIdentity,
) -> Result<Identity, IdentityError> {
    let mut change = Change::in_installation(context, call, Command::LinkIdentity).await?;
    let id = command.principal;
    let repeated = change.made_before(&command, &id.to_string()).await?;
    let key = &command.key;
    if repeated.is_some() {
        let found = change.unit.identities().get(key).await?;
        return found
            .filter(|found| found.principal == id)
            .ok_or(IdentityError::NotFound { key: command.key });
    }
    if key.issuer.as_str() == CERTIFICATE {
        let named = CERTIFICATE_NAMES.iter().any(|kind| {
            let name = key.subject.as_str().strip_prefix(kind);
            name.is_some_and(|name| !name.is_empty())
        });
        if !named {
            return Err(IdentityError::NoCertificateName);
        }
    } else if !context.issuers.knows(key.issuer.as_str()) {
        return Err(IdentityError::UnknownIssuer);
    }
    let principal = change.unit.principals().get(id).await?;
    let principal = principal.ok_or(IdentityError::PrincipalNotFound { id })?;
    if principal.disabled.is_some() {
        return Err(IdentityError::PrincipalDisabled { id });
    }
    let identity = Identity {
        key: command.key,
        principal: id,
        tenant_admin: false,
        asserted_at: None,
        created_at: change.now,
    };
    if !change.unit.identities().insert(&identity).await? {
        let found = change.unit.identities().get(&identity.key).await?;
        return found
            .filter(|found| found.principal == id)
            .ok_or(IdentityError::AlreadyLinked {
                key: identity.key,
                principal: id,
            });
    }
    let resource = Resource::new("principal", &id);
    let after = Some(described(&identity));
    change.done(resource, None, after).await?;
    context.forget_bearers();
    Ok(identity)
}
