use slipway_identity::{Command, Principal};
use slipway_kernel::{Page, PageSize, PrincipalId};

use super::PrincipalError;
use crate::{Call, CommandError, Context};

/// The principal with this id, enabled or not.
pub async fn get_principal(
    context: &Context,
    call: &Call<'_>,
    id: PrincipalId,
) -> Result<Principal, PrincipalError> {
    let principal = context
        .authorise_on(call, Command::GetPrincipal, id)
        .await?;
    principal.ok_or(PrincipalError::NotFound { id })
}

/// All principals, oldest first: users only or service accounts only where `users` says so.
pub async fn list_principals(
    context: &Context,
    call: &Call<'_>,
    users: Option<bool>,
    include_disabled: bool,
    after: Option<PrincipalId>,
    size: PageSize,
) -> Result<Page<Principal, PrincipalId>, CommandError> {
    Context::authorise_installation(call, Command::ListPrincipals)?;
    Ok(context
        .reader()
        .principals(users, include_disabled, after, size)
        .await?)
}
