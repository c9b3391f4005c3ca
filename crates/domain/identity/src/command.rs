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
/// Whether the caller's answer counts is decided by the rules of what it answers.
const VOTERS: Permission = READERS;
const WRITERS: Permission = Permission::InProject(&[Role::Developer, Role::Admin]);
const ADMINS: Permission = Permission::InProject(&[Role::Admin]);

macro_rules! commands {
    ($($(#[$doc:meta])* $kind:ident $name:ident: $permission:expr;)+) => {
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

            /// Whether it only reads.
            pub const fn reads(self) -> bool {
                match self { $(Self::$name => commands!(@$kind)),+ }
            }

            /// What it needs.
            pub const fn permission(self) -> Permission {
                match self { $(Self::$name => $permission),+ }
            }
        }
    };
    (@reads) => { true };
    (@changes) => { false };
}

commands! {
    /// Says who the caller is.
    reads WhoAmI: Permission::Authenticated;
    /// Adds a project.
    changes CreateProject: Permission::InInstallation;
    /// Reads a project.
    reads GetProject: READERS;
    /// Lists the projects that the caller can see.
    reads ListProjects: Permission::Authenticated;
    /// Changes a project's names, and what it requires of versions.
    changes UpdateProject: ADMINS;
    /// Closes a project for changes.
    changes ArchiveProject: Permission::InInstallation;
    /// Adds a user or a service account.
    changes CreatePrincipal: Permission::InInstallation;
    /// Reads a principal.
    reads GetPrincipal: Permission::OnPrincipal;
    /// Lists all principals.
    reads ListPrincipals: Permission::InInstallation;
    /// Shuts a principal out.
    changes DisablePrincipal: Permission::InInstallation;
    /// Says that an identity stands for a principal.
    changes LinkIdentity: Permission::InInstallation;
    /// Says that it does no longer.
    changes UnlinkIdentity: Permission::InInstallation;
    /// Sets what a principal may do in a project.
    changes SetMembership: ADMINS;
    /// Lists a project's members.
    reads ListMembers: READERS;
    /// Ends a membership.
    changes RemoveMember: ADMINS;
    /// Makes a token.
    changes CreateToken: Permission::OnPrincipal;
    /// Lists a principal's tokens.
    reads ListTokens: Permission::OnPrincipal;
    /// Revokes a token.
    changes RevokeToken: Permission::OnPrincipal;

    /// Adds an environment.
    changes CreateEnvironment: ADMINS;
    /// Reads an environment.
    reads GetEnvironment: READERS;
    /// Lists environments.
    reads ListEnvironments: READERS;
    /// Changes an environment.
    changes UpdateEnvironment: ADMINS;
    /// Closes an environment for deployments.
    changes ArchiveEnvironment: ADMINS;
    /// Asks an environment's workflow engine whether it answers.
    reads CheckEngine: READERS;
    /// Lists what an environment's workflow engine holds.
    reads ListWorkflows: READERS;
    /// Says which workflow of an environment a key stands for.
    changes LinkWorkflow: ADMINS;
    /// Reads which credentials workflows get in an environment.
    reads GetCredentialMapping: READERS;
    /// Sets which credentials workflows get in an environment.
    changes SetCredentialMapping: ADMINS;

    /// Adds an application.
    changes CreateApplication: WRITERS;
    /// Reads an application.
    reads GetApplication: READERS;
    /// Lists applications.
    reads ListApplications: READERS;
    /// Changes an application's names.
    changes UpdateApplication: WRITERS;
    /// Closes an application for new versions and deployments.
    changes ArchiveApplication: ADMINS;
    /// Adds a version.
    changes CreateVersion: WRITERS;
    /// Reads a version, with its content where asked.
    reads GetVersion: READERS;
    /// Lists an application's versions.
    reads ListVersions: READERS;
    /// Marks a version as not to be deployed any more.
    changes DeprecateVersion: WRITERS;

    /// Reports a deployment.
    changes RecordDeployment: WRITERS;
    /// Reports many deployments.
    changes ImportDeployments: WRITERS;
    /// Reads a deployment record.
    reads GetDeploymentRecord: READERS;
    /// Reads the history.
    reads ListDeploymentRecords: READERS;
    /// Takes a deployment record back.
    changes RetractDeploymentRecord: ADMINS;
    /// Reads one cell of the current state.
    reads GetCurrentState: READERS;
    /// Reads many cells of the current state.
    reads ListCurrentState: READERS;
    /// Compares what is in two environments.
    reads CompareEnvironments: READERS;
    /// Follows the current state.
    reads WatchCurrentState: READERS;
    /// Asks for the current version of an application in an environment.
    reads ResolveVersion: READERS;
    /// Reads a project's figures.
    reads GetStatistics: READERS;

    /// Adds a pipeline.
    changes CreatePipeline: ADMINS;
    /// Reads a pipeline.
    reads GetPipeline: READERS;
    /// Lists pipelines.
    reads ListPipelines: READERS;
    /// Changes a pipeline.
    changes UpdatePipeline: ADMINS;
    /// Closes a pipeline for promotions.
    changes ArchivePipeline: ADMINS;
    /// Plans a promotion.
    reads PlanPromotion: READERS;
    /// Asks for a release.
    changes CreateRelease: WRITERS;
    /// Carries a release out.
    changes ExecuteDeployment: WRITERS;
    /// Asks for a promotion.
    changes StartPromotion: WRITERS;
    /// Reads a deployment.
    reads GetDeployment: READERS;
    /// Lists deployments.
    reads ListDeployments: READERS;
    /// Reads a project's figures about deployments.
    reads GetDeploymentSummary: READERS;
    /// Stops a deployment.
    changes CancelDeployment: WRITERS;
    /// Follows a deployment.
    reads WatchDeployment: READERS;
    /// Undoes a deployment.
    changes RollbackDeployment: WRITERS;
    /// Says what became of a deployment that nobody can tell about.
    changes ResolveInDoubt: ADMINS;
    /// Adds a template for releases.
    changes CreateTemplate: ADMINS;
    /// Reads a template.
    reads GetTemplate: READERS;
    /// Lists templates.
    reads ListTemplates: READERS;
    /// Makes a new version of a template.
    changes UpdateTemplate: ADMINS;
    /// Deletes a template.
    changes DeleteTemplate: ADMINS;
    /// Asks for what a template says to become current.
    changes CreateReleaseFromTemplate: WRITERS;
    /// Says how a check of a deployment stands.
    changes ReportCheck: WRITERS;
    /// Agrees to a deployment.
    changes Approve: VOTERS;
    /// Disagrees with a deployment.
    changes Reject: VOTERS;
    /// Takes an approval back.
    changes WithdrawApproval: VOTERS;
    /// Lets a deployment pass without those who were asked.
    changes OverrideApproval: ADMINS;
    /// Says whether it was right to let a deployment pass.
    changes ReviewOverride: ADMINS;
    /// Sets who has to agree to deployments.
    changes SetPolicy: ADMINS;
    /// Reads who has to agree to deployments.
    reads GetPolicy: READERS;
    /// Lists who has to agree to deployments.
    reads ListPolicies: READERS;
    /// Lets a policy apply no more.
    changes DeletePolicy: ADMINS;
    /// Reads an approval request.
    reads GetApprovalRequest: READERS;
    /// Lists approval requests.
    reads ListApprovalRequests: READERS;
    /// Adds a freeze window.
    changes CreateFreezeWindow: ADMINS;
    /// Reads a freeze window.
    reads GetFreezeWindow: READERS;
    /// Lists freeze windows.
    reads ListFreezeWindows: READERS;
    /// Changes a freeze window.
    changes UpdateFreezeWindow: ADMINS;
    /// Removes a freeze window.
    changes DeleteFreezeWindow: ADMINS;
    /// Lets a deployment through a freeze.
    changes OverrideFreeze: ADMINS;
    /// Takes a backup of an environment.
    changes CreateSnapshot: WRITERS;
    /// Reads a snapshot.
    reads GetSnapshot: READERS;
    /// Lists snapshots.
    reads ListSnapshots: READERS;
    /// Compares two snapshots.
    reads CompareSnapshots: READERS;
    /// Reads a workflow of a snapshot.
    reads GetSnapshotWorkflow: READERS;
    /// Compares an environment with its last snapshot.
    reads DetectDrift: READERS;
    /// Puts an environment back to what a snapshot says.
    changes RestoreSnapshot: ADMINS;

    /// Adds a webhook.
    changes CreateWebhook: ADMINS;
    /// Reads a webhook.
    reads GetWebhook: ADMINS;
    /// Lists webhooks.
    reads ListWebhooks: ADMINS;
    /// Changes a webhook.
    changes UpdateWebhook: ADMINS;
    /// Removes a webhook.
    changes DeleteWebhook: ADMINS;
    /// Sends a webhook a message that tries it.
    changes TestWebhook: ADMINS;
    /// Lists what was sent to webhooks.
    reads ListDeliveries: ADMINS;
    /// Sends something to a webhook once more.
    changes RedeliverWebhook: ADMINS;

    /// Reads the audit trail.
    reads ListAuditEvents: ADMINS;
    /// Reads the whole audit trail.
    reads ExportAuditEvents: ADMINS;
    /// Checks the audit trail.
    reads VerifyAuditTrail: ADMINS;
    /// Takes a checkpoint of the audit trail, to be kept elsewhere.
    reads ExportCheckpoint: ADMINS;
    /// Reports who agreed to what changed.
    reads GetComplianceReport: ADMINS;
    /// Reads how well deliveries go.
    reads GetDoraMetrics: READERS;
}
