//! Promotions to stand-ins for n8n, which can hold calls, so that a running deployment is caught in the act.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use slipway_api::catalog::v1::workflow_engine::Engine;
use slipway_api::catalog::v1::{CreateEnvironmentRequest, N8nInstance, WorkflowEngine};
use slipway_api::deployments::v1::{
    CreatePipelineRequest, Deployment, DeploymentState, Gates, GetDeploymentRequest,
    PlanPromotionRequest, PublishMode, Stage, StartPromotionRequest,
};
use slipway_n8n_stand_in::{Effect, Options, StandIn};
use slipway_tests::world::{stage, unique};
use slipway_tests::{Backend, Client, Granted, Project, Server, World};

/// How long a deployment may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A server that may go to stand-ins, and a project with a source.
pub(crate) struct Floor {
    pub(crate) world: World,
    pub(crate) project: Project,
    dev: StandIn,
}

/// What servers need to go to stand-ins, which all take the same key.
pub(crate) fn settings() -> Vec<(&'static str, String)> {
    vec![
        ("SLIPWAY__ENGINES__HOSTS", "[\"127.0.0.1\"]".to_owned()),
        ("SLIPWAY__ENGINES__SECRETS", "[\"env:N8N_KEY\"]".to_owned()),
        ("N8N_KEY", Options::default().api_key),
    ]
}

/// A stage's target, and the pipeline that leads there.
pub(crate) struct Target {
    pub(crate) engine: StandIn,
    pub(crate) environment: String,
    /// What it held at first.
    pub(crate) before: Picture,
}

/// Workflows by name: whether each is active, and its nodes with names in place of ids.
pub(crate) type Picture = BTreeMap<String, (bool, String)>;

impl Floor {
    pub(crate) async fn new(backend: Backend, more: &[(&'static str, &str)]) -> Self {
        let mut all = settings();
        all.extend(
            more.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        let all: Vec<_> = all
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let world = World::on(Server::start_with(backend, &all).await).await;
        let project = world.project().await;
        let dev = StandIn::start(Options::default()).await;
        let ids: Vec<_> = in_dev()
            .into_iter()
            .map(|document| dev.seed(document))
            .collect();
        connect(&dev, &ids);
        let floor = Self {
            world,
            project,
            dev,
        };
        floor.environment("dev", &floor.dev).await;
        floor
    }

    async fn environment(&self, slug: &str, engine: &StandIn) {
        let request = CreateEnvironmentRequest {
            project: self.project.slug.clone(),
            slug: slug.to_owned(),
            workflow_engine: Some(WorkflowEngine {
                engine: Some(Engine::N8n(N8nInstance {
                    base_url: engine.url.clone(),
                    api_key_reference: "env:N8N_KEY".to_owned(),
                })),
            }),
            ..Default::default()
        };
        let mut environments = self.project.admin.environments();
        environments.create_environment(request).await.granted();
    }

    /// A target of its own, so that one in doubt stands in nobody's way.
    pub(crate) async fn target(&self, gates: Gates) -> Target {
        // A step has less time here than n8n takes to let go of a workflow that it stopped.
        let prompt = Options {
            registering: Duration::ZERO,
            releasing: Duration::ZERO,
            ..Options::default()
        };
        let engine = StandIn::start(prompt).await;
        let ids: Vec<_> = in_prod()
            .into_iter()
            .map(|document| engine.seed(document))
            .collect();
        connect(&engine, &ids);
        let environment = format!("prod-{}", unique());
        self.environment(&environment, &engine).await;
        let request = CreatePipelineRequest {
            project: self.project.slug.clone(),
            slug: environment.clone(),
            stages: vec![Stage {
                gates: Some(Gates {
                    publish: PublishMode::AsSource.into(),
                    ..gates
                }),
                ..stage("dev", &environment)
            }],
            ..Default::default()
        };
        let mut pipelines = self.project.admin.pipelines();
        pipelines.create_pipeline(request).await.granted();
        let before = picture(&engine);
        Target {
            engine,
            environment,
            before,
        }
    }

    /// Starts a promotion of these workflows; of all where there are none.
    pub(crate) async fn start(&self, target: &Target, workflows: &[&str]) -> Deployment {
        let request = StartPromotionRequest {
            project: self.project.slug.clone(),
            pipeline: target.environment.clone(),
            target: target.environment.clone(),
            workflows: workflows.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        let mut deployments = self.project.admin.deployments();
        let started = deployments.start_promotion(request).await.granted();
        started.deployment.unwrap()
    }

    /// Plans a promotion of everything, and says how many calls of the target this takes.
    pub(crate) async fn plan(&self, target: &Target) -> usize {
        let before = target.engine.calls().len();
        let request = PlanPromotionRequest {
            project: self.project.slug.clone(),
            pipeline: target.environment.clone(),
            target: target.environment.clone(),
            workflows: Vec::new(),
        };
        let mut deployments = self.project.admin.deployments();
        deployments.plan_promotion(request).await.granted();
        target.engine.calls().len() - before
    }

    pub(crate) async fn get(&self, deployment: &Deployment) -> Deployment {
        self.get_from(&self.project.admin, deployment).await
    }

    /// The deployment as a server that this client is connected to tells it.
    pub(crate) async fn get_from(&self, client: &Client, deployment: &Deployment) -> Deployment {
        let request = GetDeploymentRequest {
            project: self.project.slug.clone(),
            deployment: deployment.deployment_id.clone(),
        };
        let found = client.deployments().get_deployment(request).await.granted();
        found.deployment.unwrap()
    }

    /// The deployment when it is over or in doubt.
    pub(crate) async fn over(&self, deployment: &Deployment) -> Deployment {
        let begin = Instant::now();
        loop {
            let found = self.get(deployment).await;
            if is_settled(&found) {
                return found;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "{found:?}\n{}",
                self.world.server.log_tail()
            );
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// What the source holds.
    pub(crate) fn source(&self) -> Picture {
        picture(&self.dev)
    }

    /// Starts the server again after its end.
    pub(crate) async fn restart(&mut self) {
        self.world.server.restart().await;
        let admin = self.world.server.admin().await;
        self.project.admin = admin.known_as(&*self.project.admin.principal_id);
        self.world.admin = self.project.admin.clone();
    }
}

pub(crate) fn is_settled(deployment: &Deployment) -> bool {
    deployment.finished_time.is_some() || deployment.state() == DeploymentState::InDoubt
}

impl Target {
    pub(crate) fn picture(&self) -> Picture {
        picture(&self.engine)
    }

    /// Effects that came twice: workflows of one name, and calls that did the same to one workflow. Nothing in these
    /// promotions is done twice to one of them, but for the two that are connected.
    pub(crate) fn duplicated(&self) -> Vec<String> {
        let mut told = Vec::new();
        if self.picture().len() < self.engine.ids().len() {
            told.push(format!("several of a name among {:?}", self.engine.ids()));
        }
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (path, effect) in self.engine.effects() {
            let kind = match effect {
                Effect::Created | Effect::Touched => continue,
                Effect::Changed { .. } => "changed",
                other => &format!("{other:?}"),
            };
            *seen.entry(format!("{path} {kind}")).or_default() += 1;
        }
        let twice = seen.into_iter().filter(|(_, times)| *times > 1);
        told.extend(twice.map(|(what, times)| format!("{what} {times} times")));
        told
    }
}

fn picture(engine: &StandIn) -> Picture {
    let ids = engine.ids();
    let rows: Vec<_> = ids.iter().filter_map(|id| engine.workflow(id)).collect();
    let name = |row: &Value| row["name"].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| {
            // What an engine makes up for itself is left out.
            let nodes = row["nodes"].as_array().unwrap().iter();
            let parameters = nodes.map(|node| node["parameters"].to_string());
            let mut text = parameters.collect::<Vec<_>>().join("\n");
            for (id, row) in ids.iter().zip(&rows) {
                text = text.replace(&format!("\"{id}\""), &format!("\"of {}\"", name(row)));
            }
            (name(row), (row["active"].as_bool().unwrap(), text))
        })
        .collect()
}

/// Points seeds at each other, by name.
fn connect(engine: &StandIn, ids: &[String]) {
    let named: Vec<_> = ids
        .iter()
        .map(|id| {
            (
                format!(
                    "of {}",
                    engine.workflow(id).unwrap()["name"].as_str().unwrap()
                ),
                id,
            )
        })
        .collect();
    for id in ids {
        let active = engine.workflow(id).unwrap()["active"].as_bool().unwrap();
        engine.edit(id, |fields| {
            let mut text = Value::Object(fields.clone()).to_string();
            for (name, id) in &named {
                text = text.replace(&format!("\"{name}\""), &format!("\"{id}\""));
            }
            let Ok(Value::Object(changed)) = serde_json::from_str(&text) else {
                panic!("no object: {text}");
            };
            *fields = changed;
        });
        assert_eq!(
            engine.workflow(id).unwrap()["active"].as_bool(),
            Some(active)
        );
    }
}

/// A workflow that has a webhook; `calls` names the one that it calls.
fn document(name: &str, active: bool, path: &str, calls: Option<&str>) -> Value {
    let mut nodes = vec![
        json!({"id": "1", "name": "Hook", "type": "n8n-nodes-base.webhook",
        "typeVersion": 1, "position": [0, 0], "parameters": {"path": path}, "webhookId": path}),
    ];
    if let Some(called) = calls {
        nodes.push(json!({"id": "2", "name": "Call", "type": "n8n-nodes-base.executeWorkflow",
            "typeVersion": 1, "position": [200, 0],
            "parameters": {"workflowId": {"__rl": true, "mode": "id", "value": format!("of {called}")}}}));
    }
    json!({"name": name, "active": active, "nodes": nodes, "connections": {}, "settings": {}})
}

/// One to create, one to change that calls it, two that call each other, one to stop.
fn in_dev() -> Vec<Value> {
    vec![
        document("Mail", true, "mail", None),
        document("Orders", true, "orders-v2", Some("Mail")),
        document("Ping", false, "ping", Some("Pong")),
        document("Pong", false, "pong", Some("Ping")),
        document("Quiet", false, "quiet-v2", None),
    ]
}

fn in_prod() -> Vec<Value> {
    vec![
        document("Orders", false, "orders", None),
        document("Quiet", true, "quiet", None),
    ]
}
