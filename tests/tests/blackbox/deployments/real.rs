//! Real workflows, where they are at hand: promoted, changed, changed by somebody else, and put back; and the story that
//! Git tells of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use slipway_api::catalog::v1::{CredentialMapping, SetCredentialMappingRequest};
use slipway_api::deployments::v1::{DeploymentState, ItemChange};
use slipway_api::snapshots::v1::{DetectDriftRequest, RestoreSnapshotRequest};
use slipway_tests::{Backend, Granted, World};

use super::promotions::Way;
use crate::case::cases;

cases![real_workflows_are_promoted_and_put_back];

/// How many workflows the folder has.
const WORKFLOWS: usize = 35;

/// The files of real workflows beside the project, where it is laid out like that.
fn corpus() -> Option<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/workflows");
    if !folder.is_dir() {
        return None;
    }
    let mut files = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "json") {
                files.push(path);
            }
        }
    }
    files.sort_unstable();
    Some(files)
}

/// What git says about a repository.
fn git(repository: &Path, arguments: &[&str]) -> String {
    let asked = Command::new("git")
        .arg("--git-dir")
        .arg(repository)
        .args(arguments)
        .output()
        .expect("git runs");
    let told = String::from_utf8_lossy(&asked.stderr);
    assert!(asked.status.success(), "git {arguments:?}: {told}");
    String::from_utf8(asked.stdout).expect("text")
}

/// Credentials of the source by kind and name.
fn credentials(document: &Value, found: &mut BTreeSet<(String, String)>) {
    for node in document["nodes"].as_array().into_iter().flatten() {
        for (kind, used) in node["credentials"].as_object().into_iter().flatten() {
            found.insert((
                kind.clone(),
                used["name"].as_str().unwrap_or_default().to_owned(),
            ));
        }
    }
}

async fn real_workflows_are_promoted_and_put_back(backend: Backend) {
    let Some(files) = corpus() else {
        slipway_test_support::absent("no ../shared/corpus/workflows beside the project");
        return;
    };
    let way = Way::new(backend, &[]).await;
    let mut used = BTreeSet::new();
    for file in &files {
        let bytes = std::fs::read(file).unwrap();
        credentials(&serde_json::from_slice(&bytes).unwrap(), &mut used);
        std::fs::write(way.dev.join(file.file_name().unwrap()), bytes).unwrap();
    }

    // Without a mapping, every credential that would be missing is named.
    let plan = way.plan().await;
    assert!(!used.is_empty());
    for (_, name) in &used {
        let told = plan
            .problems
            .iter()
            .any(|problem| problem.message.contains(name));
        assert!(told, "{name}: {:?}", plan.problems);
    }
    way.map_credentials(&used).await;
    let plan = way.plan().await;
    assert_eq!(plan.items.len(), WORKFLOWS);
    assert!(
        plan.items
            .iter()
            .all(|item| item.change() == ItemChange::Created)
    );
    let first = way.over(&way.start().await).await;
    assert_eq!(first.state(), DeploymentState::Succeeded, "{first:?}");
    let first_snapshot = way.snapshot(&first.post_snapshot_id).await;
    assert_eq!(first_snapshot.workflow_count, 35);

    // One changes, and only that one is promoted.
    let changed = way.dev.join(files[0].file_name().unwrap());
    let mut document: Value = serde_json::from_slice(&std::fs::read(&changed).unwrap()).unwrap();
    document["nodes"][0]["notes"] = json!("looked at");
    std::fs::write(&changed, document.to_string()).unwrap();
    let second = way.over(&way.start().await).await;
    assert_eq!(second.state(), DeploymentState::Succeeded, "{second:?}");
    let counts = second.counts.unwrap();
    assert_eq!((counts.updated, counts.unchanged), (1, 34));

    // Somebody changes one in prod, and removes another.
    let in_prod = way.in_prod();
    let edited = way.prod.join(&in_prod[1]);
    let mut document: Value = serde_json::from_slice(&std::fs::read(&edited).unwrap()).unwrap();
    document["nodes"][0]["disabled"] = json!(true);
    std::fs::write(&edited, document.to_string()).unwrap();
    std::fs::remove_file(way.prod.join(&in_prod[2])).unwrap();
    let mut snapshots = way.project.admin.snapshots();
    let request = DetectDriftRequest {
        project: way.project.slug.clone(),
        environment: "prod".to_owned(),
        ..Default::default()
    };
    let drift = snapshots.detect_drift(request).await.granted();
    assert!(!drift.in_sync);
    let found = drift.comparison.unwrap();
    assert_eq!(
        (found.changed_count, found.removed_count),
        (1, 1),
        "{found:?}"
    );
    assert_eq!(
        (found.added_count, found.unchanged_count),
        (0, 33),
        "{found:?}"
    );
    let request = RestoreSnapshotRequest {
        project: way.project.slug.clone(),
        snapshot_id: first_snapshot.snapshot_id.clone(),
        ..Default::default()
    };
    let asked = snapshots.restore_snapshot(request).await.granted();
    let restored = way.over(&asked.deployment.unwrap()).await;
    assert_eq!(restored.state(), DeploymentState::Succeeded, "{restored:?}");
    let last = way.snapshot(&restored.post_snapshot_id).await;
    assert_eq!(last.content_hash, first_snapshot.content_hash);
    assert_eq!(way.in_prod(), in_prod);

    // Git tells the story: who did what, when, and what came of it.
    let repository = way.repository(backend).await;
    let log = git(&repository, &["log", "--format=%s", "env/prod"]);
    let told = [
        "prod: after restore #3, 1 created, 2 updated",
        "prod: before restore #3",
        "prod: after promotion #2, 1 updated",
        "prod: after promotion #1, 35 created",
        "prod: before promotion #1",
    ];
    assert_eq!(log.lines().collect::<Vec<_>>(), told);
    let two_ago = format!("{}..{}", first_snapshot.git_commit_sha, last.git_commit_sha);
    assert_eq!(git(&repository, &["diff", "--stat", &two_ago]), "");
    let second_snapshot = way.snapshot(&second.post_snapshot_id).await;
    let step = format!(
        "{}..{}",
        first_snapshot.git_commit_sha, second_snapshot.git_commit_sha
    );
    let difference = git(&repository, &["diff", "--unified=0", &step]);
    assert!(
        difference.contains("+      \"notes\": \"looked at\""),
        "{difference}"
    );
}

impl Way {
    /// Says which credentials prod has for these.
    async fn map_credentials(&self, used: &BTreeSet<(String, String)>) {
        let mappings = used.iter().map(|(kind, name)| CredentialMapping {
            r#type: kind.clone(),
            name: name.clone(),
            target_id: format!("prod {name}"),
            target_name: format!("{name} (prod)"),
        });
        let request = SetCredentialMappingRequest {
            project: self.project.slug.clone(),
            environment: "prod".to_owned(),
            mappings: mappings.collect(),
            ..Default::default()
        };
        let mut environments = self.project.admin.environments();
        environments.set_credential_mapping(request).await.granted();
    }

    /// The project's repository, for git itself.
    async fn repository(&self, backend: Backend) -> PathBuf {
        let world = World::shared(backend).await;
        let name = format!("{}.git", self.project.slug);
        world.server.state().join("git").join(name)
    }
}
