//! Who calls, and whether it may.

use slipway_identity::{Caller, Command, Denied, Scope, authorise};
use slipway_kernel::{ProjectId, Slug};

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
}
