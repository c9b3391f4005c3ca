use slipway_audit::{
    dora::{Figures, MAX_ROWS, figures},
    report::Bounds,
};
use slipway_identity::Command;
use slipway_kernel::{Key, Slug, Timestamp};

use super::AuditError;
use crate::{Call, Context};

/// The most figures of an answer.
const MAX_FIGURES: usize = 5_000;

/// What to figure out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoraQuestion {
    /// The project.
    pub project: Slug,
    /// The beginning.
    pub from: Timestamp,
    /// The end, which is not part of it.
    pub to: Timestamp,
    /// One environment only.
    pub environment: Option<Slug>,
    /// One application only.
    pub application: Option<Key>,
}

/// How often, how fast and how well versions were delivered in a period, by application, then by environment.
pub async fn dora_metrics(
    context: &Context,
    call: &Call<'_>,
    question: DoraQuestion,
) -> Result<Vec<Figures>, AuditError> {
    let project = context
        .authorise_in(call, Command::GetDoraMetrics, &question.project)
        .await?;
    let reader = context.reader();
    let environment = match question.environment {
        None => None,
        Some(slug) => match reader.environment(project, &slug).await? {
            Some(found) => Some((found.id, slug)),
            None => return Err(AuditError::EnvironmentNotFound { slug }),
        },
    };
    let application = question.application.as_ref();
    if let Some(key) = application
        && reader.application(project, key).await?.is_none()
    {
        return Err(AuditError::ApplicationNotFound { key: key.clone() });
    }
    let bounds = Bounds {
        project,
        from: question.from,
        to: question.to,
        environment,
    };
    let limit = u32::try_from(MAX_ROWS + 1).unwrap_or(u32::MAX);
    let delivered = reader.delivered(&bounds, application, limit).await?;
    let ended = reader.ended(&bounds, application, limit).await?;
    if delivered.len() > MAX_ROWS || ended.len() > MAX_ROWS {
        return Err(AuditError::ReportTooLarge);
    }
    let figures = figures(bounds.from, bounds.to, &delivered, &ended);
    if figures.len() > MAX_FIGURES {
        return Err(AuditError::ReportTooLarge);
    }
    Ok(figures)
}
