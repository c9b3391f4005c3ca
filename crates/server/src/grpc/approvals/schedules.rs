//! When freeze windows stand, as messages have it.

use std::collections::BTreeSet;

use prost_types::Duration;
use slipway_api::approvals::v1 as proto;
use slipway_api::approvals::v1::freeze_schedule::Schedule as Message;
use slipway_api::approvals::v1::freeze_scope::Scope as ScopeMessage;
use slipway_application::Context;
use slipway_application::freezes::foresee;
use slipway_approvals::freeze::{Days, Recurrence, Schedule, Span, WindowLength};
use slipway_approvals::{FreezeScope, FreezeWindow};
use slipway_kernel::StoreError;

use super::words::{shown_action, shown_weekday, weekday};
use crate::grpc::catalog::words::shown_tier;
use crate::grpc::fields::Fields;
use crate::grpc::show;

/// A schedule that must be there; `None` where there is a fault.
pub(super) fn schedule(
    fields: &mut Fields,
    message: Option<proto::FreezeSchedule>,
) -> Option<Schedule> {
    let Some(schedule) = message.and_then(|message| message.schedule) else {
        fields.refuse("schedule", "is required; say `once` or `recurring`");
        return None;
    };
    match schedule {
        Message::Once(message) => once(fields, &message).map(Schedule::Once),
        Message::Recurring(message) => recurring(fields, &message).map(Schedule::Recurring),
    }
}

fn once(fields: &mut Fields, message: &proto::OnceSchedule) -> Option<Span> {
    let mut inner = Fields::within("schedule.once");
    let mut required = |field, time: Option<prost_types::Timestamp>| {
        if time.is_none() {
            inner.refuse(field, "is required");
        }
        inner.time(field, time)
    };
    let start = required("start_time", message.start_time);
    let end = required("end_time", message.end_time);
    let span = start.zip(end).and_then(|(start, end)| {
        Span::new(start, end)
            .map_err(|error| inner.refuse("end_time", error))
            .ok()
    });
    fields.absorb(inner);
    span
}

fn recurring(fields: &mut Fields, message: &proto::RecurringSchedule) -> Option<Recurrence> {
    let mut inner = Fields::within("schedule.recurring");
    let zone = inner.required("time_zone", &message.time_zone);
    let mut weekdays = BTreeSet::new();
    for (at, number) in message.weekdays.iter().enumerate() {
        weekdays.extend(inner.required_choice(&format!("weekdays[{at}]"), *number, weekday));
    }
    let weekdays = if message.weekdays.is_empty() || !weekdays.is_empty() {
        weekdays
            .try_into()
            .map_err(|error| inner.refuse("weekdays", error))
            .ok()
    } else {
        None
    };
    let start = inner.required("start_time_of_day", &message.start_time_of_day);
    let length = length(&mut inner, message.duration);
    let first = inner.optional("first_day", &message.first_day);
    let last = inner.optional("last_day", &message.last_day);
    let days = Days::new(first, last)
        .map_err(|error| inner.refuse("last_day", error))
        .ok();
    fields.absorb(inner);
    Some(Recurrence {
        zone: zone?,
        weekdays: weekdays?,
        start: start?,
        length: length?,
        days: days?,
    })
}

fn length(fields: &mut Fields, duration: Option<Duration>) -> Option<WindowLength> {
    let Some(duration) = duration else {
        fields.refuse("duration", "is required");
        return None;
    };
    if duration.nanos != 0 || duration.seconds % 60 != 0 {
        fields.refuse("duration", "must be whole minutes");
        return None;
    }
    let minutes = i32::try_from(duration.seconds / 60).unwrap_or(i32::MAX);
    WindowLength::try_from(minutes)
        .map_err(|error| fields.refuse("duration", error))
        .ok()
}

fn shown_schedule(schedule: Schedule) -> proto::FreezeSchedule {
    let schedule = match schedule {
        Schedule::Once(span) => Message::Once(proto::OnceSchedule {
            start_time: Some(show::time(span.start())),
            end_time: Some(show::time(span.end())),
        }),
        Schedule::Recurring(recurrence) => {
            let day = |day: Option<slipway_approvals::freeze::Day>| {
                day.map(String::from).unwrap_or_default()
            };
            let weekdays = recurrence.weekdays.iter().map(shown_weekday);
            Message::Recurring(proto::RecurringSchedule {
                weekdays: weekdays.map(i32::from).collect(),
                time_zone: recurrence.zone.into(),
                start_time_of_day: recurrence.start.to_string(),
                duration: Some(Duration {
                    seconds: i64::from(i32::from(recurrence.length)) * 60,
                    nanos: 0,
                }),
                first_day: day(recurrence.days.first()),
                last_day: day(recurrence.days.last()),
            })
        }
    };
    proto::FreezeSchedule {
        schedule: Some(schedule),
    }
}

/// A window as a message has it.
pub(super) async fn shown(
    context: &Context,
    window: FreezeWindow,
    project: &str,
) -> Result<proto::FreezeWindow, StoreError> {
    let outlook = foresee(context, &window);
    let scope = match window.scope {
        FreezeScope::Project => None,
        FreezeScope::Tier(tier) => Some(ScopeMessage::Tier(shown_tier(tier).into())),
        FreezeScope::Environment(environment) => {
            let slug = context.environment_slug(environment).await?;
            Some(ScopeMessage::Environment(slug.into()))
        }
    };
    let actions = window.actions.into_iter().map(shown_action);
    Ok(proto::FreezeWindow {
        freeze_window_id: window.id.to_string(),
        project: project.to_owned(),
        slug: window.slug.into(),
        scope: Some(proto::FreezeScope { scope }),
        schedule: Some(shown_schedule(window.schedule)),
        actions: actions.map(i32::from).collect(),
        reason: window.reason.into(),
        suspended: window.suspended,
        created_time: Some(show::time(window.created_at)),
        deleted_time: window.deleted_at.map(show::time),
        etag: window.revision.to_string(),
        stands: outlook.stands,
        next_start_time: outlook.next_start.map(show::time),
        next_end_time: outlook.next_end.map(show::time),
    })
}
