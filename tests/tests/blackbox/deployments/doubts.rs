//! Doubts, and what a person says about them.

use slipway_api::deployments::v1::{
    CancelDeploymentRequest, Deployment, DeploymentState, ItemStatus, ResolveInDoubtRequest,
    Verdict,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::ledger::v1::GetCurrentStateRequest;
use slipway_n8n_stand_in::{Fault, Injection, Options, StandIn};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::workflow;
use slipway_tests::{Backend, Granted, Refused, World};
use tonic::Code;

use super::promotions::Way;
use crate::case::cases;

cases![
    what_was_lost_is_looked_for_again_and_done,
    what_a_person_made_is_looked_at_and_recorded,
    what_is_in_doubt_is_undone_or_left,
    what_is_not_in_doubt_is_not_resolved,
];

/// A promotion to n8n, which loses the call that would make the workflow.
pub(crate) struct Doubt {
    pub(crate) way: Way,
    n8n: StandIn,
    pub(crate) deployment: Deployment,
}

impl Doubt {
    pub(crate) async fn new(backend: Backend) -> Self {
        let world = World::shared(backend).await;
        let n8n = StandIn::start(Options::default()).await;
        let way = Way::to_n8n(&world, &[("a", workflow("Orders"))], &n8n.url).await;
        n8n.inject(Injection::always("POST /workflows", Fault::DropBefore));
        let deployment = way.over(&way.start().await).await;
        assert_eq!(
            deployment.state(),
            DeploymentState::InDoubt,
            "{deployment:?}"
        );
        assert_eq!(
            deployment.problem.as_ref().unwrap().reason,
            "OUTCOME_UNKNOWN"
        );
        Self {
            way,
            n8n,
            deployment,
        }
    }

    fn resolving(&self, verdict: Verdict) -> ResolveInDoubtRequest {
        ResolveInDoubtRequest {
            project: self.way.project.slug.clone(),
            deployment: self.deployment.number.to_string(),
            verdict: verdict.into(),
            reason: "I looked at it".to_owned(),
            request_id: String::new(),
        }
    }

    /// The deployment when it is over, or in doubt again.
    pub(crate) async fn resolve(&self, verdict: Verdict) -> Deployment {
        let mut deployments = self.way.project.admin.deployments();
        let resolved = deployments.resolve_in_doubt(self.resolving(verdict)).await;
        let resolved = resolved.granted().deployment.unwrap();
        let told = resolved.resolution.clone().expect("told");
        assert_eq!(told.verdict(), verdict);
        assert_eq!(told.reason, "I looked at it");
        assert_eq!(told.resolved_by, self.way.project.admin.principal_id);
        assert_eq!(told.doubt.unwrap().reason, "OUTCOME_UNKNOWN");
        self.way.over(&resolved).await
    }

    /// The version that the ledger says is there.
    async fn recorded(&self) -> Option<String> {
        let request = GetCurrentStateRequest {
            project: self.way.project.slug.clone(),
            application: "Orders".to_owned(),
            environment: "prod".to_owned(),
            ..Default::default()
        };
        let mut ledger = self.way.project.admin.ledger();
        let state = ledger.get_current_state(request).await.ok()?;
        Some(state.into_inner().state?.version)
    }
}

async fn what_was_lost_is_looked_for_again_and_done(backend: Backend) {
    let doubt = Doubt::new(backend).await;
    let again = doubt.resolve(Verdict::Running).await;
    assert_eq!(again.state(), DeploymentState::InDoubt, "{again:?}");
    assert_eq!(doubt.recorded().await, None);
    doubt.n8n.behave();
    let done = doubt.resolve(Verdict::Running).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    assert_eq!((done.problem, done.items[0].problem.clone()), (None, None));
    assert!(!done.post_snapshot_id.is_empty());
    assert_eq!(doubt.n8n.ids().len(), 1);
    assert!(doubt.recorded().await.is_some());
}

async fn what_a_person_made_is_looked_at_and_recorded(backend: Backend) {
    let doubt = Doubt::new(backend).await;
    // It is not there, whoever says so.
    let again = doubt.resolve(Verdict::Succeeded).await;
    assert_eq!(again.state(), DeploymentState::InDoubt, "{again:?}");
    assert_eq!(
        again.items[0].problem.as_ref().unwrap().reason,
        "NOT_AS_RESOLVED"
    );
    assert_eq!(doubt.n8n.ids().len(), 0);
    let id = doubt.n8n.seed(workflow("Orders"));
    let done = doubt.resolve(Verdict::Succeeded).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    assert_eq!(done.items[0].status(), ItemStatus::Succeeded);
    assert_eq!(done.items[0].workflow_id, id);
    assert_eq!(doubt.n8n.ids(), [id]);
    assert!(doubt.recorded().await.is_some());
}

async fn what_is_in_doubt_is_undone_or_left(backend: Backend) {
    for (verdict, status) in [
        (Verdict::Compensating, ItemStatus::Compensated),
        (Verdict::Failed, ItemStatus::Failed),
    ] {
        let doubt = Doubt::new(backend).await;
        // The lost call arrives after all.
        doubt.n8n.seed(workflow("Orders"));
        let over = doubt.resolve(verdict).await;
        assert_eq!(over.state(), DeploymentState::Failed, "{over:?}");
        assert_eq!(over.items[0].status(), status);
        assert_eq!(over.problem.as_ref().unwrap().reason, "OUTCOME_UNKNOWN");
        assert!(!over.post_snapshot_id.is_empty());
        let left = usize::from(verdict == Verdict::Failed);
        assert_eq!(doubt.n8n.ids().len(), left, "{verdict:?}");
        assert_eq!(doubt.recorded().await, None);
    }
}

async fn what_is_not_in_doubt_is_not_resolved(backend: Backend) {
    let doubt = Doubt::new(backend).await;
    let project = &doubt.way.project;
    let mut deployments = project.admin.deployments();
    let cancel = CancelDeploymentRequest {
        project: project.slug.clone(),
        deployment: doubt.deployment.number.to_string(),
        reason: "too late".to_owned(),
        request_id: String::new(),
    };
    let refused = deployments.cancel_deployment(cancel).await;
    refused.refused(
        Code::FailedPrecondition,
        ErrorReason::DeploymentNotCancelable,
    );
    let unspecified = deployments.resolve_in_doubt(ResolveInDoubtRequest {
        reason: String::new(),
        ..doubt.resolving(Verdict::Unspecified)
    });
    let refused = unspecified
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(violated_fields(&refused), ["verdict", "reason"]);
    let absent = deployments.resolve_in_doubt(ResolveInDoubtRequest {
        deployment: "99".to_owned(),
        ..doubt.resolving(Verdict::Failed)
    });
    absent
        .await
        .refused(Code::NotFound, ErrorReason::DeploymentNotFound);
    let once = ResolveInDoubtRequest {
        request_id: "once".to_owned(),
        ..doubt.resolving(Verdict::Failed)
    };
    for _ in 0..2 {
        let resolved = deployments.resolve_in_doubt(once.clone()).await.granted();
        doubt.way.over(&resolved.deployment.unwrap()).await;
    }
    let other = ResolveInDoubtRequest {
        verdict: Verdict::Running.into(),
        ..once
    };
    let refused = deployments.resolve_in_doubt(other).await;
    refused.refused(Code::InvalidArgument, ErrorReason::RequestIdReused);
    let late = deployments.resolve_in_doubt(doubt.resolving(Verdict::Running));
    late.await
        .refused(Code::FailedPrecondition, ErrorReason::DeploymentNotInDoubt);
}
