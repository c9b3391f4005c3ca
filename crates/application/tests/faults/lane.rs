//! An installation on a real database, on which promotions are carried out one after the other.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use slipway_application::Context;
use slipway_application::deployments::executor::{Executor, Limits};
use slipway_application::deployments::{
    PlanPromotion, StartPromotion, get_deployment, start_promotion,
};
use slipway_application::environments::create_environment;
use slipway_application::ledger::{Moment, get_current_state};
use slipway_deployments::{
    Deployment, DeploymentName, Gates, ItemStatus, OnFailure, Pipeline, Publish, Stage, State,
};
use slipway_kernel::{Key, PipelineId, Revision, Slug};
use slipway_sql::{Options, SqlStore};
use slipway_store::Store;
use slipway_test_support::postgres::TestDatabase;
use slipway_workflows::{EngineSettings, Link, WorkflowId};

use super::engine::{Faults, Picture, Recorders, World};
use super::gate::Gate;
use super::store::{Planted, Watch, Watched};
use crate::support::outside::Bare;
use crate::support::{Installation, by, installation, installation_on, new_environment, slug};

/// How long a claim lasts here; an effect takes a third of it at most.
pub(crate) const LEASE: Duration = Duration::from_secs(1);

/// A database system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    pub(crate) const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// One installation.
pub(crate) struct Lane {
    installation: Installation,
    /// The database as another process sees it: what stands still holds none of its connections.
    elsewhere: Arc<dyn Store>,
    pub(crate) watch: Arc<Watch>,
    /// How many steps an executor does at the same time: with one, its points come in the same order each time.
    pub(crate) parallel: usize,
    worlds: Arc<Mutex<HashMap<String, Arc<World>>>>,
    ways: AtomicU32,
    _database: Option<TestDatabase>,
}

/// An executor, and where it can be stopped.
pub(crate) struct Stoppable {
    pub(crate) executor: Executor,
    pub(crate) gate: Arc<Gate>,
    calls: Arc<Mutex<usize>>,
}

impl Stoppable {
    /// How often it called an engine.
    pub(crate) fn calls(&self) -> usize {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    /// An installation on this database system; `None`, told in a line, where it is not here.
    pub(crate) async fn new(backend: Backend) -> Option<Self> {
        let (installation, options, database) = match backend {
            Backend::Sqlite => {
                let installation = installation().await;
                let file = installation.directory.path().join("state.db");
                (installation, Options::sqlite_file(&file), None)
            }
            Backend::Postgres => {
                let database = slipway_test_support::postgres::database().await?;
                let options = Options {
                    max_connections: 2,
                    ..Options::new(database.url())
                };
                (installation_on(&options).await, options, Some(database))
            }
        };
        std::fs::create_dir(installation.directory.path().join("git")).expect("made");
        let elsewhere = SqlStore::connect(&options).await.expect("connected");
        Some(Self {
            installation,
            elsewhere: Arc::new(elsewhere),
            watch: Arc::default(),
            parallel: Limits::default().parallel,
            worlds: Arc::default(),
            ways: AtomicU32::new(0),
            _database: database,
        })
    }

    /// The installation as nobody disturbs it.
    fn context(&self) -> Context {
        let gate = Arc::new(Gate::open());
        self.context_with(&self.elsewhere, &gate, Faults::None, None, &Arc::default())
    }

    /// The installation as an executor sees it.
    fn context_with(
        &self,
        store: &Arc<dyn Store>,
        gate: &Arc<Gate>,
        faults: Faults,
        planted: Option<Planted>,
        calls: &Arc<Mutex<usize>>,
    ) -> Context {
        let own = &self.installation.context;
        let store = Watched {
            inner: Arc::clone(store),
            gate: Arc::clone(gate),
            watch: Arc::clone(&self.watch),
            planted,
        };
        let engines = Recorders {
            worlds: Arc::clone(&self.worlds),
            gate: Arc::clone(gate),
            faults,
            calls: Arc::clone(calls),
        };
        Context::new(
            Arc::new(store),
            Arc::clone(&own.objects),
            Arc::clone(&own.clock),
            Arc::clone(&own.ids),
            Arc::clone(&own.secrets),
        )
        .with_outside(
            Arc::new(engines),
            Arc::new(Bare(self.installation.directory.path().join("git"))),
        )
    }

    /// An executor that this gate can stop.
    pub(crate) fn first(&self, gate: Gate, faults: Faults, planted: Option<Planted>) -> Stoppable {
        self.executor(&self.installation.context.store, gate, faults, planted)
    }

    /// An executor in another process.
    pub(crate) fn second(&self, gate: Gate, faults: Faults, planted: Option<Planted>) -> Stoppable {
        self.executor(&self.elsewhere, gate, faults, planted)
    }

    fn executor(
        &self,
        store: &Arc<dyn Store>,
        gate: Gate,
        faults: Faults,
        planted: Option<Planted>,
    ) -> Stoppable {
        let (gate, calls) = (Arc::new(gate), Arc::default());
        let context = self.context_with(store, &gate, faults, planted, &calls);
        let limits = Limits {
            lease: LEASE,
            effect: LEASE / 3,
            parallel: self.parallel,
            ..Limits::default()
        };
        Stoppable {
            executor: Executor::new(Arc::new(context), "test", limits),
            gate,
            calls,
        }
    }

    /// A promotion that creates, changes, deletes, connects and publishes, and waits for an executor.
    pub(crate) async fn way(&self, on_failure: OnFailure) -> Way<'_> {
        let number = self.ways.fetch_add(1, Ordering::Relaxed);
        let gates = Gates {
            publish: Publish::AsSource,
            on_failure,
            ..Gates::default()
        };
        let context = self.context();
        let (dev, prod) = (Self::world(&in_dev()), Self::world(&in_prod()));
        let (before, after) = (prod.picture(), dev.picture());
        let mut stage = Vec::new();
        for (name, world) in [("dev", &dev), ("prod", &prod)] {
            let path = format!("{name}-{number}");
            let call = by(&self.installation.admin);
            let made = create_environment(&context, &call, new_environment(&path)).await;
            let environment = made.expect("created").id;
            let settings = EngineSettings::Directory { path: path.clone() };
            let mut unit = context.store.begin().await.expect("begun");
            let engines = unit.engines();
            let set = engines.set_engine(environment, Some(&settings)).await;
            set.expect("set");
            // The source had it once, so that it is deleted in the target.
            if name == "dev" {
                let gone = Link {
                    key: key("Old"),
                    workflow: WorkflowId("gone".to_owned()),
                };
                engines.set_links(environment, &[gone]).await.expect("set");
            }
            unit.commit().await.expect("committed");
            let mut worlds = self.worlds.lock().unwrap_or_else(PoisonError::into_inner);
            worlds.insert(path, Arc::clone(world));
            stage.push(environment);
        }
        let project = context.reader().project(&slug("default")).await;
        let pipeline = Pipeline {
            id: PipelineId::new(&*context.ids),
            project: project.expect("read").expect("there").id,
            slug: slug(&format!("way-{number}")),
            display_name: "Way".parse().expect("a name"),
            description: "".parse().expect("a text"),
            stages: vec![Stage {
                source: stage[0],
                target: stage[1],
                gates,
            }],
            created_at: context.clock.now(),
            archived_at: None,
            revision: Revision::FIRST,
        };
        let mut unit = context.store.begin().await.expect("begun");
        assert!(unit.pipelines().insert(&pipeline).await.expect("inserted"));
        unit.commit().await.expect("committed");
        let target = slug(&format!("prod-{number}"));
        let command = StartPromotion {
            promotion: PlanPromotion {
                project: slug("default"),
                pipeline: pipeline.slug,
                target: target.clone(),
                workflows: None,
            },
            plan_digest: None,
        };
        let started = start_promotion(&context, &by(&self.installation.admin), command).await;
        Way {
            lane: self,
            number: started.expect("starts").number,
            target,
            prod,
            before,
            after,
            on_failure,
        }
    }

    fn world(documents: &[Value]) -> Arc<World> {
        let world = World::default();
        for document in documents {
            world.seed(document);
        }
        world.connect_seeds();
        Arc::new(world)
    }
}

/// One promotion.
pub(crate) struct Way<'l> {
    lane: &'l Lane,
    number: i64,
    target: Slug,
    prod: Arc<World>,
    before: Picture,
    after: Picture,
    on_failure: OnFailure,
}

/// What became of a promotion.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) state: State,
    /// What the deployment says to be there, and is not.
    pub(crate) lost: Vec<String>,
    /// What was done twice.
    pub(crate) duplicated: Vec<String>,
    /// How many effects there were.
    pub(crate) effects: usize,
}

impl Way<'_> {
    pub(crate) async fn deployment(&self) -> Deployment {
        let context = self.lane.context();
        let caller = &self.lane.installation.admin;
        let name = DeploymentName::Number(self.number);
        get_deployment(&context, &by(caller), &slug("default"), name)
            .await
            .expect("found")
            .0
    }

    /// Whether no executor has anything to do with it any more.
    pub(crate) async fn is_settled(&self) -> bool {
        let state = self.deployment().await.state;
        state.is_over() || state == State::InDoubt
    }

    /// Compares what is told with what is there.
    pub(crate) async fn judge(&self) -> Verdict {
        let deployment = self.deployment().await;
        let there = self.prod.picture();
        let mut lost = Vec::new();
        // Nothing is claimed of the items of one that is in doubt.
        let over = deployment.state.is_over();
        for item in deployment.items.iter().filter(|_| over) {
            let name = &item.name;
            let undone = self.on_failure == OnFailure::Compensate;
            let expected = match item.status {
                ItemStatus::Succeeded => &self.after,
                ItemStatus::Compensated | ItemStatus::Skipped => &self.before,
                ItemStatus::Failed if undone => &self.before,
                ItemStatus::Failed | ItemStatus::Pending => continue,
            };
            if there.get(name) != expected.get(name) {
                lost.push(format!(
                    "{name} is {} in a deployment that is {}: {}",
                    item.status,
                    deployment.state,
                    differing(there.get(name), expected.get(name))
                ));
            }
        }
        if deployment.state == State::Succeeded && there != self.after {
            lost.push(
                "the deployment succeeded, and the target differs from the source".to_owned(),
            );
        }
        for item in deployment.items.iter().filter(|_| over) {
            let recorded = self.is_recorded(&item.key).await;
            let succeeded = item.status == ItemStatus::Succeeded;
            if recorded != (succeeded && self.after.contains_key(&item.name)) {
                lost.push(format!("{} is recorded: {recorded}", item.name));
            }
        }
        Verdict {
            state: deployment.state,
            lost,
            duplicated: self.prod.duplicated(),
            effects: self.prod.effects(),
        }
    }

    async fn is_recorded(&self, key: &Key) -> bool {
        let context = self.lane.context();
        let (call, project) = (by(&self.lane.installation.admin), slug("default"));
        let (target, now) = (&self.target, Moment::default());
        let found = get_current_state(&context, &call, &project, key, target, now).await;
        found.is_ok_and(|found| found.cell.is_some())
    }
}

/// The lines that differ.
fn differing(there: Option<&String>, expected: Option<&String>) -> String {
    let (there, expected) = match (there, expected) {
        (Some(there), Some(expected)) => (there, expected),
        (None, _) => return "it is not there".to_owned(),
        (_, None) => return "it is there".to_owned(),
    };
    let lines = there.lines().zip(expected.lines());
    let lines = lines.filter(|(there, expected)| there != expected);
    let lines = lines.map(|(there, expected)| format!("{} not {}", there.trim(), expected.trim()));
    lines.collect::<Vec<_>>().join(", ")
}

fn key(text: &str) -> Key {
    text.parse().expect("a key")
}

/// A workflow; `calls` names the one that it calls.
fn workflow(name: &str, active: bool, path: &str, calls: Option<&str>) -> Value {
    let mut nodes = vec![
        json!({"id": "1", "name": "Hook", "type": "n8n-nodes-base.webhook",
        "typeVersion": 1, "position": [0, 0], "parameters": {"path": path}}),
    ];
    if let Some(called) = calls {
        nodes.push(json!({"id": "2", "name": "Call", "type": "n8n-nodes-base.executeWorkflow",
            "typeVersion": 1, "position": [200, 0],
            "parameters": {"workflowId": {"__rl": true, "mode": "id", "value": format!("of:{called}")}}}));
    }
    json!({"name": name, "active": active, "nodes": nodes, "connections": {}, "settings": {}})
}

/// One to create, one to change that calls it, two that call each other, one that calls itself, one to stop.
fn in_dev() -> Vec<Value> {
    vec![
        workflow("Mail", true, "mail", None),
        workflow("Orders", true, "orders-v2", Some("Mail")),
        workflow("Ping", true, "ping", Some("Pong")),
        workflow("Pong", false, "pong", Some("Ping")),
        workflow("Loop", true, "loop", Some("Loop")),
        workflow("Quiet", false, "quiet-v2", None),
    ]
}

/// And one to delete.
fn in_prod() -> Vec<Value> {
    vec![
        workflow("Orders", false, "orders", None),
        workflow("Quiet", true, "quiet", None),
        workflow("Old", true, "old", None),
    ]
}
