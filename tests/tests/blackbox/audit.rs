//! The audit trail: an event for everything done and refused, and the proof that nobody changed it since.

use std::time::{Duration, Instant};

use sha2::Digest as _;
use slipway_api::audit::v1::export_audit_events_response::Message;
use slipway_api::audit::v1::{
    AuditEvent, AuditEventFilter, AuditOutcome, Checkpoint, ExportAuditEventsRequest,
    ExportCheckpointRequest, ExportSummary, ListAuditEventsRequest, Verification,
    VerifyAuditTrailRequest,
};
use slipway_api::catalog::v1::{
    ArchiveApplicationRequest, ArchiveEnvironmentRequest, DeprecateVersionRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{RemoveMemberRequest, Role};
use slipway_api::ledger::v1::GetStatisticsRequest;
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::{report, report_at};
use slipway_tests::{Backend, Client, Granted, Project, Refused, World, ago};
use tonic::Code;

use crate::case::cases;
use crate::import::{batch, header, import};

cases![
    everything_done_is_an_event,
    a_refusal_is_an_event_and_equal_ones_are_one,
    reading_leaves_no_event,
    events_can_be_filtered_and_paged,
    events_hold_no_secret,
    an_export_can_be_recomputed,
    a_chain_verifies_with_its_checkpoint,
    a_checkpoint_of_something_else_convicts_or_is_refused,
    an_empty_chain_has_no_checkpoint,
];

async fn shared(backend: Backend) -> Project {
    World::shared(backend).await.project().await
}

fn of(project: &Project) -> AuditEventFilter {
    AuditEventFilter {
        project: project.slug.clone(),
        ..Default::default()
    }
}

/// All events that the filter lets through, newest first.
async fn events(client: &Client, filter: AuditEventFilter, page_size: i32) -> Vec<AuditEvent> {
    let mut request = ListAuditEventsRequest {
        filter: Some(filter),
        page_size,
        ..Default::default()
    };
    let mut found = Vec::new();
    loop {
        let page = client
            .audit()
            .list_audit_events(request.clone())
            .await
            .granted();
        found.extend(page.events);
        if page.next_page_token.is_empty() {
            return found;
        }
        request.page_token = page.next_page_token;
    }
}

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

/// Waits until all events of the project are chained.
async fn settle(project: &Project) {
    let begun = Instant::now();
    while verify(project, None).await.unchained_event_count > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "events wait to be chained"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn verify(project: &Project, checkpoint: Option<Checkpoint>) -> Verification {
    project
        .admin
        .audit()
        .verify_audit_trail(VerifyAuditTrailRequest {
            project: project.slug.clone(),
            checkpoint,
        })
        .await
        .granted()
        .verification
        .unwrap()
}

async fn checkpoint(project: &Project) -> Checkpoint {
    project
        .admin
        .audit()
        .export_checkpoint(ExportCheckpointRequest {
            project: project.slug.clone(),
        })
        .await
        .granted()
        .checkpoint
        .unwrap()
}

async fn export(project: &Project, filter: AuditEventFilter) -> (Vec<AuditEvent>, ExportSummary) {
    let mut stream = project
        .admin
        .audit()
        .export_audit_events(ExportAuditEventsRequest {
            filter: Some(filter),
        })
        .await
        .granted();
    let mut events = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        match message.message.unwrap() {
            Message::Event(event) => events.push(event),
            Message::Summary(summary) => {
                assert_eq!(stream.message().await.unwrap(), None, "the summary is last");
                return (events, summary);
            }
        }
    }
    panic!("the export ended without a summary");
}

async fn an_export_can_be_recomputed(backend: Backend) {
    let project = shared(backend).await;
    let reports: Vec<_> = (0..50)
        .map(|number| {
            report_at(
                "app",
                &number.to_string(),
                "prod",
                ago(Duration::from_mins(60 - number)),
            )
        })
        .collect();
    import(
        &project.admin,
        vec![
            header(&project),
            batch(1, &reports[..25]),
            batch(26, &reports[25..]),
        ],
    )
    .await
    .granted();
    project.application("another").await;
    settle(&project).await;

    let (all, summary) = export(&project, of(&project)).await;
    let positions: Vec<_> = all.iter().map(|event| event.position).collect();
    let expected: Vec<_> = (1..).take(all.len()).collect();
    assert_eq!(positions, expected);
    assert_summary(&all, &summary);
    assert_eq!(summary.unchained_event_count, 0);
    let head = summary.head.unwrap();
    assert_eq!(head.position, positions[positions.len() - 1]);
    assert_eq!(head.hash, all[all.len() - 1].hash);
    assert_eq!(head.project, project.slug);
    let facts: usize = all.iter().map(|event| event.facts.len()).sum();
    assert_eq!(facts, 50, "every record is vouched for");

    let filter = AuditEventFilter {
        command: "ImportDeployments".to_owned(),
        ..of(&project)
    };
    let (some, summary) = export(&project, filter).await;
    assert!(some.len() < all.len());
    assert_summary(&some, &summary);
}

fn assert_summary(events: &[AuditEvent], summary: &ExportSummary) {
    let mut digest = sha2::Sha256::new();
    for event in events {
        digest.update(hex::decode(event.hash.strip_prefix("sha256:").unwrap()).unwrap());
    }
    let digest = format!("sha256:{}", hex::encode(digest.finalize()));
    assert_eq!(summary.digest, digest);
    assert_eq!(summary.event_count, i64::try_from(events.len()).unwrap());
}

async fn a_chain_verifies_with_its_checkpoint(backend: Backend) {
    let project = shared(backend).await;
    let record = project.record(report("app", "1", "prod")).await;
    project.record(report("app", "2", "prod")).await;
    project.retract(&record.record_id).await;
    settle(&project).await;
    let kept = checkpoint(&project).await;
    let verified = verify(&project, Some(kept.clone())).await;
    assert!(verified.verified, "{verified:?}");
    assert_eq!(verified.fact_count, 3);
    assert_eq!(verified.event_count, kept.position);
    let head = verified.head.unwrap();
    assert_eq!((head.position, &head.hash), (kept.position, &kept.hash));

    // The chain goes on, and an older checkpoint still holds.
    project.record(report("app", "3", "prod")).await;
    settle(&project).await;
    let later = verify(&project, Some(kept)).await;
    assert!(later.verified, "{later:?}");
    assert_eq!(later.event_count, verified.event_count + 1);
}

async fn a_checkpoint_of_something_else_convicts_or_is_refused(backend: Backend) {
    use slipway_api::audit::v1::ChainBreakKind;
    let project = shared(backend).await;
    project.record(report("app", "1", "prod")).await;
    settle(&project).await;
    let kept = checkpoint(&project).await;
    let ahead = Checkpoint {
        position: kept.position + 5,
        ..kept.clone()
    };
    let cut = verify(&project, Some(ahead)).await;
    assert!(!cut.verified);
    assert_eq!(cut.first_break.unwrap().kind(), ChainBreakKind::ChainCut);
    let other_hash = Checkpoint {
        hash: format!("sha256:{}", "0".repeat(64)),
        ..kept.clone()
    };
    let recomputed = verify(&project, Some(other_hash)).await;
    assert!(!recomputed.verified);
    assert_eq!(
        recomputed.first_break.unwrap().kind(),
        ChainBreakKind::CheckpointDiffers
    );
    for foreign in [
        Checkpoint {
            project: String::new(),
            ..kept.clone()
        },
        Checkpoint {
            form: "slipway.audit-link.v999".to_owned(),
            ..kept.clone()
        },
        Checkpoint {
            hash: "sha256:x".to_owned(),
            ..kept.clone()
        },
        Checkpoint {
            position: -1,
            ..kept
        },
    ] {
        project
            .admin
            .audit()
            .verify_audit_trail(VerifyAuditTrailRequest {
                project: project.slug.clone(),
                checkpoint: Some(foreign),
            })
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    }
}

async fn an_empty_chain_has_no_checkpoint(backend: Backend) {
    let project = shared(backend).await;
    // Creating a project is an event of the installation: its own chain begins with the first change in it.
    let found = events(&project.admin, of(&project), 0).await;
    if found.is_empty() {
        project
            .admin
            .audit()
            .export_checkpoint(ExportCheckpointRequest {
                project: project.slug.clone(),
            })
            .await
            .refused(Code::NotFound, ErrorReason::AuditChainEmpty);
        let (none, summary) = export(&project, of(&project)).await;
        assert!(none.is_empty());
        assert_eq!(summary.head, None);
        let verified = verify(&project, None).await;
        assert!(verified.verified);
        assert_eq!(verified.head, None);
    }
}
