//! Who calls, and whether it may.

use slipway_identity::{Caller, Command, Denied, Principal, PrincipalKind, Scope, authorise};
use slipway_kernel::{PrincipalId, ProjectId, Slug};

use crate::{CommandError, Context};

/// One call of a use case.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Who calls.
    pub caller: &'a Caller,
    /// Names the call in the log and in the audit trail.
    pub correlation_id: &'a str,
    /// The caller's own identifier of a change, so that repeating it changes nothing: 1 to 128 printable ASCII
    /// characters.
    pub request_id: Option<&'a str>,
}

impl Context {
    /// Passes where the caller may give this command in this project, and answers with the project. A project that the
    /// caller may not see is answered like one that does not exist.
    pub async fn authorise_in(
        &self,
        call: &Call<'_>,
        command: Command,
        project: &Slug,
    ) -> Result<ProjectId, CommandError> {
        let absent = || CommandError::ProjectNotFound {
            slug: project.clone(),
        };
        let id = self.project_id(project).await?.ok_or_else(absent)?;
        match authorise(call.caller, command, Scope::Project(id)) {
            Ok(()) => Ok(id),
            Err(Denied::NotVisible) => Err(absent()),
            Err(denied) => Err(CommandError::Denied(denied)),
        }
    }

    /// Passes where the caller may give this command to the installation.
    pub fn authorise_installation(call: &Call<'_>, command: Command) -> Result<(), CommandError> {
        authorise(call.caller, command, Scope::Installation).map_err(CommandError::Denied)
    }

    /// The principal that a command is about, where the caller may give this command about it. One that it may not know
    /// of is answered like one that does not exist.
    pub async fn authorise_on(
        &self,
        call: &Call<'_>,
        command: Command,
        principal: PrincipalId,
    ) -> Result<Option<Principal>, CommandError> {
        let Some(principal) = self.reader().principal(principal).await? else {
            return Ok(None);
        };
        Ok(visible(call, command, &principal)?.then_some(principal))
    }
}

/// Whether the caller may give this command about this principal, or may not know of it.
pub(crate) fn visible(
    call: &Call<'_>,
    command: Command,
    principal: &Principal,
) -> Result<bool, CommandError> {
    let owner = match principal.kind {
        PrincipalKind::User => None,
        PrincipalKind::ServiceAccount { owner } => Some(owner),
    };
    let id = principal.id;
    match authorise(call.caller, command, Scope::Principal { id, owner }) {
        Ok(()) => Ok(true),
        Err(Denied::NotVisible) => Ok(false),
        Err(denied) => Err(CommandError::Denied(denied)),
    }
}
