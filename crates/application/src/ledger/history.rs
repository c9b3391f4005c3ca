use slipway_identity::Command;
use slipway_kernel::{Page, PageSize, RecordId, Slug};
use slipway_ledger::{Record, RecordFilter, RecordPlace};

use super::{LedgerError, names::Names};
use crate::{Call, Context};

/// One record, retracted or not.
pub async fn get_deployment_record(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    id: RecordId,
) -> Result<Record, LedgerError> {
    let project = context
        .authorise_in(call, Command::GetDeploymentRecord, project)
        .await?;
    let record = context.reader().record(project, id).await?;
    record.ok_or(LedgerError::RecordNotFound { id })
}

/// The records that a filter selects: by deployment time, newest first; of equal times, the highest sequence first.
///
/// Names in the filter that stand for nothing are an error. They are looked up only where the first page is empty, so
/// that a question with an answer costs one statement.
pub async fn list_deployment_records(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    filter: &RecordFilter,
    after: Option<RecordPlace>,
    size: PageSize,
) -> Result<Page<Record, RecordPlace>, LedgerError> {
    let project = context
        .authorise_in(call, Command::ListDeploymentRecords, project)
        .await?;
    let page = context
        .reader()
        .records(project, filter, after, size)
        .await?;
    if page.items.is_empty() && after.is_none() {
        let names = Names {
            application: filter.application.as_ref(),
            version: filter.version.as_ref(),
            environment: filter.environment.as_ref(),
        };
        names.must_exist(context, project).await?;
    }
    Ok(page)
}
