//! A project's ledger in numbers.

use slipway_api::ledger::v1 as proto;
use slipway_application::ledger::{MAX_WINDOW_DAYS, get_statistics};
use slipway_kernel::{Slug, Timestamp};
use slipway_ledger::DayCount;

use super::record::{principals, shown};
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::{Names, count};

/// The window of a request that names none, in days.
const DEFAULT_WINDOW_DAYS: u32 = 30;
const MICROS_PER_DAY: i64 = 86_400_000_000;

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetStatisticsRequest,
) -> Result<proto::GetStatisticsResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let environment: Option<Slug> = fields.optional("environment", &message.environment);
    let window_days = match u32::try_from(message.window_days) {
        Ok(0) => DEFAULT_WINDOW_DAYS,
        Ok(days) if days <= MAX_WINDOW_DAYS => days,
        _ => {
            let given = message.window_days;
            fields.refuse(
                "window_days",
                format_args!(
                    "is {given}; send 0 for the default of {DEFAULT_WINDOW_DAYS}, or 1 to {MAX_WINDOW_DAYS}"
                ),
            );
            DEFAULT_WINDOW_DAYS
        }
    };
    let project = fields.finish(|| project)?;
    let call = session.call("");
    let environment = environment.as_ref();
    let statistics =
        get_statistics(&api.context, &call, &project, environment, window_days).await?;
    let mentioned = statistics.latest.iter().flat_map(principals);
    let names = Names(api.context.display_names(mentioned).await?);
    Ok(proto::GetStatisticsResponse {
        statistics: Some(proto::Statistics {
            application_count: count(statistics.applications),
            environment_count: count(statistics.environments),
            deployments_last_7_days: count(statistics.recent_deployments),
            recent_records: statistics
                .latest
                .into_iter()
                .map(|record| shown(record, project.as_str(), &names))
                .collect(),
            daily_counts: statistics.per_day.into_iter().map(day).collect(),
            daily_counts_truncated: statistics.per_day_truncated,
        }),
    })
}

fn day(counted: DayCount) -> proto::DailyCount {
    let start = Timestamp::from_micros(counted.day.saturating_mul(MICROS_PER_DAY));
    let text = start.map(|start| start.to_string()).unwrap_or_default();
    let date = text.split_once('T').map_or("", |(date, _)| date);
    proto::DailyCount {
        environment: counted.environment.into(),
        day: date.to_owned(),
        deployed_count: count(counted.deployed),
        removed_count: count(counted.removed),
    }
}
