//! The proof that the trail is whole: exports, checkpoints, verification.

use std::time::Duration;

use sha2::Digest as _;
use slipway_api::audit::v1::export_audit_events_response::Message;
use slipway_api::audit::v1::{
    AuditEvent, AuditEventFilter, Checkpoint, ExportAuditEventsRequest, ExportCheckpointRequest,
    ExportSummary, VerifyAuditTrailRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_tests::world::{report, report_at};
use slipway_tests::{Backend, Granted, Project, Refused, ago};
use tonic::Code;

use super::{events, of, settle, shared, verify};
use crate::case::cases;
use crate::import::{batch, header, import};

cases![
    an_export_can_be_recomputed,
    a_chain_verifies_with_its_checkpoint,
    a_checkpoint_of_something_else_convicts_or_is_refused,
    an_empty_chain_has_no_checkpoint,
];

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
    assert!(found.is_empty(), "{found:?}");
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
