//! Policies: set, looked at, listed, removed.

mod terms;

use slipway_api::approvals::v1 as proto;
use slipway_api::approvals::v1::policy_scope::Scope as Word;
use slipway_application::approvals::policies::{
    DeletePolicy, ListPolicies, Listed, NamedScope, SetPolicy, delete_policy, get_policy,
    list_policies, set_policy,
};
use slipway_approvals::{PolicyPlace, Scope};
use slipway_kernel::{EnvironmentId, PrincipalId, Slug, StoreError};

pub(super) use terms::shown_rule;

use crate::grpc::Api;
use crate::grpc::catalog::words::{shown_tier, tier};
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::{self, Environments, Names};

pub(super) async fn set(
    api: &Api,
    session: &mut Session,
    message: proto::SetPolicyRequest,
) -> Result<proto::SetPolicyResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let scope = scope(&mut fields, message.scope);
    let terms = terms::read(&mut fields, message.terms);
    let etag = Some(message.etag).filter(|etag| !etag.is_empty());
    let command = fields.finish(|| {
        Some(SetPolicy {
            project: project?,
            scope: scope?,
            terms: terms?,
            etag,
        })
    })?;
    let policy = set_policy(&api.context, &session.call(&message.request_id), command).await?;
    let policy = Listed::Set(Box::new(policy));
    Ok(proto::SetPolicyResponse {
        policy: shown(api, vec![policy], &message.project).await?.pop(),
    })
}

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetPolicyRequest,
) -> Result<proto::GetPolicyResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let scope = scope(&mut fields, message.scope);
    let (project, scope) = fields.finish(|| Some((project?, scope?)))?;
    let policy = get_policy(&api.context, &session.call(""), &project, scope).await?;
    Ok(proto::GetPolicyResponse {
        policy: shown(api, vec![policy], &message.project).await?.pop(),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListPoliciesRequest,
) -> Result<proto::ListPoliciesResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let size = fields.page_size(message.page_size);
    let wanted = ListPolicies {
        environment: fields.optional("environment", &message.environment),
    };
    let project = fields.finish(|| project)?;
    let list = List::of("ListPolicies", &(&project, &wanted))?;
    let after: Option<PolicyPlace> = list.place(&message.page_token)?;
    let call = session.call("");
    let page = list_policies(&api.context, &call, &project, wanted, after, size).await?;
    Ok(proto::ListPoliciesResponse {
        policies: shown(api, page.items, project.as_str()).await?,
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn delete(
    api: &Api,
    session: &mut Session,
    message: proto::DeletePolicyRequest,
) -> Result<proto::DeletePolicyResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let scope = scope(&mut fields, message.scope);
    let etag = Some(message.etag).filter(|etag| !etag.is_empty());
    let command = fields.finish(|| {
        Some(DeletePolicy {
            project: project?,
            scope: scope?,
            etag,
        })
    })?;
    delete_policy(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::DeletePolicyResponse {})
}

fn scope(fields: &mut Fields, message: Option<proto::PolicyScope>) -> Option<NamedScope> {
    match message.and_then(|message| message.scope) {
        None => {
            fields.refuse("scope", "is required");
            None
        }
        Some(Word::WholeProject(true)) => Some(NamedScope::Project),
        Some(Word::WholeProject(false)) => {
            fields.refuse("scope.whole_project", "must be true");
            None
        }
        Some(Word::Tier(word)) => {
            let tier = fields.required_choice("scope.tier", word, tier)?;
            Some(NamedScope::Tier(tier))
        }
        Some(Word::Environment(slug)) => {
            let slug = fields.required("scope.environment", &slug)?;
            Some(NamedScope::Environment(slug))
        }
    }
}

/// What a rule's policy is about, as a message has it.
pub(super) fn shown_scope(scope: Scope, environments: &Environments) -> proto::PolicyScope {
    let scope = match scope {
        Scope::Project => Word::WholeProject(true),
        Scope::Tier(tier) => Word::Tier(shown_tier(tier).into()),
        Scope::Environment(id) => Word::Environment(environments.slug(id)),
    };
    proto::PolicyScope { scope: Some(scope) }
}

async fn shown(
    api: &Api,
    policies: Vec<Listed>,
    project: &str,
) -> Result<Vec<proto::Policy>, StoreError> {
    let ids: Vec<PrincipalId> = policies.iter().filter_map(set_by).collect();
    let names = Names(api.context.display_names(ids).await?);
    let environments = policies.iter().filter_map(environment_of);
    let environments = Environments::of(&api.context, environments).await?;
    let message = |policy| message_of(policy, project, &environments, &names);
    Ok(policies.into_iter().map(message).collect())
}

fn set_by(listed: &Listed) -> Option<PrincipalId> {
    match listed {
        Listed::Set(policy) => Some(policy.updated_by),
        Listed::BuiltIn(..) => None,
    }
}

fn environment_of(listed: &Listed) -> Option<EnvironmentId> {
    match listed {
        Listed::Set(policy) => match policy.scope {
            Scope::Environment(environment) => Some(environment),
            Scope::Project | Scope::Tier(_) => None,
        },
        Listed::BuiltIn(..) => None,
    }
}

fn message_of(
    listed: Listed,
    project: &str,
    environments: &Environments,
    names: &Names,
) -> proto::Policy {
    match listed {
        Listed::Set(policy) => proto::Policy {
            policy_id: policy.id.to_string(),
            project: project.to_owned(),
            scope: Some(shown_scope(policy.scope, environments)),
            terms: Some(terms::shown(&policy.terms)),
            built_in: false,
            created_time: Some(show::time(policy.created_at)),
            updated_time: Some(show::time(policy.updated_at)),
            updated_by: Some(names.principal(policy.updated_by)),
            etag: policy.revision.to_string(),
        },
        Listed::BuiltIn(tier, terms) => proto::Policy {
            project: project.to_owned(),
            scope: Some(shown_scope(Scope::Tier(tier), environments)),
            terms: Some(terms::shown(&terms)),
            built_in: true,
            ..Default::default()
        },
    }
}
