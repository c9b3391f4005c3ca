//! Snapshots on GitHub, and without it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use slipway_api::deployments::v1::{Deployment, DeploymentState};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::snapshots::v1::{CreateSnapshotRequest, RestoreSnapshotRequest, Snapshot};
use slipway_github_stand_in::{self as stand_in, Access, Fault, StandIn, When};
use slipway_tests::world::workflow;
use slipway_tests::{Backend, Granted, Project, Refused, World};
use tempfile::TempDir;
use tonic::Code;

use super::promotions::Way;
use crate::case::cases;

cases![
    snapshots_are_taken_and_restored_while_github_is_away,
    what_github_refuses_is_told,
];

/// How long the server may take to see that GitHub is back, and to bring what waits.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server whose project `shop` has a repository on a GitHub.
struct OnGitHub {
    github: Option<StandIn>,
    world: World,
    way: Way,
    secrets: TempDir,
}

impl OnGitHub {
    /// `None` where Git is missing, which has been said then.
    async fn new(backend: Backend) -> Option<Self> {
        if !stand_in::available() {
            return None;
        }
        let github = StandIn::start(stand_in::Options {
            repository: "slipway-shop".to_owned(),
            empty: true,
            ..stand_in::Options::default()
        })
        .await;
        let secrets = tempfile::tempdir().unwrap();
        let token = token_file(&secrets);
        fs::write(&token, "ghp_write\n").unwrap();
        let world = World::own_with(
            backend,
            &[
                ("SLIPWAY__GIT__STORE", "github"),
                ("SLIPWAY__GIT__GITHUB__BASE_URL", &github.base_url()),
                ("SLIPWAY__GIT__GITHUB__OWNER", "octo-org"),
                (
                    "SLIPWAY__GIT__GITHUB__TOKEN",
                    &format!("file:{}", token.display()),
                ),
            ],
        )
        .await;
        let project = Project::named(&world.admin, "shop".to_owned()).await;
        let workflows = [("a", workflow("Orders"))];
        let way = Way::of(project, &world.server, &workflows).await;
        Some(Self {
            github: Some(github),
            world,
            way,
            secrets,
        })
    }

    fn github(&self) -> &StandIn {
        self.github.as_ref().expect("not gone yet")
    }

    /// What the branch of `prod` points to on GitHub, by Git's own word.
    async fn on_github(&self) -> String {
        let format = "--format=%(objectname)";
        let arguments = ["for-each-ref", format, "refs/heads/env/prod"];
        self.github().git(&arguments).await
    }

    async fn restore(&self, snapshot: &Snapshot) -> Deployment {
        let request = RestoreSnapshotRequest {
            project: self.way.project.slug.clone(),
            snapshot_id: snapshot.snapshot_id.clone(),
            ..Default::default()
        };
        let mut snapshots = self.way.project.admin.snapshots();
        let asked = snapshots.restore_snapshot(request).await.granted();
        self.way.over(&asked.deployment.unwrap()).await
    }

    /// Ends a case: no secret was told.
    fn finish(&self) {
        assert!(!self.world.server.log().contains("ghp_"));
    }
}

fn backing_up(project: &str) -> CreateSnapshotRequest {
    CreateSnapshotRequest {
        project: project.to_owned(),
        environment: "prod".to_owned(),
        ..Default::default()
    }
}

fn token_file(secrets: &TempDir) -> PathBuf {
    secrets.path().join("token")
}

fn flag(deployment: &Deployment) -> &str {
    assert_eq!(
        deployment.state(),
        DeploymentState::Succeeded,
        "{deployment:?}"
    );
    deployment.problem.as_ref().map_or("", |told| &told.reason)
}

async fn snapshots_are_taken_and_restored_while_github_is_away(backend: Backend) {
    let Some(mut on) = OnGitHub::new(backend).await else {
        return;
    };
    let empty = on.way.backup("before all").await;
    assert_eq!(on.on_github().await, empty.git_commit_sha);
    let first = on.way.over(&on.way.start().await).await;
    assert_eq!(flag(&first), "");
    let after = on.way.snapshot(&first.post_snapshot_id).await;
    assert_eq!(on.on_github().await, after.git_commit_sha);

    // GitHub goes away: a promotion and the way back go on, and say what they lack.
    on.github()
        .plan(When::next().times(100_000), Fault::DropBefore);
    on.way.write("b.json", &workflow("Mail"));
    let second = on.way.over(&on.way.start().await).await;
    assert_eq!(flag(&second), "SNAPSHOTS_NOT_PUBLISHED");
    assert_eq!(on.way.in_prod(), ["Mail.json", "Orders.json"]);
    let restored = on.restore(&empty).await;
    assert_eq!(flag(&restored), "SNAPSHOTS_NOT_PUBLISHED");
    assert!(on.way.in_prod().is_empty());
    assert_eq!(on.on_github().await, after.git_commit_sha);

    // It comes back: what waited is brought, under the same hashes.
    on.github().clear_faults();
    let last = on.way.snapshot(&restored.post_snapshot_id).await;
    let begin = Instant::now();
    while on.on_github().await != last.git_commit_sha {
        assert!(begin.elapsed() < PATIENCE, "nothing was brought");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let between = on.way.snapshot(&second.post_snapshot_id).await;
    let kind = ["cat-file", "-t", &between.git_commit_sha];
    assert_eq!(on.github().git(&kind).await, "commit");
    on.github().git(&["fsck", "--strict", "--full"]).await;

    // It goes for good, and the server starts anew.
    on.finish();
    let OnGitHub { github, world, .. } = &mut on;
    drop(github.take());
    world.server.kill().await;
    world.server.restart().await;
    on.way.project.admin = on.world.server.admin().await;
    let again = on.restore(&between).await;
    assert_eq!(flag(&again), "SNAPSHOTS_NOT_PUBLISHED");
    assert_eq!(on.way.in_prod(), ["Mail.json", "Orders.json"]);
    on.finish();
}

async fn what_github_refuses_is_told(backend: Backend) {
    let Some(on) = OnGitHub::new(backend).await else {
        return;
    };
    let mut snapshots = on.way.project.admin.snapshots();
    on.github().revoke_all();
    let refused = snapshots.create_snapshot(backing_up("shop")).await;
    let refused = refused.refused(Code::FailedPrecondition, ErrorReason::GitRefused);
    assert!(refused.message().contains("renew them"), "{refused:?}");
    let failed = on.way.over(&on.way.start().await).await;
    assert_eq!(failed.state(), DeploymentState::Failed, "{failed:?}");
    assert_eq!(failed.problem.unwrap().reason, "PRE_SNAPSHOT_FAILED");
    assert!(on.way.in_prod().is_empty());

    // A new token is taken up without a restart.
    on.github().grant("ghp_renewed", Access::Write);
    fs::write(token_file(&on.secrets), "ghp_renewed").unwrap();
    let done = on.way.over(&on.way.start().await).await;
    assert_eq!(flag(&done), "");

    // Another project has no repository, and the answer says which one to make.
    let other = Project::named(&on.world.admin, "other".to_owned()).await;
    let folder = on.world.server.workflows(&[]);
    other.environment_on("prod", &folder).await;
    let refused = snapshots.create_snapshot(backing_up("other")).await;
    let refused = refused.refused(Code::FailedPrecondition, ErrorReason::GitRefused);
    for part in ["octo-org/slipway-other", "create it"] {
        assert!(refused.message().contains(part), "{refused:?}");
    }
    on.finish();
}
