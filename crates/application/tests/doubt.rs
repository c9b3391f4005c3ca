//! Doubts that people resolve, and what is put back only in part.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

mod support;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use slipway_application::deployments::executor::{Executor, Limits};
use slipway_application::deployments::{
    CancelDeployment, DeploymentError, ResolveInDoubt, RollbackDeployment, StartPromotion,
    cancel_deployment, resolve_in_doubt, rollback_deployment, start_promotion,
};
use slipway_application::snapshots::{RestoreSnapshot, restore_snapshot};
use slipway_deployments::{Deployment, DeploymentName, ItemStatus, State, Unresolvable, Verdict};
use support::outside::Folders;
use support::promotion::{World, as_source, callee, caller};
use support::{by, slug};

async fn resolve(
    world: &World,
    deployment: &Deployment,
    verdict: Verdict,
) -> Result<Deployment, DeploymentError> {
    let command = ResolveInDoubt {
        project: slug("default"),
        deployment: DeploymentName::Id(deployment.id),
        verdict,
        reason: "I looked".parse().expect("a reason"),
    };
    resolve_in_doubt(&world.context, &by(&world.admin), command).await
}

/// The deployment after a claim that is one too many.
async fn poisoned(world: &World, started: &Deployment) -> Deployment {
    let limits = Limits {
        max_claims: 0,
        ..Limits::default()
    };
    let executor = Executor::new(Arc::clone(&world.context), "test", limits);
    executor.carry_out_one(|| false).await.expect("carried out");
    let found = world.deployment(started).await;
    assert_eq!(found.state, State::InDoubt, "{found:#?}");
    assert_eq!(found.problem.as_ref().unwrap().reason, "CLAIMED_TOO_OFTEN");
    found
}

async fn start(world: &World) -> Deployment {
    let command = StartPromotion {
        promotion: World::promotion(),
        plan_digest: None,
    };
    let started = start_promotion(&world.context, &by(&world.admin), command).await;
    started.expect("starts")
}

/// What is being undone already goes on to be undone.
async fn assert_not_cancelable(world: &World, deployment: &Deployment) {
    let command = CancelDeployment {
        project: slug("default"),
        deployment: DeploymentName::Id(deployment.id),
        reason: "too slow".parse().expect("a reason"),
    };
    let refused = cancel_deployment(&world.context, &by(&world.admin), command).await;
    assert!(
        matches!(&refused, Err(DeploymentError::NotCancelable { state, .. }) if *state == deployment.state),
        "{refused:#?}"
    );
    assert_eq!(*deployment, world.deployment(deployment).await);
}

#[tokio::test]
async fn what_was_taken_up_too_often_is_counted_anew() {
    let world = World::new(as_source()).await;
    world.write("dev", "mail.json", &callee());
    let doubtful = poisoned(&world, &start(&world).await).await;
    let refused = resolve(&world, &doubtful, Verdict::Succeeded).await;
    assert!(matches!(
        refused,
        Err(DeploymentError::Unresolvable {
            why: Unresolvable::NothingBegun,
            ..
        })
    ));
    let resolved = resolve(&world, &doubtful, Verdict::Running).await;
    let resolved = resolved.expect("resolved");
    assert_eq!((resolved.state, &resolved.problem), (State::Running, &None));
    let done = world.carry_out(&resolved).await;
    assert_eq!(done.state, State::Succeeded, "{done:#?}");
    assert_eq!(done.problem, None);
    let doubt = done.resolution.expect("kept").doubt;
    assert_eq!(doubt.expect("kept").reason, "CLAIMED_TOO_OFTEN");
    let late = resolve(&world, &resolved, Verdict::Running).await;
    assert!(matches!(late, Err(DeploymentError::NotInDoubt { .. })));
}

#[tokio::test]
async fn what_was_never_planned_is_over_at_once() {
    let world = World::new(as_source()).await;
    let empty = world.backup("prod").await;
    world.write("prod", "mail.json", &callee());
    let command = RestoreSnapshot {
        project: slug("default"),
        snapshot: empty.id,
    };
    let restore = restore_snapshot(&world.context, &by(&world.admin), command).await;
    let doubtful = poisoned(&world, &restore.expect("asked for")).await;
    let failed = resolve(&world, &doubtful, Verdict::Failed).await;
    let failed = failed.expect("resolved");
    assert_eq!(failed.state, State::Failed);
    assert_eq!(failed, world.deployment(&failed).await);
    assert!(world.folder("prod").join("mail.json").exists());
}

#[tokio::test]
async fn what_can_not_be_undone_waits_for_a_person() {
    let stuck = Arc::new(AtomicBool::new(true));
    let folders = Folders {
        refused: vec!["Orders"],
        stuck: Arc::clone(&stuck),
        ..Folders::default()
    };
    let world = World::with(as_source(), folders).await;
    world.write("dev", "mail.json", &callee());
    world.write("dev", "orders.json", &caller("mail"));
    let doubtful = world.promote().await;
    assert_eq!(doubtful.state, State::InDoubt, "{doubtful:#?}");
    for verdict in [Verdict::Running, Verdict::Succeeded] {
        let refused = resolve(&world, &doubtful, verdict).await;
        assert!(matches!(
            refused,
            Err(DeploymentError::Unresolvable {
                why: Unresolvable::BeingUndone,
                ..
            })
        ));
    }
    let again = resolve(&world, &doubtful, Verdict::Compensating).await;
    let again = world.carry_out(&again.expect("resolved")).await;
    assert_eq!(again.state, State::InDoubt, "{again:#?}");
    stuck.store(false, Ordering::Relaxed);
    let undone = resolve(&world, &again, Verdict::Compensating).await;
    let undone = undone.expect("resolved");
    assert_not_cancelable(&world, &undone).await;
    let undone = world.carry_out(&undone).await;
    assert_eq!(undone.state, State::Failed, "{undone:#?}");
    assert!(undone.problem.is_some());
    let [orders, mail] = &*undone.items else {
        unreachable!("two items: {undone:#?}");
    };
    assert_eq!(orders.status, ItemStatus::Failed);
    assert_eq!(
        (mail.status, &mail.problem),
        (ItemStatus::Compensated, &None)
    );
    assert!(!world.folder("prod").join("Send-mail.json").exists());
}

#[tokio::test]
async fn what_was_left_in_doubt_is_rolled_back_with_the_rest() {
    let stuck = Arc::new(AtomicBool::new(true));
    let folders = Folders {
        refused: vec!["Orders"],
        stuck: Arc::clone(&stuck),
        ..Folders::default()
    };
    let world = World::with(as_source(), folders).await;
    world.write("dev", "mail.json", &callee());
    world.write("dev", "orders.json", &caller("mail"));
    let doubtful = world.promote().await;
    let left = resolve(&world, &doubtful, Verdict::Failed).await;
    let left = world.carry_out(&left.expect("resolved")).await;
    assert_eq!(left.state, State::Failed, "{left:#?}");
    assert_eq!(left.items[1].status, ItemStatus::Failed);
    assert!(world.folder("prod").join("Send-mail.json").exists());
    let rollback = || RollbackDeployment {
        project: slug("default"),
        deployment: DeploymentName::Id(left.id),
        reason: "it is in the way".parse().expect("a reason"),
        back_to: None,
    };
    let asked = rollback_deployment(&world.context, &by(&world.admin), rollback()).await;
    let failed = world.carry_out(&asked.expect("asked for")).await;
    assert_eq!(failed.state, State::Failed, "{failed:#?}");
    assert_eq!(world.deployment(&left).await.state, State::Failed);
    // What failed can be tried again.
    stuck.store(false, Ordering::Relaxed);
    let asked = rollback_deployment(&world.context, &by(&world.admin), rollback()).await;
    let done = world.carry_out(&asked.expect("asked for")).await;
    assert_eq!(done.state, State::Succeeded, "{done:#?}");
    let undone = world.deployment(&left).await;
    assert_eq!(undone.state, State::RolledBack);
    assert_eq!(undone.rolled_back_by, Some(done.id));
    assert!(!world.folder("prod").join("Send-mail.json").exists());
}

#[tokio::test]
async fn a_restore_tells_what_it_did_not_put_back() {
    let folders = Folders {
        meddles: Some(("Send mail", "extra.json")),
        ..Folders::default()
    };
    let world = World::with(as_source(), folders).await;
    world.write("dev", "mail.json", &callee());
    world.promote().await;
    let before = world.backup("prod").await;
    let mut mail = world.read("prod", "Send-mail.json");
    mail["nodes"][0]["position"] = json!([9, 9]);
    world.write("prod", "Send-mail.json", &mail);
    let command = RestoreSnapshot {
        project: slug("default"),
        snapshot: before.id,
    };
    let restore = restore_snapshot(&world.context, &by(&world.admin), command).await;
    // While it is put back, somebody else adds a workflow.
    let failed = world.carry_out(&restore.expect("asked for")).await;
    assert_eq!(failed.state, State::Failed, "{failed:#?}");
    let problem = failed.problem.expect("told");
    assert_eq!(problem.reason, "RESTORE_INCOMPLETE");
    assert!(
        problem
            .message
            .contains("`Orders` is there, and was not then"),
        "{problem:?}"
    );
    assert_eq!(failed.items[0].status, ItemStatus::Succeeded);
    assert!(fs::exists(world.folder("prod").join("extra.json")).unwrap());
}

#[tokio::test]
async fn a_rollback_that_was_overtaken_touches_nothing() {
    let world = World::new(as_source()).await;
    let empty = world.backup("prod").await;
    world.write("dev", "mail.json", &callee());
    let done = world.promote().await;
    let command = RestoreSnapshot {
        project: slug("default"),
        snapshot: empty.id,
    };
    // What it will write is not known yet when the rollback is asked for.
    let restore = restore_snapshot(&world.context, &by(&world.admin), command).await;
    let rollback = RollbackDeployment {
        project: slug("default"),
        deployment: DeploymentName::Id(done.id),
        reason: "both of us".parse().expect("a reason"),
        back_to: None,
    };
    let rollback = rollback_deployment(&world.context, &by(&world.admin), rollback).await;
    let rollback = rollback.expect("asked for");
    let restored = world.carry_out(&restore.expect("asked for")).await;
    assert_eq!(restored.state, State::Succeeded, "{restored:#?}");
    let failed = world.carry_out(&rollback).await;
    assert_eq!(failed.state, State::Failed, "{failed:#?}");
    let problem = failed.problem.expect("told");
    assert_eq!(problem.reason, "LATER_DEPLOYMENTS");
    let named = format!("#{} wrote", restored.number);
    assert!(problem.message.contains(&named), "{problem:?}");
    assert_eq!(world.deployment(&done).await.state, State::Succeeded);
}
