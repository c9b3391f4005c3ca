use std::collections::BTreeSet;

use serde::Serialize;
use slipway_approvals::{
    ApprovalFilter, ApprovalPlace, ApprovalRequest, Person, StateKind, Tally, Voter, VoterRole,
};
use slipway_deployments::DeploymentName;
use slipway_identity::Command;
use slipway_kernel::{Page, PageSize, PrincipalId, ProjectId, Slug, StoreError, Timestamp};

use super::ApprovalError;
use crate::{Call, Context};

/// How many of those who can count for a rule are told: a policy may have many rules, and a project many members.
const MAX_TOLD: usize = 50;

/// An approval request with what it comes to by now.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The request.
    pub request: ApprovalRequest,
    /// Who counts for which rule, in the order of the request's rules.
    pub tally: Tally,
    /// For each rule, where the request is pending: who can still count for it.
    pub can: Vec<Open>,
    /// What stands in the way, for people.
    pub warnings: Vec<String>,
}

/// Who can still answer, as far as a caller may know.
#[derive(Debug, Clone, Default)]
pub struct Open {
    /// Those whom the caller may see, [`MAX_TOLD`] at most.
    pub principals: Vec<PrincipalId>,
    /// How many others there are, or may be seen besides.
    pub others: usize,
}

/// What a request comes to, for this caller.
pub async fn show_request(
    context: &Context,
    call: &Call<'_>,
    request: ApprovalRequest,
) -> Result<Shown, StoreError> {
    let project = request.project;
    let mut shown = show(context, call, project, vec![request]).await?;
    shown
        .pop()
        .ok_or_else(|| StoreError::Fault("a request was lost".into()))
}

/// What requests of a project come to: two statements, where any is pending.
async fn show(
    context: &Context,
    call: &Call<'_>,
    project: ProjectId,
    requests: Vec<ApprovalRequest>,
) -> Result<Vec<Shown>, StoreError> {
    let pending = |request: &&ApprovalRequest| request.state.kind() == StateKind::Pending;
    let open = requests.iter().filter(pending);
    let open: Vec<_> = open.map(|request| request.deployment).collect();
    if open.is_empty() {
        return Ok(requests.into_iter().map(settled).collect());
    }
    let people = context.reader().project_voters(project).await?;
    let parts = context.reader().parts_in(&open).await?;
    let eyes = Eyes::of(call, &people);
    let shown = requests.into_iter().map(|request| {
        if request.state.kind() == StateKind::Pending {
            let excluded = parts.get(&request.deployment);
            progressing(request, &people, excluded.map_or(&[], Vec::as_slice), &eyes)
        } else {
            settled(request)
        }
    });
    Ok(shown.collect())
}

fn settled(request: ApprovalRequest) -> Shown {
    Shown {
        tally: request.settled(),
        can: Vec::new(),
        warnings: Vec::new(),
        request,
    }
}

fn progressing(
    request: ApprovalRequest,
    people: &[Voter],
    excluded: &[Person],
    eyes: &Eyes,
) -> Shown {
    let progress = request.progress(people, excluded);
    let short = request.rules.iter().zip(&progress.short);
    let warn = |(asked, short): (&slipway_approvals::Asked, &usize)| {
        let name = &asked.rule.name;
        let more = format!(
            "the rule `{name}` needs {short} more people than there are who may still answer: nobody can approve this; \
             cancel it and ask again once there are, or override it"
        );
        (*short > 0).then_some(more)
    };
    let mut warnings: Vec<_> = short.filter_map(warn).collect();
    if request
        .not_before
        .is_some_and(|at| at >= request.expires_at)
    {
        warnings.push("it expires before it may begin".to_owned());
    }
    Shown {
        tally: progress.tally,
        can: progress.can.into_iter().map(|can| eyes.see(can)).collect(),
        warnings,
        request,
    }
}

/// Whom a caller may see: members of a project see each other, administrators of the installation everybody.
struct Eyes {
    members: Option<BTreeSet<PrincipalId>>,
}

impl Eyes {
    fn of(call: &Call<'_>, people: &[Voter]) -> Self {
        let member = |voter: &&Voter| {
            voter
                .roles
                .iter()
                .any(|role| *role != VoterRole::TenantAdmin)
        };
        let members = people.iter().filter(member);
        let members = members.map(|voter| voter.person.principal).collect();
        Self {
            members: (!call.caller.tenant_admin).then_some(members),
        }
    }

    fn see(&self, people: Vec<PrincipalId>) -> Open {
        let all = people.len();
        let seen = |id: &PrincipalId| self.members.as_ref().is_none_or(|seen| seen.contains(id));
        let principals: Vec<_> = people.into_iter().filter(seen).take(MAX_TOLD).collect();
        Open {
            others: all - principals.len(),
            principals,
        }
    }
}

/// The last approval request of a deployment.
pub async fn get_approval_request(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    name: DeploymentName,
) -> Result<Shown, ApprovalError> {
    let project = context
        .authorise_in(call, Command::GetApprovalRequest, project)
        .await?;
    let reader = context.reader();
    let deployment = reader.deployment(project, name).await?;
    let deployment = deployment.ok_or(ApprovalError::DeploymentNotFound { name })?;
    let found = reader.approval_request(project, deployment.id).await?;
    let number = deployment.number;
    let request = found.ok_or(ApprovalError::NotFound { number })?;
    Ok(show_request(context, call, request).await?)
}

/// Which approval requests a caller wants; what is `None` or empty selects all.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListApprovalRequests {
    /// In one of these states.
    pub states: Vec<StateKind>,
    /// For deployments to this environment.
    pub environment: Option<Slug>,
    /// Opened at this time or later.
    pub from: Option<Timestamp>,
    /// Opened before this time.
    pub to: Option<Timestamp>,
}

/// The approval requests that a filter selects, newest first.
pub async fn list_approval_requests(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    wanted: ListApprovalRequests,
    after: Option<ApprovalPlace>,
    size: PageSize,
) -> Result<Page<Shown, ApprovalPlace>, ApprovalError> {
    let project = context
        .authorise_in(call, Command::ListApprovalRequests, project)
        .await?;
    let reader = context.reader();
    let environment = match wanted.environment {
        Some(slug) => match reader.environment(project, &slug).await? {
            Some(environment) => Some(environment.id),
            None => return Err(ApprovalError::EnvironmentNotFound { slug }),
        },
        None => None,
    };
    let filter = ApprovalFilter {
        states: wanted.states,
        environment,
        from: wanted.from,
        to: wanted.to,
    };
    let page = reader.approval_requests(project, &filter, after, size);
    let page = page.await?;
    Ok(Page {
        items: show(context, call, project, page.items).await?,
        next: page.next,
    })
}

#[cfg(test)]
mod tests {
    use slipway_kernel::PrincipalId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn many_people_are_told_by_their_number() {
        let people = |count| (0..count).map(|n| PrincipalId::from_uuid(Uuid::from_u128(n)));
        let all = Eyes { members: None };
        let told = all.see(people(2_000).collect());
        assert_eq!((told.principals.len(), told.others), (MAX_TOLD, 1_950));
        let some = Eyes {
            members: Some(people(10).collect()),
        };
        let told = some.see(people(60).collect());
        assert_eq!((told.principals.len(), told.others), (10, 50));
    }
}
