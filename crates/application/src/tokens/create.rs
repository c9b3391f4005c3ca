use std::time::Duration;

use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::{Command, Token, TokenSecret};
use slipway_kernel::{PrincipalId, Timestamp, TokenId, text::DisplayName};

use super::{TokenError, described, mint};
use crate::{Call, Context, change::Change};

/// A token to make.
#[derive(Debug, Clone, Serialize)]
pub struct CreateToken {
    /// Whom it shall speak for; `None` for the caller.
    pub principal: Option<PrincipalId>,
    /// What it is for.
    pub name: DisplayName,
    /// When it stops working by itself; `None` for never.
    pub expiry: Option<Expiry>,
}

/// When a token stops working by itself.
#[derive(Debug, Clone, Copy, Serialize)]
pub enum Expiry {
    /// At this time.
    At(Timestamp),
    /// This long after it is made.
    After(Duration),
}

/// A token that was made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The token.
    pub token: Token,
    /// Its secret, to be shown this once; `None` where the request is a repeated one.
    pub secret: Option<TokenSecret>,
}

/// Makes a token: for the caller, for a service account that it owns, and for anybody where it is a `TENANT_ADMIN`.
pub async fn create_token(
    context: &Context,
    call: &Call<'_>,
    command: CreateToken,
) -> Result<NewToken, TokenError> {
    let id = command.principal.unwrap_or(call.caller.principal);
    let principal = context
        .authorise_on(call, Command::CreateToken, id)
        .await?
        .ok_or(TokenError::PrincipalNotFound { id })?;
    let mut change = Change::begin(context, call, Command::CreateToken, None).await?;
    let expires_at = command.expiry.map(|expiry| match expiry {
        Expiry::At(at) => at,
        Expiry::After(duration) => change.now.plus(duration),
    });
    let (token, secret) = mint(context, id, command.name.clone(), change.now, expires_at);
    if let Some(earlier) = change.made_before(&command, &token.id.to_string()).await? {
        let id: TokenId = earlier.parse().unwrap_or(token.id);
        let token = change.unit.tokens().get(id).await?;
        let token = token.ok_or(TokenError::NotFound { id })?;
        return Ok(NewToken {
            token,
            secret: None,
        });
    }
    if principal.disabled.is_some() {
        return Err(TokenError::PrincipalDisabled { id });
    }
    if let Some(at) = expires_at.filter(|at| *at <= change.now) {
        let now = change.now;
        return Err(TokenError::ExpiryPassed { at, now });
    }
    change.unit.tokens().insert(&token).await?;
    change
        .done(
            Resource::new("token", &token.id),
            None,
            Some(described(&token)),
        )
        .await?;
    Ok(NewToken {
        token,
        secret: Some(secret),
    })
}
