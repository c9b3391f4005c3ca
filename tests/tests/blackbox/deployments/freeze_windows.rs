//! Freeze windows: created, changed, listed, deleted.

use prost_types::{Duration, FieldMask};
use slipway_api::approvals::v1::{
    CreateFreezeWindowRequest, DeleteFreezeWindowRequest, FreezeAction, FreezeSchedule,
    FreezeScope, FreezeWindow, GetFreezeWindowRequest, ListFreezeWindowsRequest, OnceSchedule,
    RecurringSchedule, UpdateFreezeWindowRequest, Weekday, freeze_schedule::Schedule,
    freeze_scope::Scope,
};
use slipway_api::catalog::v1::{ArchiveEnvironmentRequest, EnvironmentTier};
use slipway_api::errors::v1::ErrorReason;
use slipway_tests::clock::{DAY, HOUR, ahead, from_micros, now, to_micros};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::once;
use slipway_tests::{Backend, Granted, Project, Refused, World, ago};
use tonic::Code;

use crate::case::cases;

cases![
    windows_come_back_as_they_were_given,
    a_recurring_window_says_when_it_stands_next,
    faulty_windows_are_refused_with_all_their_faults,
    windows_that_can_not_be_are_refused,
    windows_are_listed_by_slug,
];

fn weekly() -> RecurringSchedule {
    RecurringSchedule {
        time_zone: "Europe/Berlin".to_owned(),
        weekdays: vec![Weekday::Friday.into(), Weekday::Sunday.into()],
        start_time_of_day: "16:30".to_owned(),
        duration: Some(Duration {
            seconds: 3_600,
            nanos: 0,
        }),
        first_day: "2026-01-01".to_owned(),
        last_day: "2099-12-31".to_owned(),
    }
}

fn recurring(schedule: RecurringSchedule) -> FreezeSchedule {
    FreezeSchedule {
        schedule: Some(Schedule::Recurring(schedule)),
    }
}

fn creating(project: &Project, slug: &str) -> CreateFreezeWindowRequest {
    CreateFreezeWindowRequest {
        project: project.slug.clone(),
        slug: slug.to_owned(),
        schedule: Some(recurring(weekly())),
        reason: "quiet".to_owned(),
        ..Default::default()
    }
}

async fn created(project: &Project, request: CreateFreezeWindowRequest) -> FreezeWindow {
    let created = project.admin.freezes().create_freeze_window(request).await;
    created.granted().freeze_window.unwrap()
}

async fn fresh(backend: Backend) -> Project {
    let project = World::shared(backend).await.project().await;
    project.environment("prod").await;
    project
}

fn tier(tier: EnvironmentTier) -> FreezeScope {
    FreezeScope {
        scope: Some(Scope::Tier(tier.into())),
    }
}

fn environment(slug: &str) -> FreezeScope {
    FreezeScope {
        scope: Some(Scope::Environment(slug.to_owned())),
    }
}

async fn windows_come_back_as_they_were_given(backend: Backend) {
    let project = fresh(backend).await;
    let start = from_micros(to_micros(ahead(HOUR)));
    let schedules = [
        recurring(weekly()),
        recurring(RecurringSchedule {
            first_day: String::new(),
            last_day: String::new(),
            ..weekly()
        }),
        once(start, ahead(DAY)),
    ];
    let scopes = [
        FreezeScope { scope: None },
        tier(EnvironmentTier::Staging),
        environment("prod"),
    ];
    let mut freezes = project.admin.freezes();
    for (number, (schedule, scope)) in schedules.into_iter().zip(scopes).enumerate() {
        let request = CreateFreezeWindowRequest {
            schedule: Some(schedule),
            scope: Some(scope),
            actions: vec![FreezeAction::Release.into(), FreezeAction::Function.into()],
            suspended: number == 1,
            request_id: format!("window-{number}"),
            ..creating(&project, &format!("window-{number}"))
        };
        let made = created(&project, request.clone()).await;
        assert_eq!(made.schedule, request.schedule);
        assert_eq!(made.scope, request.scope);
        assert_eq!(made.actions, request.actions);
        assert_eq!(made.suspended, request.suspended);
        assert_eq!((&*made.reason, &*made.etag), ("quiet", "1"));
        assert_eq!(made.next_start_time.is_some(), !made.suspended);
        assert_eq!(created(&project, request).await, made, "repeated");
        let read = freezes.get_freeze_window(GetFreezeWindowRequest {
            project: project.slug.clone(),
            freeze_window: made.slug.clone(),
        });
        assert_eq!(read.await.granted().freeze_window, Some(made));
    }
    let absent = GetFreezeWindowRequest {
        project: project.slug.clone(),
        freeze_window: "window-9".to_owned(),
    };
    let refused = freezes.get_freeze_window(absent).await;
    refused.refused(Code::NotFound, ErrorReason::FreezeWindowNotFound);
}

async fn a_recurring_window_says_when_it_stands_next(backend: Backend) {
    let project = fresh(backend).await;
    let all = (1..=7).collect::<Vec<_>>();
    let daily = |start: &str, hours: i64| RecurringSchedule {
        weekdays: all.clone(),
        start_time_of_day: start.to_owned(),
        time_zone: "Asia/Kolkata".to_owned(),
        duration: Some(Duration {
            seconds: hours * 3_600,
            nanos: 0,
        }),
        first_day: String::new(),
        last_day: String::new(),
    };
    let always = CreateFreezeWindowRequest {
        schedule: Some(recurring(daily("00:00", 24))),
        ..creating(&project, "always")
    };
    let always = created(&project, always).await;
    assert!(always.stands);
    assert_eq!((always.next_start_time, always.next_end_time), (None, None));

    // In Kolkata it is half past an hour where it is a full one elsewhere.
    let hour = CreateFreezeWindowRequest {
        schedule: Some(recurring(daily("12:00", 1))),
        ..creating(&project, "noon")
    };
    let noon = created(&project, hour).await;
    let begins = to_micros(noon.next_start_time.unwrap());
    let ends = to_micros(noon.next_end_time.unwrap());
    let half_past_six = 6 * 3_600 + 1_800;
    assert_eq!(begins.rem_euclid(86_400_000_000), half_past_six * 1_000_000);
    let expected = if noon.stands { -23 } else { 1 };
    assert_eq!(ends - begins, expected * 3_600_000_000);
    assert!(begins > to_micros(now()) && begins - to_micros(now()) <= 86_400_000_000);

    let long_ago = CreateFreezeWindowRequest {
        schedule: Some(once(ago(DAY), ago(HOUR))),
        ..creating(&project, "over")
    };
    let over = created(&project, long_ago).await;
    assert!(!over.stands);
    assert_eq!((over.next_start_time, over.next_end_time), (None, None));
}

/// Schedules with one fault each, and the field that has it.
fn faulty_schedules() -> Vec<(RecurringSchedule, &'static str)> {
    let with = |change: fn(&mut RecurringSchedule)| {
        let mut schedule = weekly();
        change(&mut schedule);
        schedule
    };
    let lasting = |seconds, nanos| RecurringSchedule {
        duration: Some(Duration { seconds, nanos }),
        ..weekly()
    };
    vec![
        (with(|s| "Berlin".clone_into(&mut s.time_zone)), "time_zone"),
        (with(|s| s.time_zone.clear()), "time_zone"),
        (with(|s| s.weekdays.clear()), "weekdays"),
        (with(|s| s.weekdays = vec![5, 8]), "weekdays[1]"),
        (with(|s| s.weekdays = vec![0]), "weekdays[0]"),
        (
            with(|s| "24:00".clone_into(&mut s.start_time_of_day)),
            "start_time_of_day",
        ),
        (with(|s| s.duration = None), "duration"),
        (lasting(0, 0), "duration"),
        (lasting(61, 0), "duration"),
        (lasting(60, 1), "duration"),
        (lasting(-60, 0), "duration"),
        (lasting(7 * 86_400 + 60, 0), "duration"),
        (lasting(i64::MAX / 60 * 60, 0), "duration"),
        (
            with(|s| "2026-02-30".clone_into(&mut s.first_day)),
            "first_day",
        ),
        (
            with(|s| "2025-12-31".clone_into(&mut s.last_day)),
            "last_day",
        ),
    ]
}

async fn faulty_windows_are_refused_with_all_their_faults(backend: Backend) {
    let project = fresh(backend).await;
    let mut freezes = project.admin.freezes();
    for (schedule, field) in faulty_schedules() {
        let faulty = CreateFreezeWindowRequest {
            schedule: Some(recurring(schedule)),
            ..creating(&project, "faulty")
        };
        let refused = freezes.create_freeze_window(faulty).await;
        let refused = refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(
            violated_fields(&refused),
            [format!("schedule.recurring.{field}")]
        );
    }
    let faulty = CreateFreezeWindowRequest {
        project: project.slug.clone(),
        slug: "No".to_owned(),
        scope: Some(tier(EnvironmentTier::Unspecified)),
        schedule: Some(FreezeSchedule {
            schedule: Some(Schedule::Once(OnceSchedule {
                start_time: Some(now()),
                end_time: None,
            })),
        }),
        actions: vec![1, 0, 9],
        reason: " ".to_owned(),
        ..Default::default()
    };
    let refused = freezes.create_freeze_window(faulty).await;
    let refused = refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
    let mut fields = violated_fields(&refused);
    fields.sort_unstable();
    let expected = [
        "actions[1]",
        "actions[2]",
        "reason",
        "schedule.once.end_time",
        "scope.tier",
        "slug",
    ];
    assert_eq!(fields, expected);
    let backwards = CreateFreezeWindowRequest {
        schedule: Some(once(ahead(DAY), ahead(HOUR))),
        ..creating(&project, "backwards")
    };
    let refused = freezes.create_freeze_window(backwards).await;
    let refused = refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(violated_fields(&refused), ["schedule.once.end_time"]);
    let nothing = CreateFreezeWindowRequest {
        schedule: None,
        ..creating(&project, "nothing")
    };
    let refused = freezes.create_freeze_window(nothing).await;
    let refused = refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(violated_fields(&refused), ["schedule"]);
}

async fn windows_that_can_not_be_are_refused(backend: Backend) {
    let project = fresh(backend).await;
    let mut freezes = project.admin.freezes();
    created(&project, creating(&project, "weekly")).await;
    let again = freezes.create_freeze_window(creating(&project, "weekly"));
    again
        .await
        .refused(Code::AlreadyExists, ErrorReason::FreezeWindowAlreadyExists);
    let elsewhere = CreateFreezeWindowRequest {
        scope: Some(environment("nowhere")),
        ..creating(&project, "elsewhere")
    };
    let refused = freezes.create_freeze_window(elsewhere).await;
    refused.refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    project.environment("old").await;
    let archive = ArchiveEnvironmentRequest {
        project: project.slug.clone(),
        environment: "old".to_owned(),
        ..Default::default()
    };
    let mut environments = project.admin.environments();
    environments.archive_environment(archive).await.granted();
    let change = UpdateFreezeWindowRequest {
        project: project.slug.clone(),
        freeze_window: "weekly".to_owned(),
        scope: Some(environment("old")),
        update_mask: Some(FieldMask {
            paths: vec!["scope".to_owned()],
        }),
        ..Default::default()
    };
    let refused = freezes.update_freeze_window(change.clone()).await;
    refused.refused(Code::FailedPrecondition, ErrorReason::EnvironmentArchived);
    let unknown = UpdateFreezeWindowRequest {
        freeze_window: "nothing".to_owned(),
        ..change
    };
    let refused = freezes.update_freeze_window(unknown).await;
    refused.refused(Code::NotFound, ErrorReason::FreezeWindowNotFound);
    let delete = |window: &str, etag: &str| DeleteFreezeWindowRequest {
        project: project.slug.clone(),
        freeze_window: window.to_owned(),
        etag: etag.to_owned(),
        request_id: String::new(),
    };
    let refused = freezes.delete_freeze_window(delete("nothing", "")).await;
    refused.refused(Code::NotFound, ErrorReason::FreezeWindowNotFound);
    let refused = freezes.delete_freeze_window(delete("weekly", "7")).await;
    refused.refused(Code::Aborted, ErrorReason::EtagMismatch);
    for number in 1..100 {
        created(&project, creating(&project, &format!("w-{number}"))).await;
    }
    let one_more = freezes.create_freeze_window(creating(&project, "w-100"));
    let refused = one_more.await;
    refused.refused(Code::FailedPrecondition, ErrorReason::TooManyFreezeWindows);
    freezes
        .delete_freeze_window(delete("weekly", "1"))
        .await
        .granted();
    created(&project, creating(&project, "w-100")).await;
}

async fn windows_are_listed_by_slug(backend: Backend) {
    let project = fresh(backend).await;
    let mut freezes = project.admin.freezes();
    for slug in ["c", "a", "b", "a"] {
        let delete = DeleteFreezeWindowRequest {
            project: project.slug.clone(),
            freeze_window: "a".to_owned(),
            ..Default::default()
        };
        if slug == "a" {
            // The first time there is none.
            drop(freezes.delete_freeze_window(delete).await);
        }
        created(&project, creating(&project, slug)).await;
    }
    for (include_deleted, expected) in [
        (false, vec!["a", "b", "c"]),
        (true, vec!["a", "a", "b", "c"]),
    ] {
        for page_size in [1, 3, 50] {
            let mut request = ListFreezeWindowsRequest {
                project: project.slug.clone(),
                include_deleted,
                page_size,
                ..Default::default()
            };
            let mut slugs = Vec::new();
            loop {
                let page = freezes.list_freeze_windows(request.clone()).await.granted();
                slugs.extend(page.freeze_windows.into_iter().map(|window| window.slug));
                if page.next_page_token.is_empty() {
                    break;
                }
                request.page_token = page.next_page_token;
            }
            assert_eq!(slugs, expected);
        }
    }
    let nowhere = ListFreezeWindowsRequest {
        project: project.slug.clone(),
        environment: "nowhere".to_owned(),
        ..Default::default()
    };
    let refused = freezes.list_freeze_windows(nowhere).await;
    refused.refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
}
