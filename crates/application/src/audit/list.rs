use slipway_audit::{EventFilter, EventPlace, ListedEvent};
use slipway_identity::Command;
use slipway_kernel::{Page, PageSize, Slug};

use super::{AuditError, as_events_do, authorise_chain};
use crate::{Call, Context};

/// The events of one chain that a filter selects, chained or not: by time, newest first, then by event id, highest
/// first. The chain is a project's, or the installation's.
pub async fn list_audit_events(
    context: &Context,
    call: &Call<'_>,
    project: Option<&Slug>,
    filter: &EventFilter,
    after: Option<EventPlace>,
    size: PageSize,
) -> Result<Page<ListedEvent, EventPlace>, AuditError> {
    let chain = authorise_chain(context, call, Command::ListAuditEvents, project).await?;
    let filter = as_events_do(context, chain, filter.clone()).await?;
    Ok(context.reader().events(chain, &filter, after, size).await?)
}
