//! The audit trail: an event for everything done and refused, and the proof that nobody changed it since.

pub(crate) mod dora;
pub(crate) mod proof;
pub(crate) mod report;
pub(crate) mod trail;

use std::time::{Duration, Instant};

use slipway_api::audit::v1::{
    AuditEvent, AuditEventFilter, Checkpoint, ListAuditEventsRequest, Verification,
    VerifyAuditTrailRequest,
};
use slipway_tests::{Backend, Client, Granted, Project, World};

pub(super) async fn shared(backend: Backend) -> Project {
    World::shared(backend).await.project().await
}

pub(super) fn of(project: &Project) -> AuditEventFilter {
    AuditEventFilter {
        project: project.slug.clone(),
        ..Default::default()
    }
}

/// All events that the filter lets through, newest first.
pub(super) async fn events(
    client: &Client,
    filter: AuditEventFilter,
    page_size: i32,
) -> Vec<AuditEvent> {
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

/// Waits until all events of the project are chained.
pub(super) async fn settle(project: &Project) {
    let begun = Instant::now();
    while verify(project, None).await.unchained_event_count > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "events wait to be chained"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub(super) async fn verify(project: &Project, checkpoint: Option<Checkpoint>) -> Verification {
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
