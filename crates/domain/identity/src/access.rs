//! The decision whether a caller may give a command.

use std::collections::{BTreeSet, HashMap};

use slipway_kernel::{PrincipalId, ProjectId, Slug};

use crate::{Account, Bearer, Command, Credential, Membership, Permission, Proof, Role};

/// An authenticated caller, with all that decides what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who calls.
    pub principal: PrincipalId,
    /// What it proved that with.
    pub credential: Credential,
    /// Whether it may do everything in the whole installation.
    pub tenant_admin: bool,
    /// What it may do, project by project.
    pub grants: HashMap<ProjectId, Grant>,
}

/// What a caller may do in one project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// Its roles.
    pub roles: BTreeSet<Role>,
    /// Its groups.
    pub groups: BTreeSet<Slug>,
}

impl From<&Bearer> for Caller {
    fn from(bearer: &Bearer) -> Self {
        Self {
            principal: bearer.principal.id,
            credential: Credential::Token(bearer.token.id),
            tenant_admin: bearer.principal.tenant_admin,
            grants: grants(&bearer.memberships),
        }
    }
}

impl Caller {
    /// Who proved to be this account.
    pub fn proven(account: &Account, proof: Proof) -> Self {
        Self {
            principal: account.principal.id,
            credential: Credential::Proof(Box::new(proof)),
            tenant_admin: account.principal.tenant_admin,
            grants: grants(&account.memberships),
        }
    }
}

fn grants(memberships: &[Membership]) -> HashMap<ProjectId, Grant> {
    let grant = |membership: &Membership| Grant {
        roles: membership.roles.clone(),
        groups: membership.groups.clone(),
    };
    memberships
        .iter()
        .map(|membership| (membership.project, grant(membership)))
        .collect()
}

/// What a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The installation as a whole, or nothing in particular.
    Installation,
    /// One project, and what belongs to it.
    Project(ProjectId),
    /// One principal.
    Principal {
        /// The principal.
        id: PrincipalId,
        /// Who owns it, where it is a service account.
        owner: Option<PrincipalId>,
    },
}

/// Why a caller may not give a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The caller may not even know that the thing exists: to be answered like an absent one.
    #[error("not visible")]
    NotVisible,
    /// The caller sees the project, but has none of the roles the command needs.
    #[error("{command} needs one of the roles {}", role_names(roles))]
    RoleMissing {
        /// The command, by name.
        command: &'static str,
        /// The roles of which one is needed.
        roles: &'static [Role],
    },
    /// Only a `TENANT_ADMIN` may.
    #[error("{command} needs TENANT_ADMIN")]
    TenantAdminOnly {
        /// The command, by name.
        command: &'static str,
    },
}

fn role_names(roles: &[Role]) -> String {
    roles
        .iter()
        .map(|role| role.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Decides whether `caller` may give `command` about `scope`. What is not allowed here is denied.
pub fn authorise(caller: &Caller, command: Command, scope: Scope) -> Result<(), Denied> {
    if caller.tenant_admin {
        return Ok(());
    }
    let tenant_admin_only = Err(Denied::TenantAdminOnly {
        command: command.name(),
    });
    match (command.permission(), scope) {
        (Permission::Authenticated, _) => Ok(()),
        (Permission::OnPrincipal, Scope::Principal { id, owner })
            if id == caller.principal || owner == Some(caller.principal) =>
        {
            Ok(())
        }
        (Permission::OnPrincipal, _) => Err(Denied::NotVisible),
        (Permission::InProject(roles), Scope::Project(project)) => {
            match caller.grants.get(&project) {
                None => Err(Denied::NotVisible),
                Some(grant) if roles.iter().any(|role| grant.roles.contains(role)) => Ok(()),
                Some(_) => Err(Denied::RoleMissing {
                    command: command.name(),
                    roles,
                }),
            }
        }
        (Permission::InInstallation, Scope::Project(project))
            if !caller.grants.contains_key(&project) =>
        {
            Err(Denied::NotVisible)
        }
        (Permission::InProject(_) | Permission::InInstallation, _) => tenant_admin_only,
    }
}

#[cfg(test)]
mod tests {
    use slipway_kernel::TokenId;

    use super::*;

    fn project(n: u128) -> ProjectId {
        ProjectId::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn principal(n: u128) -> PrincipalId {
        PrincipalId::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn member(roles: &[Role]) -> Caller {
        let grant = Grant {
            roles: roles.iter().copied().collect(),
            groups: BTreeSet::new(),
        };
        Caller {
            principal: principal(1),
            credential: Credential::Token(TokenId::from_uuid(uuid::Uuid::from_u128(2))),
            tenant_admin: false,
            grants: HashMap::from([(project(1), grant)]),
        }
    }

    /// The whole table: each command, each set of one role, own and other project. Written out by what a role is for
    /// rather than read from the table under test.
    #[test]
    fn each_role_reaches_what_it_is_for_and_nothing_in_another_project() {
        let anybody = ["WhoAmI", "ListProjects"];
        for &command in Command::ALL {
            for role in Role::ALL {
                let caller = member(&[role]);
                let other = authorise(&caller, command, Scope::Project(project(2)));
                if anybody.contains(&command.name()) {
                    assert_eq!(other, Ok(()), "{command:?}");
                } else {
                    assert_eq!(other, Err(Denied::NotVisible), "{command:?} {role}");
                }
                if let Permission::InProject(roles) = command.permission() {
                    let own = authorise(&caller, command, Scope::Project(project(1)));
                    assert_eq!(own.is_ok(), roles.contains(&role), "{command:?} {role}");
                }
            }
        }
    }

    #[test]
    fn nothing_of_the_installation_is_open_to_members() {
        for &command in Command::ALL {
            let allowed = authorise(&member(&[Role::Admin]), command, Scope::Installation).is_ok();
            assert_eq!(
                allowed,
                command.permission() == Permission::Authenticated,
                "{command:?}"
            );
        }
    }

    #[test]
    fn a_principal_is_open_to_itself_and_to_its_owner() {
        let caller = member(&[Role::Viewer]);
        let about = |id, owner| {
            authorise(
                &caller,
                Command::CreateToken,
                Scope::Principal { id, owner },
            )
        };
        assert_eq!(about(principal(1), None), Ok(()));
        assert_eq!(about(principal(9), Some(principal(1))), Ok(()));
        assert_eq!(
            about(principal(9), Some(principal(8))),
            Err(Denied::NotVisible)
        );
        assert_eq!(about(principal(9), None), Err(Denied::NotVisible));
    }

    #[test]
    fn viewers_write_nothing() {
        let caller = member(&[Role::Viewer]);
        for command in Command::ALL {
            let writes = [
                "Create",
                "Update",
                "Archive",
                "Set",
                "Remove",
                "Record",
                "Import",
                "Retract",
                "Deprecate",
                "Link",
                "Unlink",
            ];
            if writes.iter().any(|verb| command.name().starts_with(verb)) {
                assert!(
                    authorise(&caller, *command, Scope::Project(project(1))).is_err(),
                    "{command:?}"
                );
            }
        }
    }
}
