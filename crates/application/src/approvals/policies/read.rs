use serde::Serialize;
use slipway_approvals::{Policy, PolicyPlace, Scope, Terms};
use slipway_identity::Command;
use slipway_kernel::{Page, PageSize, Slug, Tier};

use super::{NamedScope, PolicyError, scope_of};
use crate::{Call, Context};

/// A policy that somebody set, or what is built in for a tier that has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// Somebody set it.
    Set(Box<Policy>),
    /// Nobody did.
    BuiltIn(Tier, Terms),
}

/// The policy about this; of a tier without one, what is built in.
pub async fn get_policy(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    named: NamedScope,
) -> Result<Listed, PolicyError> {
    let project = context
        .authorise_in(call, Command::GetPolicy, project)
        .await?;
    let scope = scope_of(context, project, &named).await?;
    let found = context.reader().policy(project, scope).await?;
    match (found, scope) {
        (Some(policy), _) => Ok(Listed::Set(Box::new(policy))),
        (None, Scope::Tier(tier)) => Ok(Listed::BuiltIn(tier, Terms::built_in(tier))),
        (None, _) => Err(PolicyError::NotFound { scope: named }),
    }
}

/// Which policies a caller wants.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListPolicies {
    /// Those that apply to this environment; `None` for all.
    pub environment: Option<Slug>,
}

/// The policies of a project, in the order in which they were first set. Of one environment the last page ends with what is
/// built in for its tier, where that applies.
pub async fn list_policies(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    wanted: ListPolicies,
    after: Option<PolicyPlace>,
    size: PageSize,
) -> Result<Page<Listed, PolicyPlace>, PolicyError> {
    let project = context
        .authorise_in(call, Command::ListPolicies, project)
        .await?;
    let reader = context.reader();
    let environment = match wanted.environment {
        Some(slug) => {
            let found = reader.environment(project, &slug).await?;
            Some(found.ok_or(PolicyError::EnvironmentNotFound { slug })?)
        }
        None => None,
    };
    let about = environment.as_ref().map(|environment| environment.id);
    let page = reader.policies(project, about, after, size).await?;
    let set = page.items.into_iter();
    let mut items: Vec<_> = set.map(|policy| Listed::Set(Box::new(policy))).collect();
    if let (Some(environment), None) = (environment, page.next) {
        let tier = environment.tier;
        if reader.policy(project, Scope::Tier(tier)).await?.is_none() {
            items.push(Listed::BuiltIn(tier, Terms::built_in(tier)));
        }
    }
    Ok(Page {
        items,
        next: page.next,
    })
}
