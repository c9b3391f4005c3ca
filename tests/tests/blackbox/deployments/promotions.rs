//! Promotions, snapshots and restores, from plan to Git, on workflow engines in folders.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use slipway_api::catalog::v1::ArchiveEnvironmentRequest;
use slipway_api::deployments::v1::{
    CancelDeploymentRequest, Deployment, DeploymentState, GetDeploymentRequest,
    GetDeploymentSummaryRequest, ItemChange, ItemStatus, ListDeploymentsRequest, Plan,
    PlanPromotionRequest, StartPromotionRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::snapshots::v1::{
    CreateSnapshotRequest, GetSnapshotRequest, ListSnapshotsRequest, RestoreSnapshotRequest,
    Snapshot, SnapshotType,
};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::workflow;
use slipway_tests::{Backend, Granted, Project, Refused, Server, World};
use tonic::Code;

use crate::case::cases;

cases![
    workflows_go_to_prod_and_come_back,
    a_plan_that_moved_is_aborted,
    an_unmapped_credential_stands_against_the_plan,
    a_workflow_that_is_no_json_is_skipped_and_told,
    what_is_missing_is_told,
    deployments_are_listed_and_filtered,
    a_promotion_is_canceled_before_it_begins,
    promotions_to_one_environment_wait_for_each_other,
    nothing_goes_to_an_archived_environment,
];

/// How long a deployment may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A project with a pipeline from `dev` to `prod`.
pub(crate) struct Way {
    pub(crate) project: Project,
    pub(super) dev: PathBuf,
    pub(super) prod: PathBuf,
}

impl Way {
    /// A project with a pipeline from `dev` to `prod`, whose engines hold these workflows.
    pub(super) async fn new(backend: Backend, workflows: &[(&str, Value)]) -> Self {
        let world = World::shared(backend).await;
        Self::of(world.project().await, &world.server, workflows).await
    }

    /// The same, in a project of some server.
    pub(super) async fn of(project: Project, server: &Server, workflows: &[(&str, Value)]) -> Self {
        let dev = server.workflows(workflows);
        let prod = server.workflows(&[]);
        project.environment_on("dev", &dev).await;
        project.environment_on("prod", &prod).await;
        project.pipeline("way", "dev", "prod").await;
        Self { project, dev, prod }
    }

    /// The same to an instance of n8n at this address.
    pub(super) async fn to_n8n(world: &World, workflows: &[(&str, Value)], url: &str) -> Self {
        let project = world.project().await;
        let dev = world.server.workflows(workflows);
        project.environment_on("dev", &dev).await;
        project.environment_on_n8n("prod", url).await;
        project.pipeline("way", "dev", "prod").await;
        let prod = PathBuf::new();
        Self { project, dev, prod }
    }

    pub(super) fn write(&self, file: &str, document: &Value) {
        std::fs::write(self.dev.join(file), document.to_string()).unwrap();
    }

    pub(super) fn in_prod(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.prod).unwrap();
        let mut names: Vec<_> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort_unstable();
        names
    }

    pub(super) fn planning(&self) -> PlanPromotionRequest {
        PlanPromotionRequest {
            project: self.project.slug.clone(),
            pipeline: "way".to_owned(),
            target: "prod".to_owned(),
            workflows: Vec::new(),
        }
    }

    pub(super) fn starting(&self) -> StartPromotionRequest {
        StartPromotionRequest {
            project: self.project.slug.clone(),
            pipeline: "way".to_owned(),
            target: "prod".to_owned(),
            ..Default::default()
        }
    }

    pub(super) async fn plan(&self) -> Plan {
        let mut deployments = self.project.admin.deployments();
        let planned = deployments.plan_promotion(self.planning()).await.granted();
        planned.plan.unwrap()
    }

    pub(super) async fn start(&self) -> Deployment {
        let mut deployments = self.project.admin.deployments();
        let started = deployments.start_promotion(self.starting()).await.granted();
        started.deployment.unwrap()
    }

    pub(super) async fn get(&self, name: &str) -> Deployment {
        let request = GetDeploymentRequest {
            project: self.project.slug.clone(),
            deployment: name.to_owned(),
        };
        let mut deployments = self.project.admin.deployments();
        let found = deployments.get_deployment(request).await.granted();
        found.deployment.unwrap()
    }

    /// The deployment when it is over.
    pub(super) async fn over(&self, deployment: &Deployment) -> Deployment {
        let begin = std::time::Instant::now();
        loop {
            let found = self.get(&deployment.deployment_id).await;
            if found.finished_time.is_some() || found.state() == DeploymentState::InDoubt {
                return found;
            }
            assert!(begin.elapsed() < PATIENCE, "{found:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) async fn backup(&self, notes: &str) -> Snapshot {
        let request = CreateSnapshotRequest {
            project: self.project.slug.clone(),
            environment: "prod".to_owned(),
            notes: notes.to_owned(),
            ..Default::default()
        };
        let mut snapshots = self.project.admin.snapshots();
        let taken = snapshots.create_snapshot(request).await.granted();
        taken.snapshot.unwrap()
    }

    pub(super) async fn snapshot(&self, id: &str) -> Snapshot {
        let request = GetSnapshotRequest {
            project: self.project.slug.clone(),
            snapshot_id: id.to_owned(),
        };
        let mut snapshots = self.project.admin.snapshots();
        let found = snapshots.get_snapshot(request).await.granted();
        found.snapshot.unwrap()
    }
}

fn changes(plan: &Plan) -> Vec<(String, ItemChange)> {
    let change = |item: &slipway_api::deployments::v1::PlannedItem| {
        (item.application.clone(), item.change())
    };
    plan.items.iter().map(change).collect()
}

async fn workflows_go_to_prod_and_come_back(backend: Backend) {
    let files = [("a", workflow("Orders")), ("b", workflow("Mail"))];
    let way = Way::new(backend, &files).await;
    let empty = way.backup("before all").await;
    assert_eq!(empty.r#type(), SnapshotType::ManualBackup);
    assert_eq!((empty.workflow_count, empty.git_commit_sha.len()), (0, 40));

    let plan = way.plan().await;
    let created = ["Mail", "Orders"].map(|key| (key.to_owned(), ItemChange::Created));
    assert_eq!(changes(&plan), created);
    assert!(plan.problems.is_empty(), "{plan:?}");

    let request = StartPromotionRequest {
        plan_digest: plan.digest.clone(),
        request_id: "first".to_owned(),
        ..way.starting()
    };
    let mut deployments = way.project.admin.deployments();
    let started = deployments.start_promotion(request.clone()).await.granted();
    let started = started.deployment.unwrap();
    assert_eq!(started.number, 1);
    let done = way.over(&started).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    assert!(
        done.items
            .iter()
            .all(|item| item.status() == ItemStatus::Succeeded)
    );
    assert_eq!(way.in_prod(), ["Mail.json", "Orders.json"]);
    let again = deployments.start_promotion(request).await.granted();
    assert_eq!(again.deployment.unwrap().deployment_id, done.deployment_id);

    // What is where is in the ledger.
    let cell = way.project.cell("Orders", "prod").await.expect("filled");
    let state = format!("{cell:?}");
    assert!(state.contains("Orders"), "{state}");

    // One changes, one goes.
    let mut changed = workflow("Orders");
    changed["settings"] = json!({"executionOrder": "v1", "timezone": "Europe/Berlin"});
    way.write("a.json", &changed);
    std::fs::remove_file(way.dev.join("b.json")).unwrap();
    let plan = way.plan().await;
    assert_eq!(
        changes(&plan),
        [
            ("Mail".to_owned(), ItemChange::Deleted),
            ("Orders".to_owned(), ItemChange::Updated)
        ]
    );
    let difference: Value = serde_json::from_str(&plan.items[1].difference_json).unwrap();
    assert!(difference.to_string().contains("timezone"), "{difference}");
    let second = way.over(&way.start().await).await;
    assert_eq!(second.state(), DeploymentState::Succeeded, "{second:?}");
    assert_eq!(way.in_prod(), ["Orders.json"]);
    assert!(way.project.cell("Mail", "prod").await.is_none());

    // And everything back to where it was before all.
    let mut snapshots = way.project.admin.snapshots();
    let request = RestoreSnapshotRequest {
        project: way.project.slug.clone(),
        snapshot_id: empty.snapshot_id.clone(),
        request_id: "back".to_owned(),
        validate_only: false,
    };
    let asked = snapshots.restore_snapshot(request).await.granted();
    let restored = way.over(&asked.deployment.unwrap()).await;
    assert_eq!(restored.state(), DeploymentState::Succeeded, "{restored:?}");
    assert!(way.in_prod().is_empty());
    let last = way.snapshot(&restored.post_snapshot_id).await;
    assert_eq!(last.content_hash, empty.content_hash);
    assert_eq!(last.r#type(), SnapshotType::PostRestore);
    assert_eq!(last.deployment_id, restored.deployment_id);

    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListSnapshotsRequest {
            project: way.project.slug.clone(),
            environment: "prod".to_owned(),
            page_size: 2,
            page_token,
            ..Default::default()
        };
        let page = snapshots.list_snapshots(request).await.granted();
        listed.extend(page.snapshots.into_iter().map(|snapshot| snapshot.r#type()));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(
        listed,
        [
            SnapshotType::PostRestore,
            SnapshotType::PreRestore,
            SnapshotType::PostPromotion,
            SnapshotType::PrePromotion,
            SnapshotType::PostPromotion,
            SnapshotType::PrePromotion,
            SnapshotType::ManualBackup,
        ]
    );
}

async fn a_plan_that_moved_is_aborted(backend: Backend) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    let plan = way.plan().await;
    way.write("b.json", &workflow("Mail"));
    let mut deployments = way.project.admin.deployments();
    let moved = deployments.start_promotion(StartPromotionRequest {
        plan_digest: plan.digest.clone(),
        ..way.starting()
    });
    let moved = moved.await.refused(Code::Aborted, ErrorReason::PlanChanged);
    for digest in [plan.digest, way.plan().await.digest] {
        assert!(moved.message().contains(&digest[..12]), "{moved:?}");
    }
    assert!(way.in_prod().is_empty());
    let done = way.over(&way.start().await).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    let nothing = deployments.start_promotion(way.starting()).await;
    nothing.refused(Code::FailedPrecondition, ErrorReason::NothingToDo);
}

async fn an_unmapped_credential_stands_against_the_plan(backend: Backend) {
    let mut secured = workflow("Orders");
    secured["nodes"][0]["credentials"] = json!({"httpBasicAuth": {"id": "7", "name": "Shop"}});
    let mut too = secured.clone();
    too["name"] = json!("Mail");
    let way = Way::new(backend, &[("a", secured), ("b", too)]).await;
    let plan = way.plan().await;
    let problem = &plan.problems[0];
    assert_eq!(problem.reason, "CREDENTIAL_UNMAPPED");
    assert!(problem.message.contains("`Shop`"), "{problem:?}");
    let [unmapped] = &plan.unmapped_credentials[..] else {
        panic!("{plan:?}");
    };
    assert_eq!(
        (unmapped.r#type.as_str(), unmapped.name.as_str()),
        ("httpBasicAuth", "Shop")
    );
    let mut deployments = way.project.admin.deployments();
    let refused = deployments.start_promotion(way.starting()).await;
    let refused = refused.refused(Code::FailedPrecondition, ErrorReason::PlanHasProblems);
    assert!(
        refused.message().ends_with("PlanPromotion says them all"),
        "{refused:?}"
    );
    assert!(way.in_prod().is_empty());
}

async fn a_workflow_that_is_no_json_is_skipped_and_told(backend: Backend) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    std::fs::write(way.dev.join("b.json"), "{\"nodes\": [}").unwrap();
    let plan = way.plan().await;
    let skipped = plan
        .items
        .iter()
        .find(|item| item.change() == ItemChange::Skipped)
        .expect("told");
    let problem = skipped.problem.clone().expect("why");
    assert_eq!(problem.reason, "SOURCE_UNREADABLE");
    assert!(problem.message.contains("not JSON"), "{problem:?}");
    let done = way.over(&way.start().await).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    assert_eq!(done.counts.unwrap().skipped, 1);
}

async fn what_is_missing_is_told(backend: Backend) {
    let way = Way::new(backend, &[]).await;
    let mut deployments = way.project.admin.deployments();
    let not_found = |reason| (Code::NotFound, reason);
    let no_pipeline = PlanPromotionRequest {
        pipeline: "nowhere".to_owned(),
        ..way.planning()
    };
    let no_stage = PlanPromotionRequest {
        target: "dev".to_owned(),
        ..way.planning()
    };
    for (request, (code, reason)) in [
        (no_pipeline, not_found(ErrorReason::PipelineNotFound)),
        (no_stage, not_found(ErrorReason::StageNotFound)),
    ] {
        deployments
            .plan_promotion(request)
            .await
            .refused(code, reason);
    }
    let twice = PlanPromotionRequest {
        workflows: vec!["a".to_owned(), "a".to_owned(), " ".to_owned()],
        ..way.planning()
    };
    let refused = deployments.plan_promotion(twice).await;
    let refused = refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(violated_fields(&refused), ["workflows[1]", "workflows[2]"]);
    for name in ["7", "0192f0c1-2345-7abc-8def-0123456789ab"] {
        let request = GetDeploymentRequest {
            project: way.project.slug.clone(),
            deployment: name.to_owned(),
        };
        let refused = deployments.get_deployment(request).await;
        refused.refused(Code::NotFound, ErrorReason::DeploymentNotFound);
    }
    let mut snapshots = way.project.admin.snapshots();
    let snapshot_id = "0192f0c1-2345-7abc-8def-0123456789ab".to_owned();
    let project = way.project.slug.clone();
    let refused = snapshots.get_snapshot(GetSnapshotRequest {
        project: project.clone(),
        snapshot_id: snapshot_id.clone(),
    });
    refused
        .await
        .refused(Code::NotFound, ErrorReason::SnapshotNotFound);
    let refused = snapshots.restore_snapshot(RestoreSnapshotRequest {
        project: project.clone(),
        snapshot_id,
        ..Default::default()
    });
    refused
        .await
        .refused(Code::NotFound, ErrorReason::SnapshotNotFound);
    way.project.environment("bare").await;
    let refused = snapshots.create_snapshot(CreateSnapshotRequest {
        project: project.clone(),
        environment: "bare".to_owned(),
        ..Default::default()
    });
    refused
        .await
        .refused(Code::FailedPrecondition, ErrorReason::EngineNotSet);
    let refused = snapshots.list_snapshots(ListSnapshotsRequest {
        project,
        environment: "nowhere".to_owned(),
        ..Default::default()
    });
    refused
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    // A folder that went away.
    std::fs::remove_dir_all(&way.dev).unwrap();
    let refused = deployments.plan_promotion(way.planning()).await;
    let refused = refused.refused(Code::Unavailable, ErrorReason::EngineUnavailable);
    let mend = "create it, or name another one with UpdateEnvironment";
    assert!(refused.message().ends_with(mend), "{refused:?}");
}

async fn deployments_are_listed_and_filtered(backend: Backend) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    let first = way.over(&way.start().await).await;
    way.write("b.json", &workflow("Mail"));
    let second = way.over(&way.start().await).await;
    let listing = |states: Vec<i32>, environment: &str| ListDeploymentsRequest {
        project: way.project.slug.clone(),
        states,
        environment: environment.to_owned(),
        ..Default::default()
    };
    let mut deployments = way.project.admin.deployments();
    let listed = deployments
        .list_deployments(listing(vec![], ""))
        .await
        .granted();
    let numbers: Vec<_> = listed
        .deployments
        .iter()
        .map(|found| found.number)
        .collect();
    assert_eq!(numbers, [second.number, first.number]);
    assert!(
        listed
            .deployments
            .iter()
            .all(|found| found.items.is_empty())
    );
    let failed = vec![DeploymentState::Failed.into()];
    let none = deployments
        .list_deployments(listing(failed, "prod"))
        .await
        .granted();
    assert!(none.deployments.is_empty());
    let refused = deployments
        .list_deployments(listing(vec![], "nowhere"))
        .await;
    refused.refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    let summary = deployments.get_deployment_summary(GetDeploymentSummaryRequest {
        project: way.project.slug.clone(),
    });
    let summary = summary.await.granted();
    assert_eq!(summary.succeeded_last_7_days, 2);
    let refused = deployments.get_deployment_summary(GetDeploymentSummaryRequest::default());
    refused
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
}

async fn a_promotion_is_canceled_before_it_begins(backend: Backend) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    let mut deployments = way.project.admin.deployments();
    let cancel = |deployment: &Deployment| CancelDeploymentRequest {
        project: way.project.slug.clone(),
        deployment: deployment.deployment_id.clone(),
        reason: "the wrong one".to_owned(),
        request_id: String::new(),
    };
    let started = way.start().await;
    // It may be faster than we are: then it is over, and says so.
    match deployments.cancel_deployment(cancel(&started)).await {
        Ok(answer) => {
            let canceled = way.over(&answer.into_inner().deployment.unwrap()).await;
            let cancellation = canceled.cancellation.clone().expect("whose wish");
            assert_eq!(cancellation.reason, "the wrong one");
            deployments
                .cancel_deployment(cancel(&started))
                .await
                .granted();
        }
        refused => drop(refused.refused(
            Code::FailedPrecondition,
            ErrorReason::DeploymentNotCancelable,
        )),
    }
    way.over(&started).await;
    way.write("b.json", &workflow("Mail"));
    let done = way.over(&way.start().await).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    let late = deployments.cancel_deployment(cancel(&done)).await;
    late.refused(
        Code::FailedPrecondition,
        ErrorReason::DeploymentNotCancelable,
    );
}

async fn promotions_to_one_environment_wait_for_each_other(backend: Backend) {
    let files = [("a", workflow("Orders")), ("b", workflow("Mail"))];
    let way = Way::new(backend, &files).await;
    let chosen = |key: &str| StartPromotionRequest {
        workflows: vec![key.to_owned()],
        ..way.starting()
    };
    let mut deployments = way.project.admin.deployments();
    let mut started = Vec::new();
    for key in ["Orders", "Mail", "Mail"] {
        let answer = deployments.start_promotion(chosen(key)).await;
        // The third may find the second done.
        started.extend(
            answer
                .ok()
                .and_then(|answer| answer.into_inner().deployment),
        );
    }
    let mut states = Vec::new();
    for deployment in &started {
        let over = way.over(deployment).await;
        states.push((over.state(), over.problem.map(|problem| problem.reason)));
    }
    assert_eq!(states[0], (DeploymentState::Succeeded, None));
    assert_eq!(states[1], (DeploymentState::Succeeded, None));
    if let Some(third) = states.get(2) {
        // Of the same workflow: what was planned is there already.
        let done_already = Some("NOTHING_TO_DO".to_owned());
        assert_eq!(*third, (DeploymentState::Failed, done_already));
    }
    assert_eq!(way.in_prod(), ["Mail.json", "Orders.json"]);
}

async fn nothing_goes_to_an_archived_environment(backend: Backend) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    let empty = way.backup("").await;
    let project = way.project.slug.clone();
    let mut environments = way.project.admin.environments();
    let request = ArchiveEnvironmentRequest {
        project: project.clone(),
        environment: "prod".to_owned(),
        ..Default::default()
    };
    environments.archive_environment(request).await.granted();
    let mut deployments = way.project.admin.deployments();
    let refused = deployments.start_promotion(way.starting()).await;
    refused.refused(Code::FailedPrecondition, ErrorReason::EnvironmentArchived);
    let mut snapshots = way.project.admin.snapshots();
    let refused = snapshots.restore_snapshot(RestoreSnapshotRequest {
        project,
        snapshot_id: empty.snapshot_id,
        ..Default::default()
    });
    refused
        .await
        .refused(Code::FailedPrecondition, ErrorReason::EnvironmentArchived);
    assert!(way.in_prod().is_empty());
}
