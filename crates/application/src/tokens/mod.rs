//! Tokens: how principals prove who they are.

pub(crate) mod administrator;
mod create;
mod read;
mod revoke;

pub use administrator::{IssueError, issue_administrator_token};
pub use create::{CreateToken, Expiry, NewToken, create_token};
pub use read::list_tokens;
pub use revoke::{RevokeToken, revoke_token};

use serde_json::{Value, json};
use slipway_identity::{Token, TokenSecret};
use slipway_kernel::{PrincipalId, Timestamp, TokenId, text::DisplayName};

use crate::{CommandError, Context, error::meets_command_errors};

/// Why a command about a token was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is no such principal, or the caller may not know of it.
    #[error("there is no principal {id}, or you may not see it")]
    PrincipalNotFound {
        /// The id given.
        id: PrincipalId,
    },
    /// The principal was shut out.
    #[error("the principal {id} is disabled and can't get tokens")]
    PrincipalDisabled {
        /// The principal.
        id: PrincipalId,
    },
    /// There is no such token, or the caller may not know of it.
    #[error("there is no token {id}, or you may not see it")]
    NotFound {
        /// The id given.
        id: TokenId,
    },
    /// The token would never work.
    #[error("the token would expire at {at}, which does not lie ahead; it is {now}")]
    ExpiryPassed {
        /// When it would expire.
        at: Timestamp,
        /// Now.
        now: Timestamp,
    },
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(TokenError);

/// A new token and its secret.
pub(crate) fn mint(
    context: &Context,
    principal: PrincipalId,
    name: DisplayName,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
) -> (Token, TokenSecret) {
    let id = TokenId::new(&*context.ids);
    let secret = TokenSecret::mint(id, context.secrets.secret());
    let token = Token {
        id,
        principal,
        name,
        digest: secret.digest(),
        created_at,
        expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    (token, secret)
}

/// A token as the audit trail shows it: without its digest, and without its name, which may be a person's.
pub(crate) fn described(token: &Token) -> Value {
    json!({
        "token_id": token.id,
        "principal_id": token.principal,
        "expires_at": token.expires_at.map(|at| at.to_string()),
        "revoked_at": token.revoked_at.map(|at| at.to_string()),
    })
}
