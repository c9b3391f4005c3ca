//! Who a token speaks for.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use slipway_identity::{Bearer, Caller, TokenSecret, token::TokenRefused};
use slipway_kernel::{StoreError, TokenId};

use crate::Context;

/// How exact the time of a token's last use is.
const USE_GRANULARITY: Duration = Duration::from_mins(1);

/// Why a token opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// There is no such token, or its secret is another.
    #[error("the token is not valid; check that it was copied completely")]
    Unknown,
    /// Somebody revoked it.
    #[error("the token was revoked; create a new one")]
    Revoked,
    /// Its time is over.
    #[error("the token has expired; create a new one")]
    Expired,
    /// Its principal was shut out, or the owner of that service account.
    #[error(
        "the principal that the token belongs to, or its owner, is disabled; ask an administrator of the installation"
    )]
    Disabled,
    /// The database could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who bears this token, with all it may do. Costs at most two queries, and none where the token was used here within
/// the last seconds.
pub async fn authenticate(
    context: &Context,
    secret: &TokenSecret,
) -> Result<Arc<(Bearer, Caller)>, AuthenticationError> {
    let bearer = remembered(context, secret.id()).await?;
    let now = context.clock.now();
    let token = &bearer.0.token;
    token.check(secret, now)?;
    check_enabled(&bearer.0)?;
    if token
        .last_used_at
        .is_none_or(|last| now.since(last) >= USE_GRANULARITY)
    {
        context.note_use(token.id, now);
    }
    Ok(bearer)
}

/// Who bears a token that was authenticated before, for calls that last: whether it is good still, and what it may do by
/// now. What changed shows within seconds.
pub async fn authenticate_again(
    context: &Context,
    token: TokenId,
) -> Result<Arc<(Bearer, Caller)>, AuthenticationError> {
    let bearer = remembered(context, token).await?;
    bearer.0.token.check_time(context.clock.now())?;
    check_enabled(&bearer.0)?;
    Ok(bearer)
}

fn check_enabled(bearer: &Bearer) -> Result<(), AuthenticationError> {
    if bearer.principal.disabled.is_some() || bearer.owner_disabled {
        return Err(AuthenticationError::Disabled);
    }
    Ok(())
}

async fn remembered(
    context: &Context,
    token: TokenId,
) -> Result<Arc<(Bearer, Caller)>, AuthenticationError> {
    if let Some(bearer) = context.bearers.get(&token) {
        return Ok(bearer);
    }
    let bearer = context.reader().bearer(token).await?;
    let bearer = bearer.ok_or(AuthenticationError::Unknown)?;
    let caller = Caller::from(&bearer);
    let bearer = Arc::new((bearer, caller));
    context.bearers.insert(token, Arc::clone(&bearer));
    Ok(bearer)
}

impl From<TokenRefused> for AuthenticationError {
    fn from(refused: TokenRefused) -> Self {
        match refused {
            TokenRefused::WrongSecret => Self::Unknown,
            TokenRefused::Revoked => Self::Revoked,
            TokenRefused::Expired => Self::Expired,
        }
    }
}

/// Writes down which tokens were used since the last time this was called. One transaction, or none where no token was.
pub async fn save_token_uses(context: &Context) -> Result<(), StoreError> {
    let uses = std::mem::take(
        &mut *context
            .token_uses
            .lock()
            .unwrap_or_else(PoisonError::into_inner),
    );
    if uses.is_empty() {
        return Ok(());
    }
    let mut uses: Vec<_> = uses.into_iter().collect();
    uses.sort_unstable();
    let mut unit = context.store.begin().await?;
    unit.tokens().used(&uses).await?;
    unit.commit().await
}
