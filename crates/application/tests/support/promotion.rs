//! A pipeline from `dev` to `prod`, whose engines are folders, with snapshots in Git.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use slipway_application::Context;
use slipway_application::deployments::executor::{Ended, Executor, Limits};
use slipway_application::deployments::{
    PlanPromotion, StartPromotion, get_deployment, start_promotion,
};
use slipway_application::environments::{CreateEnvironment, create_environment};
use slipway_application::outside::Repositories;
use slipway_application::snapshots::{
    CreateSnapshot, RestoreSnapshot, SnapshotError, create_snapshot, restore_snapshot,
};
use slipway_deployments::{Deployment, DeploymentName, Gates, Pipeline, Publish, Stage, State};
use slipway_identity::Caller;
use slipway_kernel::{PipelineId, Revision, SnapshotId, Tier};
use slipway_workflows::{CredentialTarget, EngineSettings};
use tempfile::TempDir;

use super::outside::{Bare, Folders};
use super::{by, installation, new_environment, slug};

/// The installation, and what its tests do with it.
pub(crate) struct World {
    pub(crate) context: Arc<Context>,
    pub(crate) admin: Caller,
    pub(crate) directory: TempDir,
}

impl World {
    pub(crate) async fn new(gates: Gates) -> Self {
        Self::with(gates, Folders::default()).await
    }

    pub(crate) async fn with(gates: Gates, folders: Folders) -> Self {
        Self::on(gates, folders, |directory| {
            let repositories = Bare(directory.join("git"));
            fs::create_dir_all(&repositories.0).unwrap();
            Arc::new(repositories)
        })
        .await
    }

    /// With the repositories that are made in the installation's directory.
    pub(crate) async fn on(
        gates: Gates,
        folders: Folders,
        repositories: impl FnOnce(&Path) -> Arc<dyn Repositories>,
    ) -> Self {
        let installation = installation().await;
        let repositories = repositories(installation.directory.path());
        let (admin, directory) = (installation.admin.clone(), installation.directory);
        let context = installation
            .context
            .with_outside(Arc::new(folders), repositories);
        let world = Self {
            context: Arc::new(context),
            admin,
            directory,
        };
        world.set_up(gates).await;
        world
    }

    pub(crate) fn folder(&self, environment: &str) -> PathBuf {
        self.directory.path().join(environment)
    }

    async fn set_up(&self, gates: Gates) {
        let project = self.context.reader().project(&slug("default")).await;
        let project = project.unwrap().unwrap().id;
        let mut ids = Vec::new();
        for (name, tier) in [("dev", Tier::Development), ("prod", Tier::Testing)] {
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

    pub(crate) fn write(&self, environment: &str, file: &str, document: &Value) {
        let text = serde_json::to_vec(document).unwrap();
        fs::write(self.folder(environment).join(file), text).unwrap();
    }

    pub(crate) fn read(&self, environment: &str, file: &str) -> Value {
        let text = fs::read(self.folder(environment).join(file)).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    pub(crate) fn promotion() -> PlanPromotion {
        PlanPromotion {
            project: slug("default"),
            pipeline: slug("mainline"),
            target: slug("prod"),
            workflows: None,
        }
    }

    pub(crate) async fn promote(&self) -> Deployment {
        let command = StartPromotion {
            promotion: Self::promotion(),
            plan_digest: None,
        };
        let started = start_promotion(&self.context, &by(&self.admin), command).await;
        let started = started.expect("starts");
        assert_eq!(started.state, State::Queued);
        self.carry_out(&started).await
    }

    pub(crate) async fn carry_out(&self, started: &Deployment) -> Deployment {
        let executor = Executor::new(Arc::clone(&self.context), "test", Limits::default());
        let ended = executor.carry_out_one(|| false).await.expect("carried out");
        assert_eq!(ended, Ended::Settled);
        self.deployment(started).await
    }

    pub(crate) async fn deployment(&self, started: &Deployment) -> Deployment {
        let name = DeploymentName::Number(started.number);
        get_deployment(&self.context, &by(&self.admin), &slug("default"), name)
            .await
            .expect("found")
            .0
    }

    pub(crate) async fn backup(&self, environment: &str) -> slipway_snapshots::Snapshot {
        self.try_backup(environment).await.expect("a snapshot")
    }

    pub(crate) async fn try_backup(
        &self,
        environment: &str,
    ) -> Result<slipway_snapshots::Snapshot, SnapshotError> {
        let command = CreateSnapshot {
            project: slug("default"),
            environment: slug(environment),
            notes: "before we begin".parse().unwrap(),
        };
        create_snapshot(&self.context, &by(&self.admin), command).await
    }

    pub(crate) async fn restore(&self, snapshot: SnapshotId) -> Deployment {
        let command = RestoreSnapshot {
            project: slug("default"),
            snapshot,
        };
        let restore = restore_snapshot(&self.context, &by(&self.admin), command).await;
        self.carry_out(&restore.expect("asked for")).await
    }

    /// What git says about the repository; `None` where there is no git.
    pub(crate) fn git(&self, arguments: &[&str]) -> Option<String> {
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

pub(crate) fn callee() -> Value {
    json!({"name": "Send mail", "active": true, "tags": ["mail"],
        "nodes": [{"id": "1", "name": "Start", "type": "n8n-nodes-base.executeWorkflowTrigger", "typeVersion": 1,
            "position": [0, 0], "parameters": {}}],
        "connections": {}, "settings": {"executionOrder": "v1"}})
}

pub(crate) fn caller(of: &str) -> Value {
    json!({"name": "Orders", "active": true,
        "nodes": [
            {"id": "1", "name": "Hook", "type": "n8n-nodes-base.webhook", "typeVersion": 1, "position": [0, 0],
                "parameters": {"path": "orders"},
                "credentials": {"httpBasicAuth": {"id": "d1", "name": "Shop dev"}}},
            {"id": "2", "name": "Mail", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1,
                "position": [200, 0], "parameters": {"workflowId": {"__rl": true, "mode": "id", "value": of}}}],
        "connections": {"Hook": {"main": [[{"node": "Mail", "type": "main", "index": 0}]]}}, "settings": {}})
}

pub(crate) fn as_source() -> Gates {
    Gates {
        publish: Publish::AsSource,
        ..Gates::default()
    }
}
