//! What a regulated team does: releases that several people agree to, go back, and can't be gone around.

use std::time::{Duration, Instant};

use slipway_api::approvals::v1::{
    ApproveRequest, OverrideFreezeRequest, PolicyTerms, RejectRequest, RequiredCheck,
};
use slipway_api::catalog::v1::{
    CreateEnvironmentRequest, CreateVersionRequest, Dependency, EnvironmentTier,
};
use slipway_api::deployments::v1::{
    CheckStatus, CreateReleaseRequest, Deployment, DeploymentItem, DeploymentState,
    GetDeploymentRequest, ItemChange, ReleaseItem, ReportCheckRequest, RollbackDeploymentRequest,
    Transition, release_item,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_api::ledger::v1::{ListDeploymentRecordsRequest, RetractDeploymentRecordRequest};
use slipway_tests::clock::{ago, ahead};
use slipway_tests::world::report;
use slipway_tests::{Backend, Client, Granted, Project, Refused, World};
use tonic::Code;

use super::approvals::Gate;
use super::policies::terms;
use super::releases::{bring, execute, executing, prompt, release};
use crate::case::cases;

cases![
    a_new_feature_takes_two_people,
    a_hotfix_is_released_as_soon_as_people_agree,
    a_release_goes_back_to_a_chosen_one,
    a_story_from_request_to_rollback,
    reports_do_not_go_around_policies,
    a_release_begins_at_its_time,
    demanded_checks_are_waited_for,
];

/// How long something may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// A project with a production environment, and people who ask and agree.
pub(super) struct Team {
    pub(super) project: Project,
    pub(super) lead: Client,
    pub(super) second: Client,
    pub(super) third: Client,
}

impl Team {
    pub(super) async fn new(backend: Backend) -> Self {
        let world = World::shared(backend).await;
        let project = world.project().await;
        project
            .admin
            .environments()
            .create_environment(CreateEnvironmentRequest {
                project: project.slug.clone(),
                slug: "prod".to_owned(),
                tier: EnvironmentTier::Production.into(),
                ..Default::default()
            })
            .await
            .granted();
        let lead = project.member(Role::Admin).await;
        let second = project.member(Role::Admin).await;
        let third = project.member(Role::Admin).await;
        Self {
            project,
            lead,
            second,
            third,
        }
    }

    pub(super) async fn asks(&self, request: CreateReleaseRequest) -> Deployment {
        let made = self.lead.deployments().create_release(request).await;
        made.granted().deployment.unwrap()
    }

    pub(super) async fn get(&self, deployment: &Deployment) -> Deployment {
        let request = GetDeploymentRequest {
            project: self.project.slug.clone(),
            deployment: deployment.number.to_string(),
        };
        let found = self.lead.deployments().get_deployment(request).await;
        found.granted().deployment.unwrap()
    }

    /// The deployment, once it is in this state.
    pub(super) async fn becomes(
        &self,
        deployment: &Deployment,
        state: DeploymentState,
    ) -> Deployment {
        let begin = Instant::now();
        loop {
            let found = self.get(deployment).await;
            if found.state() == state {
                return found;
            }
            assert!(begin.elapsed() < PATIENCE, "not {state:?}: {found:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The deployment, once its problem has this reason.
    pub(super) async fn told(&self, deployment: &Deployment, reason: &str) -> Deployment {
        let begin = Instant::now();
        loop {
            let found = self.get(deployment).await;
            if found.problem.as_ref().is_some_and(|it| it.reason == reason) {
                return found;
            }
            assert!(begin.elapsed() < PATIENCE, "not {reason}: {found:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) async fn current(&self, application: &str) -> Option<String> {
        let cell = self.project.cell(application, "prod").await;
        cell.map(|cell| cell.version)
    }

    /// A release that was agreed to and carried out.
    pub(super) async fn released(&self, items: Vec<ReleaseItem>) -> Deployment {
        let made = self.asks(release(&self.project, items)).await;
        agree(&self.second, &made).await;
        agree(&self.third, &made).await;
        execute(&self.lead, &self.get(&made).await).await
    }
}

fn approving(deployment: &Deployment) -> ApproveRequest {
    ApproveRequest {
        project: deployment.project.clone(),
        deployment: deployment.number.to_string(),
        plan_digest: deployment.plan_digest.clone(),
        ..Default::default()
    }
}

pub(super) async fn agree(who: &Client, deployment: &Deployment) -> Deployment {
    let approved = who.approvals().approve(approving(deployment)).await;
    approved.granted().deployment.unwrap()
}

pub(super) fn undoing(deployment: &Deployment) -> RollbackDeploymentRequest {
    RollbackDeploymentRequest {
        project: deployment.project.clone(),
        deployment: deployment.number.to_string(),
        reason: "customers see nonsense".to_owned(),
        ..Default::default()
    }
}

pub(super) fn remove(application: &str) -> ReleaseItem {
    ReleaseItem {
        application: application.to_owned(),
        change: Some(release_item::Change::Remove(true)),
        ..Default::default()
    }
}

/// The first example of the requirement: production takes two people who did not ask.
async fn a_new_feature_takes_two_people(backend: Backend) {
    let team = Team::new(backend).await;
    prompt(&team.project, "chatbot-main-prompt", &["2.0.0"]).await;
    let items = vec![ReleaseItem {
        change_message: "Improvements in natural language processing".to_owned(),
        ..bring("chatbot-main-prompt", "2.0.0")
    }];
    let made = team.asks(release(&team.project, items)).await;
    assert_eq!(made.state(), DeploymentState::PendingApproval);
    let mut approvals = team.lead.approvals();
    approvals
        .approve(approving(&made))
        .await
        .refused(Code::PermissionDenied, ErrorReason::SelfApproval);
    let once = agree(&team.second, &made).await;
    assert_eq!(once.state(), DeploymentState::PendingApproval);
    let mut deployments = team.lead.deployments();
    let refused = deployments.execute_deployment(executing(&made)).await;
    refused.refused(
        Code::FailedPrecondition,
        ErrorReason::DeploymentNotExecutable,
    );
    let twice = agree(&team.third, &made).await;
    assert_eq!(twice.state(), DeploymentState::Approved);
    let done = execute(&team.lead, &twice).await;
    assert_eq!(done.state(), DeploymentState::Succeeded);
    assert_eq!(team.current("chatbot-main-prompt").await.unwrap(), "2.0.0");
}

/// The second example: a hotfix that is carried out in the moment in which the last person agrees, and one that somebody
/// rejects.
async fn a_hotfix_is_released_as_soon_as_people_agree(backend: Backend) {
    let team = Team::new(backend).await;
    prompt(&team.project, "security-guard-prompt", &["1.1.0", "1.1.1"]).await;
    let hotfix = CreateReleaseRequest {
        execute_on_approval: true,
        ..release(&team.project, vec![bring("security-guard-prompt", "1.1.1")])
    };
    let made = team.asks(hotfix.clone()).await;
    agree(&team.second, &made).await;
    let done = agree(&team.third, &made).await;
    assert_eq!(done.state(), DeploymentState::Succeeded);
    assert_eq!(
        team.current("security-guard-prompt").await.unwrap(),
        "1.1.1"
    );
    let items = vec![ReleaseItem {
        allow_older: true,
        ..bring("security-guard-prompt", "1.1.0")
    }];
    let back = team.asks(CreateReleaseRequest { items, ..hotfix }).await;
    let rejecting = RejectRequest {
        project: back.project.clone(),
        deployment: back.number.to_string(),
        plan_digest: back.plan_digest.clone(),
        comment: "that is the one with the hole".to_owned(),
        ..Default::default()
    };
    let rejected = team.second.approvals().reject(rejecting).await.granted();
    assert_eq!(
        rejected.deployment.unwrap().state(),
        DeploymentState::Rejected
    );
    assert_eq!(
        team.current("security-guard-prompt").await.unwrap(),
        "1.1.1"
    );
}

/// The third example: back to an earlier deployment, exactly to what was current right after it, and not to and fro.
async fn a_release_goes_back_to_a_chosen_one(backend: Backend) {
    let team = Team::new(backend).await;
    prompt(&team.project, "greeting", &["1", "2", "3"]).await;
    prompt(&team.project, "farewell", &["1"]).await;
    let first = team.released(vec![bring("greeting", "1")]).await;
    let second = team.released(vec![bring("greeting", "2")]).await;
    let items = vec![bring("greeting", "3"), bring("farewell", "1")];
    let third = team.released(items).await;
    let mut deployments = team.lead.deployments();

    let looked_at = RollbackDeploymentRequest {
        validate_only: true,
        ..undoing(&third)
    };
    let planned = deployments.rollback_deployment(looked_at).await.granted();
    let planned = planned.deployment.unwrap();
    assert_eq!(planned.back_to_deployment_id, second.deployment_id);
    let changes: Vec<_> = planned.items.iter().map(DeploymentItem::change).collect();
    assert_eq!(changes, [ItemChange::Updated, ItemChange::Deleted]);

    let to_the_first = RollbackDeploymentRequest {
        back_to: first.number.to_string(),
        ..undoing(&third)
    };
    // Both were approved for this environment before.
    let back = deployments
        .rollback_deployment(to_the_first)
        .await
        .granted();
    let back = back.deployment.unwrap();
    assert_eq!(back.state(), DeploymentState::Succeeded, "{back:?}");
    assert_eq!(team.current("greeting").await.unwrap(), "1");
    assert_eq!(team.current("farewell").await, None);
    let undone = team.get(&third).await;
    assert_eq!(undone.state(), DeploymentState::RolledBack);
    assert_eq!(undone.rolled_back_by_id, back.deployment_id);

    let again = deployments.rollback_deployment(undoing(&third)).await;
    again.refused(Code::FailedPrecondition, ErrorReason::UndoneAlready);
    let forth = deployments.rollback_deployment(undoing(&back)).await;
    forth.refused(
        Code::FailedPrecondition,
        ErrorReason::DeploymentNotReversible,
    );
    let later = RollbackDeploymentRequest {
        back_to: back.number.to_string(),
        ..undoing(&second)
    };
    let later = deployments.rollback_deployment(later).await;
    later.refused(Code::FailedPrecondition, ErrorReason::NotARollbackTarget);
}

/// From the request to the rollback, with everything in between that stands in the way.
async fn a_story_from_request_to_rollback(backend: Backend) {
    let team = Team::new(backend).await;
    let project = &team.project;
    prompt(project, "model-notes", &["1.0.0", "1.1.0"]).await;
    prompt(project, "assistant", &[]).await;
    for (identifier, requirement) in [("1.0.0", ""), ("2.0.0", "^1.0")] {
        let dependency = Dependency {
            application: "model-notes".to_owned(),
            requirement: requirement.to_owned(),
        };
        let version = CreateVersionRequest {
            project: project.slug.clone(),
            application: "assistant".to_owned(),
            identifier: identifier.to_owned(),
            dependencies: vec![dependency],
            ..Default::default()
        };
        let made = project.admin.applications().create_version(version).await;
        made.granted();
    }
    let items = vec![bring("model-notes", "1.0.0"), bring("assistant", "1.0.0")];
    let before = team.released(items).await;

    let made = team
        .asks(release(project, vec![bring("assistant", "2.0.0")]))
        .await;
    agree(&team.second, &made).await;
    let approved = agree(&team.third, &made).await;
    assert_eq!(approved.state(), DeploymentState::Approved);
    // What it rests on is another one now.
    team.released(vec![bring("model-notes", "1.1.0")]).await;
    let mut deployments = team.lead.deployments();
    let changed = deployments.execute_deployment(executing(&approved)).await;
    changed.refused(Code::Aborted, ErrorReason::PlanChanged);
    let anew = team.get(&made).await;
    assert_eq!(anew.state(), DeploymentState::PendingApproval);
    assert_ne!(anew.plan_digest, made.plan_digest);
    let replayed = team.second.approvals().approve(approving(&made)).await;
    replayed.refused(Code::Aborted, ErrorReason::PlanChanged);
    agree(&team.second, &anew).await;
    let approved = agree(&team.third, &anew).await;

    project
        .freeze("christmas", "prod", ago(PATIENCE), ahead(60 * PATIENCE))
        .await;
    let frozen = deployments.execute_deployment(executing(&approved)).await;
    frozen.refused(Code::FailedPrecondition, ErrorReason::Frozen);
    let overriding = OverrideFreezeRequest {
        project: project.slug.clone(),
        deployment: approved.number.to_string(),
        freeze_windows: vec!["christmas".to_owned()],
        reason: "customers can't log in".to_owned(),
        ..Default::default()
    };
    let overridden = team.second.freezes().override_freeze(overriding).await;
    overridden.granted();
    let done = execute(&team.lead, &approved).await;
    assert_eq!(done.state(), DeploymentState::Succeeded);
    assert_eq!(team.current("assistant").await.unwrap(), "2.0.0");

    // No freeze stands in the way of going back.
    let back = deployments
        .rollback_deployment(undoing(&done))
        .await
        .granted();
    let back = back.deployment.unwrap();
    assert_eq!(back.state(), DeploymentState::Succeeded, "{back:?}");
    assert_eq!(team.current("assistant").await.unwrap(), "1.0.0");
    assert_eq!(team.current("model-notes").await.unwrap(), "1.1.0");
    let history: Vec<_> = team.get(&done).await.history;
    let states: Vec<_> = history.iter().map(Transition::state).collect();
    let expected = [
        DeploymentState::PendingApproval,
        DeploymentState::Approved,
        DeploymentState::PendingApproval,
        DeploymentState::Approved,
        DeploymentState::Queued,
        DeploymentState::Running,
        DeploymentState::Succeeded,
        DeploymentState::RolledBack,
    ];
    assert_eq!(states, expected);
    assert_eq!(team.get(&before).await.state(), DeploymentState::Succeeded);
}

/// What Slipway itself activates changes by deployments only; services may be reported, and are marked.
async fn reports_do_not_go_around_policies(backend: Backend) {
    let team = Team::new(backend).await;
    let project = &team.project;
    prompt(project, "greeting", &["1", "2"]).await;
    team.released(vec![bring("greeting", "1")]).await;
    let mut ledger = team.lead.ledger();
    let reported = project.recording(report("greeting", "2", "prod"));
    ledger
        .record_deployment(reported)
        .await
        .refused(Code::FailedPrecondition, ErrorReason::EnvironmentGoverned);
    let records = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    ledger
        .retract_deployment_record(RetractDeploymentRecordRequest {
            project: project.slug.clone(),
            record_id: records[0].record_id.clone(),
            reason: "it never happened".to_owned(),
            ..Default::default()
        })
        .await
        .refused(Code::FailedPrecondition, ErrorReason::EnvironmentGoverned);
    assert_eq!(team.current("greeting").await.unwrap(), "1");
    let service = project.record(report("cart", "7", "prod")).await;
    assert!(service.outside_governance);
    assert_eq!(service.deployment_id, "");
    let elsewhere = project.record(report("cart", "7", "dev")).await;
    assert!(!elsewhere.outside_governance);
    let mut taken = report("cart", "8", "prod");
    "slipway:deployment:1".clone_into(&mut taken.external_id);
    let taken = ledger.record_deployment(project.recording(taken)).await;
    taken.refused(Code::InvalidArgument, ErrorReason::InvalidField);
    // The release can take it out.
    team.released(vec![remove("cart")]).await;
    assert_eq!(team.current("cart").await, None);
}

/// What has a time waits for it, and begins by itself.
async fn a_release_begins_at_its_time(backend: Backend) {
    let team = Team::new(backend).await;
    prompt(&team.project, "greeting", &["1"]).await;
    let asked = CreateReleaseRequest {
        start_time: Some(ahead(Duration::from_secs(3))),
        ..release(&team.project, vec![bring("greeting", "1")])
    };
    let made = team.asks(asked).await;
    agree(&team.second, &made).await;
    let approved = agree(&team.third, &made).await;
    assert_eq!(approved.state(), DeploymentState::Approved);
    let mut deployments = team.lead.deployments();
    let early = deployments.execute_deployment(executing(&approved)).await;
    early.refused(Code::FailedPrecondition, ErrorReason::TooEarly);
    team.becomes(&made, DeploymentState::Succeeded).await;
    assert_eq!(team.current("greeting").await.unwrap(), "1");
}

/// What a policy demands of a CI system holds up releases and promotions alike, until it has passed for that very plan.
async fn demanded_checks_are_waited_for(backend: Backend) {
    let team = Team::new(backend).await;
    let project = &team.project;
    let demanding = PolicyTerms {
        required_checks: vec![RequiredCheck {
            name: "evaluation".to_owned(),
            ..Default::default()
        }],
        ..terms(Vec::new())
    };
    project.environment("lab").await;
    project.set_policy("lab", demanding.clone()).await;
    prompt(project, "greeting", &["1"]).await;
    let asked = CreateReleaseRequest {
        environment: "lab".to_owned(),
        ..release(project, vec![bring("greeting", "1")])
    };
    let made = team.asks(asked).await;
    assert_eq!(made.state(), DeploymentState::Approved);
    let mut deployments = team.lead.deployments();
    let held = deployments.execute_deployment(executing(&made)).await;
    held.refused(Code::FailedPrecondition, ErrorReason::ChecksMissing);
    reported(&team, &made, CheckStatus::Failed).await;
    let held = deployments.execute_deployment(executing(&made)).await;
    held.refused(Code::FailedPrecondition, ErrorReason::ChecksMissing);
    reported(&team, &made, CheckStatus::Passed).await;
    execute(&team.lead, &made).await;

    let gate = Gate::new(backend).await;
    gate.project.set_policy("prod", demanding).await;
    let started = gate.start().await;
    agree(&gate.approver, &started).await;
    let queued = gate.until(&started, |found| found.problem.is_some()).await;
    assert_eq!(queued.state(), DeploymentState::Queued);
    assert_eq!(queued.problem.unwrap().reason, "CHECKS_MISSING");
    let reporting = reporting(&started, CheckStatus::Passed);
    let mut deployments = gate.developer.deployments();
    deployments.report_check(reporting).await.granted();
    let over = gate.over(&started).await;
    assert_eq!(over.state(), DeploymentState::Succeeded, "{over:?}");
}

fn reporting(deployment: &Deployment, status: CheckStatus) -> ReportCheckRequest {
    ReportCheckRequest {
        project: deployment.project.clone(),
        deployment: deployment.number.to_string(),
        name: "evaluation".to_owned(),
        status: status.into(),
        plan_digest: deployment.plan_digest.clone(),
        ..Default::default()
    }
}

pub(super) async fn reported(team: &Team, deployment: &Deployment, status: CheckStatus) {
    let mut deployments = team.lead.deployments();
    let reported = deployments
        .report_check(reporting(deployment, status))
        .await;
    reported.granted();
}
