use slipway_identity::Command;
use slipway_kernel::{
    Slug, Timestamp,
    time::{DAY, TimestampError},
};
use slipway_ledger::Statistics;

use super::{LedgerError, names::Names};
use crate::{Call, Context};

/// For how many days counts can be had at most.
pub const MAX_WINDOW_DAYS: u32 = 366;

/// A project's figures as of now: counts per day for the last `window_days` UTC days, today included, and for one
/// environment where one is named. A window is 1 to [`MAX_WINDOW_DAYS`] days; a longer one is cut.
pub async fn get_statistics(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    environment: Option<&Slug>,
    window_days: u32,
) -> Result<Statistics, LedgerError> {
    let project = context
        .authorise_in(call, Command::GetStatistics, project)
        .await?;
    let now = context.clock.now();
    let days_before_today = window_days.clamp(1, MAX_WINDOW_DAYS) - 1;
    let days_from = start_of_day(now)
        .unwrap_or(Timestamp::MIN)
        .minus(DAY * days_before_today);
    let statistics = context
        .reader()
        .statistics(project, now.minus(DAY * 7), days_from, environment)
        .await?;
    if statistics.per_day.is_empty() {
        let names = Names {
            environment,
            ..Names::default()
        };
        names.must_exist(context, project).await?;
    }
    Ok(statistics)
}

fn start_of_day(now: Timestamp) -> Result<Timestamp, TimestampError> {
    let micros = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.day().saturating_mul(micros))
}
