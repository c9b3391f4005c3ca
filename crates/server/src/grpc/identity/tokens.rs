//! Tokens.

use std::time::Duration;

use slipway_api::identity::v1 as proto;
use slipway_application::tokens::{
    CreateToken, Expiry, RevokeToken, create_token, list_tokens, revoke_token,
};
use slipway_identity::Token;
use slipway_kernel::{PrincipalId, TokenId};

use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show;

/// The longest `google.protobuf.Duration` there is, in seconds: about 10,000 years.
const MAX_TTL_SECONDS: i64 = 315_576_000_000;

pub(super) async fn create(
    api: &Api,
    session: &mut Session,
    message: proto::CreateTokenRequest,
) -> Result<proto::CreateTokenResponse, Refusal> {
    session.admit_on(&message.principal_id).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let principal = fields.optional("principal_id", &message.principal_id);
    let name = fields.required_text("name", message.name);
    let expiry = message
        .expiry
        .and_then(|expiry| parse_expiry(&mut fields, expiry));
    let command = fields.finish(|| {
        Some(CreateToken {
            principal,
            name,
            expiry,
        })
    })?;
    let made = create_token(&api.context, &session.call(&message.request_id), command).await?;
    let secret = made.secret.as_ref();
    Ok(proto::CreateTokenResponse {
        secret: secret
            .map(|secret| secret.reveal().to_owned())
            .unwrap_or_default(),
        token: Some(shown(made.token)),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListTokensRequest,
) -> Result<proto::ListTokensResponse, Refusal> {
    session.admit_on(&message.principal_id).await?;
    let mut fields = Fields::default();
    let principal: Option<PrincipalId> = fields.optional("principal_id", &message.principal_id);
    let size = fields.page_size(message.page_size);
    let size = fields.finish(|| Some(size))?;
    let list = List::of("ListTokens", &(principal, message.include_inactive))?;
    let after: Option<TokenId> = list.place(&message.page_token)?;
    let page = list_tokens(
        &api.context,
        &session.call(""),
        principal,
        message.include_inactive,
        after,
        size,
    )
    .await?;
    Ok(proto::ListTokensResponse {
        tokens: page.items.into_iter().map(shown).collect(),
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn revoke(
    api: &Api,
    session: &mut Session,
    message: proto::RevokeTokenRequest,
) -> Result<proto::RevokeTokenResponse, Refusal> {
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let token = fields.required("token_id", &message.token_id);
    let command = fields.finish(|| Some(RevokeToken { token: token? }))?;
    let token = revoke_token(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::RevokeTokenResponse {
        token: Some(shown(token)),
    })
}

fn parse_expiry(
    fields: &mut Fields,
    expiry: proto::create_token_request::Expiry,
) -> Option<Expiry> {
    match expiry {
        proto::create_token_request::Expiry::ExpireTime(time) => {
            fields.time("expire_time", Some(time)).map(Expiry::At)
        }
        proto::create_token_request::Expiry::Ttl(ttl) => {
            let nanos = u32::try_from(ttl.nanos).ok().filter(|n| *n < 1_000_000_000);
            match (u64::try_from(ttl.seconds), nanos) {
                (Ok(seconds), Some(nanos)) if (1..=MAX_TTL_SECONDS).contains(&ttl.seconds) => {
                    Some(Expiry::After(Duration::new(seconds, nanos)))
                }
                _ => {
                    fields.refuse("ttl", "must be a duration of at least one second");
                    None
                }
            }
        }
    }
}

/// A token as a message: without its secret.
pub(super) fn shown(token: Token) -> proto::Token {
    proto::Token {
        token_id: token.id.to_string(),
        principal_id: token.principal.to_string(),
        name: token.name.into(),
        created_time: Some(show::time(token.created_at)),
        expire_time: token.expires_at.map(show::time),
        last_used_time: token.last_used_at.map(show::time),
        revoked_time: token.revoked_at.map(show::time),
    }
}
