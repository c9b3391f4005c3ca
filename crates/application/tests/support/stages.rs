//! Environments `dev`, `staging` and `prod` with workflows in folders, a pipeline from each to the next, and snapshots in a
//! local repository.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use slipway_application::Context;
use slipway_application::deployments::executor::{Ended, Executor, Limits};
use slipway_application::deployments::{
    DeploymentError, PlanPromotion, StartPromotion, get_deployment, plan_promotion, start_promotion,
};
use slipway_application::environments::{CreateEnvironment, create_environment};
use slipway_application::outside::Engines;
use slipway_application::pipelines::{CreatePipeline, NamedStage, Stages, create_pipeline};
use slipway_application::snapshots::{CreateSnapshot, create_snapshot};
use slipway_deployments::{Deployment, DeploymentName, Gates, Plan, Publish, State};
use slipway_identity::Caller;
use slipway_kernel::{EnvironmentId, ProjectId, text::Description};
use slipway_snapshots::Snapshot;
use slipway_workflows::EngineSettings;
use tempfile::TempDir;

use super::outside::{Bare, Folders};
use super::{TestClock, by, installation, name, new_environment, slug};

/// The environments in the order of the pipeline.
pub const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];

/// An installation with all of it.
pub struct World {
    pub context: Arc<Context>,
    pub admin: Caller,
    pub directory: TempDir,
    clock: Arc<TestClock>,
}

impl World {
    /// Stages with these gates.
    pub async fn new(gates: Gates) -> Self {
        Self::with(gates, Arc::new(Folders::default())).await
    }

    /// Stages with these gates, between these engines.
    pub async fn with(gates: Gates, engines: Arc<dyn Engines>) -> Self {
        let installation = installation().await;
        let directory = installation.directory;
        let repositories = Bare(directory.path().join("git"));
        fs::create_dir_all(&repositories.0).expect("a folder");
        let context = installation
            .context
            .with_outside(engines, Arc::new(repositories));
        let world = Self {
            context: Arc::new(context),
            admin: installation.admin,
            directory,
            clock: installation.clock,
        };
        for environment in ENVIRONMENTS {
            fs::create_dir_all(world.folder(environment)).expect("a folder");
            let command = CreateEnvironment {
                engine: Some(EngineSettings::Directory {
                    path: world.folder(environment).display().to_string(),
                }),
                ..new_environment(environment)
            };
            let created = create_environment(&world.context, &by(&world.admin), command).await;
            created.expect("created");
        }
        let stage = |pair: &[&str]| NamedStage {
            source: slug(pair[0]),
            target: slug(pair[1]),
            gates,
        };
        let command = CreatePipeline {
            project: slug("default"),
            slug: slug("mainline"),
            display_name: name("Mainline"),
            description: Description::default(),
            stages: Stages::new(ENVIRONMENTS.windows(2).map(stage).collect()).expect("stages"),
        };
        let created = create_pipeline(&world.context, &by(&world.admin), command).await;
        created.expect("created");
        world
    }

    /// Lets time go by.
    pub fn pass(&self, seconds: i64) {
        self.clock
            .0
            .fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    pub fn folder(&self, environment: &str) -> PathBuf {
        self.directory.path().join(environment)
    }

    pub fn write(&self, environment: &str, file: &str, document: &Value) {
        let text = serde_json::to_vec(document).expect("JSON");
        fs::write(self.folder(environment).join(file), text).expect("written");
    }

    pub fn remove(&self, environment: &str, file: &str) {
        fs::remove_file(self.folder(environment).join(file)).expect("removed");
    }

    pub async fn project(&self) -> ProjectId {
        let project = self.context.reader().project(&slug("default")).await;
        project.expect("read").expect("there").id
    }

    pub async fn environment(&self, text: &str) -> EnvironmentId {
        let project = self.project().await;
        let found = self
            .context
            .reader()
            .environment(project, &slug(text))
            .await;
        found.expect("read").expect("there").id
    }

    /// A promotion to an environment, of all workflows or of those named.
    pub fn promotion(target: &str, workflows: &[&str]) -> PlanPromotion {
        let keys = workflows.iter().map(|key| super::key(key));
        PlanPromotion {
            project: slug("default"),
            pipeline: slug("mainline"),
            target: slug(target),
            workflows: (!workflows.is_empty()).then(|| keys.collect()),
        }
    }

    pub async fn plan(&self, target: &str, workflows: &[&str]) -> Plan {
        let promotion = Self::promotion(target, workflows);
        let planned = plan_promotion(&self.context, &by(&self.admin), &promotion).await;
        planned.expect("a plan").plan
    }

    pub async fn start(&self, target: &str) -> Result<Deployment, DeploymentError> {
        let command = StartPromotion {
            promotion: Self::promotion(target, &[]),
            plan_digest: None,
        };
        start_promotion(&self.context, &by(&self.admin), command).await
    }

    /// Promotes all workflows, which must succeed.
    pub async fn promote(&self, target: &str) -> Deployment {
        let started = self.start(target).await.expect("starts");
        let done = self.carry_out(&started).await;
        assert_eq!(done.state, State::Succeeded, "{done:#?}");
        done
    }

    /// The deployment when it is over. Each step of it takes a while.
    pub async fn carry_out(&self, started: &Deployment) -> Deployment {
        self.pass(1);
        let executor = Executor::new(Arc::clone(&self.context), "test", Limits::default());
        let ended = executor.carry_out_one(|| false).await.expect("carried out");
        assert_eq!(ended, Ended::Settled);
        let name = DeploymentName::Id(started.id);
        let found = get_deployment(&self.context, &by(&self.admin), &slug("default"), name).await;
        found.expect("found").0
    }

    pub async fn backup(&self, environment: &str) -> Snapshot {
        self.pass(1);
        let taken = create_snapshot(&self.context, &by(&self.admin), backup_of(environment)).await;
        taken.expect("a snapshot")
    }
}

/// A backup to take.
pub fn backup_of(environment: &str) -> CreateSnapshot {
    CreateSnapshot {
        project: slug("default"),
        environment: slug(environment),
        notes: "to look at".parse().expect("short"),
    }
}

/// Workflows run in the target where they do in the source.
pub fn as_source() -> Gates {
    Gates {
        publish: Publish::AsSource,
        ..Gates::default()
    }
}

/// A workflow with one node.
pub fn workflow(name: &str, path: &str) -> Value {
    json!({"name": name, "active": true, "tags": ["shop"], "description": "for tests",
        "nodes": [{"id": "1", "name": "Hook", "type": "n8n-nodes-base.webhook", "typeVersion": 1, "position": [0, 0],
            "parameters": {"path": path}}],
        "connections": {}, "settings": {}})
}

/// A workflow that calls another one by its id.
pub fn caller(name: &str, callee: &str) -> Value {
    let mut document = workflow(name, "calls");
    document["nodes"][0] = json!({"id": "1", "name": "Call", "type": "n8n-nodes-base.executeWorkflow",
        "typeVersion": 1, "position": [0, 0], "parameters": {"workflowId": callee}});
    document
}
