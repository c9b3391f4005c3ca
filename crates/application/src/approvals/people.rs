//! Who people are, as the database says at this moment.

use slipway_approvals::{Person, Voter};
use slipway_deployments::Deployment;
use slipway_identity::{Principal, PrincipalKind, Role};
use slipway_kernel::{PrincipalId, ProjectId, StoreError};
use slipway_store::UnitOfWork;

use crate::error::dangling;

/// Somebody who decides, or did.
pub(super) async fn voter(
    unit: &mut dyn UnitOfWork,
    project: ProjectId,
    id: PrincipalId,
) -> Result<Voter, StoreError> {
    let principal = principal(unit, id).await?;
    let person = person(&principal);
    let owner = match person.owner {
        Some(owner) => unit.principals().get(owner).await?,
        None => None,
    };
    let membership = unit.memberships().get(project, id).await?;
    let is_admin = membership.is_some_and(|found| found.roles.contains(&Role::Admin));
    Ok(Voter {
        person,
        disabled: principal.disabled.is_some()
            || owner.is_some_and(|owner| owner.disabled.is_some()),
        administers: principal.tenant_admin || is_admin,
    })
}

/// Those who had a part in a deployment, and may not decide about it: whoever asked for it.
pub(super) async fn excluded(
    unit: &mut dyn UnitOfWork,
    deployment: &Deployment,
) -> Result<Vec<Person>, StoreError> {
    let requester = principal(unit, deployment.requested_by).await?;
    Ok(vec![person(&requester)])
}

const fn person(principal: &Principal) -> Person {
    Person {
        principal: principal.id,
        owner: match principal.kind {
            PrincipalKind::User => None,
            PrincipalKind::ServiceAccount { owner } => Some(owner),
        },
    }
}

async fn principal(unit: &mut dyn UnitOfWork, id: PrincipalId) -> Result<Principal, StoreError> {
    let found = unit.principals().get(id).await?;
    found.ok_or_else(|| dangling("principal", id))
}
