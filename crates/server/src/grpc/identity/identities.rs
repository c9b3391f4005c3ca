//! Identities at identity providers and in certificates.

use slipway_api::identity::v1 as proto;
use slipway_application::identities::{
    LinkIdentity, UnlinkIdentity, link_identity, unlink_identity,
};
use slipway_identity::{Given, Identity, IdentityKey, Proof, identity::CERTIFICATE};
use slipway_kernel::PrincipalId;

use super::memberships;
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::refusal::Refusal;
use crate::grpc::show;

pub(super) async fn link(
    api: &Api,
    session: &mut Session,
    message: proto::LinkIdentityRequest,
) -> Result<proto::LinkIdentityResponse, Refusal> {
    session.admit_to_installation()?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let principal: Option<PrincipalId> = fields.required("principal_id", &message.principal_id);
    let key = key(&mut fields, &message.issuer, &message.subject);
    let command = fields.finish(|| {
        Some(LinkIdentity {
            principal: principal?,
            key: key?,
        })
    })?;
    let identity = link_identity(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::LinkIdentityResponse {
        identity: Some(shown(identity)),
    })
}

pub(super) async fn unlink(
    api: &Api,
    session: &mut Session,
    message: proto::UnlinkIdentityRequest,
) -> Result<proto::UnlinkIdentityResponse, Refusal> {
    session.admit_to_installation()?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let key = key(&mut fields, &message.issuer, &message.subject);
    let command = fields.finish(|| Some(UnlinkIdentity { key: key? }))?;
    unlink_identity(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::UnlinkIdentityResponse {})
}

fn key(fields: &mut Fields, issuer: &str, subject: &str) -> Option<IdentityKey> {
    let issuer = fields.required("issuer", issuer);
    let subject = fields.required("subject", subject);
    Some(IdentityKey {
        issuer: issuer?,
        subject: subject?,
    })
}

/// An identity as a message.
pub(super) fn shown(identity: Identity) -> proto::Identity {
    proto::Identity {
        issuer: identity.key.issuer.into(),
        subject: identity.key.subject.into(),
        principal_id: identity.principal.to_string(),
        created_time: Some(show::time(identity.created_at)),
        asserted_time: identity.asserted_at.map(show::time),
    }
}

/// How somebody proved who it is.
pub(super) fn method(proof: &Proof) -> proto::AuthenticationMethod {
    if proof.key.issuer.as_str() == CERTIFICATE {
        proto::AuthenticationMethod::Certificate
    } else {
        proto::AuthenticationMethod::Oidc
    }
}

/// What an identity provider gives, as a message.
pub(super) fn issued(given: &Given) -> proto::IssuedMembership {
    let membership = &given.membership;
    proto::IssuedMembership {
        issuer: given.issuer.to_string(),
        roles: memberships::roles(&membership.roles),
        groups: membership.groups.iter().map(ToString::to_string).collect(),
        updated_time: Some(show::time(membership.updated_at)),
    }
}
