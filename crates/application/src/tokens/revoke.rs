use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::{Command, Token};
use slipway_kernel::TokenId;

use super::{TokenError, described};
use crate::{Call, Context, access::visible, change::Change};

/// A token to revoke.
#[derive(Debug, Clone, Serialize)]
pub struct RevokeToken {
    /// The token.
    pub token: TokenId,
}

/// Makes a token useless. One that is revoked already is returned as it is.
pub async fn revoke_token(
    context: &Context,
    call: &Call<'_>,
    command: RevokeToken,
) -> Result<Token, TokenError> {
    let id = command.token;
    let absent = || TokenError::NotFound { id };
    let bearer = context.reader().bearer(id).await?.ok_or_else(absent)?;
    if !visible(call, Command::RevokeToken, &bearer.principal)? {
        return Err(absent());
    }
    let mut change = Change::begin(context, call, Command::RevokeToken, None).await?;
    let repeated = change.made_before(&command, &id.to_string()).await?;
    let before = change.unit.tokens().get(id).await?.ok_or_else(absent)?;
    if repeated.is_some() || before.revoked_at.is_some() {
        return Ok(before);
    }
    if !change.unit.tokens().revoke(id, change.now).await? {
        // Somebody else was faster: theirs is the time that stands.
        return change.unit.tokens().get(id).await?.ok_or_else(absent);
    }
    let after = Token {
        revoked_at: Some(change.now),
        ..before.clone()
    };
    change
        .done(
            Resource::new("token", &id),
            Some(described(&before)),
            Some(described(&after)),
        )
        .await?;
    context.forget_bearers();
    Ok(after)
}
