use slipway_identity::{Command, Token};
use slipway_kernel::{Page, PageSize, PrincipalId, TokenId};

use super::TokenError;
use crate::{Call, Context};

/// The tokens of a principal (`None` for the caller), oldest first; without those that were revoked or have expired,
/// unless `include_inactive` asks for them.
pub async fn list_tokens(
    context: &Context,
    call: &Call<'_>,
    principal: Option<PrincipalId>,
    include_inactive: bool,
    after: Option<TokenId>,
    size: PageSize,
) -> Result<Page<Token, TokenId>, TokenError> {
    let id = principal.unwrap_or(call.caller.principal);
    context
        .authorise_on(call, Command::ListTokens, id)
        .await?
        .ok_or(TokenError::PrincipalNotFound { id })?;
    let active_at = (!include_inactive).then(|| context.clock.now());
    Ok(context.reader().tokens(id, active_at, after, size).await?)
}
