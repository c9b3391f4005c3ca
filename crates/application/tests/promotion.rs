//! Promotions and restores of workflows between folders, with snapshots in a local repository.

mod support;

use std::fs;

use serde_json::json;
use slipway_application::deployments::{StartPromotion, plan_promotion, start_promotion};
use slipway_application::ledger::{Moment, get_current_state};
use slipway_application::snapshots::get_snapshot;
use slipway_deployments::{Change, Gates, ItemStatus, OnFailure, State};
use support::outside::Folders;
use support::promotion::{World, as_source, callee, caller};
use support::{by, key, slug};

#[tokio::test]
async fn workflows_are_promoted_and_put_back() {
    let world = World::new(as_source()).await;
    world.write("dev", "mail.json", &callee());
    world.write("dev", "orders.json", &caller("mail"));
    let first = world.backup("prod").await;
    assert_eq!(first.workflows, 0);

    let planned = plan_promotion(&world.context, &by(&world.admin), &World::promotion())
        .await
        .expect("a plan");
    assert_eq!(planned.plan.problems, []);
    let ranks: Vec<_> = planned
        .plan
        .items
        .iter()
        .map(|item| (item.key.as_str(), item.change, item.rank))
        .collect();
    assert_eq!(
        ranks,
        [
            ("Orders", Change::Created, 1),
            ("Send-mail", Change::Created, 0)
        ]
    );

    let done = world.promote().await;
    assert_eq!(done.state, State::Succeeded, "{done:#?}");
    assert!(done.pre_snapshot.is_some() && done.post_snapshot.is_some());
    assert!(
        done.items
            .iter()
            .all(|item| item.status == ItemStatus::Succeeded)
    );
    let orders = world.read("prod", "Orders.json");
    assert_eq!(orders["active"], json!(true));
    assert_eq!(
        orders["nodes"][0]["credentials"]["httpBasicAuth"]["name"],
        "Shop prod"
    );
    assert_eq!(
        orders["nodes"][1]["parameters"]["workflowId"]["value"],
        "Send-mail"
    );

    let cell = get_current_state(
        &world.context,
        &by(&world.admin),
        &slug("default"),
        &key("Orders"),
        &slug("prod"),
        Moment::default(),
    )
    .await
    .expect("a cell");
    assert_eq!(cell.cell.expect("filled").version.as_str().len(), 12);

    // Again there is nothing to do.
    let again = plan_promotion(&world.context, &by(&world.admin), &World::promotion())
        .await
        .expect("a plan");
    assert!(
        again
            .plan
            .items
            .iter()
            .all(|item| item.change == Change::Unchanged)
    );

    // One changes, one goes.
    let mut changed = caller("mail");
    changed["nodes"][0]["parameters"]["path"] = json!("orders-v2");
    changed["nodes"][1]["parameters"] = json!({});
    world.write("dev", "orders.json", &changed);
    fs::remove_file(world.folder("dev").join("mail.json")).unwrap();
    let second = world.promote().await;
    assert_eq!(second.state, State::Succeeded, "{second:#?}");
    assert!(!world.folder("prod").join("Send-mail.json").exists());
    assert_eq!(
        world.read("prod", "Orders.json")["nodes"][0]["parameters"]["path"],
        "orders-v2"
    );

    // Back to how it was between the two.
    let between = second.pre_snapshot.expect("taken");
    let restored = world.restore(between).await;
    assert_eq!(restored.state, State::Succeeded, "{restored:#?}");
    assert_eq!(world.read("prod", "Orders.json"), orders);
    let snapshots = [between, restored.post_snapshot.expect("taken")];
    let mut hashes = Vec::new();
    for id in snapshots {
        let found = get_snapshot(&world.context, &by(&world.admin), &slug("default"), id).await;
        hashes.push(found.expect("found").content_hash);
    }
    assert_eq!(hashes[0], hashes[1]);

    // A person reads the same in Git.
    let Some(log) = world.git(&["log", "--format=%s", "env/prod"]) else {
        return;
    };
    assert_eq!(log.lines().count(), 4, "{log}");
    let difference = world.git(&["diff", "env/prod~2", "env/prod~1", "--stat"]);
    let difference = difference.expect("git is here");
    assert!(difference.contains("workflows/Orders.json"), "{difference}");
    world.git(&["fsck", "--strict"]);
}

#[tokio::test]
async fn workflows_that_call_each_other_find_each_other_in_the_target() {
    let world = World::new(as_source()).await;
    for (name, file, called) in [("Ping", "ping", "pong"), ("Pong", "pong", "ping")] {
        let mut document = caller(called);
        document["name"] = json!(name);
        world.write("dev", &format!("{file}.json"), &document);
    }
    let done = world.promote().await;
    assert_eq!(done.state, State::Succeeded, "{done:#?}");
    let called = |file| {
        let document = world.read("prod", file);
        document["nodes"][1]["parameters"]["workflowId"]["value"].clone()
    };
    assert_eq!(called("Ping.json"), "Pong");
    assert_eq!(called("Pong.json"), "Ping");

    // One that was left behind unconnected is no workflow that needs no change.
    let mut left = world.read("prod", "Ping.json");
    left["nodes"][1]["parameters"]["workflowId"]["value"] = json!("slipway:Pong");
    world.write("prod", "Ping.json", &left);
    let done = world.promote().await;
    assert_eq!(done.state, State::Succeeded, "{done:#?}");
    assert_eq!(called("Ping.json"), "Pong");
}

#[tokio::test]
async fn a_plan_that_changed_is_not_carried_out() {
    let world = World::new(as_source()).await;
    world.write("dev", "mail.json", &callee());
    let command = StartPromotion {
        promotion: World::promotion(),
        plan_digest: None,
    };
    let started = start_promotion(&world.context, &by(&world.admin), command).await;
    let mut changed = callee();
    changed["nodes"][0]["position"] = json!([5, 5]);
    world.write("dev", "mail.json", &changed);
    let failed = world.carry_out(&started.expect("starts")).await;
    assert_eq!(failed.state, State::Failed);
    assert_eq!(failed.problem.expect("told").reason, "PLAN_CHANGED");
    assert!(fs::read_dir(world.folder("prod")).unwrap().next().is_none());
}

#[tokio::test]
async fn what_was_done_is_undone_or_kept_where_an_item_fails() {
    for (on_failure, status, left) in [
        (OnFailure::Compensate, ItemStatus::Compensated, 0),
        (OnFailure::Keep, ItemStatus::Succeeded, 1),
    ] {
        let gates = Gates {
            on_failure,
            ..as_source()
        };
        let folders = Folders {
            refused: vec!["Orders"],
            ..Folders::default()
        };
        let world = World::with(gates, folders).await;
        world.write("dev", "mail.json", &callee());
        world.write("dev", "orders.json", &caller("mail"));
        let failed = world.promote().await;
        assert_eq!(failed.state, State::Failed, "{failed:#?}");
        // It shows what is left, not what was read before.
        let id = failed.post_snapshot.expect("a snapshot");
        let snapshot = get_snapshot(&world.context, &by(&world.admin), &slug("default"), id).await;
        assert_eq!(snapshot.expect("found").workflows, left);
        let [orders, mail] = &*failed.items else {
            unreachable!("two items: {failed:#?}");
        };
        let problem = orders.problem.as_ref().expect("told");
        assert_eq!(problem.reason, "ENGINE_REFUSED");
        assert!(problem.message.contains("not Orders"), "{problem:?}");
        assert_eq!(mail.status, status);
        let files = fs::read_dir(world.folder("prod")).unwrap();
        let kept = files.filter(|file| {
            let name = file.as_ref().unwrap().file_name();
            !name.to_string_lossy().starts_with('.')
        });
        assert_eq!(kept.count(), left as usize);
        let cell = get_current_state(
            &world.context,
            &by(&world.admin),
            &slug("default"),
            &key("Send-mail"),
            &slug("prod"),
            Moment::default(),
        )
        .await;
        let recorded = cell.is_ok_and(|state| state.cell.is_some());
        assert_eq!(recorded, on_failure == OnFailure::Keep);
    }
}

#[tokio::test]
async fn what_somebody_else_changed_meanwhile_is_left_alone_and_blocks_nothing() {
    let folders = Folders {
        meddles: Some(("Send mail", "Orders.json")),
        ..Folders::default()
    };
    let world = World::with(as_source(), folders).await;
    world.write("dev", "mail.json", &callee());
    world.write("dev", "orders.json", &caller("mail"));
    let first = world.promote().await;
    assert_eq!(first.state, State::Succeeded, "{first:#?}");
    let mail = world.read("prod", "Send-mail.json");
    for (file, mut document) in [("mail.json", callee()), ("orders.json", caller("mail"))] {
        document["nodes"][0]["position"] = json!([7, 7]);
        world.write("dev", file, &document);
    }
    let failed = world.promote().await;
    // Not in doubt: nothing of the other's was touched, and what was done is undone.
    assert_eq!(failed.state, State::Failed, "{failed:#?}");
    let problem = failed.items[0].problem.as_ref().expect("told");
    assert_eq!(problem.reason, "CONFLICT");
    assert_eq!(failed.items[1].status, ItemStatus::Compensated);
    assert_eq!(world.read("prod", "Send-mail.json"), mail);
    assert_eq!(world.read("prod", "Orders.json")["nodes"], json!([]));
}
