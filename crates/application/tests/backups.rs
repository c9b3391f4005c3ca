//! Backups by the clock.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

mod support;

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use slipway_application::environments::{
    ArchiveEnvironment, BackupsChange, UpdateEnvironment, archive_environment, update_environment,
};
use slipway_application::outside::{Engines, NotAllowed};
use slipway_application::snapshots::{
    BackedUp, ListSnapshots, failing_backups, list_snapshots, take_due_backup,
};
use slipway_deployments::State;
use slipway_directory::WorkflowDirectory;
use slipway_kernel::PageSize;
use slipway_snapshots::{Snapshot, SnapshotKind};
use slipway_store::Store;
use slipway_workflows::{
    EngineError, EngineSettings, Exported, Workflow, WorkflowEngine, WorkflowId,
};
use support::stages::{World, as_source, workflow};
use support::{by, slug};

async fn set_backups(world: &World, environment: &str, backups: BackupsChange) {
    let command = UpdateEnvironment {
        project: slug("default"),
        environment: slug(environment),
        display_name: None,
        description: None,
        tier: None,
        position: None,
        backups: Some(backups),
        engine: None,
        etag: None,
    };
    let updated = update_environment(&world.context, &by(&world.admin), command).await;
    updated.expect("updated");
}

async fn every(world: &World, environment: &str, seconds: i64) {
    let interval = seconds.try_into().expect("an interval");
    set_backups(world, environment, BackupsChange::Every(interval)).await;
}

async fn due(world: &World) -> BackedUp {
    take_due_backup(&world.context).await.expect("an answer")
}

fn taken(environment: &str) -> BackedUp {
    BackedUp::Taken {
        environment: slug(environment),
    }
}

/// The backups by the clock, newest first.
async fn backups(world: &World) -> Vec<Snapshot> {
    let wanted = ListSnapshots {
        kind: Some(SnapshotKind::AutoBackup),
        ..ListSnapshots::default()
    };
    let (call, project) = (by(&world.admin), slug("default"));
    let page = list_snapshots(&world.context, &call, &project, wanted, None, PageSize::MAX).await;
    page.expect("listed").items
}

#[tokio::test]
async fn one_is_taken_whenever_the_interval_is_over() {
    let world = World::new(as_source()).await;
    world.write("dev", "m.json", &workflow("Mail", "mail"));
    assert_eq!(due(&world).await, BackedUp::Idle);
    every(&world, "dev", 3_600).await;
    assert_eq!(due(&world).await, taken("dev"));
    assert_eq!(due(&world).await, BackedUp::Idle);
    world.pass(3_599);
    assert_eq!(due(&world).await, BackedUp::Idle);
    world.pass(1);
    assert_eq!(due(&world).await, taken("dev"));
    world.write("dev", "m.json", &workflow("Mail", "changed"));
    world.pass(3_600);
    // However many servers look, one takes it.
    let all = futures_util::future::join_all((0..4).map(|_| due(&world))).await;
    let took = all.iter().filter(|backed_up| **backed_up == taken("dev"));
    assert_eq!(took.count(), 1, "{all:?}");

    let found = backups(&world).await;
    let [third, second, first] = &*found else {
        unreachable!("three backups: {found:#?}");
    };
    assert_eq!(first.commit, second.commit, "nothing had changed");
    assert_ne!(second.commit, third.commit);
    assert_eq!((first.created_by, first.deployment), (None, None));
    assert_eq!(first.workflows, 1);

    set_backups(&world, "dev", BackupsChange::Never).await;
    world.pass(360_000);
    assert_eq!(due(&world).await, BackedUp::Idle);
    every(&world, "dev", 60).await;
    let command = ArchiveEnvironment {
        project: slug("default"),
        environment: slug("dev"),
    };
    let archived = archive_environment(&world.context, &by(&world.admin), command).await;
    archived.expect("archived");
    assert_eq!(due(&world).await, BackedUp::Idle);
}

#[tokio::test]
async fn one_that_fails_is_told_and_tried_again_later_and_later() {
    let world = World::new(as_source()).await;
    every(&world, "prod", 300).await;
    let folder = world.folder("prod");
    fs::remove_dir_all(&folder).unwrap();
    let prod = world.environment("prod").await;
    let told = async || {
        let failing = failing_backups(&world.context, &[prod]).await;
        failing.expect("read").remove(&prod)
    };
    assert_eq!(told().await, None);
    // Not longer than the interval.
    for (number, pause) in [(1, 60), (2, 120), (3, 240), (4, 300), (5, 300)] {
        let BackedUp::Failed {
            environment,
            failures,
            problem,
        } = due(&world).await
        else {
            unreachable!("there is no folder");
        };
        assert_eq!((environment, failures), (slug("prod"), number));
        assert!(problem.contains("`prod`"), "{problem}");
        let failing = told().await.expect("told");
        assert_eq!((failing.failures, &failing.problem), (number, &problem));
        world.pass(pause - 1);
        assert_eq!(due(&world).await, BackedUp::Idle);
        world.pass(1);
    }
    fs::create_dir_all(&folder).unwrap();
    assert_eq!(due(&world).await, taken("prod"));
    assert_eq!(told().await, None);
    assert_eq!(backups(&world).await.len(), 1);
}

#[tokio::test]
async fn one_waits_while_a_deployment_holds_the_environment() {
    let world = World::new(as_source()).await;
    world.write("dev", "m.json", &workflow("Mail", "mail"));
    every(&world, "staging", 60).await;
    every(&world, "dev", 60).await;
    world.start("staging").await.expect("queued");
    begin_deployment(&*world.context.store).await;
    assert_eq!(due(&world).await, taken("dev"), "the source is free");
    assert_eq!(due(&world).await, BackedUp::Idle);
    assert_eq!(backups(&world).await.len(), 1);
}

/// An executor elsewhere begins what is queued.
async fn begin_deployment(store: &dyn Store) {
    let mut unit = store.begin().await.expect("begun");
    let claim = unit
        .deployments()
        .claim("elsewhere", Duration::from_hours(1))
        .await;
    let claim = claim.expect("an answer").expect("queued");
    let found = unit.deployments().find_by_id(claim.deployment).await;
    let mut deployment = found.expect("read").expect("there");
    let from = deployment.state;
    deployment.state = State::Running;
    unit.deployments()
        .update(&deployment, from)
        .await
        .expect("updated");
    unit.commit().await.expect("committed");
}

/// Folders; while one of them is read for the first time after it was set, an executor elsewhere begins a deployment.
#[derive(Default)]
struct Busy {
    store: Arc<Mutex<Option<Arc<dyn Store>>>>,
}

impl Engines for Busy {
    fn open(&self, settings: &EngineSettings) -> Result<Arc<dyn WorkflowEngine>, NotAllowed> {
        let EngineSettings::Directory { path } = settings else {
            unreachable!("these tests use folders");
        };
        Ok(Arc::new(BusyFolder {
            folder: WorkflowDirectory::new(path),
            store: Arc::clone(&self.store),
        }))
    }
}

struct BusyFolder {
    folder: WorkflowDirectory,
    store: Arc<Mutex<Option<Arc<dyn Store>>>>,
}

#[async_trait]
impl WorkflowEngine for BusyFolder {
    async fn check(&self) -> Result<String, EngineError> {
        self.folder.check().await
    }

    async fn export(&self) -> Result<Vec<Exported>, EngineError> {
        let store = self.store.lock().unwrap().take();
        if let Some(store) = store {
            begin_deployment(&*store).await;
        }
        self.folder.export().await
    }

    async fn get(&self, id: &WorkflowId) -> Result<Option<Exported>, EngineError> {
        self.folder.get(id).await
    }

    async fn create(&self, workflow: &Workflow) -> Result<WorkflowId, EngineError> {
        self.folder.create(workflow).await
    }

    async fn update(&self, id: &WorkflowId, workflow: &Workflow) -> Result<(), EngineError> {
        self.folder.update(id, workflow).await
    }

    async fn delete(&self, id: &WorkflowId) -> Result<(), EngineError> {
        self.folder.delete(id).await
    }

    async fn activate(&self, id: &WorkflowId) -> Result<(), EngineError> {
        self.folder.activate(id).await
    }

    async fn deactivate(&self, id: &WorkflowId) -> Result<(), EngineError> {
        self.folder.deactivate(id).await
    }
}

#[tokio::test]
async fn one_that_a_deployment_overtook_is_not_kept() {
    let busy = Arc::new(Busy::default());
    let store = Arc::clone(&busy.store);
    let world = World::with(as_source(), busy).await;
    world.write("dev", "m.json", &workflow("Mail", "mail"));
    world.write("staging", "half.json", &workflow("Half", "way"));
    every(&world, "staging", 60).await;
    world.start("staging").await.expect("queued");
    *store.lock().unwrap() = Some(Arc::clone(&world.context.store));
    let disturbed = BackedUp::Disturbed {
        environment: slug("staging"),
    };
    assert_eq!(due(&world).await, disturbed);
    assert_eq!(backups(&world).await, []);
    // It is no failure, and waits for its turn.
    let staging = world.environment("staging").await;
    let failing = failing_backups(&world.context, &[staging]).await;
    assert!(failing.expect("read").is_empty());
    world.pass(3_600);
    assert_eq!(due(&world).await, BackedUp::Idle);
}
