//! Looking at snapshots, the gates that compare, and backups by the clock, on workflow engines in folders.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use prost_types::{Duration as ProtoDuration, FieldMask};
use serde_json::{Value, json};
use slipway_api::catalog::v1::{
    CreateEnvironmentRequest, Environment, GetEnvironmentRequest, ListEnvironmentsRequest,
    UpdateEnvironmentRequest,
};
use slipway_api::deployments::v1::{
    CreatePipelineRequest, DeploymentState, DriftGate, Gates, GetDeploymentRequest, Plan,
    PlanPromotionRequest, Stage, StartPromotionRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::snapshots::v1::{
    CompareSnapshotsRequest, CompareSnapshotsResponse, CreateSnapshotRequest, DetectDriftRequest,
    DetectDriftResponse, DifferenceOmitted, GetSnapshotWorkflowRequest, ListSnapshotsRequest,
    Snapshot, SnapshotContentState, SnapshotType, SnapshotWorkflow, WorkflowChangeType,
    WorkflowComparison,
};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::{stage, workflow};
use slipway_tests::{Backend, Granted, Project, Refused, World};
use tonic::{Code, Status};

use crate::case::cases;

cases![
    snapshots_are_compared_page_by_page,
    a_workflow_of_a_snapshot_is_shown_or_said_where_it_is,
    drift_is_detected,
    a_snapshot_that_is_not_what_was_kept_is_told,
    gates_let_pass_and_refuse,
    backups_are_taken_by_the_clock,
    a_backup_that_fails_is_told,
    a_backup_is_taken_once_for_a_request,
];

/// How long a deployment or a backup may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
const NO_ID: &str = "0192f0c1-2345-7abc-8def-0123456789ab";

struct Place {
    project: Project,
    /// Of `dev` and `prod`.
    folders: [PathBuf; 2],
}

impl Place {
    /// A project with the environments `dev`, which holds these workflows, and `prod`.
    async fn new(backend: Backend, workflows: &[(&str, Value)]) -> Self {
        let world = World::shared(backend).await;
        let project = world.project().await;
        let folders = [
            world.server.workflows(workflows),
            world.server.workflows(&[]),
        ];
        project.environment_on("dev", &folders[0]).await;
        project.environment_on("prod", &folders[1]).await;
        Self { project, folders }
    }

    fn write(&self, environment: &str, file: &str, document: &Value) {
        let folder = &self.folders[usize::from(environment == "prod")];
        std::fs::write(folder.join(file), document.to_string()).unwrap();
    }

    fn slug(&self) -> String {
        self.project.slug.clone()
    }

    async fn compare(
        &self,
        earlier: &str,
        later: &str,
        page_token: &str,
    ) -> Result<tonic::Response<CompareSnapshotsResponse>, Status> {
        let mut snapshots = self.project.admin.snapshots();
        let request = CompareSnapshotsRequest {
            project: self.slug(),
            earlier_snapshot_id: earlier.to_owned(),
            later_snapshot_id: later.to_owned(),
            page_size: 2,
            page_token: page_token.to_owned(),
        };
        snapshots.compare_snapshots(request).await
    }

    async fn workflow(
        &self,
        snapshot: &str,
        application: &str,
    ) -> Result<SnapshotWorkflow, Status> {
        let mut snapshots = self.project.admin.snapshots();
        let request = GetSnapshotWorkflowRequest {
            project: self.slug(),
            snapshot_id: snapshot.to_owned(),
            application: application.to_owned(),
        };
        let answer = snapshots.get_snapshot_workflow(request).await?;
        Ok(answer.into_inner().workflow.unwrap())
    }

    async fn drift(
        &self,
        environment: &str,
    ) -> Result<tonic::Response<DetectDriftResponse>, Status> {
        let mut snapshots = self.project.admin.snapshots();
        let request = DetectDriftRequest {
            project: self.slug(),
            environment: environment.to_owned(),
            ..Default::default()
        };
        snapshots.detect_drift(request).await
    }

    async fn pipeline(&self, slug: &str, source: &str, target: &str, gates: Gates) {
        let request = CreatePipelineRequest {
            project: self.slug(),
            slug: slug.to_owned(),
            stages: vec![Stage {
                gates: Some(gates),
                ..stage(source, target)
            }],
            ..Default::default()
        };
        let mut pipelines = self.project.admin.pipelines();
        pipelines.create_pipeline(request).await.granted();
    }

    async fn plan(&self, pipeline: &str, target: &str) -> Plan {
        let request = PlanPromotionRequest {
            project: self.slug(),
            pipeline: pipeline.to_owned(),
            target: target.to_owned(),
            workflows: Vec::new(),
        };
        let mut deployments = self.project.admin.deployments();
        deployments
            .plan_promotion(request)
            .await
            .granted()
            .plan
            .unwrap()
    }

    fn starting(&self, pipeline: &str, target: &str) -> StartPromotionRequest {
        StartPromotionRequest {
            project: self.slug(),
            pipeline: pipeline.to_owned(),
            target: target.to_owned(),
            ..Default::default()
        }
    }

    /// Promotes, which must succeed.
    async fn promote(&self, pipeline: &str, target: &str) {
        let mut deployments = self.project.admin.deployments();
        let started = deployments.start_promotion(self.starting(pipeline, target));
        let number = started.await.granted().deployment.unwrap().number;
        let begin = Instant::now();
        loop {
            let request = GetDeploymentRequest {
                project: self.slug(),
                deployment: number.to_string(),
            };
            let found = deployments.get_deployment(request).await.granted();
            let found = found.deployment.unwrap();
            if found.finished_time.is_some() {
                assert_eq!(found.state(), DeploymentState::Succeeded, "{found:?}");
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{found:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn environment(&self, slug: &str) -> Environment {
        let request = GetEnvironmentRequest {
            project: self.slug(),
            environment: slug.to_owned(),
        };
        let mut environments = self.project.admin.environments();
        let found = environments.get_environment(request).await.granted();
        found.environment.unwrap()
    }

    /// Sets how often an environment is backed up.
    async fn every(
        &self,
        environment: &str,
        interval: Option<ProtoDuration>,
    ) -> Result<Environment, Status> {
        let request = UpdateEnvironmentRequest {
            project: self.slug(),
            environment: environment.to_owned(),
            backup_interval: interval,
            update_mask: Some(FieldMask {
                paths: vec!["backup_interval".to_owned()],
            }),
            ..Default::default()
        };
        let mut environments = self.project.admin.environments();
        let updated = environments.update_environment(request).await?;
        Ok(updated.into_inner().environment.unwrap())
    }

    async fn backups(&self) -> Vec<Snapshot> {
        let request = ListSnapshotsRequest {
            project: self.slug(),
            r#type: SnapshotType::AutoBackup.into(),
            ..Default::default()
        };
        let mut snapshots = self.project.admin.snapshots();
        snapshots.list_snapshots(request).await.granted().snapshots
    }
}

fn seconds(seconds: i64) -> ProtoDuration {
    ProtoDuration { seconds, nanos: 0 }
}

fn changes(comparison: &WorkflowComparison) -> Vec<(&str, WorkflowChangeType)> {
    let changes = comparison.changes.iter();
    changes
        .map(|change| (change.application.as_str(), change.r#type()))
        .collect()
}

fn counts(comparison: &WorkflowComparison) -> [i32; 5] {
    [
        comparison.added_count,
        comparison.removed_count,
        comparison.changed_count,
        comparison.unchanged_count,
        comparison.unreadable_count,
    ]
}

async fn snapshots_are_compared_page_by_page(backend: Backend) {
    let files = ["a", "b", "c"].map(|name| (name, workflow(name)));
    let place = Place::new(backend, &files).await;
    let first = place.project.backup("dev").await.snapshot_id;
    let mut changed = workflow("a");
    changed["settings"] = json!({"timezone": "Europe/Berlin"});
    changed["active"] = json!(true);
    place.write("dev", "a.json", &changed);
    std::fs::remove_file(place.folders[0].join("b.json")).unwrap();
    place.write("dev", "d.json", &workflow("d"));
    let second = place.project.backup("dev").await.snapshot_id;

    let page = place.compare(&first, &second, "").await.granted();
    let comparison = page.comparison.unwrap();
    assert_eq!(counts(&comparison), [1, 1, 1, 1, 0]);
    assert_eq!(
        changes(&comparison),
        [
            ("a", WorkflowChangeType::Changed),
            ("b", WorkflowChangeType::Removed)
        ]
    );
    let [a, b] = &*comparison.changes else {
        panic!("{comparison:?}");
    };
    assert_eq!((a.active_before, a.active_after), (Some(false), Some(true)));
    assert_eq!((b.active_before, b.active_after), (Some(false), None));
    let difference: Value = serde_json::from_str(&a.difference_json).unwrap();
    assert_eq!(
        difference["settings"]["items"][0]["path"],
        "settings.timezone"
    );
    assert_eq!(a.difference_omitted(), DifferenceOmitted::Unspecified);
    assert_eq!(b.difference_json, "");

    let rest = place
        .compare(&first, &second, &page.next_page_token)
        .await
        .granted();
    let comparison = rest.comparison.unwrap();
    assert_eq!(changes(&comparison), [("d", WorkflowChangeType::Added)]);
    assert_eq!(counts(&comparison), [1, 1, 1, 1, 0]);
    assert_eq!(rest.next_page_token, "");
    // A page of another comparison is none of this one.
    let mixed = place.compare(&second, &first, &page.next_page_token).await;
    mixed.refused(Code::InvalidArgument, ErrorReason::PageTokenInvalid);
    let absent = place.compare(&first, NO_ID, "").await;
    absent.refused(Code::NotFound, ErrorReason::SnapshotNotFound);
    let malformed = place.compare("first", "", "").await;
    let malformed = malformed.refused(Code::InvalidArgument, ErrorReason::InvalidField);
    let fields = ["earlier_snapshot_id", "later_snapshot_id"];
    assert_eq!(violated_fields(&malformed), fields);
}

async fn a_workflow_of_a_snapshot_is_shown_or_said_where_it_is(backend: Backend) {
    let mut orders = workflow("Orders");
    orders["tags"] = json!(["shop", "b2b"]);
    orders["description"] = json!("Takes orders");
    orders["active"] = json!(true);
    let mut large = workflow("Large");
    large["nodes"][0]["parameters"] = json!({"text": "x".repeat(3 * 1024 * 1024)});
    let place = Place::new(backend, &[("a", orders), ("l", large)]).await;
    std::fs::write(place.folders[0].join("broken.json"), "{").unwrap();
    let snapshot = place.project.backup("dev").await;
    let id = snapshot.snapshot_id;

    let found = place.workflow(&id, "Orders").await.expect("found");
    assert_eq!(
        (found.display_name.as_str(), found.workflow_id.as_str()),
        ("Orders", "a")
    );
    assert_eq!((found.active, found.archived), (true, false));
    assert_eq!(found.tags, ["b2b", "shop"]);
    assert_eq!(found.description, "Takes orders");
    assert_eq!(found.content_state(), SnapshotContentState::Included);
    let size = usize::try_from(found.content_size);
    assert_eq!(size, Ok(found.content.len()));
    assert_eq!(
        (found.document_hash.len(), found.state_hash.len()),
        (64, 64)
    );
    let content: Value = serde_json::from_str(&found.content).unwrap();
    assert_eq!(content["nodes"][0]["name"], "Start");

    let found = place.workflow(&id, "Large").await.expect("found");
    assert_eq!(found.content_state(), SnapshotContentState::TooLarge);
    assert_eq!(found.content, "");
    assert!(
        found.content_size > 3 * 1024 * 1024,
        "{}",
        found.content_size
    );
    let file = found.file.expect("says where");
    assert_eq!(file.git_commit_sha, snapshot.git_commit_sha);
    assert_eq!(file.path, "workflows/Large.json");
    assert_eq!(file.repository, "");

    let found = place.workflow(&id, "broken").await.expect("found");
    assert_eq!(found.content_state(), SnapshotContentState::Unreadable);
    assert_eq!(
        (found.content.as_str(), found.state_hash.as_str()),
        ("", "")
    );
    for (snapshot, reason) in [
        (id.as_str(), ErrorReason::WorkflowNotInSnapshot),
        (NO_ID, ErrorReason::SnapshotNotFound),
    ] {
        let mut snapshots = place.project.admin.snapshots();
        let absent = snapshots.get_snapshot_workflow(GetSnapshotWorkflowRequest {
            project: place.slug(),
            snapshot_id: snapshot.to_owned(),
            application: "nothing".to_owned(),
        });
        absent.await.refused(Code::NotFound, reason);
    }
}

async fn drift_is_detected(backend: Backend) {
    let place = Place::new(backend, &[("a", workflow("Orders"))]).await;
    let none = place.drift("dev").await;
    none.refused(Code::FailedPrecondition, ErrorReason::NoSnapshotYet);
    let nowhere = place.drift("nowhere").await;
    nowhere.refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    let snapshot = place.project.backup("dev").await;
    let found = place.drift("dev").await.granted();
    assert!(found.in_sync, "{found:?}");
    assert_eq!(found.snapshot.unwrap().snapshot_id, snapshot.snapshot_id);
    assert_eq!(counts(&found.comparison.unwrap()), [0, 0, 0, 1, 0]);

    let mut changed = workflow("Orders");
    changed["description"] = json!("by hand");
    place.write("dev", "a.json", &changed);
    let found = place.drift("dev").await.granted();
    assert!(!found.in_sync);
    let comparison = found.comparison.unwrap();
    assert_eq!(
        changes(&comparison),
        [("Orders", WorkflowChangeType::Changed)]
    );
    let difference = &comparison.changes[0].difference_json;
    assert!(difference.contains("by hand"), "{difference}");
    // A document that can't be read any more.
    std::fs::write(place.folders[0].join("a.json"), "{").unwrap();
    let comparison = place.drift("dev").await.granted().comparison.unwrap();
    let counted = counts(&comparison);
    assert_eq!(counted[2], 1, "{comparison:?}");
    let omitted = comparison.changes[0].difference_omitted();
    assert_eq!(omitted, DifferenceOmitted::Unreadable);
    std::fs::remove_dir_all(&place.folders[0]).unwrap();
    let away = place.drift("dev").await;
    away.refused(Code::Unavailable, ErrorReason::EngineUnavailable);
}

async fn a_snapshot_that_is_not_what_was_kept_is_told(backend: Backend) {
    let world = World::own(backend).await;
    let project = world.project().await;
    let folders = [
        world.server.workflows(&[("a", workflow("Orders"))]),
        world.server.workflows(&[]),
    ];
    project.environment_on("dev", &folders[0]).await;
    let place = Place { project, folders };
    let taken = place.project.backup("dev").await;
    let (id, commit) = (taken.snapshot_id, taken.git_commit_sha);
    let git = world.server.state().join("git");
    let repository = git.join(format!("{}.git", place.slug()));
    overwrite(&repository.join("objects"));
    let damaged = place.compare(&id, &id, "").await;
    let damaged = damaged.refused(Code::FailedPrecondition, ErrorReason::SnapshotDamaged);
    assert!(damaged.message().contains(&commit), "{damaged:?}");
    let damaged = place.drift("dev").await;
    damaged.refused(Code::FailedPrecondition, ErrorReason::SnapshotDamaged);
    let mut snapshots = place.project.admin.snapshots();
    let lost = snapshots.get_snapshot_workflow(GetSnapshotWorkflowRequest {
        project: place.slug(),
        snapshot_id: id,
        application: "Orders".to_owned(),
    });
    lost.await
        .refused(Code::FailedPrecondition, ErrorReason::SnapshotDamaged);
    std::fs::remove_dir_all(&repository).unwrap();
    let gone = place.drift("dev").await;
    gone.refused(Code::FailedPrecondition, ErrorReason::GitRefused);
}

/// Writes something else into every file of a folder.
fn overwrite(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            overwrite(&path);
        } else {
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, "no object").unwrap();
        }
    }
}

async fn gates_let_pass_and_refuse(backend: Backend) {
    let place = Place::new(backend, &[("a", workflow("Orders"))]).await;
    let folder = World::shared(backend).await.server.workflows(&[]);
    place.project.environment_on("staging", &folder).await;
    place
        .pipeline("in", "dev", "staging", Gates::default())
        .await;
    let guarded = Gates {
        source_unchanged: true,
        drift: DriftGate::Refuse.into(),
        ..Default::default()
    };
    place.pipeline("out", "staging", "prod", guarded).await;
    let reasons = |plan: &Plan| {
        let problems = plan.problems.iter();
        problems.map(|it| it.reason.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        reasons(&place.plan("out", "prod").await),
        ["SOURCE_NEVER_DEPLOYED"]
    );
    place.promote("in", "staging").await;
    assert_eq!(reasons(&place.plan("out", "prod").await), [""; 0]);
    place.promote("out", "prod").await;

    // Somebody changes both by hand.
    let mut by_hand = workflow("Orders");
    by_hand["description"] = json!("in staging");
    std::fs::write(folder.join("Orders.json"), by_hand.to_string()).unwrap();
    by_hand["description"] = json!("in prod");
    place.write("prod", "Orders.json", &by_hand);
    let plan = place.plan("out", "prod").await;
    assert_eq!(reasons(&plan), ["SOURCE_CHANGED", "TARGET_DRIFTED"]);
    for problem in &plan.problems {
        assert!(
            problem.message.contains("`Orders` was changed"),
            "{problem:?}"
        );
    }
    let mut deployments = place.project.admin.deployments();
    let refused = deployments.start_promotion(place.starting("out", "prod"));
    let refused = refused
        .await
        .refused(Code::FailedPrecondition, ErrorReason::PlanHasProblems);
    assert!(refused.message().contains("Orders"), "{refused:?}");

    // Where it is allowed, the plan warns. What was kept by a backup has not drifted.
    place
        .pipeline("free", "staging", "prod", Gates::default())
        .await;
    let warnings = place.plan("free", "prod").await.warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].reason, "TARGET_DRIFTED");
    place.project.backup("prod").await;
    assert_eq!(place.plan("free", "prod").await.warnings, []);
}

async fn backups_are_taken_by_the_clock(backend: Backend) {
    let place = Place::new(backend, &[("a", workflow("Orders"))]).await;
    assert_eq!(place.environment("dev").await.backup_interval, None);
    for wrong in [
        seconds(59),
        seconds(30 * 24 * 3_600 + 1),
        seconds(-60),
        ProtoDuration {
            seconds: 60,
            nanos: 1,
        },
    ] {
        let refused = place.every("dev", Some(wrong)).await.unwrap_err();
        assert_eq!(violated_fields(&refused), ["backup_interval"], "{wrong:?}");
        let created = CreateEnvironmentRequest {
            project: place.slug(),
            slug: "more".to_owned(),
            backup_interval: Some(wrong),
            ..Default::default()
        };
        let mut environments = place.project.admin.environments();
        let refused = environments.create_environment(created).await;
        let refused = refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), ["backup_interval"], "{wrong:?}");
    }
    let set = place.every("dev", Some(seconds(3_600))).await.expect("set");
    assert_eq!(set.backup_interval, Some(seconds(3_600)));
    let begin = Instant::now();
    let taken = loop {
        let found = place.backups().await;
        if !found.is_empty() {
            break found;
        }
        assert!(begin.elapsed() < PATIENCE, "no backup was taken");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(taken.len(), 1);
    assert_eq!(
        (taken[0].environment.as_str(), taken[0].workflow_count),
        ("dev", 1)
    );
    assert_eq!(
        (
            taken[0].created_by.as_str(),
            taken[0].deployment_id.as_str()
        ),
        ("", "")
    );
    assert_eq!(place.environment("dev").await.failing_backup, None);
    let never = place.every("dev", None).await.expect("set");
    assert_eq!(never.backup_interval, None);
}

async fn a_backup_that_fails_is_told(backend: Backend) {
    let place = Place::new(backend, &[]).await;
    std::fs::remove_dir_all(&place.folders[1]).unwrap();
    place.every("prod", Some(seconds(60))).await.expect("set");
    let begin = Instant::now();
    let failing = loop {
        if let Some(failing) = place.environment("prod").await.failing_backup {
            break failing;
        }
        assert!(begin.elapsed() < PATIENCE, "nothing is told");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(failing.failure_count >= 1, "{failing:?}");
    assert!(failing.problem.contains("`prod`"), "{failing:?}");
    assert!(failing.retry_time.is_some());
    let request = ListEnvironmentsRequest {
        project: place.slug(),
        ..Default::default()
    };
    let mut environments = place.project.admin.environments();
    let listed = environments.list_environments(request).await.granted();
    let told = listed
        .environments
        .iter()
        .map(|it| it.failing_backup.is_some());
    assert_eq!(told.collect::<Vec<_>>(), [false, true]);
    // Who wants none any more is told no more.
    let never = place.every("prod", None).await.expect("set");
    assert_eq!(never.failing_backup, None);
}

async fn a_backup_is_taken_once_for_a_request(backend: Backend) {
    let place = Place::new(backend, &[("a", workflow("Orders"))]).await;
    let request = |environment: &str| CreateSnapshotRequest {
        project: place.slug(),
        environment: environment.to_owned(),
        notes: "nightly".to_owned(),
        request_id: "tonight".to_owned(),
    };
    let mut snapshots = place.project.admin.snapshots();
    let first = snapshots.create_snapshot(request("dev")).await.granted();
    place.write("dev", "b.json", &workflow("Mail"));
    let again = snapshots.create_snapshot(request("dev")).await.granted();
    assert_eq!(again, first);
    let other = snapshots.create_snapshot(request("prod")).await;
    other.refused(Code::InvalidArgument, ErrorReason::RequestIdReused);
}
