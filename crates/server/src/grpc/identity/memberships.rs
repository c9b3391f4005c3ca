//! Memberships.

use std::collections::BTreeSet;

use slipway_api::identity::v1 as proto;
use slipway_application::identities::given_in;
use slipway_application::memberships::{
    RemoveMember, SetMembership, list_members, remove_member, set_membership,
};
use slipway_identity::membership::{Groups, MAX_GROUPS, Roles, TooManyGroups};
use slipway_identity::{Given, Membership, Role};
use slipway_kernel::{PrincipalId, Slug};

use super::identities;
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::{self, Names};

pub(super) async fn set(
    api: &Api,
    session: &mut Session,
    message: proto::SetMembershipRequest,
) -> Result<proto::SetMembershipResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let principal = fields.required("principal_id", &message.principal_id);
    let roles = parse_roles(&mut fields, message.roles);
    let groups = parse_groups(&mut fields, &message.groups);
    let command = fields.finish(|| {
        Some(SetMembership {
            project: project?,
            principal: principal?,
            roles: roles?,
            groups,
        })
    })?;
    let membership =
        set_membership(&api.context, &session.call(&message.request_id), command).await?;
    let names = Names(api.context.display_names([membership.principal]).await?);
    let members = [membership.principal];
    let given = given_in(&api.context, membership.project, &members).await?;
    Ok(proto::SetMembershipResponse {
        membership: Some(shown(membership, message.project, &names, &given)),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListMembersRequest,
) -> Result<proto::ListMembersResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let size = fields.page_size(message.page_size);
    let project = fields.finish(|| project)?;
    let list = List::of("ListMembers", &project)?;
    let after: Option<PrincipalId> = list.place(&message.page_token)?;
    let page = list_members(&api.context, &session.call(""), &project, after, size).await?;
    let members = page.items.iter().map(|membership| membership.principal);
    let members: Vec<_> = members.collect();
    let given = match page.items.first() {
        Some(first) => given_in(&api.context, first.project, &members).await?,
        None => Vec::new(),
    };
    let names = Names(api.context.display_names(members).await?);
    let page = page.map(|membership| shown(membership, project.to_string(), &names, &given));
    Ok(proto::ListMembersResponse {
        memberships: page.items,
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn remove(
    api: &Api,
    session: &mut Session,
    message: proto::RemoveMemberRequest,
) -> Result<proto::RemoveMemberResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let principal = fields.required("principal_id", &message.principal_id);
    let command = fields.finish(|| {
        Some(RemoveMember {
            project: project?,
            principal: principal?,
        })
    })?;
    remove_member(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::RemoveMemberResponse {})
}

fn parse_roles(fields: &mut Fields, numbers: Vec<i32>) -> Option<Roles> {
    // Repetitions count once, and so do their faults.
    let numbers: BTreeSet<i32> = numbers.into_iter().collect();
    let count = numbers.len();
    let roles: BTreeSet<Role> = numbers
        .into_iter()
        .filter_map(|number| {
            if number == 0 {
                fields.refuse("roles", "must not contain ROLE_UNSPECIFIED");
            }
            fields.choice("roles", number, role)
        })
        .collect();
    if roles.len() < count {
        return None;
    }
    Roles::try_from(roles)
        .map_err(|error| fields.refuse("roles", error))
        .ok()
}

fn parse_groups(fields: &mut Fields, texts: &[String]) -> Groups {
    let texts: BTreeSet<&str> = texts.iter().map(String::as_str).collect();
    if texts.len() > MAX_GROUPS {
        let given = texts.len();
        fields.refuse("groups", TooManyGroups { given });
        return Groups::default();
    }
    let groups: BTreeSet<Slug> = texts
        .into_iter()
        .filter_map(|text| fields.required("groups", text))
        .collect();
    Groups::try_from(groups)
        .map_err(|error| fields.refuse("groups", error))
        .unwrap_or_default()
}

fn role(role: proto::Role) -> Option<Role> {
    match role {
        proto::Role::Unspecified => None,
        proto::Role::Viewer => Some(Role::Viewer),
        proto::Role::Developer => Some(Role::Developer),
        proto::Role::Approver => Some(Role::Approver),
        proto::Role::Admin => Some(Role::Admin),
    }
}

/// A membership as a message, with what of it is among what issuers give.
pub(super) fn shown(
    membership: Membership,
    project: String,
    names: &Names,
    given: &[Given],
) -> proto::Membership {
    let part_of_it = |given: &&Given| {
        given.membership.project == membership.project
            && given.membership.principal == membership.principal
    };
    proto::Membership {
        project,
        principal: Some(names.principal(membership.principal)),
        issued: given
            .iter()
            .filter(part_of_it)
            .map(identities::issued)
            .collect(),
        roles: roles(&membership.roles),
        groups: membership.groups.into_iter().map(Into::into).collect(),
        created_time: Some(show::time(membership.created_at)),
        updated_time: Some(show::time(membership.updated_at)),
    }
}

/// Roles as a message has them.
pub(super) fn roles(roles: &BTreeSet<Role>) -> Vec<i32> {
    let shown = |role: &Role| match role {
        Role::Viewer => proto::Role::Viewer,
        Role::Developer => proto::Role::Developer,
        Role::Approver => proto::Role::Approver,
        Role::Admin => proto::Role::Admin,
    };
    roles.iter().map(|role| shown(role).into()).collect()
}
