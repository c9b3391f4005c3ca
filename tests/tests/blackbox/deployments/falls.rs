//! What becomes of releases when something else is current by the time they are to begin.

use std::time::Duration;

use slipway_api::approvals::v1::{ApprovalRule, EligibleRole, RequiredCheck};
use slipway_api::catalog::v1::{
    ArchiveApplicationRequest, CreateVersionRequest, Dependency, EnvironmentTier,
    UpdateEnvironmentRequest,
};
use slipway_api::deployments::v1::{
    CheckStatus, CreateReleaseRequest, Deployment, DeploymentState, ReleaseItem, RiskFactor,
    Transition,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::ledger::v1::RiskLevel;
use slipway_tests::clock::ahead;
use slipway_tests::{Backend, Granted, Refused};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::approvals::Gate;
use super::governance::{Team, agree, remove, reported, undoing};
use super::policies::{rule, terms};
use super::releases::{bring, execute, executing, prompt, release};
use crate::case::cases;
use crate::catalog::mask;

cases![
    the_risk_is_found_anew,
    an_older_version_does_not_begin,
    what_it_needs_has_to_be_there_still,
    nobody_asked_means_somebody_looks,
    a_rollback_is_as_risky_as_it_is,
    missing_checks_are_told_as_such,
    a_promotion_was_approved_before_it_was_queued,
    what_is_archived_can_be_taken_out,
];

/// A team whose environment `prod` has one rule for every release, and one for those of a medium risk or more.
async fn careful(backend: Backend) -> Team {
    let team = Team::new(backend).await;
    let mut environments = team.project.admin.environments();
    let tier = UpdateEnvironmentRequest {
        project: team.project.slug.clone(),
        environment: "prod".to_owned(),
        tier: EnvironmentTier::Testing.into(),
        update_mask: Some(mask(&["tier"])),
        ..Default::default()
    };
    environments.update_environment(tier).await.granted();
    let admins = [EligibleRole::Admin];
    let rules = vec![
        rule("always", 1, &admins, &[]),
        ApprovalRule {
            from_risk: RiskLevel::Medium.into(),
            ..rule("risky", 1, &admins, &[])
        },
    ];
    team.project.set_policy("prod", terms(rules)).await;
    team
}

/// Takes one person or two, as it is.
async fn released(team: &Team, items: Vec<ReleaseItem>) -> Deployment {
    let made = team.asks(release(&team.project, items)).await;
    let mut approved = agree(&team.second, &made).await;
    if approved.state() == DeploymentState::PendingApproval {
        approved = agree(&team.third, &made).await;
    }
    execute(&team.lead, &approved).await
}

fn factors(deployment: &Deployment) -> Vec<&str> {
    let chosen = deployment.items[0].chosen.as_ref().unwrap();
    let factors = chosen.risk_factors.iter();
    factors
        .map(|factor: &RiskFactor| factor.reason.as_str())
        .collect()
}

fn older(application: &str, version: &str) -> ReleaseItem {
    ReleaseItem {
        allow_older: true,
        ..bring(application, version)
    }
}

async fn the_risk_is_found_anew(backend: Backend) {
    let team = careful(backend).await;
    prompt(&team.project, "chat", &["1.0.0", "1.1.0", "1.2.0"]).await;
    released(&team, vec![bring("chat", "1.0.0")]).await;
    let made = team
        .asks(release(&team.project, vec![older("chat", "1.1.0")]))
        .await;
    assert_eq!(made.risk_level(), RiskLevel::Low);
    let approved = agree(&team.second, &made).await;
    assert_eq!(approved.state(), DeploymentState::Approved);
    released(&team, vec![bring("chat", "1.2.0")]).await;

    let mut deployments = team.lead.deployments();
    let executed = deployments.execute_deployment(executing(&approved)).await;
    executed.refused(Code::Aborted, ErrorReason::PlanChanged);
    let anew = team.get(&made).await;
    assert_eq!(anew.state(), DeploymentState::PendingApproval);
    assert_eq!(anew.risk_level(), RiskLevel::Medium);
    assert_eq!(factors(&anew), ["DOWNGRADE"]);
    let half = agree(&team.second, &anew).await;
    assert_eq!(half.state(), DeploymentState::PendingApproval);
    let approved = agree(&team.third, &anew).await;
    execute(&team.lead, &approved).await;
    assert_eq!(team.current("chat").await.unwrap(), "1.1.0");
}

/// Approved anew or not: it did not say that it may go back.
async fn an_older_version_does_not_begin(backend: Backend) {
    let team = careful(backend).await;
    prompt(&team.project, "chat", &["1.0.0", "1.1.0", "1.2.0"]).await;
    released(&team, vec![bring("chat", "1.0.0")]).await;
    let made = team
        .asks(release(&team.project, vec![bring("chat", "1.1.0")]))
        .await;
    let approved = agree(&team.second, &made).await;
    released(&team, vec![bring("chat", "1.2.0")]).await;
    let mut deployments = team.lead.deployments();
    let executed = deployments.execute_deployment(executing(&approved)).await;
    executed.refused(Code::Aborted, ErrorReason::PlanChanged);
    let anew = team.get(&made).await;
    let told = anew.problem.as_ref().unwrap();
    assert_eq!(told.reason, "APPROVAL_NEEDED");
    assert!(told.message.contains("VERSION_GOES_BACK"), "{told:?}");
    agree(&team.second, &anew).await;
    let approved = agree(&team.third, &anew).await;
    assert_eq!(approved.problem, None);
    assert_eq!(approved.state(), DeploymentState::Approved);
    let executed = deployments.execute_deployment(executing(&approved)).await;
    let status = executed.refused(Code::FailedPrecondition, ErrorReason::PlanHasProblems);
    let problems = &status.get_details_error_info().unwrap().metadata["problems"];
    assert_eq!(problems, "VERSION_GOES_BACK");
    assert_eq!(team.current("chat").await.unwrap(), "1.2.0");
    assert_eq!(team.get(&made).await.state(), DeploymentState::Approved);
}

async fn what_it_needs_has_to_be_there_still(backend: Backend) {
    let team = careful(backend).await;
    prompt(&team.project, "tone", &["1.0.0"]).await;
    prompt(&team.project, "chat", &[]).await;
    let version = CreateVersionRequest {
        project: team.project.slug.clone(),
        application: "chat".to_owned(),
        identifier: "1.0.0".to_owned(),
        dependencies: vec![Dependency {
            application: "tone".to_owned(),
            requirement: "^1".to_owned(),
        }],
        ..Default::default()
    };
    let mut applications = team.project.admin.applications();
    applications.create_version(version).await.granted();
    released(&team, vec![bring("tone", "1.0.0")]).await;
    let made = team
        .asks(release(&team.project, vec![bring("chat", "1.0.0")]))
        .await;
    agree(&team.second, &made).await;
    let approved = agree(&team.third, &made).await;
    released(&team, vec![remove("tone")]).await;
    let mut deployments = team.lead.deployments();
    let executed = deployments.execute_deployment(executing(&approved)).await;
    executed.refused(Code::Aborted, ErrorReason::PlanChanged);
    let anew = team.get(&made).await;
    agree(&team.second, &anew).await;
    let approved = agree(&team.third, &anew).await;
    let executed = deployments.execute_deployment(executing(&approved)).await;
    let status = executed.refused(Code::FailedPrecondition, ErrorReason::PlanHasProblems);
    let problems = &status.get_details_error_info().unwrap().metadata["problems"];
    assert_eq!(problems, "DEPENDENCY_MISSING");
    assert_eq!(team.current("chat").await, None);
    // With what it needs back, what people agreed to first is what would happen again, and asked about again.
    released(&team, vec![bring("tone", "1.0.0")]).await;
    let executed = deployments.execute_deployment(executing(&approved)).await;
    executed.refused(Code::Aborted, ErrorReason::PlanChanged);
    let anew = team.get(&made).await;
    agree(&team.second, &anew).await;
    let approved = agree(&team.third, &anew).await;
    execute(&team.lead, &approved).await;
    assert_eq!(team.current("chat").await.unwrap(), "1.0.0");
}

/// What begins by itself, and what nobody has to agree to, does not begin on top of what nobody saw.
async fn nobody_asked_means_somebody_looks(backend: Backend) {
    let team = Team::new(backend).await;
    let project = &team.project;
    project.environment("lab").await;
    prompt(project, "chat", &["1.0.0", "1.1.0", "1.2.0"]).await;
    let to_lab = |version| CreateReleaseRequest {
        environment: "lab".to_owned(),
        ..release(project, vec![bring("chat", version)])
    };
    let first = team.asks(to_lab("1.0.0")).await;
    execute(&team.lead, &first).await;
    let scheduled = CreateReleaseRequest {
        start_time: Some(ahead(Duration::from_secs(4))),
        ..to_lab("1.2.0")
    };
    let scheduled = team.asks(scheduled).await;
    assert_eq!(scheduled.state(), DeploymentState::Approved);
    let between = team.asks(to_lab("1.1.0")).await;
    execute(&team.lead, &between).await;

    let waits = team.told(&scheduled, "PLAN_CHANGED").await;
    assert_eq!(waits.state(), DeploymentState::Approved);
    assert!(!waits.release.as_ref().unwrap().execute_on_approval);
    assert_ne!(waits.plan_digest, scheduled.plan_digest);
    let cell = project.cell("chat", "lab").await.unwrap();
    assert_eq!(cell.version, "1.1.0");
    let done = execute(&team.lead, &waits).await;
    assert_eq!(done.problem, None);
    let cell = project.cell("chat", "lab").await.unwrap();
    assert_eq!(cell.version, "1.2.0");
}

async fn a_rollback_is_as_risky_as_it_is(backend: Backend) {
    let team = Team::new(backend).await;
    prompt(&team.project, "chat", &["1.0.0", "1.1.0"]).await;
    team.released(vec![bring("chat", "1.0.0")]).await;
    let done = team.released(vec![bring("chat", "1.1.0")]).await;
    let mut deployments = team.lead.deployments();
    let back = deployments.rollback_deployment(undoing(&done)).await;
    let back = back.granted().deployment.unwrap();
    assert_eq!(back.risk_level(), RiskLevel::High);
    assert_eq!(factors(&back), ["PRODUCTION_TIER", "DOWNGRADE"]);
}

/// One that begins by itself is looked at again after a while; whoever executes it does not have to wait so long.
async fn missing_checks_are_told_as_such(backend: Backend) {
    let team = Team::new(backend).await;
    let project = &team.project;
    let mut demanding = terms(Vec::new());
    demanding.required_checks = vec![RequiredCheck {
        name: "evaluation".to_owned(),
        ..Default::default()
    }];
    project.environment("lab").await;
    project.set_policy("lab", demanding).await;
    prompt(project, "chat", &["1.0.0"]).await;
    let asked = CreateReleaseRequest {
        environment: "lab".to_owned(),
        execute_on_approval: true,
        ..release(project, vec![bring("chat", "1.0.0")])
    };
    let made = team.asks(asked).await;
    let held = team.told(&made, "CHECKS_MISSING").await;
    let mut deployments = team.lead.deployments();
    let executed = deployments.execute_deployment(executing(&held)).await;
    executed.refused(Code::FailedPrecondition, ErrorReason::ChecksMissing);
    reported(&team, &made, CheckStatus::Passed).await;
    // Unless the server is faster.
    match deployments.execute_deployment(executing(&held)).await {
        Ok(_) => {}
        refused => {
            refused.refused(
                Code::FailedPrecondition,
                ErrorReason::DeploymentNotExecutable,
            );
        }
    }
    team.becomes(&made, DeploymentState::Succeeded).await;
}

async fn a_promotion_was_approved_before_it_was_queued(backend: Backend) {
    let gate = Gate::new(backend).await;
    let started = gate.start().await;
    agree(&gate.approver, &started).await;
    let over = gate.over(&started).await;
    let states: Vec<_> = over.history.iter().map(Transition::state).collect();
    let expected = [
        DeploymentState::PendingApproval,
        DeploymentState::Approved,
        DeploymentState::Queued,
        DeploymentState::Running,
        DeploymentState::Succeeded,
    ];
    assert_eq!(states, expected);
}

async fn what_is_archived_can_be_taken_out(backend: Backend) {
    let team = careful(backend).await;
    prompt(&team.project, "chat", &["1.0.0"]).await;
    released(&team, vec![bring("chat", "1.0.0")]).await;
    let mut applications = team.project.admin.applications();
    let archiving = ArchiveApplicationRequest {
        project: team.project.slug.clone(),
        application: "chat".to_owned(),
        ..Default::default()
    };
    applications.archive_application(archiving).await.granted();
    released(&team, vec![remove("chat")]).await;
    assert_eq!(team.current("chat").await, None);
}
