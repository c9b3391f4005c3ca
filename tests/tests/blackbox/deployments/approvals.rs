//! What needs approval waits for somebody else, and goes on with nothing less.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use slipway_api::approvals::v1::{
    ApprovalRequest, ApprovalState, ApproveRequest, GetApprovalRequestRequest,
    ListApprovalRequestsRequest, PolicyTerms, RejectRequest, Verdict,
};
use slipway_api::deployments::v1::{
    CancelDeploymentRequest, Deployment, DeploymentState, GetDeploymentRequest,
    GetDeploymentSummaryRequest, ItemStatus, StartPromotionRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{CreatePrincipalRequest, PrincipalKind, Role};
use slipway_api::snapshots::v1::RestoreSnapshotRequest;
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::{token, workflow};
use slipway_tests::{Backend, Client, Granted, Project, Refused, World};
use tonic::Code;

use crate::case::cases;

cases![
    a_promotion_waits_for_somebody_else,
    a_rejection_ends_a_promotion,
    a_restore_waits_like_a_promotion,
    what_is_missing_is_told,
    requests_are_listed_and_filtered,
    what_changed_since_is_asked_again,
];

/// How long a deployment may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a deployment that must not begin is watched.
const WATCHED: Duration = Duration::from_secs(1);
/// A digest of nothing here.
const ELSEWHERE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A project in which everything into `prod` needs approval, somebody who asks for promotions and somebody who approves.
pub(super) struct Gate {
    pub(super) project: Project,
    pub(super) dev: PathBuf,
    prod: PathBuf,
    pub(super) developer: Client,
    pub(super) approver: Client,
}

impl Gate {
    pub(super) async fn new(backend: Backend) -> Self {
        let gate = Self::open(backend).await;
        let project = &gate.project;
        project.guarded_pipeline("way", "dev", "prod").await;
        gate
    }

    /// The same, but that a policy about `prod` says who has to agree, and no stage does.
    pub(super) async fn governed(backend: Backend, terms: PolicyTerms) -> Self {
        let gate = Self::open(backend).await;
        gate.project.pipeline("way", "dev", "prod").await;
        gate.project.set_policy("prod", terms).await;
        gate
    }

    async fn open(backend: Backend) -> Self {
        let world = World::shared(backend).await;
        let project = world.project().await;
        let dev = world.server.workflows(&[("a", workflow("Orders"))]);
        let prod = world.server.workflows(&[]);
        project.environment_on("dev", &dev).await;
        project.environment_on("prod", &prod).await;
        let developer = project.member(Role::Developer).await;
        let approver = project.member(Role::Admin).await;
        Self {
            project,
            dev,
            prod,
            developer,
            approver,
        }
    }

    /// Another workflow to promote.
    pub(super) fn add(&self, name: &str) {
        let file = self.dev.join(format!("{name}.json"));
        std::fs::write(file, workflow(name).to_string()).unwrap();
    }

    pub(super) fn starting(&self) -> StartPromotionRequest {
        StartPromotionRequest {
            project: self.project.slug.clone(),
            pipeline: "way".to_owned(),
            target: "prod".to_owned(),
            ..Default::default()
        }
    }

    /// A promotion of everything that waits for approval.
    pub(super) async fn start_as(&self, caller: &Client) -> Deployment {
        let started = caller.deployments().start_promotion(self.starting()).await;
        let started = started.granted().deployment.unwrap();
        assert_eq!(
            started.state(),
            DeploymentState::PendingApproval,
            "{started:?}"
        );
        started
    }

    pub(super) async fn start(&self) -> Deployment {
        self.start_as(&self.developer).await
    }

    pub(super) fn approval(&self, deployment: &Deployment) -> ApproveRequest {
        ApproveRequest {
            project: self.project.slug.clone(),
            deployment: deployment.number.to_string(),
            plan_digest: deployment.plan_digest.clone(),
            ..Default::default()
        }
    }

    pub(super) fn rejection(&self, deployment: &Deployment) -> RejectRequest {
        RejectRequest {
            project: self.project.slug.clone(),
            deployment: deployment.deployment_id.clone(),
            plan_digest: deployment.plan_digest.clone(),
            comment: "not on a Friday".to_owned(),
            ..Default::default()
        }
    }

    pub(super) fn cancellation(&self, deployment: &Deployment) -> CancelDeploymentRequest {
        CancelDeploymentRequest {
            project: self.project.slug.clone(),
            deployment: deployment.deployment_id.clone(),
            reason: "changed our minds".to_owned(),
            ..Default::default()
        }
    }

    pub(super) async fn get(&self, deployment: &Deployment) -> Deployment {
        let request = GetDeploymentRequest {
            project: self.project.slug.clone(),
            deployment: deployment.deployment_id.clone(),
        };
        let mut deployments = self.project.admin.deployments();
        let found = deployments.get_deployment(request).await.granted();
        found.deployment.unwrap()
    }

    pub(super) async fn request_of(&self, deployment: &Deployment) -> ApprovalRequest {
        let request = GetApprovalRequestRequest {
            project: self.project.slug.clone(),
            deployment: deployment.deployment_id.clone(),
        };
        let mut approvals = self.project.admin.approvals();
        let found = approvals.get_approval_request(request).await.granted();
        found.approval_request.unwrap()
    }

    /// The deployment when it is as it should be.
    pub(super) async fn until(
        &self,
        deployment: &Deployment,
        so: impl Fn(&Deployment) -> bool,
    ) -> Deployment {
        let begin = Instant::now();
        loop {
            let found = self.get(deployment).await;
            if so(&found) {
                return found;
            }
            assert!(begin.elapsed() < PATIENCE, "{found:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) async fn over(&self, deployment: &Deployment) -> Deployment {
        self.until(deployment, |found| found.finished_time.is_some())
            .await
    }

    async fn pending(&self) -> i64 {
        let request = GetDeploymentSummaryRequest {
            project: self.project.slug.clone(),
        };
        let mut deployments = self.project.admin.deployments();
        let summary = deployments.get_deployment_summary(request).await.granted();
        summary.pending_approval_count
    }

    pub(super) fn in_prod(&self) -> usize {
        let files = std::fs::read_dir(&self.prod).unwrap();
        let shown = files.filter(|file| {
            let name = file.as_ref().unwrap().file_name();
            !name.to_string_lossy().starts_with('.')
        });
        shown.count()
    }

    /// A service account of somebody's with this role.
    pub(super) async fn machine_of(&self, owner: &str, role: Role) -> Client {
        let admin = &self.project.admin;
        let mut identity = admin.identity();
        let created = identity.create_principal(CreatePrincipalRequest {
            kind: PrincipalKind::ServiceAccount.into(),
            display_name: "machine".to_owned(),
            owner_principal_id: owner.to_owned(),
            ..Default::default()
        });
        let id = created.await.granted().principal.unwrap().principal_id;
        self.project.set_roles(&id, &[role]).await;
        let secret = token(admin, &id, None).await.secret;
        admin.with_token(Some(&secret)).known_as(id)
    }
}

async fn a_promotion_waits_for_somebody_else(backend: Backend) {
    let gate = Gate::new(backend).await;
    let started = gate.start().await;
    tokio::time::sleep(WATCHED).await;
    let waiting = gate.get(&started).await;
    assert_eq!(waiting.state(), DeploymentState::PendingApproval);
    assert_eq!((gate.in_prod(), gate.pending().await), (0, 1));
    let request = gate.request_of(&started).await;
    assert_eq!(request.state(), ApprovalState::Pending);
    assert_eq!(request.plan_digest, started.plan_digest);
    assert_eq!(request.environment, "prod");
    assert_eq!(request.deployment_number, started.number);
    let requested_by = request.requested_by.clone().unwrap();
    assert_eq!(requested_by.principal_id, gate.developer.principal_id);
    let lasts = request.expire_time.unwrap().seconds - request.created_time.unwrap().seconds;
    assert_eq!(lasts, 7 * 24 * 60 * 60);

    let mut approvals = gate.approver.approvals();
    let another = ApproveRequest {
        plan_digest: ELSEWHERE.to_owned(),
        ..gate.approval(&started)
    };
    let refused = approvals.approve(another).await;
    refused.refused(Code::Aborted, ErrorReason::PlanChanged);
    let answer = ApproveRequest {
        comment: "looks good".to_owned(),
        request_id: "yes".to_owned(),
        ..gate.approval(&started)
    };
    let approved = approvals.approve(answer.clone()).await.granted();
    let queued = approved.deployment.unwrap();
    assert_eq!(queued.state(), DeploymentState::Queued);
    assert_eq!(queued.approved_by, gate.approver.principal_id);
    let request = approved.approval_request.unwrap();
    assert_eq!(request.state(), ApprovalState::Approved);
    let decision = &request.decisions[0];
    assert_eq!(decision.verdict(), Verdict::Approve);
    assert_eq!(decision.comment, "looks good");
    assert_eq!(decision.plan_digest, started.plan_digest);
    let by = decision.principal.clone().unwrap();
    assert_eq!(by.principal_id, gate.approver.principal_id);

    let done = gate.over(&started).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    assert_eq!((gate.in_prod(), gate.pending().await), (1, 0));
    // The same again answers with what became of it; anything else is told.
    let again = approvals.approve(answer.clone()).await.granted();
    let found = again.deployment.unwrap();
    assert_eq!(found.state(), DeploymentState::Succeeded);
    let twice = approvals.approve(gate.approval(&started)).await;
    twice.refused(Code::FailedPrecondition, ErrorReason::AlreadyDecided);
    let other = gate.project.member(Role::Admin).await;
    let late = other.approvals().approve(gate.approval(&started)).await;
    late.refused(Code::FailedPrecondition, ErrorReason::ApprovalNotPending);
}

async fn a_rejection_ends_a_promotion(backend: Backend) {
    let gate = Gate::new(backend).await;
    let started = gate.start().await;
    let mut approvals = gate.approver.approvals();
    let silent = RejectRequest {
        comment: " ".to_owned(),
        plan_digest: "17".to_owned(),
        ..gate.rejection(&started)
    };
    let refused = approvals.reject(silent).await;
    let refused = refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(violated_fields(&refused), ["plan_digest", "comment"]);
    let rejected = approvals.reject(gate.rejection(&started)).await.granted();
    let ended = rejected.deployment.unwrap();
    assert_eq!(ended.state(), DeploymentState::Rejected);
    assert!(ended.finished_time.is_some());
    let skipped =
        |item: &slipway_api::deployments::v1::DeploymentItem| item.status() == ItemStatus::Skipped;
    assert!(ended.items.iter().all(skipped));
    let request = rejected.approval_request.unwrap();
    assert_eq!(request.state(), ApprovalState::Rejected);
    assert_eq!(request.decisions[0].comment, "not on a Friday");
    let other = gate.project.member(Role::Admin).await;
    let late = other.approvals().approve(gate.approval(&started)).await;
    late.refused(Code::FailedPrecondition, ErrorReason::ApprovalNotPending);
    let mut deployments = gate.developer.deployments();
    let late = deployments
        .cancel_deployment(gate.cancellation(&started))
        .await;
    late.refused(
        Code::FailedPrecondition,
        ErrorReason::DeploymentNotCancelable,
    );
    assert_eq!((gate.in_prod(), gate.pending().await), (0, 0));
}

async fn a_restore_waits_like_a_promotion(backend: Backend) {
    let gate = Gate::new(backend).await;
    let empty = gate.project.backup("prod").await;
    let started = gate.start().await;
    let approval = gate.approval(&started);
    gate.approver.approvals().approve(approval).await.granted();
    let done = gate.over(&started).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    let request = RestoreSnapshotRequest {
        project: gate.project.slug.clone(),
        snapshot_id: empty.snapshot_id,
        ..Default::default()
    };
    let looking = RestoreSnapshotRequest {
        validate_only: true,
        ..request.clone()
    };
    let mut snapshots = gate.project.admin.snapshots();
    let preview = snapshots.restore_snapshot(looking).await.granted();
    let restoring = snapshots.restore_snapshot(request).await.granted();
    let restoring = restoring.deployment.unwrap();
    assert_eq!(restoring.state(), DeploymentState::PendingApproval);
    let mut own = gate.project.admin.approvals();
    let refused = own.approve(gate.approval(&restoring)).await;
    refused.refused(Code::PermissionDenied, ErrorReason::SelfApproval);
    let digest = preview.plan.unwrap().digest;
    let of_preview = ApproveRequest {
        plan_digest: digest.clone(),
        ..gate.approval(&restoring)
    };
    let refused = gate.approver.approvals().approve(of_preview).await;
    let refused = refused.refused(Code::Aborted, ErrorReason::PlanChanged);
    for words in [&digest[..12], &restoring.plan_digest[..12], "preview"] {
        assert!(refused.message().contains(words), "{refused:?}");
    }
    tokio::time::sleep(WATCHED).await;
    assert_eq!(gate.in_prod(), 1);
    let approval = gate.approval(&restoring);
    gate.approver.approvals().approve(approval).await.granted();
    let restored = gate.over(&restoring).await;
    assert_eq!(restored.state(), DeploymentState::Succeeded, "{restored:?}");
    assert_eq!(gate.in_prod(), 0);
}

async fn what_is_missing_is_told(backend: Backend) {
    let gate = Gate::new(backend).await;
    let free = gate.project.pipeline("free", "dev", "prod").await;
    let mut deployments = gate.developer.deployments();
    let started = deployments.start_promotion(StartPromotionRequest {
        pipeline: free.slug,
        ..gate.starting()
    });
    let free = started.await.granted().deployment.unwrap();
    gate.over(&free).await;
    let mut approvals = gate.approver.approvals();
    let refused = approvals.approve(gate.approval(&free)).await;
    refused.refused(Code::NotFound, ErrorReason::ApprovalRequestNotFound);
    let refused = approvals.reject(gate.rejection(&free)).await;
    refused.refused(Code::NotFound, ErrorReason::ApprovalRequestNotFound);
    let absent = Deployment {
        number: 99,
        deployment_id: "0192f0c1-2345-7abc-8def-0123456789ab".to_owned(),
        ..free.clone()
    };
    let refused = approvals.approve(gate.approval(&absent)).await;
    refused.refused(Code::NotFound, ErrorReason::DeploymentNotFound);
    for (deployment, reason) in [
        (free.number, ErrorReason::ApprovalRequestNotFound),
        (99, ErrorReason::DeploymentNotFound),
    ] {
        let refused = approvals.get_approval_request(GetApprovalRequestRequest {
            project: gate.project.slug.clone(),
            deployment: deployment.to_string(),
        });
        refused.await.refused(Code::NotFound, reason);
    }
    let refused = approvals.list_approval_requests(ListApprovalRequestsRequest {
        project: gate.project.slug.clone(),
        environment: "nowhere".to_owned(),
        ..Default::default()
    });
    refused
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
}

async fn requests_are_listed_and_filtered(backend: Backend) {
    let gate = Gate::new(backend).await;
    let mut started = Vec::new();
    for _ in 0..4 {
        started.push(gate.start().await);
    }
    let mut deployments = gate.developer.deployments();
    let cancellation = gate.cancellation(&started[0]);
    deployments.cancel_deployment(cancellation).await.granted();
    let rejection = gate.rejection(&started[1]);
    gate.approver.approvals().reject(rejection).await.granted();
    let listed = |states: Vec<ApprovalState>, environment: &str| {
        let mut request = ListApprovalRequestsRequest {
            project: gate.project.slug.clone(),
            states: states.into_iter().map(i32::from).collect(),
            environment: environment.to_owned(),
            page_size: 2,
            ..Default::default()
        };
        let mut approvals = gate.developer.approvals();
        async move {
            let mut numbers = Vec::new();
            loop {
                let page = approvals.list_approval_requests(request.clone()).await;
                let page = page.granted();
                let found = page.approval_requests.iter();
                numbers.extend(found.map(|request| request.deployment_number));
                if page.next_page_token.is_empty() {
                    return numbers;
                }
                request.page_token = page.next_page_token;
            }
        }
    };
    assert_eq!(listed(vec![], "").await, [4, 3, 2, 1]);
    let open = vec![ApprovalState::Pending];
    assert_eq!(listed(open, "prod").await, [4, 3]);
    let ended = vec![ApprovalState::Rejected, ApprovalState::Canceled];
    assert_eq!(listed(ended, "").await, [2, 1]);
    assert!(listed(vec![], "dev").await.is_empty());
    assert_eq!(gate.pending().await, 2);
}

async fn what_changed_since_is_asked_again(backend: Backend) {
    let gate = Gate::new(backend).await;
    let started = gate.start().await;
    let first = gate.request_of(&started).await;
    // What was to be created is changed in the source by now.
    let mut other = workflow("Orders");
    other["settings"] = json!({"executionOrder": "v1", "timezone": "Europe/Berlin"});
    std::fs::write(gate.dev.join("a.json"), other.to_string()).unwrap();
    let mut approvals = gate.approver.approvals();
    approvals.approve(gate.approval(&started)).await.granted();
    let waits_again = |found: &Deployment| {
        found.state() == DeploymentState::PendingApproval
            && found.plan_digest != started.plan_digest
    };
    let again = gate.until(&started, waits_again).await;
    assert_eq!(gate.in_prod(), 0, "nothing was touched");
    let why = again.problem.as_ref().expect("why it waits again");
    assert_eq!(
        (again.approved_by.as_str(), why.reason.as_str()),
        ("", "APPROVAL_NEEDED")
    );
    assert!(why.message.contains("has changed since"), "{why:?}");
    let second = gate.request_of(&started).await;
    assert_ne!(second.approval_request_id, first.approval_request_id);
    assert_eq!(second.plan_digest, again.plan_digest);
    assert!(second.decisions.is_empty());
    let superseded = approvals.list_approval_requests(ListApprovalRequestsRequest {
        project: gate.project.slug.clone(),
        states: vec![ApprovalState::Superseded.into()],
        ..Default::default()
    });
    let superseded = superseded.await.granted().approval_requests;
    assert_eq!(superseded.len(), 1);
    assert_eq!(superseded[0].approval_request_id, first.approval_request_id);
    assert_eq!(superseded[0].decisions.len(), 1);
    // What was agreed to before is not agreed to now.
    let refused = approvals.approve(gate.approval(&started)).await;
    refused.refused(Code::Aborted, ErrorReason::PlanChanged);
    approvals.approve(gate.approval(&again)).await.granted();
    let done = gate.over(&started).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    assert_eq!(done.problem, None);
    let written = std::fs::read_to_string(gate.prod.join("Orders.json")).unwrap();
    assert!(written.contains("Europe/Berlin"), "{written}");
}
