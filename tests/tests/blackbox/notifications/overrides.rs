//! Whoever lets a deployment pass what stands in its way is told of, and it stays on the deployment.

use std::time::Duration;

use slipway_api::approvals::v1::{
    OverrideApprovalRequest, OverrideFinding, OverrideFreezeRequest, ReviewOverrideRequest,
};
use slipway_api::deployments::v1::{
    Deployment, DeploymentState, ExecuteDeploymentRequest, GetDeploymentRequest, OverriddenGate,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_api::notifications::v1::WebhookFilter;
use slipway_tests::clock::{ago, ahead};
use slipway_tests::{Backend, Granted, Project, Receiver, Refused, World};
use tonic::Code;

use super::{standard, webhook};
use crate::case::cases;
use crate::deployments::policies::admins;
use crate::deployments::releases::{bring, execute, prompt, release};

cases![
    overrides_are_told_and_stay,
    an_override_of_a_freeze_counts_for_what_was_looked_at,
];

const HOUR: Duration = Duration::from_hours(1);

/// Where one person has to agree, and nothing begins at the moment.
async fn frozen(backend: Backend) -> Project {
    let project = World::shared(backend).await.project().await;
    project.environment("prod").await;
    prompt(&project, "greeting", &["1", "2"]).await;
    project.set_policy("prod", admins(1)).await;
    project
        .freeze("quiet", "prod", ago(HOUR), ahead(HOUR))
        .await;
    project
}

async fn released(project: &Project, version: &str) -> Deployment {
    let asked = release(project, vec![bring("greeting", version)]);
    let made = project.admin.deployments().create_release(asked).await;
    made.granted().deployment.unwrap()
}

async fn get(project: &Project, deployment: &Deployment) -> Deployment {
    let request = GetDeploymentRequest {
        project: project.slug.clone(),
        deployment: deployment.deployment_id.clone(),
    };
    let found = project.admin.deployments().get_deployment(request).await;
    found.granted().deployment.unwrap()
}

fn passing(deployment: &Deployment) -> OverrideApprovalRequest {
    OverrideApprovalRequest {
        project: deployment.project.clone(),
        deployment: deployment.deployment_id.clone(),
        plan_digest: deployment.plan_digest.clone(),
        reason: "nobody else is awake".to_owned(),
        ..Default::default()
    }
}

fn letting_through(deployment: &Deployment) -> OverrideFreezeRequest {
    OverrideFreezeRequest {
        project: deployment.project.clone(),
        deployment: deployment.deployment_id.clone(),
        plan_digest: deployment.plan_digest.clone(),
        freeze_windows: vec!["quiet".to_owned()],
        reason: "customers can't pay".to_owned(),
        ..Default::default()
    }
}

async fn overrides_are_told_and_stay(backend: Backend) {
    let project = frozen(backend).await;
    let receiver = Receiver::start().await;
    let url = format!("{}/hook", receiver.url);
    let filter = WebhookFilter {
        events: ["approval.overridden", "freeze.overridden"]
            .map(str::to_owned)
            .into(),
        ..Default::default()
    };
    webhook(&project, "alarm", standard(&url), filter).await;
    let made = released(&project, "1").await;
    let other = project.member(Role::Admin).await;
    let passed = other.approvals().override_approval(passing(&made)).await;
    assert_eq!(
        passed.granted().deployment.unwrap().state(),
        DeploymentState::Approved
    );
    let through = other
        .freezes()
        .override_freeze(letting_through(&made))
        .await;
    through.granted();

    let posts = receiver.wait("/hook", |all| all.len() >= 2).await;
    let expected = [
        ("approval.overridden", "nobody else is awake"),
        ("freeze.overridden", "customers can't pay"),
    ];
    assert_eq!(posts.len(), expected.len());
    for (post, (event, reason)) in posts.iter().zip(expected) {
        post.verify();
        assert_eq!(post.event(), event);
        let data = &post.json()["data"];
        assert_eq!(data["by"], other.principal_id.as_str());
        assert_eq!(data["reason"], reason);
        let told = &data["deployment"];
        assert_eq!(told["deployment_id"], made.deployment_id.as_str());
        assert_eq!(told["name"], made.release.as_ref().unwrap().name.as_str());
        assert!(told["risk"].is_string(), "{told}");
    }

    execute(&project.admin, &made).await;
    let third = project.member(Role::Admin).await;
    let review = ReviewOverrideRequest {
        project: project.slug.clone(),
        deployment: made.deployment_id.clone(),
        finding: OverrideFinding::Justified.into(),
        comment: "somebody was, but asleep".to_owned(),
        ..Default::default()
    };
    assert_eq!(get(&project, &made).await.overrides[0].review, None);
    third.approvals().review_override(review).await.granted();
    let found = get(&project, &made).await;
    assert_eq!(found.state(), DeploymentState::Succeeded);
    let [approval, freeze] = &found.overrides[..] else {
        panic!("{:?}", found.overrides);
    };
    assert_eq!(approval.gate(), OverriddenGate::Approval);
    assert_eq!(freeze.gate(), OverriddenGate::Freeze);
    assert_eq!(
        (&*approval.freeze_window, &*freeze.freeze_window),
        ("", "quiet")
    );
    for (one, (_, reason)) in [approval, freeze].into_iter().zip(expected) {
        assert_eq!(one.overridden_by, other.principal_id);
        assert_eq!(one.reason, reason);
        assert_eq!(one.plan_digest, made.plan_digest);
        assert!(one.overridden_time.is_some());
    }
    let review = approval.review.as_ref().unwrap();
    assert_eq!(review.reviewed_by, third.principal_id);
    assert!(review.justified);
    assert_eq!(review.comment, "somebody was, but asleep");
    assert_eq!(freeze.review, None);
}

/// What the deployment would do changes after somebody looked at it: the freeze stands in its way again.
async fn an_override_of_a_freeze_counts_for_what_was_looked_at(backend: Backend) {
    let project = frozen(backend).await;
    let waits = released(&project, "2").await;
    let first = released(&project, "1").await;
    let other = project.member(Role::Admin).await;
    let mut freezes = other.freezes();
    let nothing = OverrideFreezeRequest {
        plan_digest: String::new(),
        ..letting_through(&waits)
    };
    let nothing = freezes.override_freeze(nothing).await;
    nothing.refused(Code::InvalidArgument, ErrorReason::InvalidField);
    let another = OverrideFreezeRequest {
        plan_digest: first.plan_digest.clone(),
        ..letting_through(&waits)
    };
    let another = freezes.override_freeze(another).await;
    another.refused(Code::Aborted, ErrorReason::PlanChanged);
    for deployment in [&waits, &first] {
        let passed = other
            .approvals()
            .override_approval(passing(deployment))
            .await;
        passed.granted();
        let through = freezes.override_freeze(letting_through(deployment)).await;
        through.granted();
    }
    execute(&project.admin, &first).await;
    let executing = |deployment: &Deployment| ExecuteDeploymentRequest {
        project: project.slug.clone(),
        deployment: deployment.deployment_id.clone(),
        plan_digest: deployment.plan_digest.clone(),
        ..Default::default()
    };
    let mut deployments = project.admin.deployments();
    let changed = deployments.execute_deployment(executing(&waits)).await;
    changed.refused(Code::Aborted, ErrorReason::PlanChanged);
    let anew = get(&project, &waits).await;
    assert_ne!(anew.plan_digest, waits.plan_digest);
    let passed = other.approvals().override_approval(passing(&anew)).await;
    passed.granted();
    let frozen = deployments.execute_deployment(executing(&anew)).await;
    frozen.refused(Code::FailedPrecondition, ErrorReason::Frozen);
    let again = freezes.override_freeze(letting_through(&anew)).await;
    assert_eq!(again.granted().overrides.len(), 2);
    execute(&project.admin, &anew).await;
    let digests = get(&project, &anew).await.overrides;
    let digests: Vec<_> = digests.iter().map(|one| one.plan_digest.as_str()).collect();
    let (old, new) = (&*waits.plan_digest, &*anew.plan_digest);
    assert_eq!(digests, [old, old, new, new]);
}
