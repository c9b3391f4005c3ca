//! The audit trail: reading it, proving it, chaining it, and noting refusals in it.

mod checkpoint;
mod dora;
mod export;
mod list;
mod refusals;
mod report;
mod sequencer;
mod verify;

pub use checkpoint::export_checkpoint;
pub use dora::{DoraQuestion, dora_metrics};
pub use export::{AuditExport, ExportItem, ExportSummary};
pub use list::list_audit_events;
pub(crate) use refusals::Refusals;
pub use refusals::{Refusal, flush_all_refusals, flush_refusals, note_refusal};
pub use report::{ComplianceReport, ReportQuestion, compliance_report};
pub use sequencer::{MAX_CHAINED, chain_events};
pub use verify::{verify_audit_trail, verify_chain};

use slipway_audit::{
    ChainId, EventFilter,
    report::{MAX_DEPLOYMENTS, MAX_RECORDS},
};
use slipway_deployments::DeploymentName;
use slipway_identity::Command;
use slipway_kernel::{Key, Slug, StoreError};

use crate::{Call, CommandError, Context, error::meets_command_errors};

/// Why a question about the audit trail was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Nothing was chained yet.
    #[error(
        "the audit chain of {} has no event yet; try again in a few seconds",
        chain_name(project.as_ref())
    )]
    ChainEmpty {
        /// The project; `None` for the installation.
        project: Option<Slug>,
    },
    /// No environment of the project has this slug.
    #[error("the project has no environment `{slug}`")]
    EnvironmentNotFound {
        /// The slug.
        slug: Slug,
    },
    /// A report would be too large.
    #[error(
        "the period has more than {MAX_DEPLOYMENTS} deployments or {MAX_RECORDS} records; choose a shorter one, or one \
         environment"
    )]
    ReportTooLarge,
    /// No application of the project has this key.
    #[error("the project has no application `{key}`")]
    ApplicationNotFound {
        /// The key.
        key: Key,
    },
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(AuditError);

fn chain_name(project: Option<&Slug>) -> String {
    project.map_or_else(
        || "the installation".to_owned(),
        |slug| format!("the project `{slug}`"),
    )
}

/// The chain of a project, or the installation's, where the caller may give this command about it.
async fn authorise_chain(
    context: &Context,
    call: &Call<'_>,
    command: Command,
    project: Option<&Slug>,
) -> Result<ChainId, CommandError> {
    if let Some(slug) = project {
        return Ok(context.authorise_in(call, command, slug).await?.into());
    }
    Context::authorise_installation(call, command)?;
    Ok(ChainId::INSTALLATION)
}

/// What events call a resource, so that all of one resource bear one name: people may call a deployment by its number, and
/// its events know it by its id. What there is not keeps the name given.
async fn name_in_events(
    context: &Context,
    chain: ChainId,
    kind: &str,
    name: &str,
) -> Result<String, StoreError> {
    let number = name.strip_prefix('#').unwrap_or(name).parse::<i64>();
    if let (Some(project), "deployment", Ok(number)) = (chain.0, kind, number) {
        let number = DeploymentName::Number(number);
        if let Some(found) = context.reader().deployment(project, number).await? {
            return Ok(found.id.to_string());
        }
    }
    Ok(name.to_owned())
}

/// A filter that names its resource as events do.
async fn as_events_do(
    context: &Context,
    chain: ChainId,
    mut filter: EventFilter,
) -> Result<EventFilter, StoreError> {
    if let (Some(kind), Some(name)) = (&filter.resource_kind, &filter.resource_name) {
        let name = name_in_events(context, chain, kind, name).await?;
        filter.resource_name = Some(name);
    }
    Ok(filter)
}
