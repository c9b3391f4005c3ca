//! What is looked at when deployments are asked for and begin: who does it, how risky it is, and whether it can be done.

use std::time::Duration;

use slipway_api::approvals::v1::{ApprovalRule, EligibleRole};
use slipway_api::catalog::v1::DeprecateVersionRequest;
use slipway_api::deployments::v1::{
    CreateReleaseRequest, DeploymentState, RollbackDeploymentRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{ArchiveProjectRequest, Role};
use slipway_api::ledger::v1::RiskLevel;
use slipway_tests::clock::{ago, ahead};
use slipway_tests::{Backend, Granted, Refused};
use tonic::Code;

use super::approvals::Gate;
use super::governance::{Team, agree, undoing};
use super::policies::{rule, terms};
use super::releases::{bring, executing, prompt, release};
use crate::case::cases;

cases![
    whoever_may_not_ask_may_not_execute,
    promotions_have_a_risk,
    a_deprecated_version_can_be_gone_back_to,
    nothing_begins_in_an_archived_project,
    a_start_is_neither_past_nor_far,
    what_a_rollback_would_be_is_told_as_it_is,
];

async fn whoever_may_not_ask_may_not_execute(backend: Backend) {
    let team = Team::new(backend).await;
    prompt(&team.project, "chat", &["1.0.0"]).await;
    let made = team
        .asks(release(&team.project, vec![bring("chat", "1.0.0")]))
        .await;
    agree(&team.second, &made).await;
    let approved = agree(&team.third, &made).await;
    let developer = team.project.member(Role::Developer).await;
    developer
        .deployments()
        .execute_deployment(executing(&approved))
        .await
        .refused(Code::PermissionDenied, ErrorReason::RequesterNotEligible);
    assert_eq!(team.get(&made).await.state(), DeploymentState::Approved);
    // Where nothing governs, developers release.
    team.project.environment("lab").await;
    let to_lab = CreateReleaseRequest {
        environment: "lab".to_owned(),
        ..release(&team.project, vec![bring("chat", "1.0.0")])
    };
    let mut deployments = developer.deployments();
    let made = deployments.create_release(to_lab).await.granted();
    let made = made.deployment.unwrap();
    let done = deployments.execute_deployment(executing(&made)).await;
    let done = done.granted().deployment.unwrap();
    assert_eq!(done.state(), DeploymentState::Succeeded);
}

/// A workflow that was not there yet is a medium risk, so that rules from there on ask, and rules for more don't.
async fn promotions_have_a_risk(backend: Backend) {
    let from = |name: &str, risk: RiskLevel| ApprovalRule {
        from_risk: risk.into(),
        ..rule(
            name,
            1,
            &[EligibleRole::Admin, EligibleRole::Developer],
            &[],
        )
    };
    let risky = terms(vec![
        from("careful", RiskLevel::Medium),
        from("frightened", RiskLevel::High),
    ]);
    let gate = Gate::governed(backend, risky).await;
    let started = gate.start().await;
    assert_eq!(started.risk_level(), RiskLevel::Medium);
    let approved = agree(&gate.approver, &started).await;
    assert_ne!(approved.state(), DeploymentState::PendingApproval);
    let over = gate.over(&started).await;
    assert_eq!(over.state(), DeploymentState::Succeeded, "{over:?}");
}

/// What took its place may be worse.
async fn a_deprecated_version_can_be_gone_back_to(backend: Backend) {
    let team = Team::new(backend).await;
    prompt(&team.project, "chat", &["1.0.0", "1.1.0"]).await;
    team.released(vec![bring("chat", "1.0.0")]).await;
    let done = team.released(vec![bring("chat", "1.1.0")]).await;
    let mut applications = team.project.admin.applications();
    let deprecating = DeprecateVersionRequest {
        project: team.project.slug.clone(),
        application: "chat".to_owned(),
        version: "1.0.0".to_owned(),
        reason: "1.1.0 is better".to_owned(),
        ..Default::default()
    };
    applications.deprecate_version(deprecating).await.granted();
    let mut deployments = team.lead.deployments();
    let back = deployments.rollback_deployment(undoing(&done)).await;
    let back = back.granted().deployment.unwrap();
    assert_eq!(back.state(), DeploymentState::Succeeded, "{back:?}");
    assert_eq!(team.current("chat").await.unwrap(), "1.0.0");
}

async fn nothing_begins_in_an_archived_project(backend: Backend) {
    let team = Team::new(backend).await;
    let project = &team.project;
    project.environment("lab").await;
    prompt(project, "chat", &["1.0.0"]).await;
    let scheduled = CreateReleaseRequest {
        environment: "lab".to_owned(),
        start_time: Some(ahead(Duration::from_secs(2))),
        ..release(project, vec![bring("chat", "1.0.0")])
    };
    let made = team.asks(scheduled).await;
    let archiving = ArchiveProjectRequest {
        project: project.slug.clone(),
        ..Default::default()
    };
    let mut identity = project.admin.identity();
    identity.archive_project(archiving).await.granted();
    let waits = team.told(&made, "PROJECT_ARCHIVED").await;
    assert_eq!(waits.state(), DeploymentState::Approved);
    assert_eq!(project.cell("chat", "lab").await, None);
}

async fn a_start_is_neither_past_nor_far(backend: Backend) {
    let team = Team::new(backend).await;
    prompt(&team.project, "chat", &["1.0.0"]).await;
    let day = Duration::from_hours(24);
    for start in [ago(Duration::from_mins(1)), ahead(91 * day)] {
        let asked = CreateReleaseRequest {
            start_time: Some(start),
            ..release(&team.project, vec![bring("chat", "1.0.0")])
        };
        let refused = team.lead.deployments().create_release(asked).await;
        refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
    }
    let asked = CreateReleaseRequest {
        start_time: Some(ahead(89 * day)),
        ..release(&team.project, vec![bring("chat", "1.0.0")])
    };
    team.asks(asked).await;
}

/// Asking first has the answers of asking.
async fn what_a_rollback_would_be_is_told_as_it_is(backend: Backend) {
    let team = Team::new(backend).await;
    prompt(&team.project, "chat", &["1.0.0", "1.1.0"]).await;
    team.released(vec![bring("chat", "1.0.0")]).await;
    let done = team.released(vec![bring("chat", "1.1.0")]).await;
    let asking = RollbackDeploymentRequest {
        validate_only: true,
        ..undoing(&done)
    };
    let developer = team.project.member(Role::Developer).await;
    let mut deployments = developer.deployments();
    let refused = deployments.rollback_deployment(asking.clone()).await;
    refused.refused(Code::PermissionDenied, ErrorReason::RequesterNotEligible);
    let mut deployments = team.lead.deployments();
    let told = deployments.rollback_deployment(asking).await.granted();
    let told = told.deployment.unwrap();
    assert_eq!((told.number, told.deployment_id.as_str()), (0, ""));
    assert_eq!(told.state(), DeploymentState::Approved);
    assert_eq!(team.current("chat").await.unwrap(), "1.1.0");
    let back = deployments.rollback_deployment(undoing(&done)).await;
    assert_eq!(
        back.granted().deployment.unwrap().plan_digest,
        told.plan_digest
    );
}
