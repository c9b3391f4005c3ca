//! Looking at snapshots: compared with each other and with what engines hold, and the gates that compare.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

mod support;

use std::fs;

use serde_json::{Value, json};
use slipway_application::snapshots::{
    Compared, ContentsError, SnapshotError, compare_snapshots, detect_drift, get_snapshot_workflow,
    list_snapshots,
};
use slipway_deployments::{Drift, Gates, Plan, State};
use slipway_kernel::{Key, PageSize, SnapshotId};
use slipway_snapshots::{Became, Snapshot};
use slipway_workflows::Workflow;
use support::stages::{World, as_source, backup_of, caller, workflow};
use support::{again, by, key, slug};

async fn compared(world: &World, earlier: &Snapshot, later: &Snapshot) -> Compared {
    let pair = (earlier.id, later.id);
    compare(world, pair, None, PageSize::MAX)
        .await
        .expect("compared")
}

async fn compare(
    world: &World,
    pair: (SnapshotId, SnapshotId),
    after: Option<&Key>,
    size: PageSize,
) -> Result<Compared, SnapshotError> {
    let call = by(&world.admin);
    compare_snapshots(&world.context, &call, &slug("default"), pair, after, size).await
}

async fn drift(world: &World, environment: &str) -> Result<(Snapshot, Compared), SnapshotError> {
    let (call, size) = (by(&world.admin), PageSize::MAX);
    let (project, environment) = (slug("default"), slug(environment));
    detect_drift(&world.context, &call, &project, &environment, None, size).await
}

fn became(compared: &Compared) -> Vec<(&str, Became)> {
    let changes = compared.changes.items.iter();
    changes
        .map(|change| (change.key.as_str(), change.became))
        .collect()
}

fn problems(plan: &Plan) -> Vec<&str> {
    let problems = plan.problems.iter();
    problems.map(|problem| problem.reason.as_str()).collect()
}

fn gate(drift: Drift, source_unchanged: bool) -> Gates {
    Gates {
        drift,
        source_unchanged,
        ..as_source()
    }
}

#[tokio::test]
async fn two_snapshots_tell_what_became_of_each_workflow() {
    let world = World::new(as_source()).await;
    world.write("dev", "same.json", &workflow("Same", "same"));
    world.write("dev", "gone.json", &workflow("Gone", "gone"));
    world.write("dev", "orders.json", &workflow("Orders", "v1"));
    fs::write(world.folder("dev").join("broken.json"), "{").unwrap();
    fs::write(world.folder("dev").join("mended.json"), "{").unwrap();
    let first = world.backup("dev").await;

    let mut changed = workflow("Orders", "v2");
    changed["active"] = json!(false);
    world.write("dev", "orders.json", &changed);
    world.write("dev", "new.json", &workflow("New", "new"));
    world.write("dev", "mended.json", &workflow("mended", "well"));
    world.remove("dev", "gone.json");
    let second = world.backup("dev").await;

    let found = compared(&world, &first, &second).await;
    let expected = [
        ("Gone", Became::Removed),
        ("New", Became::Added),
        ("Orders", Became::Changed),
        ("mended", Became::Changed),
    ];
    assert_eq!(became(&found), expected);
    assert_eq!((found.added, found.removed, found.changed), (1, 1, 2));
    assert_eq!((found.unchanged, found.unreadable), (1, 1));
    assert!(!found.is_same());
    let [gone, new, orders, mended] = &*found.changes.items else {
        unreachable!("four changes");
    };
    assert_eq!((gone.active_before, gone.active_after), (Some(true), None));
    assert_eq!((new.active_before, new.active_after), (None, Some(true)));
    let active = (orders.active_before, orders.active_after);
    assert_eq!(active, (Some(true), Some(false)));
    let difference = orders.difference().expect("two documents");
    assert!(difference.active.is_some());
    let fields = &difference.nodes_changed.items[0].fields.items;
    assert_eq!(fields[0].path, "parameters.path");
    assert_eq!(fields[0].after.as_deref(), Some("\"v2\""));
    assert!(mended.unreadable && mended.difference().is_none());
    assert!(gone.difference().is_none() && !gone.unreadable);

    // The other way round, and with itself.
    let back = compared(&world, &second, &first).await;
    assert_eq!((back.added, back.removed, back.changed), (1, 1, 2));
    let same = compared(&world, &second, &second).await;
    assert!(same.is_same());
    assert_eq!(same.unchanged, 4);

    // Page by page.
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let size = PageSize::from_request(3).unwrap();
        let pair = (first.id, second.id);
        let part = compare(&world, pair, after.as_ref(), size).await.unwrap();
        assert_eq!(part.changed, 2, "the figures are those of all pages");
        keys.extend(part.changes.items.into_iter().map(|change| change.key));
        after = part.changes.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(keys, expected.map(|(name, _)| key(name)));
}

#[tokio::test]
async fn environments_are_compared_by_key() {
    let world = World::new(as_source()).await;
    world.write("dev", "m.json", &workflow("Mail", "mail"));
    world.write("dev", "o.json", &caller("Orders", "m"));
    world.promote("staging").await;
    let (dev, staging) = (world.backup("dev").await, world.backup("staging").await);
    assert_eq!(dev.content_hash, staging.content_hash);
    // Their files differ: each engine has its own ids.
    let found = compared(&world, &dev, &staging).await;
    assert!(found.is_same(), "{found:#?}");
    assert_eq!(found.unchanged, 2);

    // The id that means Mail in dev means nothing in staging.
    world.write("staging", "Orders.json", &caller("Orders", "m"));
    let broken = world.backup("staging").await;
    let found = compared(&world, &dev, &broken).await;
    assert_eq!(became(&found), [("Orders", Became::Changed)]);
}

#[tokio::test]
async fn a_workflow_of_a_snapshot_comes_with_its_document() {
    let world = World::new(as_source()).await;
    world.write("dev", "m.json", &workflow("Mail", "mail"));
    world.write("dev", "o.json", &caller("Orders", "m"));
    fs::write(world.folder("dev").join("broken.json"), "{").unwrap();
    let done = world.promote("staging").await;
    let call = by(&world.admin);
    let get = async |id: SnapshotId, workflow: &str| {
        let (project, workflow) = (slug("default"), key(workflow));
        get_snapshot_workflow(&world.context, &call, &project, id, &workflow).await
    };
    let kept = get(done.post_snapshot.unwrap(), "Orders").await.unwrap();
    assert_eq!(
        (kept.workflow.0.as_str(), kept.name.as_str()),
        ("Orders", "Orders")
    );
    assert_eq!(kept.path, "workflows/Orders.json");
    assert_eq!(
        kept.repository, None,
        "a folder of the server's is nobody's business"
    );
    let document = kept.document.expect("readable");
    assert!(document.workflow.active);
    let read: Value = serde_json::from_str(&document.text).unwrap();
    assert_eq!(read["nodes"][0]["parameters"]["workflowId"], "Mail");
    let again = Workflow::from_json(document.text.as_bytes(), "").unwrap();
    assert_eq!(again.state_hash(), document.state_hash);
    // The version in the catalog is called by this hash.
    let (project, app) = (world.project().await, key("Orders"));
    let versions = world.context.reader();
    let versions = versions
        .versions(project, &app, false, None, PageSize::MAX)
        .await;
    let version = versions.unwrap().items.remove(0).identifier;
    assert_eq!(version.as_str(), &document.document_hash.to_string()[..12]);

    let dev = world.backup("dev").await;
    let unreadable = get(dev.id, "broken").await.unwrap();
    assert!(unreadable.document.is_none());
    let absent = get(dev.id, "Nothing").await.unwrap_err();
    assert!(matches!(
        absent,
        SnapshotError::WorkflowNotInSnapshot { .. }
    ));
    let nowhere = get(SnapshotId::new(&*world.context.ids), "Orders").await;
    assert!(matches!(nowhere, Err(SnapshotError::NotFound { .. })));
}

#[tokio::test]
async fn what_is_lost_or_damaged_is_told() {
    let world = World::new(as_source()).await;
    world.write("dev", "m.json", &workflow("Mail", "mail"));
    let first = world.backup("dev").await;
    world.write("dev", "m.json", &workflow("Mail", "post"));
    let second = world.backup("dev").await;
    // A row that vouches for another content than its commit has.
    let swapped = Snapshot {
        id: SnapshotId::new(&*world.context.ids),
        commit: second.commit.clone(),
        ..first.clone()
    };
    let mut unit = world.context.store.begin().await.unwrap();
    unit.snapshots().insert(&swapped).await.unwrap();
    unit.commit().await.unwrap();
    let swapped = compare(&world, (first.id, swapped.id), None, PageSize::MAX).await;
    let told = swapped.unwrap_err().to_string();
    assert!(
        told.contains(first.content_hash.to_string().as_str()),
        "{told}"
    );

    let pair = (first.id, second.id);
    fs::rename(
        world.directory.path().join("git"),
        world.directory.path().join("away"),
    )
    .unwrap();
    fs::create_dir_all(world.directory.path().join("git")).unwrap();
    let lost = compare(&world, pair, None, PageSize::MAX)
        .await
        .unwrap_err();
    let SnapshotError::Contents(ContentsError::Damaged { commit, problem }) = lost else {
        unreachable!("a new repository has no such commit: {lost:?}");
    };
    assert_eq!(commit, first.commit);
    assert!(problem.contains("manifest.json"), "{problem}");
    let absent = compare(
        &world,
        (first.id, SnapshotId::new(&*world.context.ids)),
        None,
        PageSize::MAX,
    );
    assert!(matches!(absent.await, Err(SnapshotError::NotFound { .. })));
}

#[tokio::test]
async fn drift_is_what_became_of_the_last_snapshot() {
    let world = World::new(as_source()).await;
    world.write("dev", "m.json", &workflow("Mail", "mail"));
    world.write("dev", "o.json", &caller("Orders", "m"));
    let none = drift(&world, "staging").await.unwrap_err();
    assert!(matches!(none, SnapshotError::NoSnapshot { .. }), "{none:?}");
    let nowhere = drift(&world, "nowhere").await.unwrap_err();
    assert!(matches!(nowhere, SnapshotError::EnvironmentNotFound { .. }));

    let done = world.promote("staging").await;
    let (last, found) = drift(&world, "staging").await.unwrap();
    assert_eq!(Some(last.id), done.post_snapshot);
    assert!(found.is_same());
    assert_eq!(found.unchanged, 2);

    world.write("staging", "Mail.json", &workflow("Mail", "by hand"));
    world.write("staging", "more.json", &workflow("More", "by hand"));
    world.remove("staging", "Orders.json");
    let (_, found) = drift(&world, "staging").await.unwrap();
    let expected = [
        ("Mail", Became::Changed),
        ("More", Became::Added),
        ("Orders", Became::Removed),
    ];
    assert_eq!(became(&found), expected);
    let difference = found.changes.items[0].difference().expect("two documents");
    let fields = &difference.nodes_changed.items[0].fields.items;
    assert_eq!(fields[0].after.as_deref(), Some("\"by hand\""));

    // Whoever keeps it makes it the state to compare with.
    let kept = world.backup("staging").await;
    let (last, found) = drift(&world, "staging").await.unwrap();
    assert_eq!(last.id, kept.id);
    assert!(found.is_same());
}

#[tokio::test]
async fn a_source_must_be_as_its_last_deployment_left_it() {
    let world = World::new(gate(Drift::Allow, false)).await;
    world.write("dev", "m.json", &workflow("Mail", "mail"));
    world.write("dev", "o.json", &workflow("Orders", "orders"));
    world.promote("staging").await;
    let gates = gate(Drift::Allow, true);
    set_gates(&world, gates).await;
    // Nothing was ever deployed to dev.
    let plan = world.plan("staging", &[]).await;
    assert_eq!(problems(&plan), ["SOURCE_NEVER_DEPLOYED"]);
    // Staging is as the deployment left it.
    assert_eq!(problems(&world.plan("prod", &[]).await), [""; 0]);
    world.write("staging", "Mail.json", &workflow("Mail", "by hand"));
    world.write("staging", "more.json", &workflow("More", "by hand"));
    let plan = world.plan("prod", &[]).await;
    assert_eq!(problems(&plan), ["SOURCE_CHANGED", "SOURCE_CHANGED"]);
    let told = &plan.problems[0].message;
    assert!(told.contains("`Mail` was changed in `staging`"), "{told}");
    assert!(told.contains("#1"), "{told}");
    assert!(plan.problems[1].message.contains("`More` was added"));
    assert!(world.start("prod").await.is_err());
    // Only those chosen count; and a backup changes nothing about it.
    world.backup("staging").await;
    assert_eq!(problems(&world.plan("prod", &["Orders"]).await), [""; 0]);
    assert_eq!(
        problems(&world.plan("prod", &["Mail"]).await),
        ["SOURCE_CHANGED"]
    );

    // Put back, it passes.
    world.write("staging", "Mail.json", &workflow("Mail", "mail"));
    world.remove("staging", "more.json");
    world.promote("prod").await;

    // A deployment that another one overtook is refused at its first step.
    world.write("dev", "n.json", &workflow("New", "new"));
    set_gates(&world, gate(Drift::Allow, false)).await;
    world.promote("staging").await;
    set_gates(&world, gates).await;
    let started = world.start("prod").await.expect("unchanged so far");
    forget_last_snapshot(&world).await;
    let failed = world.carry_out(&started).await;
    assert_eq!(failed.state, State::Failed, "{failed:#?}");
    assert_eq!(
        failed.problem.expect("told").reason,
        "SOURCE_SNAPSHOT_MISSING"
    );
    let plan = world.plan("prod", &[]).await;
    assert_eq!(problems(&plan), ["SOURCE_SNAPSHOT_MISSING"]);
}

/// Gives both stages other gates.
async fn set_gates(world: &World, gates: Gates) {
    let project = world.project().await;
    let mut unit = world.context.store.begin().await.unwrap();
    let found = unit.pipelines().find(project, &slug("mainline")).await;
    let mut pipeline = found.unwrap().expect("there");
    for stage in &mut pipeline.stages {
        stage.gates = gates;
    }
    pipeline.revision = pipeline.revision.next();
    unit.pipelines().update(&pipeline).await.unwrap();
    unit.commit().await.unwrap();
}

/// As if the snapshot after the last deployment to staging could not have been taken.
async fn forget_last_snapshot(world: &World) {
    let staging = world.environment("staging").await;
    let reader = world.context.reader();
    let last = reader.last_success(staging).await.unwrap().expect("there");
    let project = world.project().await;
    let name = slipway_deployments::DeploymentName::Number(last.number);
    let mut unit = world.context.store.begin().await.unwrap();
    let found = unit.deployments().find(project, name).await;
    let mut deployment = found.unwrap().expect("there");
    deployment.post_snapshot = None;
    let from = deployment.state;
    unit.deployments().update(&deployment, from).await.unwrap();
    unit.commit().await.unwrap();
}

#[tokio::test]
async fn a_target_that_drifted_is_told_or_refused() {
    let world = World::new(gate(Drift::Refuse, false)).await;
    world.write("dev", "m.json", &workflow("Mail", "mail"));
    world.write("dev", "o.json", &workflow("Orders", "orders"));
    world.write("staging", "Mail.json", &workflow("Mail", "by hand"));
    // There is no snapshot yet, so that nothing can have drifted.
    assert_eq!(problems(&world.plan("staging", &[]).await), [""; 0]);
    world.promote("staging").await;

    world.write("dev", "m.json", &workflow("Mail", "new"));
    world.write("staging", "Orders.json", &workflow("Orders", "by hand"));
    let plan = world.plan("staging", &[]).await;
    assert_eq!(problems(&plan), ["TARGET_DRIFTED"]);
    let told = &plan.problems[0].message;
    assert!(told.contains("`Orders` was changed in `staging`"), "{told}");
    // What is not written may have drifted.
    assert_eq!(problems(&world.plan("staging", &["Mail"]).await), [""; 0]);
    // What was removed by hand would be made again.
    world.remove("staging", "Orders.json");
    let plan = world.plan("staging", &["Orders"]).await;
    assert!(plan.problems[0].message.contains("was removed"), "{plan:?}");

    // Where that is allowed, people are told.
    set_gates(&world, gate(Drift::Allow, false)).await;
    let plan = world.plan("staging", &[]).await;
    assert_eq!(problems(&plan), [""; 0]);
    assert_eq!(plan.warnings.len(), 1);
    assert_eq!(plan.warnings[0].reason, "TARGET_DRIFTED");

    // A snapshot that can't be read: told here, and refused there.
    fs::remove_dir_all(world.directory.path().join("git")).unwrap();
    fs::create_dir_all(world.directory.path().join("git")).unwrap();
    let plan = world.plan("staging", &[]).await;
    assert_eq!(plan.warnings[0].reason, "SNAPSHOT_UNREADABLE");
    set_gates(&world, gate(Drift::Refuse, false)).await;
    assert_eq!(
        problems(&world.plan("staging", &[]).await),
        ["SNAPSHOT_UNREADABLE"]
    );
}

#[tokio::test]
async fn a_backup_is_asked_for_once() {
    let world = World::new(as_source()).await;
    world.write("dev", "m.json", &workflow("Mail", "mail"));
    let ask = async |command| {
        let call = again(&world.admin, "nightly");
        slipway_application::snapshots::create_snapshot(&world.context, &call, command).await
    };
    let first = ask(backup_of("dev")).await.expect("taken");
    world.write("dev", "m.json", &workflow("Mail", "changed"));
    let second = ask(backup_of("dev")).await.expect("answered");
    assert_eq!(second, first);
    let other = ask(backup_of("staging")).await;
    assert!(other.is_err(), "another payload: {other:?}");
    let call = by(&world.admin);
    let wanted = slipway_application::snapshots::ListSnapshots::default();
    let project = slug("default");
    let all = list_snapshots(&world.context, &call, &project, wanted, None, PageSize::MAX).await;
    assert_eq!(all.unwrap().items, [first]);
}
