//! Principals.

use slipway_api::identity::v1 as proto;
use slipway_application::identities::given_to;
use slipway_application::principals::{
    CreatePrincipal, DisablePrincipal, NewPrincipal, With, create_principal, disable_principal,
    get_principal, list_principals, who_am_i as ask_who_am_i,
};
use slipway_identity::{Principal, PrincipalKind};
use slipway_kernel::PrincipalId;

use super::{identities, memberships, tokens};
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::{self, Names};

pub(super) async fn who_am_i(
    api: &Api,
    session: &mut Session,
    _: proto::WhoAmIRequest,
) -> Result<proto::WhoAmIResponse, Refusal> {
    let caller = ask_who_am_i(&api.context, &session.call("")).await?;
    let names = Names(api.context.display_names([caller.principal.id]).await?);
    let (token, method, expires_at, key) = match caller.with {
        With::Token(token) => {
            let expires_at = token.expires_at;
            (
                Some(token),
                proto::AuthenticationMethod::Token,
                expires_at,
                None,
            )
        }
        With::Proof(proof) => {
            let method = identities::method(&proof);
            (None, method, Some(proof.expires_at), Some(proof.key))
        }
    };
    let (known, given) = given_to(&api.context, caller.principal.id).await?;
    let identity = known
        .into_iter()
        .find(|identity| Some(&identity.key) == key.as_ref());
    Ok(proto::WhoAmIResponse {
        principal: Some(shown(caller.principal)),
        token: token.map(tokens::shown),
        memberships: caller
            .memberships
            .into_iter()
            .map(|(project, membership)| {
                memberships::shown(membership, project.into(), &names, &given)
            })
            .collect(),
        authentication_method: method.into(),
        identity: identity.map(identities::shown),
        expire_time: expires_at.map(show::time),
    })
}

pub(super) async fn create(
    api: &Api,
    session: &mut Session,
    message: proto::CreatePrincipalRequest,
) -> Result<proto::CreatePrincipalResponse, Refusal> {
    session.admit_to_installation()?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let users = fields.required_choice("kind", message.kind, is_user);
    let display_name = fields.required_text("display_name", message.display_name);
    let email = fields.optional_text("email", message.email);
    let owner = fields.optional("owner_principal_id", &message.owner_principal_id);
    match users {
        Some(true) if !message.owner_principal_id.is_empty() => {
            fields.refuse("owner_principal_id", "is allowed for service accounts only");
        }
        Some(false) if message.owner_principal_id.is_empty() => {
            fields.refuse("owner_principal_id", "is required for service accounts");
        }
        _ => {}
    }
    if users == Some(false) && email.is_some() {
        fields.refuse("email", "is allowed for users only");
    }
    let command = fields.finish(|| {
        Some(CreatePrincipal {
            kind: if users? {
                NewPrincipal::User { email }
            } else {
                NewPrincipal::ServiceAccount { owner: owner? }
            },
            display_name,
            tenant_admin: message.tenant_admin,
        })
    })?;
    let principal =
        create_principal(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::CreatePrincipalResponse {
        principal: Some(shown(principal)),
    })
}

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetPrincipalRequest,
) -> Result<proto::GetPrincipalResponse, Refusal> {
    let mut fields = Fields::default();
    let id: Option<PrincipalId> = fields.required("principal_id", &message.principal_id);
    let id = fields.finish(|| id)?;
    let principal = get_principal(&api.context, &session.call(""), id).await?;
    let (identities, _) = given_to(&api.context, id).await?;
    Ok(proto::GetPrincipalResponse {
        principal: Some(shown(principal)),
        identities: identities.into_iter().map(identities::shown).collect(),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListPrincipalsRequest,
) -> Result<proto::ListPrincipalsResponse, Refusal> {
    session.admit_to_installation()?;
    let mut fields = Fields::default();
    let users = fields.choice("kind", message.kind, is_user);
    let size = fields.page_size(message.page_size);
    let size = fields.finish(|| Some(size))?;
    let list = List::of("ListPrincipals", &(users, message.include_disabled))?;
    let after: Option<PrincipalId> = list.place(&message.page_token)?;
    let page = list_principals(
        &api.context,
        &session.call(""),
        users,
        message.include_disabled,
        after,
        size,
    )
    .await?;
    Ok(proto::ListPrincipalsResponse {
        principals: page.items.into_iter().map(shown).collect(),
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn disable(
    api: &Api,
    session: &mut Session,
    message: proto::DisablePrincipalRequest,
) -> Result<proto::DisablePrincipalResponse, Refusal> {
    session.admit_to_installation()?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let principal = fields.required("principal_id", &message.principal_id);
    let reason = fields.required_text("reason", message.reason);
    let command = fields.finish(|| {
        Some(DisablePrincipal {
            principal: principal?,
            reason,
        })
    })?;
    let principal =
        disable_principal(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::DisablePrincipalResponse {
        principal: Some(shown(principal)),
    })
}

/// Whether a kind is that of users; `None` where it is unspecified.
fn is_user(kind: proto::PrincipalKind) -> Option<bool> {
    match kind {
        proto::PrincipalKind::Unspecified => None,
        proto::PrincipalKind::User => Some(true),
        proto::PrincipalKind::ServiceAccount => Some(false),
    }
}

fn shown(principal: Principal) -> proto::Principal {
    let (kind, owner) = match principal.kind {
        PrincipalKind::User => (proto::PrincipalKind::User, None),
        PrincipalKind::ServiceAccount { owner } => {
            (proto::PrincipalKind::ServiceAccount, Some(owner))
        }
    };
    let (disabled_at, reason) = principal
        .disabled
        .map(|disabled| (disabled.at, disabled.reason.into()))
        .unzip();
    proto::Principal {
        principal_id: principal.id.to_string(),
        kind: kind.into(),
        display_name: principal.display_name.into(),
        email: principal.email.map(Into::into).unwrap_or_default(),
        owner_principal_id: owner.map(|owner| owner.to_string()).unwrap_or_default(),
        tenant_admin: principal.tenant_admin,
        created_time: Some(show::time(principal.created_at)),
        disabled_time: disabled_at.map(show::time),
        disable_reason: reason.unwrap_or_default(),
    }
}
