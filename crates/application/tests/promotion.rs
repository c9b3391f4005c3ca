//! Promotions and restores of workflows between folders, with snapshots in a local repository.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use slipway_application::Context;
use slipway_application::deployments::executor::{Ended, Executor, Limits};
use slipway_application::deployments::{
    PlanPromotion, StartPromotion, get_deployment, plan_promotion, start_promotion,
};
use slipway_application::environments::{CreateEnvironment, create_environment};
use slipway_application::ledger::{Moment, get_current_state};
use slipway_application::snapshots::{
    CreateSnapshot, RestoreSnapshot, create_snapshot, get_snapshot, restore_snapshot,
};
use slipway_deployments::{
    Change, Deployment, DeploymentName, Gates, ItemStatus, OnFailure, Pipeline, Publish, Stage,
    State,
};
use slipway_identity::Caller;
use slipway_kernel::{PipelineId, Revision, Tier};
use slipway_workflows::{CredentialTarget, EngineSettings};
use support::outside::{Bare, Folders};
use support::{by, installation, key, new_environment, slug};
use tempfile::TempDir;

struct World {
    context: Arc<Context>,
    admin: Caller,
    directory: TempDir,
}

impl World {
    async fn new(gates: Gates) -> Self {
        Self::with(gates, Folders::default()).await
    }

    async fn with(gates: Gates, folders: Folders) -> Self {
        let installation = installation().await;
        let repositories = Bare(installation.directory.path().join("git"));
        fs::create_dir_all(&repositories.0).unwrap();
        let (admin, directory) = (installation.admin.clone(), installation.directory);
        let context = installation
            .context
            .with_outside(Arc::new(folders), Arc::new(repositories));
        let world = Self {
            context: Arc::new(context),
            admin,
            directory,
        };
        world.set_up(gates).await;
        world
    }

    fn folder(&self, environment: &str) -> PathBuf {
        self.directory.path().join(environment)
    }

    async fn set_up(&self, gates: Gates) {
        let project = self.context.reader().project(&slug("default")).await;
        let project = project.unwrap().unwrap().id;
        let mut ids = Vec::new();
        for (name, tier) in [("dev", Tier::Development), ("prod", Tier::Production)] {
            fs::create_dir_all(self.folder(name)).unwrap();
            let command = CreateEnvironment {
                tier,
                ..new_environment(name)
            };
            let environment = create_environment(&self.context, &by(&self.admin), command)
                .await
                .expect("created")
                .id;
            let mut unit = self.context.store.begin().await.unwrap();
            let settings = EngineSettings::Directory {
                path: self.folder(name).display().to_string(),
            };
            unit.engines()
                .set_engine(environment, Some(&settings))
                .await
                .unwrap();
            let mapping = CredentialTarget {
                kind: "httpBasicAuth".to_owned(),
                name: "Shop dev".to_owned(),
                target_id: "p1".to_owned(),
                target_name: "Shop prod".to_owned(),
            };
            unit.engines()
                .set_credentials(environment, &[mapping])
                .await
                .unwrap();
            unit.commit().await.unwrap();
            ids.push(environment);
        }
        let pipeline = Pipeline {
            id: PipelineId::new(&*self.context.ids),
            project,
            slug: slug("mainline"),
            display_name: "Mainline".parse().unwrap(),
            description: "".parse().unwrap(),
            stages: vec![Stage {
                source: ids[0],
                target: ids[1],
                gates,
            }],
            created_at: self.context.clock.now(),
            archived_at: None,
            revision: Revision::FIRST,
        };
        let mut unit = self.context.store.begin().await.unwrap();
        assert!(unit.pipelines().insert(&pipeline).await.unwrap());
        unit.commit().await.unwrap();
    }

    fn write(&self, environment: &str, file: &str, document: &Value) {
        let text = serde_json::to_vec(document).unwrap();
        fs::write(self.folder(environment).join(file), text).unwrap();
    }

    fn read(&self, environment: &str, file: &str) -> Value {
        let text = fs::read(self.folder(environment).join(file)).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    fn promotion() -> PlanPromotion {
        PlanPromotion {
            project: slug("default"),
            pipeline: slug("mainline"),
            target: slug("prod"),
            workflows: None,
        }
    }

    async fn promote(&self) -> Deployment {
        let command = StartPromotion {
            promotion: Self::promotion(),
            plan_digest: None,
        };
        let started = start_promotion(&self.context, &by(&self.admin), command).await;
        let started = started.expect("starts");
        assert_eq!(started.state, State::Queued);
        self.carry_out(&started).await
    }

    async fn carry_out(&self, started: &Deployment) -> Deployment {
        let executor = Executor::new(Arc::clone(&self.context), "test", Limits::default());
        let ended = executor.carry_out_one(|| false).await.expect("carried out");
        assert_eq!(ended, Ended::Settled);
        self.deployment(started).await
    }

    async fn deployment(&self, started: &Deployment) -> Deployment {
        let name = DeploymentName::Number(started.number);
        get_deployment(&self.context, &by(&self.admin), &slug("default"), name)
            .await
            .expect("found")
    }

    async fn backup(&self, environment: &str) -> slipway_snapshots::Snapshot {
        let command = CreateSnapshot {
            project: slug("default"),
            environment: slug(environment),
            notes: "before we begin".parse().unwrap(),
        };
        create_snapshot(&self.context, &by(&self.admin), command)
            .await
            .expect("a snapshot")
    }

    /// What git says about the repository; `None` where there is no git.
    fn git(&self, arguments: &[&str]) -> Option<String> {
        if Command::new("git").arg("--version").output().is_err() {
            slipway_test_support::skip(
                "no git: what people read in the repository is not looked at",
            );
            return None;
        }
        let output = Command::new("git")
            .arg("--git-dir")
            .arg(self.directory.path().join("git/default.git"))
            .args(arguments)
            .output()
            .expect("git runs");
        assert!(output.status.success(), "{output:?}");
        Some(String::from_utf8(output.stdout).unwrap())
    }
}

fn callee() -> Value {
    json!({"name": "Send mail", "active": true, "tags": ["mail"],
        "nodes": [{"id": "1", "name": "Start", "type": "n8n-nodes-base.executeWorkflowTrigger", "typeVersion": 1,
            "position": [0, 0], "parameters": {}}],
        "connections": {}, "settings": {"executionOrder": "v1"}})
}

fn caller(of: &str) -> Value {
    json!({"name": "Orders", "active": true,
        "nodes": [
            {"id": "1", "name": "Hook", "type": "n8n-nodes-base.webhook", "typeVersion": 1, "position": [0, 0],
                "parameters": {"path": "orders"},
                "credentials": {"httpBasicAuth": {"id": "d1", "name": "Shop dev"}}},
            {"id": "2", "name": "Mail", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1,
                "position": [200, 0], "parameters": {"workflowId": {"__rl": true, "mode": "id", "value": of}}}],
        "connections": {"Hook": {"main": [[{"node": "Mail", "type": "main", "index": 0}]]}}, "settings": {}})
}

fn as_source() -> Gates {
    Gates {
        publish: Publish::AsSource,
        ..Gates::default()
    }
}

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
    let command = RestoreSnapshot {
        project: slug("default"),
        snapshot: between,
    };
    let restore = restore_snapshot(&world.context, &by(&world.admin), command)
        .await
        .expect("asked for");
    let restored = world.carry_out(&restore).await;
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
    let mut ping = caller("pong");
    ping["name"] = json!("Ping");
    let mut pong = caller("ping");
    pong["name"] = json!("Pong");
    world.write("dev", "ping.json", &ping);
    world.write("dev", "pong.json", &pong);
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
