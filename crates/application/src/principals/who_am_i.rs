use slipway_identity::{Bearer, Command, Membership, Principal, Token};
use slipway_kernel::Slug;

use super::PrincipalError;
use crate::{Call, Context};

/// Who a caller is.
#[derive(Debug, Clone)]
pub struct WhoAmI {
    /// The principal that calls.
    pub principal: Principal,
    /// The token that it called with.
    pub token: Token,
    /// What it may do where, by the projects' slugs.
    pub memberships: Vec<(Slug, Membership)>,
}

/// Tells the caller who it is and what it may do.
pub async fn who_am_i(context: &Context, call: &Call<'_>) -> Result<WhoAmI, PrincipalError> {
    Context::authorise_installation(call, Command::WhoAmI)?;
    let id = call.caller.principal;
    let bearer = context.reader().bearer(call.caller.token).await?;
    let Bearer {
        token, principal, ..
    } = bearer.ok_or(PrincipalError::NotFound { id })?;
    Ok(WhoAmI {
        principal,
        token,
        memberships: context.reader().memberships(id).await?,
    })
}
