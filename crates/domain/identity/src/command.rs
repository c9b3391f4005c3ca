//! Every command there is, and the permission that it needs.

use crate::Role;

/// What a command needs from who calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// A valid token.
    Authenticated,
    /// Being the principal that the command is about, or the owner of that service account, or a `TENANT_ADMIN`.
    OnPrincipal,
    /// One of these roles in the project that the command is about, or `TENANT_ADMIN`.
    InProject(&'static [Role]),
    /// `TENANT_ADMIN`.
    InInstallation,
}

const READERS: Permission =
    Permission::InProject(&[Role::Viewer, Role::Developer, Role::Approver, Role::Admin]);
const WRITERS: Permission = Permission::InProject(&[Role::Developer, Role::Admin]);
const ADMINS: Permission = Permission::InProject(&[Role::Admin]);

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident: $permission:expr;)+) => {
        /// Something that can be asked of Slipway. The names are those of the API's methods.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Command {$(
            $(#[$doc])*
            $name,
        )+}

        impl Command {
            /// All commands.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name: that of the API's method.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// What it needs.
            pub const fn permission(self) -> Permission {
                match self { $(Self::$name => $permission),+ }
            }
        }
    };
}

commands! {
    /// Says who the caller is.
    WhoAmI: Permission::Authenticated;
    /// Adds a project.
    CreateProject: Permission::InInstallation;
    /// Reads a project.
    GetProject: READERS;
    /// Lists the projects that the caller can see.
    ListProjects: Permission::Authenticated;
    /// Changes a project's names.
    UpdateProject: ADMINS;
    /// Closes a project for changes.
    ArchiveProject: Permission::InInstallation;
    /// Adds a user or a service account.
    CreatePrincipal: Permission::InInstallation;
    /// Reads a principal.
    GetPrincipal: Permission::OnPrincipal;
    /// Lists all principals.
    ListPrincipals: Permission::InInstallation;
    /// Shuts a principal out.
    DisablePrincipal: Permission::InInstallation;
    /// Sets what a principal may do in a project.
    SetMembership: ADMINS;
    /// Lists a project's members.
    ListMembers: READERS;
    /// Ends a membership.
    RemoveMember: ADMINS;
    /// Makes a token.
    CreateToken: Permission::OnPrincipal;
    /// Lists a principal's tokens.
    ListTokens: Permission::OnPrincipal;
    /// Revokes a token.
    RevokeToken: Permission::OnPrincipal;

    /// Adds an environment.
    CreateEnvironment: ADMINS;
    /// Reads an environment.
    GetEnvironment: READERS;
    /// Lists environments.
    ListEnvironments: READERS;
    /// Changes an environment.
    UpdateEnvironment: ADMINS;
    /// Closes an environment for deployments.
    ArchiveEnvironment: ADMINS;

    /// Adds an application.
    CreateApplication: WRITERS;
    /// Reads an application.
    GetApplication: READERS;
    /// Lists applications.
    ListApplications: READERS;
    /// Changes an application's names.
    UpdateApplication: WRITERS;
    /// Closes an application for new versions and deployments.
    ArchiveApplication: ADMINS;
    /// Adds a version.
    CreateVersion: WRITERS;
    /// Reads a version, with its content where asked.
    GetVersion: READERS;
    /// Lists an application's versions.
    ListVersions: READERS;
    /// Marks a version as not to be deployed any more.
    DeprecateVersion: WRITERS;

    /// Reports a deployment.
    RecordDeployment: WRITERS;
    /// Reports many deployments.
    ImportDeployments: WRITERS;
    /// Reads a deployment record.
    GetDeploymentRecord: READERS;
    /// Reads the history.
    ListDeploymentRecords: READERS;
    /// Takes a deployment record back.
    RetractDeploymentRecord: ADMINS;
    /// Reads one cell of the current state.
    GetCurrentState: READERS;
    /// Reads many cells of the current state.
    ListCurrentState: READERS;
    /// Compares what is in two environments.
    CompareEnvironments: READERS;
    /// Follows the current state.
    WatchCurrentState: READERS;
    /// Asks for the current version of an application in an environment.
    ResolveVersion: READERS;
    /// Reads a project's figures.
    GetStatistics: READERS;

    /// Reads the audit trail.
    ListAuditEvents: ADMINS;
    /// Reads the whole audit trail.
    ExportAuditEvents: ADMINS;
    /// Checks the audit trail.
    VerifyAuditTrail: ADMINS;
    /// Takes a checkpoint of the audit trail, to be kept elsewhere.
    ExportCheckpoint: ADMINS;
}
