//! What an identity provider says about somebody becomes what that one may do here.

use std::collections::BTreeMap;

use slipway_audit::Resource;
use slipway_identity::identity::Administers;
use slipway_identity::issuer::Grants;
use slipway_identity::{Given, Grant, Identity, Membership, Project};
use slipway_kernel::{ProjectId, StoreError, Timestamp};
use slipway_store::UnitOfWork;

use super::Doing;
use crate::{Context, error::dangling, principals};

/// What an issuer says, with the projects that are there.
pub(super) struct Wanted {
    pub(super) tenant_admin: bool,
    pub(super) projects: BTreeMap<ProjectId, Grant>,
}

impl Wanted {
    /// Nothing at all.
    pub(super) const NOTHING: Self = Self {
        tenant_admin: false,
        projects: BTreeMap::new(),
    };

    /// What the groups of a token mean. Projects that are not there, or not yet, are left out.
    pub(super) async fn of(context: &Context, grants: &Grants) -> Result<Self, StoreError> {
        let mut projects = BTreeMap::new();
        for (slug, grant) in &grants.projects {
            if let Some(id) = context.project_id(slug).await? {
                projects.insert(id, grant.clone());
            }
        }
        Ok(Self {
            tenant_admin: grants.tenant_admin,
            projects,
        })
    }
}

/// What came of what an issuer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    /// All was so before.
    Nothing,
    /// No more than the time of the newest token.
    Time,
    /// What the principal may do.
    Rights,
}

impl Doing<'_> {
    /// Makes what the identity's issuer gives its principal what is wanted, and says what that changed. What
    /// was set by hand, or is given by others, stays. Nothing is added to an archived project, but what was given there
    /// can be taken back.
    pub(super) async fn carry_over(
        &self,
        unit: &mut dyn UnitOfWork,
        identity: &Identity,
        wanted: &Wanted,
        asserted_at: Option<Timestamp>,
    ) -> Result<Carried, StoreError> {
        let key = &identity.key;
        let given = unit.memberships().given(&key.issuer, identity.principal);
        let mut given: BTreeMap<ProjectId, Membership> = given
            .await?
            .into_iter()
            .map(|membership| (membership.project, membership))
            .collect();
        let mut changed = false;
        for (project, grant) in &wanted.projects {
            let before = given.remove(project);
            let same = before.as_ref().is_some_and(|before| is(before, grant));
            if same || !is_open(unit.projects().get(*project).await?) {
                continue;
            }
            let after = Membership {
                project: *project,
                principal: identity.principal,
                roles: grant.roles.clone(),
                groups: grant.groups.clone(),
                created_at: before.as_ref().map_or(self.now, |before| before.created_at),
                updated_at: self.now,
            };
            let event = self.gave(identity, *project, before.as_ref(), Some(&after));
            let given = Given {
                issuer: key.issuer.clone(),
                membership: after,
            };
            unit.memberships().give(&given).await?;
            unit.audit().append(&event).await?;
            changed = true;
        }
        for (project, before) in given {
            let memberships = unit.memberships();
            memberships
                .take_back(&key.issuer, project, identity.principal)
                .await?;
            let event = self.gave(identity, project, Some(&before), None);
            unit.audit().append(&event).await?;
            changed = true;
        }
        let administers = self
            .administers(unit, identity, wanted.tenant_admin)
            .await?;
        let after = Identity {
            tenant_admin: administers,
            asserted_at,
            ..identity.clone()
        };
        changed |= after.tenant_admin != identity.tenant_admin;
        if after != *identity {
            unit.identities().assert(&after).await?;
        }
        Ok(match (changed, after != *identity) {
            (true, _) => Carried::Rights,
            (false, true) => Carried::Time,
            (false, false) => Carried::Nothing,
        })
    }

    /// Makes the principal an administrator of the installation, or takes that back, and says whether this identity is why
    /// it is one.
    async fn administers(
        &self,
        unit: &mut dyn UnitOfWork,
        identity: &Identity,
        wanted: bool,
    ) -> Result<bool, StoreError> {
        if wanted == identity.tenant_admin && !wanted {
            return Ok(false);
        }
        let id = identity.principal;
        // Locks the administrators, so that two that change each other come one after the other.
        unit.principals().count_tenant_admins().await?;
        let principal = unit.principals().get(id).await?;
        let before = principal.ok_or_else(|| dangling("principal", id))?;
        let all = unit.identities().of_principal(id).await?;
        let others = all
            .iter()
            .any(|other| other.key != identity.key && other.tenant_admin);
        let administers = Administers {
            principal: before.tenant_admin,
            identity: identity.tenant_admin,
        };
        let administers = administers.asserted(others, wanted);
        if administers.principal != before.tenant_admin {
            unit.principals()
                .set_tenant_admin(id, administers.principal)
                .await?;
            let told = principals::described(&before);
            let mut after = told.clone();
            after["tenant_admin"] = administers.principal.into();
            after["issuer"] = identity.key.issuer.as_str().into();
            let event = self.event(
                None,
                Resource::new("principal", &id),
                Some(told),
                Some(after),
            );
            unit.audit().append(&event).await?;
        }
        Ok(administers.identity)
    }
}

/// Whether a membership is what was granted.
pub(super) fn is(given: &Membership, grant: &Grant) -> bool {
    given.roles == grant.roles && given.groups == grant.groups
}

/// Whether anything is given in a project.
pub(super) fn is_open(project: Option<Project>) -> bool {
    project.is_some_and(|project| project.archived_at.is_none())
}
