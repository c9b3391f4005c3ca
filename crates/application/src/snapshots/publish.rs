use slipway_snapshots::GitError;

use crate::Context;

/// Brings snapshots that were kept on this machine, because the Git store could not be reached, to it. What can't be
/// brought waits on.
pub async fn publish_snapshots(context: &Context) -> Result<(), GitError> {
    context.repositories.publish().await
}
