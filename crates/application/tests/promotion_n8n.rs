//! Promotions of real workflows to n8n, which a stand-in plays.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use slipway_application::Context;
use slipway_application::deployments::executor::{Ended, Executor, Limits};
use slipway_application::deployments::{
    DeploymentError, PlanPromotion, StartPromotion, get_deployment, plan_promotion, start_promotion,
};
use slipway_application::environments::create_environment;
use slipway_application::outside::{Engines, NotAllowed, Repositories};
use slipway_deployments::{
    Change, Deployment, DeploymentName, Gates, ItemStatus, OnFailure, Pipeline, Publish, Stage,
    State,
};
use slipway_directory::WorkflowDirectory;
use slipway_identity::Caller;
use slipway_kernel::{PipelineId, Revision, Slug};
use slipway_n8n::{ApiKey, N8n, Options};
use slipway_n8n_stand_in::StandIn;
use slipway_snapshots::{GitError, GitStore};
use slipway_workflows::{CredentialTarget, EngineSettings, Workflow, WorkflowEngine};
use support::outside::Bare;
use support::{by, installation, new_environment, slug};
use tempfile::TempDir;

/// Folders, and the stand-in.
struct Both {
    n8n: Arc<N8n>,
}

impl Engines for Both {
    fn open(&self, settings: &EngineSettings) -> Result<Arc<dyn WorkflowEngine>, NotAllowed> {
        Ok(match settings {
            EngineSettings::Directory { path } => Arc::new(WorkflowDirectory::new(path)),
            EngineSettings::N8n { .. } => Arc::clone(&self.n8n) as Arc<dyn WorkflowEngine>,
        })
    }
}

/// Repositories in a folder that is made first.
struct Made(Bare);

#[async_trait]
impl Repositories for Made {
    async fn open(&self, project: &Slug) -> Result<Arc<dyn GitStore>, GitError> {
        std::fs::create_dir_all(&self.0.0).expect("made");
        self.0.open(project).await
    }
}

struct World {
    context: Arc<Context>,
    admin: Caller,
    stand_in: StandIn,
    _directory: TempDir,
}

/// The folder of real workflows beside the project, where there is one.
fn corpus() -> Option<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/workflows");
    place.is_dir().then_some(place)
}

/// Every workflow below a folder.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|end| end == "json") {
            found.push(path);
        }
    }
}

impl World {
    async fn new(corpus: &Path, gates: Gates) -> Self {
        let stand_in = StandIn::start(slipway_n8n_stand_in::Options::default()).await;
        let options = Options::new(&stand_in.url, ApiKey::new(&stand_in.api_key));
        let n8n = Arc::new(N8n::new(&options).expect("options"));
        let installation = installation().await;
        let folder = installation.directory.path().join("dev");
        std::fs::create_dir(&folder).unwrap();
        let mut paths = Vec::new();
        documents(corpus, &mut paths);
        let mut used = BTreeSet::new();
        for path in paths {
            let bytes = std::fs::read(&path).unwrap();
            let name = path.file_stem().unwrap().to_string_lossy();
            let workflow = Workflow::from_json(&bytes, &name).expect("a workflow");
            let credentials = workflow.references().credentials;
            used.extend(credentials.into_iter().map(|used| (used.kind, used.name)));
            std::fs::write(folder.join(path.file_name().unwrap()), bytes).unwrap();
        }
        let repositories = Made(Bare(installation.directory.path().join("git")));
        let (admin, directory) = (installation.admin.clone(), installation.directory);
        let context = installation
            .context
            .with_outside(Arc::new(Both { n8n }), Arc::new(repositories));
        let world = Self {
            context: Arc::new(context),
            admin,
            stand_in,
            _directory: directory,
        };
        let targets = used.into_iter().map(|(kind, name)| CredentialTarget {
            target_id: format!("of {name}"),
            target_name: format!("{name} (prod)"),
            kind,
            name,
        });
        world
            .set_up(&folder, &targets.collect::<Vec<_>>(), gates)
            .await;
        world
    }

    async fn set_up(&self, folder: &Path, credentials: &[CredentialTarget], gates: Gates) {
        let project = self.context.reader().project(&slug("default")).await;
        let project = project.unwrap().unwrap().id;
        let mut ids = Vec::new();
        for (name, settings) in [
            (
                "dev",
                EngineSettings::Directory {
                    path: folder.display().to_string(),
                },
            ),
            (
                "prod",
                EngineSettings::N8n {
                    base_url: self.stand_in.url.clone(),
                    api_key: "env:N8N_KEY".to_owned(),
                },
            ),
        ] {
            let command = new_environment(name);
            let environment = create_environment(&self.context, &by(&self.admin), command)
                .await
                .expect("created")
                .id;
            let mut unit = self.context.store.begin().await.unwrap();
            let engines = unit.engines();
            engines
                .set_engine(environment, Some(&settings))
                .await
                .unwrap();
            engines
                .set_credentials(environment, credentials)
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

    async fn start(&self) -> Result<Deployment, DeploymentError> {
        let command = StartPromotion {
            promotion: promotion(),
            plan_digest: None,
        };
        start_promotion(&self.context, &by(&self.admin), command).await
    }

    async fn promote(&self) -> Deployment {
        let started = self.start().await.expect("starts");
        let executor = Executor::new(Arc::clone(&self.context), "test", Limits::default());
        let ended = executor.carry_out_one(|| false).await.expect("carried out");
        assert_eq!(ended, Ended::Settled);
        let name = DeploymentName::Number(started.number);
        get_deployment(&self.context, &by(&self.admin), &slug("default"), name)
            .await
            .expect("found")
            .0
    }
}

fn promotion() -> PlanPromotion {
    PlanPromotion {
        project: slug("default"),
        pipeline: slug("mainline"),
        target: slug("prod"),
        workflows: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_workflows_are_promoted_to_n8n_once() {
    let Some(corpus) = corpus() else {
        slipway_test_support::absent("no ../shared/corpus/workflows beside the project");
        return;
    };
    let gates = Gates {
        publish: Publish::Deactivate,
        ..Gates::default()
    };
    let world = World::new(&corpus, gates).await;
    let done = world.promote().await;
    let problems: Vec<_> = done
        .items
        .iter()
        .filter_map(|item| item.problem.as_ref())
        .collect();
    assert_eq!(
        done.state,
        State::Succeeded,
        "{:?} {problems:?}",
        done.problem
    );
    assert_eq!(done.items.len(), 35);
    assert_eq!(world.stand_in.ids().len(), 35);

    // Again there is nothing to do, and nothing is written.
    world.stand_in.forget_calls();
    let again = plan_promotion(&world.context, &by(&world.admin), &promotion()).await;
    let again = again.expect("a plan").plan;
    assert!(
        again
            .items
            .iter()
            .all(|item| item.change == Change::Unchanged)
    );
    assert!(matches!(
        world.start().await,
        Err(DeploymentError::NothingToDo)
    ));
    assert_eq!(world.stand_in.writes().len(), 0);
}

/// Two of the workflows run and share a webhook's path, which n8n lets only one of them have.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_two_workflows_share_is_the_error_of_one_item() {
    let Some(corpus) = corpus() else {
        slipway_test_support::absent("no ../shared/corpus/workflows beside the project");
        return;
    };
    let gates = Gates {
        publish: Publish::AsSource,
        on_failure: OnFailure::Keep,
        ..Gates::default()
    };
    let world = World::new(&corpus, gates).await;
    let done = world.promote().await;
    let failed: Vec<_> = done
        .items
        .iter()
        .filter(|item| item.status == ItemStatus::Failed)
        .collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    let message = &failed[0].problem.as_ref().expect("a problem").message;
    // n8n names nothing, and lets both pass where the one comes right after the other.
    for part in [
        "`invoke-n8n-agent` (POST)",
        "of the node `Webhook",
        "in use by the active workflow `",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(done.state, State::Failed);
    let succeeded = done
        .items
        .iter()
        .filter(|item| item.status == ItemStatus::Succeeded);
    assert_eq!(succeeded.count(), 34);
    println!("{message}");
}

/// What n8n shows afterwards is what the files say, but for what a file can't decide.
#[tokio::test(flavor = "multi_thread")]
async fn real_workflows_arrive_field_by_field() {
    let Some(corpus) = corpus() else {
        slipway_test_support::absent("no ../shared/corpus/workflows beside the project");
        return;
    };
    let gates = Gates {
        publish: Publish::Deactivate,
        ..Gates::default()
    };
    let world = World::new(&corpus, gates).await;
    let done = world.promote().await;
    assert_eq!(done.state, State::Succeeded, "{:?}", done.problem);
    let arrived: BTreeMap<String, Value> = world
        .stand_in
        .ids()
        .iter()
        .map(|id| world.stand_in.workflow(id).expect("it was made"))
        .map(|workflow| (text(&workflow["name"]), workflow))
        .collect();
    let mut paths = Vec::new();
    documents(&corpus, &mut paths);
    let mut compared = 0;
    for path in paths {
        let document: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let name = match &document["name"] {
            Value::String(name) => name.clone(),
            _ => path.file_stem().unwrap().to_string_lossy().into_owned(),
        };
        let there = &arrived[&name];
        for field in ["nodes", "connections", "settings", "pinData"] {
            let (sent, kept) = (settled(&document, field), settled(there, field));
            assert_eq!(sent, kept, "{field} of {name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 35 * 4);
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// A field as far as the file decides it: which credential a node gets is the mapping's; nothing pinned and nothing set are
/// the same as no such field.
fn settled(document: &Value, field: &str) -> Value {
    let empty = || Value::Object(serde_json::Map::new());
    let mut value = document.get(field).cloned().unwrap_or_else(empty);
    if value.is_null() {
        value = empty();
    }
    for node in value.as_array_mut().into_iter().flatten() {
        let Some(node) = node.as_object_mut() else {
            continue;
        };
        node.remove("credentials");
    }
    value
}
