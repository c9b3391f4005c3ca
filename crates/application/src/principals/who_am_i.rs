use slipway_identity::{Bearer, Command, Credential, Membership, Principal, Proof, Token};
use slipway_kernel::Slug;

use super::PrincipalError;
use crate::{Call, Context};

/// Who a caller is.
#[derive(Debug, Clone)]
pub struct WhoAmI {
    /// The principal that calls.
    pub principal: Principal,
    /// What it proved that with.
    pub with: With,
    /// What it may do where, by the projects' slugs.
    pub memberships: Vec<(Slug, Membership)>,
}

/// What a caller proved who it is with.
#[derive(Debug, Clone)]
pub enum With {
    /// One of Slipway's own tokens.
    Token(Token),
    /// A token of an identity provider, or a client certificate.
    Proof(Proof),
}

/// Tells the caller who it is and what it may do.
pub async fn who_am_i(context: &Context, call: &Call<'_>) -> Result<WhoAmI, PrincipalError> {
    Context::authorise_installation(call, Command::WhoAmI)?;
    let id = call.caller.principal;
    let absent = PrincipalError::NotFound { id };
    let (principal, with) = match &call.caller.credential {
        Credential::Token(token) => {
            let bearer = context.reader().bearer(*token).await?;
            let Bearer {
                token, principal, ..
            } = bearer.ok_or(absent)?;
            (principal, With::Token(token))
        }
        Credential::Proof(proof) => {
            let principal = context.reader().principal(id).await?;
            (principal.ok_or(absent)?, With::Proof((**proof).clone()))
        }
    };
    Ok(WhoAmI {
        principal,
        with,
        memberships: context.reader().memberships(id).await?,
    })
}
