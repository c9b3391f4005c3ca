//! What is tried against releases by the wrong means, or at the wrong moment.

use std::time::Duration;

use futures_util::future::{join, join_all};
use slipway_api::approvals::v1::PolicyTerms;
use slipway_api::catalog::v1::{
    ApplicationKind, ArchiveApplicationRequest, CreateVersionRequest, DeprecateVersionRequest,
    EnvironmentTier, UpdateEnvironmentRequest,
};
use slipway_api::deployments::v1::{
    CreateReleaseRequest, Deployment, DeploymentItem, DeploymentState, ExecuteDeploymentRequest,
    GetDeploymentRequest, ItemStatus, ReleaseItem, RollbackDeploymentRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{ArchiveProjectRequest, Role};
use slipway_api::ledger::v1::{CreateMissing, DeploymentRecord, ListDeploymentRecordsRequest};
use slipway_tests::backend::scaled;
use slipway_tests::clock::ahead;
use slipway_tests::world::report;
use slipway_tests::{Backend, Granted, Project, Refused, World};
use tonic::Code;

use super::approvals::Gate;
use super::policies::admins;
use super::releases::{bring, execute, prompt, release};
use crate::case::cases;

cases![
    a_new_environment_is_governed_from_its_first_record,
    what_changes_between_approval_and_execution_counts,
    nothing_begins_in_an_archived_project,
    releases_and_reports_at_once_come_one_after_the_other,
    of_rollbacks_of_a_release_at_once_one_wins,
    no_name_and_no_byte_hides_a_secret,
];

const KEYS: [&str; 4] = ["a", "b", "c", "d"];
/// How many versions each of them has.
const VERSIONS: usize = 4;
/// When what was put off is to begin.
const SOON: Duration = Duration::from_secs(2);

async fn get(project: &Project, deployment: &Deployment) -> Deployment {
    let request = GetDeploymentRequest {
        project: project.slug.clone(),
        deployment: deployment.number.to_string(),
    };
    let found = project.admin.deployments().get_deployment(request).await;
    found.granted().deployment.unwrap()
}

fn executing(deployment: &Deployment) -> ExecuteDeploymentRequest {
    ExecuteDeploymentRequest {
        project: deployment.project.clone(),
        deployment: deployment.number.to_string(),
        plan_digest: deployment.plan_digest.clone(),
        ..Default::default()
    }
}

async fn tier(project: &Project, slug: &str, tier: EnvironmentTier) {
    let request = UpdateEnvironmentRequest {
        project: project.slug.clone(),
        environment: slug.to_owned(),
        tier: tier.into(),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["tier".to_owned()],
        }),
        ..Default::default()
    };
    let updated = project
        .admin
        .environments()
        .update_environment(request)
        .await;
    updated.granted();
}

/// A report that creates a production environment on the way can't put into it what Slipway itself activates.
async fn a_new_environment_is_governed_from_its_first_record(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    let mut recording = project.recording(report("greeting", "1", "prod"));
    recording.create_missing = Some(CreateMissing {
        application_kind: ApplicationKind::Prompt.into(),
        environment_tier: EnvironmentTier::Production.into(),
        ..slipway_tests::world::everything()
    });
    let recorded = project.admin.ledger().record_deployment(recording).await;
    recorded.refused(Code::FailedPrecondition, ErrorReason::EnvironmentGoverned);
    assert_eq!(project.matrix(None).await, []);
}

/// What is looked at again when a release begins that was approved before.
async fn what_changes_between_approval_and_execution_counts(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    project.environment("prod").await;
    prompt(&project, "a", &["1", "2"]).await;
    prompt(&project, "b", &["1", "2"]).await;
    let developer = project.member(Role::Developer).await;
    let mut deployments = developer.deployments();
    let mut ask = async |application: &str| {
        let request = release(&project, vec![bring(application, "1")]);
        deployments
            .create_release(request)
            .await
            .granted()
            .deployment
            .unwrap()
    };
    let (first, second, third) = (ask("a").await, ask("b").await, ask("a").await);
    for made in [&first, &second, &third] {
        assert_eq!(made.state(), DeploymentState::Approved);
    }
    let mut deployments = developer.deployments();
    let deprecation = DeprecateVersionRequest {
        project: project.slug.clone(),
        application: "a".to_owned(),
        version: "1".to_owned(),
        reason: "leaks".to_owned(),
        ..Default::default()
    };
    project
        .admin
        .applications()
        .deprecate_version(deprecation)
        .await
        .granted();
    let refused = deployments.execute_deployment(executing(&first)).await;
    refused.refused(Code::FailedPrecondition, ErrorReason::PlanHasProblems);
    let archival = ArchiveApplicationRequest {
        project: project.slug.clone(),
        application: "b".to_owned(),
        ..Default::default()
    };
    project
        .admin
        .applications()
        .archive_application(archival)
        .await
        .granted();
    let refused = deployments.execute_deployment(executing(&second)).await;
    refused.refused(Code::FailedPrecondition, ErrorReason::PlanHasProblems);
    // Nobody had to agree in development; in production somebody has.
    tier(&project, "prod", EnvironmentTier::Production).await;
    let refused = deployments.execute_deployment(executing(&third)).await;
    refused.refused(Code::PermissionDenied, ErrorReason::RequesterNotEligible);
    let mut of_admin = project.admin.deployments();
    let refused = of_admin.execute_deployment(executing(&third)).await;
    refused.refused(Code::FailedPrecondition, ErrorReason::ApprovalFell);
    assert_eq!(
        get(&project, &third).await.state(),
        DeploymentState::PendingApproval
    );
    tier(&project, "prod", EnvironmentTier::Development).await;
    let refused = deployments.execute_deployment(executing(&third)).await;
    refused.refused(
        Code::FailedPrecondition,
        ErrorReason::DeploymentNotExecutable,
    );
    assert_eq!(project.matrix(None).await, []);
}

/// What was to begin later does not begin in a project that was archived meanwhile: what is queued fails with nothing touched,
/// and what is approved can be canceled.
async fn nothing_begins_in_an_archived_project(backend: Backend) {
    let patient = PolicyTerms {
        wait: Some(SOON.try_into().unwrap()),
        ..admins(1)
    };
    let gate = Gate::governed(backend, patient).await;
    let project = &gate.project;
    let promoted = gate.start().await;
    let mut approvals = gate.approver.approvals();
    approvals.approve(gate.approval(&promoted)).await.granted();
    project.environment("test").await;
    prompt(project, "greeting", &["1"]).await;
    let scheduled = CreateReleaseRequest {
        environment: "test".to_owned(),
        start_time: Some(ahead(SOON)),
        ..release(project, vec![bring("greeting", "1")])
    };
    let mut deployments = project.admin.deployments();
    let released = deployments.create_release(scheduled).await.granted();
    let released = released.deployment.unwrap();
    let archival = ArchiveProjectRequest {
        project: project.slug.clone(),
        ..Default::default()
    };
    let mut identity = project.admin.identity();
    identity.archive_project(archival).await.granted();
    tokio::time::sleep(SOON + Duration::from_secs(2)).await;
    let failed = gate.over(&promoted).await;
    assert_eq!(failed.state(), DeploymentState::Failed, "{failed:?}");
    assert_eq!(failed.problem.unwrap().reason, "PROJECT_ARCHIVED");
    let found = get(project, &released).await;
    assert_eq!(found.state(), DeploymentState::Approved, "{found:?}");
    let canceling = gate.cancellation(&released);
    let canceled = deployments.cancel_deployment(canceling).await.granted();
    assert_eq!(
        canceled.deployment.unwrap().state(),
        DeploymentState::Canceled
    );
    assert_eq!((gate.in_prod(), project.matrix(None).await), (0, vec![]));
}

/// Releases to the same cells, in whatever order they name them, and reports beside them: whoever is told that something
/// else is current by now has touched nothing.
async fn releases_and_reports_at_once_come_one_after_the_other(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    project.environment("prod").await;
    for key in KEYS {
        project.application(key).await;
        for version in 1..=VERSIONS {
            project.version(key, &version.to_string()).await;
        }
    }
    let developer = project.member(Role::Developer).await;
    let (mut executed, mut refused) = (0, 0);
    for round in 0..scaled(20) {
        let mut made = Vec::new();
        for n in 0..6 {
            let mut items: Vec<_> = (0..KEYS.len())
                .map(|at| ReleaseItem {
                    allow_older: true,
                    ..bring(KEYS[at], &((round + n + at) % VERSIONS + 1).to_string())
                })
                .collect();
            if n % 2 == 0 {
                items.reverse();
            }
            let request = release(&project, items);
            // Perhaps all of it is there already.
            if let Ok(created) = developer.deployments().create_release(request).await {
                made.extend(created.into_inner().deployment);
            }
        }
        let executions = made.iter().map(async |made| {
            let mut deployments = developer.deployments();
            deployments.execute_deployment(executing(made)).await
        });
        let reports = (0..8).map(async |n: usize| {
            let version = (n % VERSIONS + 1).to_string();
            let report = report(KEYS[n % KEYS.len()], &version, "prod");
            let recording = project.recording(report);
            developer.ledger().record_deployment(recording).await
        });
        let (answers, reported) = join(join_all(executions), join_all(reports)).await;
        for answer in reported {
            answer.granted();
        }
        let records = project.history(ListDeploymentRecordsRequest::default());
        let records = records.await;
        for (made, answer) in made.iter().zip(answers) {
            let found = get(&project, made).await;
            let is_of = |record: &&DeploymentRecord| record.deployment_id == found.deployment_id;
            let count = records.iter().filter(is_of).count();
            if answer.is_ok() {
                executed += 1;
                let is_done = |item: &&DeploymentItem| item.status() == ItemStatus::Succeeded;
                assert_eq!(found.state(), DeploymentState::Succeeded);
                assert_eq!(count, found.items.iter().filter(is_done).count());
            } else {
                refused += 1;
                answer.refused(Code::Aborted, ErrorReason::PlanChanged);
                assert_eq!((found.state(), count), (DeploymentState::Approved, 0));
            }
        }
    }
    println!(
        "{backend}: of releases beside reports, {executed} were carried out and {refused} refused"
    );
}

/// To whatever deployment they go back.
async fn of_rollbacks_of_a_release_at_once_one_wins(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    project.environment("prod").await;
    prompt(&project, "greeting", &["1", "2", "3"]).await;
    let mut made = Vec::new();
    for version in ["1", "2", "3"] {
        let request = release(&project, vec![bring("greeting", version)]);
        let created = project.admin.deployments().create_release(request).await;
        made.push(execute(&project.admin, &created.granted().deployment.unwrap()).await);
    }
    let attempts = (0..8).map(async |n| {
        let back_to = &made[n % 2];
        let request = RollbackDeploymentRequest {
            project: project.slug.clone(),
            deployment: made[2].number.to_string(),
            reason: "customers see nonsense".to_owned(),
            back_to: back_to.number.to_string(),
            ..Default::default()
        };
        let mut deployments = project.admin.deployments();
        let answer = deployments.rollback_deployment(request).await;
        (back_to, answer)
    });
    let mut won = Vec::new();
    for (back_to, answer) in join_all(attempts).await {
        if answer.is_ok() {
            won.push((back_to, answer.granted().deployment.unwrap()));
        } else {
            answer.refused(Code::FailedPrecondition, ErrorReason::UndoneAlready);
        }
    }
    let [(back_to, rollback)] = &won[..] else {
        panic!("{won:?}");
    };
    assert_eq!(rollback.back_to_deployment_id, back_to.deployment_id);
    let there = project.cell("greeting", "prod").await.unwrap();
    assert_eq!(there.version, back_to.number.to_string());
}

/// Neither what the content is called nor a byte that is no text.
async fn no_name_and_no_byte_hides_a_secret(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    project.environment("prod").await;
    prompt(&project, "greeting", &[]).await;
    let secret = b"use AKIAQ3EGRZL5TVWX7HPN";
    let latin = [b"gr\xfc\xdfe: ".as_slice(), secret].concat();
    for (version, (content_type, content)) in [
        ("text/plain", secret.to_vec()),
        ("", secret.to_vec()),
        ("image/png", secret.to_vec()),
        ("text/plain", latin),
    ]
    .into_iter()
    .enumerate()
    {
        let version = version.to_string();
        let creation = CreateVersionRequest {
            project: project.slug.clone(),
            application: "greeting".to_owned(),
            identifier: version.clone(),
            content: Some(content.into()),
            content_type: content_type.to_owned(),
            ..Default::default()
        };
        let created = project.admin.applications().create_version(creation).await;
        created.granted();
        let request = release(&project, vec![bring("greeting", &version)]);
        let refused = project.admin.deployments().create_release(request).await;
        let refused = refused.refused(Code::FailedPrecondition, ErrorReason::ReleaseHasFindings);
        let told = refused.message();
        assert!(
            told.contains("seems to hold") && !told.contains("AKIA"),
            "{told}"
        );
    }
}
