//! Who a token or a certificate speaks for.

mod proof;

pub(crate) use proof::Session;
pub use proof::{Certificate, authenticate_certificate, authenticate_issued};

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use slipway_identity::{
    Bearer, Caller, Credential, IdentityKey, NotVerified, TokenSecret, token::TokenRefused,
};
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
    /// A token of an identity provider is not taken.
    #[error(transparent)]
    NotVerified(#[from] NotVerified),
    /// A token of an identity provider, or a certificate, was good when the call began.
    #[error(
        "the token of the identity provider, or the client certificate, has expired; get a new one"
    )]
    ProofExpired,
    /// A token of an identity provider, or a certificate, is good, and stands for nobody here.
    #[error(
        "{} stands for nobody here; ask an administrator of the installation to link it to a principal with LinkIdentity",
        listed(keys)
    )]
    IdentityUnknown {
        /// What it says; of a certificate all its names.
        keys: Vec<IdentityKey>,
    },
    /// The names of a certificate stand for different principals.
    #[error(
        "{} stand for different principals; use one certificate for each, or unlink a name with UnlinkIdentity",
        listed(keys)
    )]
    IdentityAmbiguous {
        /// The names.
        keys: Vec<IdentityKey>,
    },
    /// A first sign-in comes with the e-mail address of another principal.
    #[error(
        "{key} comes with an e-mail address that a principal has already. Slipway makes no second one, which might be the \
         same person, and takes nobody for another by an address: ask an administrator of the installation to link this \
         identity to the right principal with LinkIdentity"
    )]
    EmailTaken {
        /// The identity.
        key: IdentityKey,
    },
    /// The database could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who bears this token, with all it may do. Costs at most two queries, and none where the token was used here within
/// the last seconds.
pub async fn authenticate(
    context: &Context,
    secret: &TokenSecret,
) -> Result<Arc<Caller>, AuthenticationError> {
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
    Ok(Arc::clone(&bearer.1))
}

/// Who proved to be somebody before, for calls that last: whether that is good still, and what it may do by now. What
/// changed shows within seconds.
pub async fn authenticate_again(
    context: &Context,
    credential: &Credential,
) -> Result<Arc<Caller>, AuthenticationError> {
    match credential {
        Credential::Token(token) => {
            let bearer = remembered(context, *token).await?;
            bearer.0.token.check_time(context.clock.now())?;
            check_enabled(&bearer.0)?;
            Ok(Arc::clone(&bearer.1))
        }
        Credential::Proof(proof) => proof::authenticate_again(context, proof).await,
    }
}

fn check_enabled(bearer: &Bearer) -> Result<(), AuthenticationError> {
    if bearer.principal.disabled.is_some() || bearer.owner_disabled {
        return Err(AuthenticationError::Disabled);
    }
    Ok(())
}

fn listed(keys: &[IdentityKey]) -> String {
    let listed: Vec<_> = keys.iter().map(ToString::to_string).collect();
    listed.join(", ")
}

async fn remembered(
    context: &Context,
    token: TokenId,
) -> Result<Arc<(Bearer, Arc<Caller>)>, AuthenticationError> {
    if let Some(bearer) = context.bearers.get(&token) {
        return Ok(bearer);
    }
    let bearer = context.reader().bearer(token).await?;
    let bearer = bearer.ok_or(AuthenticationError::Unknown)?;
    let caller = Arc::new(Caller::from(&bearer));
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
