//! What the trail tells.

use slipway_api::audit::v1::{AuditEvent, AuditEventFilter, AuditOutcome, ListAuditEventsRequest};
use slipway_api::catalog::v1::{
    ArchiveApplicationRequest, ArchiveEnvironmentRequest, DeprecateVersionRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{RemoveMemberRequest, Role};
use slipway_api::ledger::v1::GetStatisticsRequest;
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::report;
use slipway_tests::{Backend, Granted, Refused, World};
use tonic::Code;

use super::{events, of, settle, shared};
use crate::case::cases;

cases![
    everything_done_is_an_event,
    a_refusal_is_an_event_and_equal_ones_are_one,
    reading_leaves_no_event,
    events_can_be_filtered_and_paged,
    events_hold_no_secret,
];

/// The event about this resource by this command. There must be one.
fn only<'a>(events: &'a [AuditEvent], command: &str) -> &'a AuditEvent {
    let found: Vec<_> = events.iter().filter(|e| e.command == command).collect();
    assert_eq!(found.len(), 1, "{command} in {events:#?}");
    found[0]
}

async fn everything_done_is_an_event(backend: Backend) {
    let project = shared(backend).await;
    let me = project.admin.principal_id.clone();
    project.application("app").await;
    project.version("app", "1").await;
    project.environment("prod").await;
    let record = project.record(report("app", "1", "prod")).await;
    project.retract(&record.record_id).await;
    let member = project.member(Role::Viewer).await;
    let mut identity = project.admin.identity();
    identity
        .remove_member(RemoveMemberRequest {
            project: project.slug.clone(),
            principal_id: member.principal_id.clone(),
            ..Default::default()
        })
        .await
        .granted();
    let mut applications = project.admin.applications();
    applications
        .deprecate_version(DeprecateVersionRequest {
            project: project.slug.clone(),
            application: "app".to_owned(),
            version: "1".to_owned(),
            reason: "old".to_owned(),
            ..Default::default()
        })
        .await
        .granted();
    applications
        .archive_application(ArchiveApplicationRequest {
            project: project.slug.clone(),
            application: "app".to_owned(),
            ..Default::default()
        })
        .await
        .granted();
    project
        .admin
        .environments()
        .archive_environment(ArchiveEnvironmentRequest {
            project: project.slug.clone(),
            environment: "prod".to_owned(),
            ..Default::default()
        })
        .await
        .granted();

    let events = events(&project.admin, of(&project), 0).await;
    for (command, name) in [
        ("CreateApplication", "app"),
        ("CreateVersion", "app 1"),
        ("CreateEnvironment", "prod"),
        ("RecordDeployment", record.record_id.as_str()),
        ("RetractDeploymentRecord", record.record_id.as_str()),
        ("DeprecateVersion", "app 1"),
        ("ArchiveApplication", "app"),
        ("ArchiveEnvironment", "prod"),
    ] {
        let event = only(&events, command);
        assert_eq!(event.outcome(), AuditOutcome::Allowed);
        assert_eq!(event.principal.as_ref().unwrap().principal_id, me);
        assert_eq!(event.project, project.slug);
        assert_eq!(event.resource.as_ref().unwrap().name, name, "{command}");
        assert_eq!(event.repeat_count, 1);
        assert_ne!(event.correlation_id, "");
        for json in [&event.before_json, &event.after_json] {
            let parsed = json.is_empty() || serde_json::from_str::<serde_json::Value>(json).is_ok();
            assert!(parsed, "{json}");
        }
    }
    only(&events, "SetMembership");
    only(&events, "RemoveMember");
    let facts = |command| {
        let facts = &only(&events, command).facts;
        facts
            .iter()
            .map(|fact| (fact.r#type.as_str(), fact.id.as_str()))
            .collect::<Vec<_>>()
    };
    let id = record.record_id.as_str();
    assert_eq!(facts("RecordDeployment"), [("deployment_record", id)]);
    assert_eq!(facts("RetractDeploymentRecord"), [("retraction", id)]);
    let newest_first = events.windows(2).all(|pair| {
        let key = |event: &AuditEvent| {
            (
                slipway_tests::clock::to_micros(event.event_time.unwrap()),
                event.event_id.clone(),
            )
        };
        key(&pair[0]) > key(&pair[1])
    });
    assert!(newest_first);
}

async fn a_refusal_is_an_event_and_equal_ones_are_one(backend: Backend) {
    let mut world = World::own(backend).await;
    let mut project = world.project().await;
    project.record(report("app", "1", "prod")).await;
    let viewer = project.member(Role::Viewer).await;
    for _ in 0..5 {
        viewer
            .ledger()
            .record_deployment(project.recording(report("app", "1", "prod")))
            .await
            .refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
    }
    let filter = AuditEventFilter {
        outcome: AuditOutcome::Refused.into(),
        ..of(&project)
    };
    // The first one is there at once; equal ones are counted for a while, at most until the server stops.
    let first = events(&project.admin, filter.clone(), 0).await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].repeat_count, 1);
    world.server.terminate().await;
    world.server.restart().await;
    project.admin = world.server.admin().await;
    let all = events(&project.admin, filter, 0).await;
    let counts: Vec<_> = all.iter().map(|event| event.repeat_count).collect();
    assert_eq!(counts, [4, 1], "{all:#?}");
    for event in all {
        assert_eq!(event.command, "RecordDeployment");
        assert_eq!(event.refusal_reason, "PERMISSION_MISSING");
        assert_eq!(event.principal.unwrap().principal_id, viewer.principal_id);
        assert_eq!(event.after_json, "");
    }
}

async fn reading_leaves_no_event(backend: Backend) {
    let project = shared(backend).await;
    let before = events(&project.admin, of(&project), 0).await;
    project.matrix(None).await;
    project
        .admin
        .ledger()
        .get_statistics(GetStatisticsRequest {
            project: project.slug.clone(),
            ..Default::default()
        })
        .await
        .granted();
    assert_eq!(
        events(&project.admin, of(&project), 0).await.len(),
        before.len()
    );
}

async fn events_can_be_filtered_and_paged(backend: Backend) {
    let project = shared(backend).await;
    let developer = project.member(Role::Developer).await;
    project.environment("prod").await;
    for number in 0..5 {
        let request = slipway_api::catalog::v1::CreateApplicationRequest {
            project: project.slug.clone(),
            key: format!("app-{number}"),
            ..Default::default()
        };
        developer
            .applications()
            .create_application(request)
            .await
            .granted();
    }
    settle(&project).await;
    let all = events(&project.admin, of(&project), 0).await;
    for page_size in [1, 2, 1_000] {
        assert_eq!(events(&project.admin, of(&project), page_size).await, all);
    }
    let count = async |filter| events(&project.admin, filter, 0).await.len();
    let by = |principal_id: &str| AuditEventFilter {
        principal_id: principal_id.to_owned(),
        ..of(&project)
    };
    assert_eq!(count(by(&developer.principal_id)).await, 5);
    let of_command = AuditEventFilter {
        command: "CreateEnvironment".to_owned(),
        ..of(&project)
    };
    assert_eq!(count(of_command).await, 1);
    let resource_type = all
        .iter()
        .find(|event| event.command == "CreateApplication")
        .and_then(|event| event.resource.clone())
        .unwrap()
        .r#type;
    let of_resource = AuditEventFilter {
        resource_type,
        resource_name: "app-3".to_owned(),
        ..of(&project)
    };
    assert_eq!(count(of_resource.clone()).await, 1);
    let (oldest, newest) = (all.last().unwrap().event_time, all[0].event_time);
    let times = AuditEventFilter {
        from_time: oldest,
        to_time: newest,
        ..of(&project)
    };
    // To is not included.
    assert!(count(times).await < all.len());
    let refused = project
        .admin
        .audit()
        .list_audit_events(ListAuditEventsRequest {
            filter: Some(AuditEventFilter {
                resource_type: String::new(),
                principal_id: "nobody".to_owned(),
                ..of_resource
            }),
            ..Default::default()
        })
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    let mut fields = violated_fields(&refused);
    fields.sort();
    assert_eq!(fields, ["filter.principal_id", "filter.resource_name"]);
}

async fn events_hold_no_secret(backend: Backend) {
    let world = World::own(backend).await;
    let user = world.user("Unmistakable Name").await;
    let secret = slipway_tests::world::token(&user, "", None).await.secret;
    let told = events(&world.admin, AuditEventFilter::default(), 1_000).await;
    assert!(told.iter().any(|event| event.command == "CreateToken"));
    for event in told {
        let json = format!("{} {}", event.before_json, event.after_json);
        assert!(!json.contains(&secret), "{event:?}");
        assert!(!json.contains("Unmistakable Name"), "{event:?}");
    }
}
