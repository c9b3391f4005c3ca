//! The audit trail: chained by whoever comes first, proven, and with refusals in it.

#![expect(clippy::expect_used, reason = "a test that can't go on fails")]

mod support;

use std::sync::Arc;

use slipway_application::{
    Context,
    audit::{
        AuditError, AuditExport, ExportItem, Refusal, chain_events, export_checkpoint,
        flush_all_refusals, flush_refusals, note_refusal, verify_audit_trail,
    },
};
use slipway_audit::{BreakKind, EventFilter, Outcome, Resource, Verification};
use slipway_identity::{Caller, Command, Role};
use slipway_kernel::Sha256;
use slipway_sql::{Options, SqlStore};
use support::deployments::report;
use support::{Installation, by, installation, slug};

/// Another server on the same database.
async fn neighbour(i: &Installation) -> Context {
    let file = i.directory.path().join("state.db");
    let store = SqlStore::connect(&Options::sqlite_file(&file)).await;
    Context::new(
        Arc::new(store.expect("connected")),
        Arc::clone(&i.context.objects),
        Arc::clone(&i.context.clock),
        Arc::clone(&i.context.ids),
        Arc::clone(&i.context.secrets),
    )
}

async fn chain_all(i: &Installation) {
    while chain_events(&i.context).await.expect("chained") > 0 {}
}

async fn verify(i: &Installation, checkpoint: Option<(i64, Sha256)>) -> Verification {
    let project = slug("default");
    verify_audit_trail(&i.context, &by(&i.admin), Some(&project), checkpoint)
        .await
        .expect("answered")
}

/// Three deployments and a retraction, chained, and the checkpoint behind them.
async fn chained() -> (Installation, (i64, Sha256)) {
    let i = installation().await;
    for version in ["1", "2", "3"] {
        i.pass(1);
        i.deploy(report("cart", version, "prod")).await;
    }
    let wrong = i.deploy(report("cart", "4", "prod")).await;
    i.retract(wrong).await;
    chain_all(&i).await;
    let project = slug("default");
    let checkpoint = export_checkpoint(&i.context, &by(&i.admin), Some(&project)).await;
    let checkpoint = checkpoint.expect("a head");
    (i, (checkpoint.position, checkpoint.hash))
}

#[tokio::test]
async fn a_chain_that_nobody_touched_verifies() {
    let (i, checkpoint) = chained().await;
    i.pass(1);
    i.deploy(report("cart", "5", "prod")).await;
    let found = verify(&i, Some(checkpoint)).await;
    assert_eq!(found.first_break, None);
    assert_eq!((found.events, found.facts, found.unchained), (5, 6, 1));
    assert_eq!(found.head.map(|head| head.position), Some(checkpoint.0));
}

#[tokio::test]
async fn tampering_is_found() {
    let delete_event = "DELETE FROM audit_event WHERE sequence = (SELECT event_sequence FROM audit_chain \
                        WHERE position = 2 AND chain_id <> zeroblob(16))";
    let cut = "DELETE FROM audit_chain WHERE position >= 4 AND chain_id <> zeroblob(16)";
    let put_in = "INSERT INTO deployment_record SELECT sequence + 100, randomblob(16), project_id, application_id, \
                  version_id, environment_id, kind, deployed_at, reported_at + 1, recorded_at, reporter_id, \
                  deployed_by_id, risk, notes, attributes, external_id, deployment_id, outside_governance FROM deployment_record LIMIT 1";
    for (sql, expected) in [
        (
            "UPDATE deployment_record SET notes = 'nothing to see' WHERE sequence = 1",
            BreakKind::FactChanged,
        ),
        (
            "UPDATE record_retraction SET reason = 'another one'",
            BreakKind::FactChanged,
        ),
        (
            "DELETE FROM deployment_record WHERE sequence = 2",
            BreakKind::FactMissing,
        ),
        ("DELETE FROM record_retraction", BreakKind::FactMissing),
        (put_in, BreakKind::FactUnaccounted),
        (
            "UPDATE audit_event SET principal_id = randomblob(16) WHERE command = 'RecordDeployment'",
            BreakKind::EventChanged,
        ),
        (
            "UPDATE audit_event SET facts = '[]' WHERE command = 'RecordDeployment'",
            BreakKind::EventChanged,
        ),
        (
            "UPDATE audit_chain SET hash = randomblob(32) WHERE position = 3",
            BreakKind::EventChanged,
        ),
        (delete_event, BreakKind::EventMissing),
        (
            "DELETE FROM audit_chain WHERE position = 3",
            BreakKind::EventMissing,
        ),
        (cut, BreakKind::ChainCut),
        (
            "UPDATE deployment_record SET kind = 'GONE' WHERE sequence = 1",
            BreakKind::Unreadable,
        ),
        (
            "UPDATE audit_event SET facts = 'no JSON' WHERE command = 'RetractDeploymentRecord'",
            BreakKind::Unreadable,
        ),
    ] {
        let (i, checkpoint) = chained().await;
        i.tamper(sql).await;
        let found = verify(&i, Some(checkpoint)).await;
        let kind = found.first_break.as_ref().map(|found| found.kind);
        assert_eq!(kind, Some(expected), "{sql}: {:?}", found.first_break);
        assert_eq!(found.head, None, "{sql}");
    }
}

#[tokio::test]
async fn only_a_checkpoint_finds_a_chain_written_anew() {
    let (i, (position, hash)) = chained().await;
    i.tamper("DELETE FROM audit_event WHERE command = 'RetractDeploymentRecord'")
        .await;
    i.tamper("DELETE FROM record_retraction").await;
    i.tamper("DELETE FROM audit_chain").await;
    chain_all(&i).await;
    assert_eq!(verify(&i, None).await.first_break, None);
    let found = verify(&i, Some((position, hash))).await.first_break;
    assert_eq!(found.map(|found| found.kind), Some(BreakKind::ChainCut));

    let (i, (position, _)) = chained().await;
    let other = Sha256::of_bytes(b"another chain");
    let found = verify(&i, Some((position, other))).await.first_break;
    assert_eq!(
        found.map(|found| found.kind),
        Some(BreakKind::CheckpointDiffers)
    );
}

#[tokio::test]
async fn two_servers_chain_the_same_events_once() {
    let i = installation().await;
    let other = neighbour(&i).await;
    for version in 0..20 {
        i.pass(1);
        i.deploy(report("cart", &version.to_string(), "prod")).await;
    }
    let (mine, its) = tokio::join!(chain_events(&i.context), chain_events(&other));
    let sum = mine.expect("chained") + its.expect("chained");
    assert!(sum >= 20, "{sum}");
    chain_all(&i).await;
    let found = verify(&i, None).await;
    assert_eq!(found.first_break, None);
    assert_eq!((found.events, found.unchained), (20, 0));
}

#[tokio::test]
async fn an_export_ends_with_what_it_was() {
    let (i, checkpoint) = chained().await;
    i.deploy(report("cart", "9", "prod")).await;
    let context = Arc::new(neighbour(&i).await);
    let filter = EventFilter {
        command: Some("RecordDeployment".to_owned()),
        ..EventFilter::default()
    };
    let project = slug("default");
    let export = AuditExport::start(&context, &by(&i.admin), Some(&project), filter).await;
    let mut export = export.expect("started");
    let mut hashes = Vec::new();
    let mut summary = None;
    while let Some(item) = export.next().await.expect("exported") {
        assert!(summary.is_none(), "the summary is the last");
        match item {
            ExportItem::Event { link, event } => {
                assert_eq!(event.command, "RecordDeployment");
                hashes.extend_from_slice(link.hash.as_bytes());
            }
            ExportItem::Summary(last) => summary = Some(last),
        }
    }
    let summary = summary.expect("a summary");
    assert_eq!((summary.events, summary.unchained), (4, 1));
    assert_eq!(summary.digest, Sha256::of_bytes(&hashes));
    assert_eq!(summary.head.map(|head| head.position), Some(checkpoint.0));
}

#[tokio::test]
async fn an_empty_chain_has_no_checkpoint() {
    let i = installation().await;
    i.project("fresh").await;
    let fresh = slug("fresh");
    let refused = export_checkpoint(&i.context, &by(&i.admin), Some(&fresh)).await;
    assert!(matches!(refused, Err(AuditError::ChainEmpty { .. })));
    let developer = i.member("Dana", &[Role::Developer]).await;
    for project in [None, Some(&fresh)] {
        let denied = export_checkpoint(&i.context, &by(&developer), project).await;
        assert!(matches!(denied, Err(AuditError::Command(_))));
    }
}

async fn refuse(i: &Installation, caller: &Caller, command: Command, reason: &'static str) {
    let project = slug("default");
    let refusal = Refusal {
        caller,
        command,
        project: Some(&project),
        resource: Resource::new("project", &project),
        reason,
        denied: reason == "PERMISSION_MISSING",
        correlation_id: "call-1",
    };
    note_refusal(&i.context, refusal).await.expect("noted");
}

/// The refusals in the project's chain: command, reason, how often.
async fn refusals(i: &Installation) -> Vec<(String, String, i64)> {
    let events = i.events(Some("default")).await;
    let refused = events.into_iter().filter_map(|event| match event.outcome {
        Outcome::Refused { reason } => Some((event.command, reason, event.repeat_count)),
        Outcome::Allowed => None,
    });
    refused.collect()
}

#[tokio::test]
async fn equal_refusals_become_one_event() {
    let i = installation().await;
    let viewer = i.member("Vera", &[Role::Viewer]).await;
    let told = |count| {
        (
            "RecordDeployment".to_owned(),
            "PERMISSION_MISSING".to_owned(),
            count,
        )
    };
    for _ in 0..5 {
        refuse(&i, &viewer, Command::RecordDeployment, "PERMISSION_MISSING").await;
    }
    assert_eq!(refusals(&i).await, [told(1)], "the first one at once");
    i.pass(59);
    flush_refusals(&i.context).await.expect("flushed");
    assert_eq!(refusals(&i).await.len(), 1, "the minute is not over");
    i.pass(1);
    flush_refusals(&i.context).await.expect("flushed");
    assert_eq!(refusals(&i).await, [told(1), told(4)]);
    flush_all_refusals(&i.context).await.expect("flushed");
    assert_eq!(refusals(&i).await.len(), 2, "nothing is written twice");

    refuse(&i, &viewer, Command::RecordDeployment, "PERMISSION_MISSING").await;
    refuse(&i, &viewer, Command::RecordDeployment, "PERMISSION_MISSING").await;
    flush_all_refusals(&i.context).await.expect("flushed");
    assert_eq!(refusals(&i).await[2..], [told(1), told(1)]);
}

#[tokio::test]
async fn reading_what_is_not_there_is_no_event_and_being_denied_is() {
    let i = installation().await;
    let viewer = i.member("Vera", &[Role::Viewer]).await;
    refuse(
        &i,
        &viewer,
        Command::GetDeploymentRecord,
        "RECORD_NOT_FOUND",
    )
    .await;
    assert!(refusals(&i).await.is_empty());
    refuse(&i, &viewer, Command::ListAuditEvents, "PERMISSION_MISSING").await;
    refuse(&i, &viewer, Command::CreateVersion, "INVALID_FIELD").await;
    assert_eq!(refusals(&i).await.len(), 2);

    let unknown = slug("nowhere");
    let refusal = Refusal {
        caller: &viewer,
        command: Command::RecordDeployment,
        project: Some(&unknown),
        resource: Resource::new("project", &unknown),
        reason: "PROJECT_NOT_FOUND",
        denied: true,
        correlation_id: "call-2",
    };
    note_refusal(&i.context, refusal).await.expect("noted");
    let last = i.events(None).await.pop().expect("an event");
    assert_eq!(last.resource.name, "nowhere");
    assert!(matches!(last.outcome, Outcome::Refused { .. }));
}
