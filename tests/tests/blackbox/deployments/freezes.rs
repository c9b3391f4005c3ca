//! Freezes: what they hold up and for how long, and what is let through.

use std::time::{Duration, Instant};

use prost_types::FieldMask;
use slipway_api::approvals::v1::{
    DeleteFreezeWindowRequest, FreezeAction, FreezeWindow, GetFreezeWindowRequest,
    ListFreezeWindowsRequest, OverrideFreezeRequest, UpdateFreezeWindowRequest,
};
use slipway_api::audit::v1::{AuditEventFilter, ListAuditEventsRequest};
use slipway_api::catalog::v1::{EnvironmentTier, UpdateEnvironmentRequest};
use slipway_api::deployments::v1::{
    CancelDeploymentRequest, Deployment, DeploymentState, RollbackDeploymentRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_api::snapshots::v1::RestoreSnapshotRequest;
use slipway_tests::clock::{DAY, HOUR, ahead, to_micros};
use slipway_tests::world::{once, workflow};
use slipway_tests::{Backend, Client, Granted, Project, Refused, ago};
use tonic::Code;

use super::approvals::Gate;
use super::promotions::Way;
use crate::case::cases;

cases![
    what_is_frozen_begins_when_it_opens,
    a_freeze_that_begins_later_counts,
    what_is_changed_about_a_freeze_counts_at_once,
    a_freeze_holds_up_what_it_covers,
    a_rollback_goes_past_a_freeze,
    what_is_overridden_begins,
    all_that_stands_is_named,
    what_waits_for_a_freeze_is_canceled,
];

/// How long a deployment may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// Longer than executors sleep.
const WATCHED: Duration = Duration::from_millis(800);

/// The deployment when it is as it should be.
async fn until(
    project: &Project,
    deployment: &Deployment,
    so: impl Fn(&Deployment) -> bool,
) -> Deployment {
    let begin = Instant::now();
    loop {
        let found = get(project, deployment).await;
        if so(&found) {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "{found:?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

async fn get(project: &Project, deployment: &Deployment) -> Deployment {
    let request = slipway_api::deployments::v1::GetDeploymentRequest {
        project: project.slug.clone(),
        deployment: deployment.deployment_id.clone(),
    };
    let mut deployments = project.admin.deployments();
    let found = deployments.get_deployment(request).await.granted();
    found.deployment.unwrap()
}

fn is_frozen(deployment: &Deployment) -> bool {
    let problem = deployment.problem.as_ref();
    deployment.state() == DeploymentState::Queued
        && problem.is_some_and(|problem| problem.reason == "FROZEN")
}

async fn frozen(project: &Project, deployment: &Deployment) -> Deployment {
    until(project, deployment, is_frozen).await
}

async fn succeeded(project: &Project, deployment: &Deployment) -> Deployment {
    let over = |found: &Deployment| found.finished_time.is_some();
    let found = until(project, deployment, over).await;
    assert_eq!(found.state(), DeploymentState::Succeeded, "{found:?}");
    assert_eq!(found.problem, None);
    found
}

/// How often executors said that a deployment waits for a freeze.
async fn told(project: &Project, deployment: &Deployment) -> usize {
    let request = ListAuditEventsRequest {
        filter: Some(AuditEventFilter {
            project: project.slug.clone(),
            command: "CarryOutDeployment".to_owned(),
            ..Default::default()
        }),
        page_size: 1_000,
        ..Default::default()
    };
    let mut audit = project.admin.audit();
    let page = audit.list_audit_events(request).await.granted();
    let events = page.events.iter().filter(|event| {
        let resource = event.resource.as_ref();
        resource.is_some_and(|resource| resource.name == deployment.deployment_id)
            && event.after_json.contains("FROZEN")
    });
    events.count()
}

fn overriding(
    project: &Project,
    deployment: &Deployment,
    windows: &[&str],
) -> OverrideFreezeRequest {
    OverrideFreezeRequest {
        project: project.slug.clone(),
        deployment: deployment.number.to_string(),
        freeze_windows: windows.iter().map(ToString::to_string).collect(),
        plan_digest: deployment.plan_digest.clone(),
        reason: "customers can't pay".to_owned(),
        request_id: String::new(),
    }
}

fn updating(project: &Project, window: &str, paths: &[&str]) -> UpdateFreezeWindowRequest {
    UpdateFreezeWindowRequest {
        project: project.slug.clone(),
        freeze_window: window.to_owned(),
        update_mask: Some(FieldMask {
            paths: paths.iter().map(ToString::to_string).collect(),
        }),
        ..Default::default()
    }
}

async fn updated(project: &Project, request: UpdateFreezeWindowRequest) -> FreezeWindow {
    let changed = project.admin.freezes().update_freeze_window(request).await;
    changed.granted().freeze_window.unwrap()
}

async fn what_is_frozen_begins_when_it_opens(backend: Backend) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    let project = &way.project;
    // Two windows that meet: it opens when the second one ends.
    let seam = ahead(Duration::from_millis(1_500));
    let end = ahead(Duration::from_secs(4));
    let first = project.freeze("first", "prod", ago(HOUR), seam).await;
    assert!(first.stands);
    assert_eq!(first.next_end_time, Some(seam));
    assert_eq!(first.next_start_time, None);
    let second = project.freeze("second", "prod", seam, end).await;
    assert!(!second.stands);
    assert_eq!(second.next_start_time, Some(seam));

    let waits = frozen(project, &way.start().await).await;
    let message = waits.problem.clone().unwrap().message;
    assert!(message.contains("`first`"), "{message}");
    assert!(!message.contains("`second`"), "{message}");
    assert!(message.contains("it opens again at 20"), "{message}");
    assert_eq!(waits.started_time, None);
    assert!(way.in_prod().is_empty());
    tokio::time::sleep(WATCHED).await;
    assert_eq!(told(project, &waits).await, 1, "it was looked at once");
    let done = succeeded(project, &waits).await;
    let began = to_micros(done.started_time.unwrap());
    assert!(began >= to_micros(end), "it began in the freeze: {done:?}");
    assert!(told(project, &waits).await <= 2);
    assert_eq!(way.in_prod(), ["Orders.json"]);
    let mut client = project.admin.freezes();
    let over = client.get_freeze_window(GetFreezeWindowRequest {
        project: project.slug.clone(),
        freeze_window: "second".to_owned(),
    });
    let over = over.await.granted().freeze_window.unwrap();
    assert!(!over.stands && over.next_start_time.is_none() && over.next_end_time.is_none());
}

async fn a_freeze_that_begins_later_counts(backend: Backend) {
    let gate = Gate::new(backend).await;
    let waits = gate.start().await;
    let project = &gate.project;
    let end = ahead(Duration::from_secs(3));
    project.freeze("still", "prod", ago(HOUR), end).await;
    // Somebody agrees in the freeze: that is no start.
    let agreed = gate
        .approver
        .approvals()
        .approve(gate.approval(&waits))
        .await;
    agreed.granted();
    let waits = frozen(project, &waits).await;
    assert_eq!(gate.in_prod(), 0);
    let done = succeeded(project, &waits).await;
    assert!(to_micros(done.started_time.unwrap()) >= to_micros(end));
    assert_eq!(gate.in_prod(), 1);
}

async fn what_is_changed_about_a_freeze_counts_at_once(backend: Backend) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    let project = &way.project;
    let window = project.freeze("still", "prod", ago(HOUR), ahead(DAY)).await;

    let first = frozen(project, &way.start().await).await;
    let suspend = UpdateFreezeWindowRequest {
        suspended: true,
        etag: window.etag.clone(),
        request_id: "suspend".to_owned(),
        ..updating(project, "still", &["suspended"])
    };
    let suspended = updated(project, suspend.clone()).await;
    assert!(suspended.suspended && !suspended.stands);
    assert_eq!(
        (suspended.next_start_time, suspended.next_end_time),
        (None, None)
    );
    succeeded(project, &first).await;
    assert_eq!(
        updated(project, suspend.clone()).await,
        suspended,
        "repeated"
    );
    let mut freezes = project.admin.freezes();
    let stale = UpdateFreezeWindowRequest {
        request_id: String::new(),
        ..suspend
    };
    let stale = freezes.update_freeze_window(stale).await;
    stale.refused(Code::Aborted, ErrorReason::EtagMismatch);

    way.write("b.json", &workflow("Mail"));
    updated(project, updating(project, "still", &["suspended"])).await;
    let second = frozen(project, &way.start().await).await;
    let shorter = UpdateFreezeWindowRequest {
        schedule: Some(once(ago(HOUR), ahead(Duration::from_secs(2)))),
        ..updating(project, "still", &["schedule"])
    };
    updated(project, shorter).await;
    succeeded(project, &second).await;

    way.write("c.json", &workflow("Chat"));
    let longer = UpdateFreezeWindowRequest {
        schedule: Some(once(ago(HOUR), ahead(DAY))),
        ..updating(project, "still", &["schedule"])
    };
    updated(project, longer).await;
    let third = frozen(project, &way.start().await).await;
    let delete = DeleteFreezeWindowRequest {
        project: project.slug.clone(),
        freeze_window: "still".to_owned(),
        request_id: "delete".to_owned(),
        ..Default::default()
    };
    for _ in 0..2 {
        let deleted = freezes.delete_freeze_window(delete.clone()).await;
        let deleted = deleted.granted().freeze_window.unwrap();
        assert!(deleted.deleted_time.is_some() && !deleted.stands);
        assert_eq!(deleted.freeze_window_id, window.freeze_window_id);
    }
    succeeded(project, &third).await;
}

async fn a_freeze_holds_up_what_it_covers(backend: Backend) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    let project = &way.project;
    let tier = async |tier: EnvironmentTier| {
        let request = UpdateEnvironmentRequest {
            project: project.slug.clone(),
            environment: "prod".to_owned(),
            tier: tier.into(),
            update_mask: Some(FieldMask {
                paths: vec!["tier".to_owned()],
            }),
            ..Default::default()
        };
        let mut environments = project.admin.environments();
        environments.update_environment(request).await.granted();
    };
    tier(EnvironmentTier::Testing).await;
    // For another environment; for restores alone.
    project
        .freeze("elsewhere", "dev", ago(HOUR), ahead(DAY))
        .await;
    project
        .freeze("restores", "prod", ago(HOUR), ahead(DAY))
        .await;
    let restores = UpdateFreezeWindowRequest {
        actions: vec![FreezeAction::Restore.into()],
        ..updating(project, "restores", &["actions"])
    };
    let restores = updated(project, restores).await;
    assert_eq!(restores.actions, [i32::from(FreezeAction::Restore)]);
    let backup = project.backup("prod").await;
    let first = succeeded(project, &way.start().await).await;
    assert_eq!(first.number, 1);

    // A tier, until the environment is of another one.
    project
        .freeze("production", "prod", ago(HOUR), ahead(DAY))
        .await;
    let of_tier = UpdateFreezeWindowRequest {
        scope: Some(slipway_api::approvals::v1::FreezeScope {
            scope: Some(slipway_api::approvals::v1::freeze_scope::Scope::Tier(
                EnvironmentTier::Testing.into(),
            )),
        }),
        ..updating(project, "production", &["scope"])
    };
    updated(project, of_tier).await;
    way.write("b.json", &workflow("Mail"));
    let second = frozen(project, &way.start().await).await;
    tier(EnvironmentTier::Development).await;
    succeeded(project, &second).await;

    let mut client = project.admin.snapshots();
    let restore = client.restore_snapshot(RestoreSnapshotRequest {
        project: project.slug.clone(),
        snapshot_id: backup.snapshot_id,
        ..Default::default()
    });
    let restore = restore.await.granted().deployment.unwrap();
    let restore = frozen(project, &restore).await;
    // Others don't wait for what is frozen.
    way.write("c.json", &workflow("Chat"));
    succeeded(project, &way.start().await).await;
    assert!(is_frozen(&get(project, &restore).await));
    // What covers the whole project covers this too.
    let all = UpdateFreezeWindowRequest {
        actions: Vec::new(),
        ..updating(project, "restores", &["scope", "actions"])
    };
    updated(project, all).await;
    way.write("d.json", &workflow("Bill"));
    frozen(project, &way.start().await).await;

    let list = async |environment: &str, include_deleted| {
        let request = ListFreezeWindowsRequest {
            project: project.slug.clone(),
            environment: environment.to_owned(),
            include_deleted,
            page_size: 1_000,
            ..Default::default()
        };
        let mut freezes = project.admin.freezes();
        let page = freezes.list_freeze_windows(request).await.granted();
        let slugs = page.freeze_windows.into_iter().map(|window| window.slug);
        slugs.collect::<Vec<_>>()
    };
    assert_eq!(
        list("", false).await,
        ["elsewhere", "production", "restores"]
    );
    assert_eq!(list("prod", true).await, ["restores"]);
    assert_eq!(list("dev", false).await, ["elsewhere", "restores"]);
}

async fn a_rollback_goes_past_a_freeze(backend: Backend) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    let project = &way.project;
    let done = succeeded(project, &way.start().await).await;
    project.freeze("still", "prod", ago(HOUR), ahead(DAY)).await;
    // Though something waits before it for the end of the freeze.
    way.write("b.json", &workflow("Mail"));
    let waits = frozen(project, &way.start().await).await;
    let mut client = project.admin.deployments();
    let rollback = client.rollback_deployment(RollbackDeploymentRequest {
        project: project.slug.clone(),
        deployment: done.deployment_id.clone(),
        reason: "orders are lost".to_owned(),
        ..Default::default()
    });
    let rollback = rollback.await.granted().deployment.unwrap();
    succeeded(project, &rollback).await;
    assert!(way.in_prod().is_empty());
    assert!(is_frozen(&get(project, &waits).await));
    let mut freezes = project.admin.freezes();
    let nothing = freezes.override_freeze(overriding(project, &rollback, &["still"]));
    nothing
        .await
        .refused(Code::FailedPrecondition, ErrorReason::DeploymentNotWaiting);
}

async fn what_is_overridden_begins(backend: Backend) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    let project = &way.project;
    let window = project.freeze("still", "prod", ago(HOUR), ahead(DAY)).await;
    let waits = frozen(project, &way.start().await).await;
    let developer: Client = project.member(Role::Developer).await;
    let request = OverrideFreezeRequest {
        request_id: "through".to_owned(),
        ..overriding(project, &waits, &["still"])
    };
    let denied = developer.freezes().override_freeze(request.clone()).await;
    denied.refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
    tokio::time::sleep(WATCHED).await;
    assert!(is_frozen(&get(project, &waits).await));

    let mut freezes = project.admin.freezes();
    let answer = freezes.override_freeze(request.clone()).await.granted();
    assert_eq!(answer.deployment.unwrap().problem, None);
    let [made] = &answer.overrides[..] else {
        panic!("{:?}", answer.overrides);
    };
    assert_eq!(made.freeze_window, "still");
    assert_eq!(made.freeze_window_id, window.freeze_window_id);
    assert_eq!(made.deployment_id, waits.deployment_id);
    assert_eq!(made.reason, "customers can't pay");
    let by = made.overridden_by.clone().unwrap().principal_id;
    assert_eq!(by, project.admin.principal_id);
    succeeded(project, &waits).await;
    let deleted = freezes.delete_freeze_window(DeleteFreezeWindowRequest {
        project: project.slug.clone(),
        freeze_window: "still".to_owned(),
        ..Default::default()
    });
    deleted.await.granted();
    // What was overridden can still be named.
    let again = freezes.override_freeze(request).await.granted();
    assert_eq!(again.overrides, answer.overrides);
    let deployment = again.deployment.unwrap();
    assert_eq!(deployment.state(), DeploymentState::Succeeded);
    project.freeze("still", "prod", ago(HOUR), ahead(DAY)).await;
    // Another one with the same slug is another one; and this counted for one deployment.
    way.write("b.json", &workflow("Mail"));
    frozen(project, &way.start().await).await;
}

async fn all_that_stands_is_named(backend: Backend) {
    let gate = Gate::new(backend).await;
    let project = &gate.project;
    let waits = gate.start().await;
    let mut freezes = project.admin.freezes();
    let none = freezes
        .override_freeze(overriding(project, &waits, &["a"]))
        .await;
    none.refused(Code::FailedPrecondition, ErrorReason::FreezeNotStanding);
    for slug in ["a", "b"] {
        project.freeze(slug, "prod", ago(HOUR), ahead(DAY)).await;
    }
    project
        .freeze("later", "prod", ahead(HOUR), ahead(DAY))
        .await;
    for (windows, reason, told) in [
        (&["a"][..], ErrorReason::FreezeNotNamed, "b"),
        (
            &["a", "b", "later"][..],
            ErrorReason::FreezeNotStanding,
            "later",
        ),
        (
            &["a", "b", "nowhere"][..],
            ErrorReason::FreezeNotStanding,
            "nowhere",
        ),
    ] {
        let refused = freezes.override_freeze(overriding(project, &waits, windows));
        let refused = refused.await.refused(Code::FailedPrecondition, reason);
        let info = tonic_types::StatusExt::get_details_error_info(&refused).unwrap();
        assert_eq!(info.metadata["freeze_windows"], told);
    }
    for (windows, reason) in [(&[][..], "x"), (&["a", "b"][..], " "), (&["A B"][..], "x")] {
        let faulty = OverrideFreezeRequest {
            reason: reason.to_owned(),
            ..overriding(project, &waits, windows)
        };
        let refused = freezes.override_freeze(faulty).await;
        refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
    }
    // What waits for people is let through before they agree; what stands later is overridden then.
    let through = freezes.override_freeze(overriding(project, &waits, &["b", "a"]));
    assert_eq!(through.await.granted().overrides.len(), 2);
    let again = freezes
        .override_freeze(overriding(project, &waits, &["a", "b"]))
        .await;
    again.refused(Code::FailedPrecondition, ErrorReason::FreezeNotStanding);
    project.freeze("c", "prod", ago(HOUR), ahead(DAY)).await;
    let agreed = gate
        .approver
        .approvals()
        .approve(gate.approval(&waits))
        .await;
    agreed.granted();
    let waits = frozen(project, &waits).await;
    let message = waits.problem.clone().unwrap().message;
    assert!(
        message.contains("`c`") && !message.contains("`a`"),
        "{message}"
    );
    let through = freezes.override_freeze(overriding(project, &waits, &["c"]));
    assert_eq!(through.await.granted().overrides.len(), 3);
    succeeded(project, &waits).await;
}

async fn what_waits_for_a_freeze_is_canceled(backend: Backend) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    let project = &way.project;
    project.freeze("still", "prod", ago(HOUR), ahead(DAY)).await;
    let waits = frozen(project, &way.start().await).await;
    let cancel = CancelDeploymentRequest {
        project: project.slug.clone(),
        deployment: waits.deployment_id.clone(),
        reason: "too late".to_owned(),
        ..Default::default()
    };
    let canceled = project.admin.deployments().cancel_deployment(cancel).await;
    let canceled = canceled.granted().deployment.unwrap();
    assert_eq!(canceled.state(), DeploymentState::Canceled);
    assert_eq!(canceled.problem, None);
    assert!(way.in_prod().is_empty());
}
