//! What tests and scans elsewhere say about a deployment counts for the plan that they looked at, and before it begins.

use serde_json::json;
use slipway_api::audit::v1::{AuditEventFilter, ListAuditEventsRequest};
use slipway_api::deployments::v1::{
    CheckStatus, Deployment, DeploymentCheck, DeploymentState, ReportCheckRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::workflow;
use slipway_tests::{Backend, Client, Granted, Refused};
use tonic::Code;

use super::approvals::Gate;
use crate::case::cases;

cases![
    the_last_report_of_each_check_is_shown,
    a_report_is_for_one_plan,
    what_can_not_be_reported_is_told,
];

/// How many checks a deployment takes.
const MAX_CHECKS: usize = 100;

fn report(
    gate: &Gate,
    deployment: &Deployment,
    name: &str,
    status: CheckStatus,
) -> ReportCheckRequest {
    ReportCheckRequest {
        project: gate.project.slug.clone(),
        deployment: deployment.number.to_string(),
        name: name.to_owned(),
        status: status.into(),
        plan_digest: deployment.plan_digest.clone(),
        url: "https://ci.example/runs/1".to_owned(),
        summary: "3 of 4".to_owned(),
        ..Default::default()
    }
}

async fn reported(caller: &Client, request: ReportCheckRequest) -> Vec<DeploymentCheck> {
    let answer = caller.deployments().report_check(request).await;
    answer.granted().checks
}

fn told(checks: &[DeploymentCheck]) -> Vec<(&str, CheckStatus)> {
    let told = checks.iter();
    told.map(|check| (check.name.as_str(), check.status()))
        .collect()
}

async fn the_last_report_of_each_check_is_shown(backend: Backend) {
    let gate = Gate::new(backend).await;
    let started = gate.start().await;
    assert!(started.checks.is_empty());
    let ci = gate
        .machine_of(&gate.developer.principal_id, Role::Developer)
        .await;
    let running = report(&gate, &started, "unit tests", CheckStatus::Running);
    let first = reported(&ci, running.clone()).await;
    assert_eq!(told(&first), [("unit tests", CheckStatus::Running)]);
    assert_eq!(first[0].url, running.url);
    assert_eq!(first[0].summary, running.summary);
    assert_eq!(first[0].plan_digest, started.plan_digest);
    assert_eq!(first[0].reported_by, ci.principal_id);
    assert!(first[0].reported_time.is_some());

    let failed = report(&gate, &started, "scan", CheckStatus::Failed);
    reported(&ci, failed).await;
    let passed = ReportCheckRequest {
        request_id: "passed".to_owned(),
        ..report(&gate, &started, "unit tests", CheckStatus::Passed)
    };
    let expected = [
        ("scan", CheckStatus::Failed),
        ("unit tests", CheckStatus::Passed),
    ];
    assert_eq!(told(&reported(&ci, passed.clone()).await), expected);
    // The same again changes nothing; something else by that id is told.
    assert_eq!(told(&reported(&ci, passed.clone()).await), expected);
    let other = ReportCheckRequest {
        status: CheckStatus::Failed.into(),
        ..passed
    };
    let reused = ci.deployments().report_check(other).await;
    reused.refused(Code::InvalidArgument, ErrorReason::RequestIdReused);
    assert_eq!(told(&gate.get(&started).await.checks), expected);
    // Earlier reports stay in the trail.
    let events = gate
        .project
        .admin
        .audit()
        .list_audit_events(ListAuditEventsRequest {
            filter: Some(AuditEventFilter {
                project: gate.project.slug.clone(),
                command: "ReportCheck".to_owned(),
                principal_id: ci.principal_id.clone(),
                ..Default::default()
            }),
            ..Default::default()
        })
        .await
        .granted()
        .events;
    let done = events.iter().filter(|event| !event.after_json.is_empty());
    assert_eq!(done.count(), 3, "{events:?}");
}

async fn a_report_is_for_one_plan(backend: Backend) {
    let gate = Gate::new(backend).await;
    let started = gate.start().await;
    let passed = report(&gate, &started, "unit tests", CheckStatus::Passed);
    reported(&gate.developer, passed.clone()).await;
    let elsewhere = ReportCheckRequest {
        plan_digest: "00".repeat(32),
        ..passed.clone()
    };
    let refused = gate.developer.deployments().report_check(elsewhere).await;
    refused.refused(Code::Aborted, ErrorReason::PlanChanged);

    // Something else would happen by now, which the executor notices.
    let mut other = workflow("Orders");
    other["settings"] = json!({"executionOrder": "v1", "timezone": "Europe/Berlin"});
    std::fs::write(gate.dev.join("a.json"), other.to_string()).unwrap();
    let mut approvals = gate.approver.approvals();
    approvals.approve(gate.approval(&started)).await.granted();
    let waits_again = |found: &Deployment| {
        found.state() == DeploymentState::PendingApproval
            && found.plan_digest != started.plan_digest
    };
    let again = gate.until(&started, waits_again).await;
    assert_eq!(told(&again.checks), [("unit tests", CheckStatus::Passed)]);
    assert_eq!(
        again.checks[0].plan_digest, started.plan_digest,
        "it is shown for the plan that it looked at"
    );
    let late = gate.developer.deployments().report_check(passed).await;
    late.refused(Code::Aborted, ErrorReason::PlanChanged);
    let failed = report(&gate, &again, "unit tests", CheckStatus::Failed);
    let now = reported(&gate.developer, failed).await;
    assert_eq!(told(&now), [("unit tests", CheckStatus::Failed)]);
    assert_eq!(now[0].plan_digest, again.plan_digest);
}

async fn what_can_not_be_reported_is_told(backend: Backend) {
    let gate = Gate::new(backend).await;
    let started = gate.start().await;
    let good = report(&gate, &started, "unit tests", CheckStatus::Passed);
    let mut deployments = gate.developer.deployments();
    let nothing = ReportCheckRequest {
        project: gate.project.slug.clone(),
        url: "javascript:alert(1)".to_owned(),
        summary: "x".repeat(2_001),
        ..Default::default()
    };
    let refused = deployments.report_check(nothing).await;
    let refused = refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(
        violated_fields(&refused),
        [
            "deployment",
            "name",
            "status",
            "plan_digest",
            "url",
            "summary"
        ]
    );
    let unknown = ReportCheckRequest {
        deployment: "4711".to_owned(),
        ..good.clone()
    };
    let refused = deployments.report_check(unknown).await;
    refused.refused(Code::NotFound, ErrorReason::DeploymentNotFound);
    let viewer = gate.project.member(Role::Viewer).await;
    let denied = viewer.deployments().report_check(good.clone()).await;
    denied.refused(Code::PermissionDenied, ErrorReason::PermissionMissing);

    for n in 0..MAX_CHECKS {
        let check = report(&gate, &started, &format!("check {n}"), CheckStatus::Running);
        deployments.report_check(check).await.granted();
    }
    let refused = deployments.report_check(good.clone()).await;
    refused.refused(Code::FailedPrecondition, ErrorReason::TooManyChecks);
    let known = report(&gate, &started, "check 7", CheckStatus::Passed);
    let checks = deployments.report_check(known).await.granted().checks;
    assert_eq!(checks.len(), MAX_CHECKS);

    let cancel = gate.cancellation(&started);
    deployments.cancel_deployment(cancel).await.granted();
    let refused = deployments.report_check(good).await;
    refused.refused(Code::FailedPrecondition, ErrorReason::CheckTooLate);
}
