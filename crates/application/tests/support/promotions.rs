//! Promotions between folders, with snapshots in a local repository.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use slipway_application::Context;
use slipway_application::deployments::executor::{Ended, Executor, Limits};
use slipway_application::deployments::{
    PlanPromotion, StartPromotion, get_deployment, start_promotion,
};
use slipway_application::environments::{CreateEnvironment, create_environment};
use slipway_application::snapshots::{CreateSnapshot, create_snapshot};
use slipway_deployments::{Deployment, DeploymentName, Gates, Pipeline, Publish, Stage, State};
use slipway_identity::Caller;
use slipway_kernel::{PipelineId, Revision, Tier};
use slipway_workflows::{CredentialTarget, EngineSettings};
use tempfile::TempDir;

use super::outside::{Bare, Folders};
use super::{by, installation, new_environment, slug};

/// A project with folders `dev` and `prod` as engines, a pipeline between them, and a local repository.
pub struct World {
    pub context: Arc<Context>,
    pub admin: Caller,
    pub directory: TempDir,
}

impl World {
    pub async fn new(gates: Gates) -> Self {
        Self::with(gates, Folders::default()).await
    }

    pub async fn with(gates: Gates, folders: Folders) -> Self {
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

    pub fn folder(&self, environment: &str) -> PathBuf {
        self.directory.path().join(environment)
    }

    pub async fn set_up(&self, gates: Gates) {
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

    pub fn write(&self, environment: &str, file: &str, document: &Value) {
        let text = serde_json::to_vec(document).unwrap();
        fs::write(self.folder(environment).join(file), text).unwrap();
    }

    pub fn read(&self, environment: &str, file: &str) -> Value {
        let text = fs::read(self.folder(environment).join(file)).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    pub fn promotion() -> PlanPromotion {
        PlanPromotion {
            project: slug("default"),
            pipeline: slug("mainline"),
            target: slug("prod"),
            workflows: None,
        }
    }

    pub async fn promote(&self) -> Deployment {
        let command = StartPromotion {
            promotion: Self::promotion(),
            plan_digest: None,
        };
        let started = start_promotion(&self.context, &by(&self.admin), command).await;
        let started = started.expect("starts");
        assert_eq!(started.state, State::Queued);
        self.carry_out(&started).await
    }

    pub async fn carry_out(&self, started: &Deployment) -> Deployment {
        let executor = Executor::new(Arc::clone(&self.context), "test", Limits::default());
        let ended = executor.carry_out_one(|| false).await.expect("carried out");
        assert_eq!(ended, Ended::Settled);
        self.deployment(started).await
    }

    pub async fn deployment(&self, started: &Deployment) -> Deployment {
        let name = DeploymentName::Number(started.number);
        get_deployment(&self.context, &by(&self.admin), &slug("default"), name)
            .await
            .expect("found")
    }

    pub async fn backup(&self, environment: &str) -> slipway_snapshots::Snapshot {
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
    pub fn git(&self, arguments: &[&str]) -> Option<String> {
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

pub fn callee() -> Value {
    json!({"name": "Send mail", "active": true, "tags": ["mail"],
        "nodes": [{"id": "1", "name": "Start", "type": "n8n-nodes-base.executeWorkflowTrigger", "typeVersion": 1,
            "position": [0, 0], "parameters": {}}],
        "connections": {}, "settings": {"executionOrder": "v1"}})
}

pub fn caller(of: &str) -> Value {
    json!({"name": "Orders", "active": true,
        "nodes": [
            {"id": "1", "name": "Hook", "type": "n8n-nodes-base.webhook", "typeVersion": 1, "position": [0, 0],
                "parameters": {"path": "orders"},
                "credentials": {"httpBasicAuth": {"id": "d1", "name": "Shop dev"}}},
            {"id": "2", "name": "Mail", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1,
                "position": [200, 0], "parameters": {"workflowId": {"__rl": true, "mode": "id", "value": of}}}],
        "connections": {"Hook": {"main": [[{"node": "Mail", "type": "main", "index": 0}]]}}, "settings": {}})
}

pub fn as_source() -> Gates {
    Gates {
        publish: Publish::AsSource,
        ..Gates::default()
    }
}
