use slipway_audit::Checkpoint;
use slipway_identity::Command;
use slipway_kernel::Slug;

use super::{AuditError, authorise_chain};
use crate::{Call, Context};

/// The head of a chain, to be kept where nobody who can change the chain can change it too.
pub async fn export_checkpoint(
    context: &Context,
    call: &Call<'_>,
    project: Option<&Slug>,
) -> Result<Checkpoint, AuditError> {
    let chain = authorise_chain(context, call, Command::ExportCheckpoint, project).await?;
    let head = context.reader().head(chain).await?;
    let head = head.ok_or_else(|| AuditError::ChainEmpty {
        project: project.cloned(),
    })?;
    Ok(Checkpoint::of(&head, context.clock.now()))
}
