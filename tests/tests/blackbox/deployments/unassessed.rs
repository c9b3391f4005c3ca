//! What rules for risky deployments ask of what undoes them.

use slipway_api::deployments::v1::{
    CreateReleaseRequest, DeploymentState, ReleaseItem, RollbackDeploymentRequest,
};
use slipway_api::ledger::v1::RiskLevel;
use slipway_tests::world::report;
use slipway_tests::{Backend, Granted};

use super::approvals::Gate;
use super::policies::admins;
use super::releases::{bring, release};
use crate::case::cases;

cases![what_was_risky_is_risky_to_undo];

/// Rules for what is risky apply to going back to what nobody approved.
async fn what_was_risky_is_risky_to_undo(backend: Backend) {
    let mut terms = admins(1);
    terms.rules[0].from_risk = RiskLevel::High.into();
    let gate = Gate::governed(backend, terms.clone()).await;
    let project = &gate.project;
    project.environment("live").await;
    project.set_policy("live", terms).await;
    for (key, version) in [("cart", "1"), ("cart", "2"), ("till", "1"), ("till", "2")] {
        if version == "1" {
            project.application(key).await;
        }
        project.version(key, version).await;
    }
    let mut deployments = gate.developer.deployments();
    let mut released = async |key: &str, version: &str, risk: RiskLevel| {
        let item = ReleaseItem {
            risk_level: risk.into(),
            ..bring(key, version)
        };
        let request = CreateReleaseRequest {
            environment: "live".to_owned(),
            execute_on_approval: true,
            ..release(project, vec![item])
        };
        let made = deployments.create_release(request).await.granted();
        let made = made.deployment.unwrap();
        if risk == RiskLevel::High {
            let mut approvals = gate.approver.approvals();
            approvals.approve(gate.approval(&made)).await.granted();
        }
        let done = gate.get(&made).await;
        assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
        done
    };
    // Of the first version nobody ever heard but by a report.
    project.record(report("cart", "1", "live")).await;
    released("till", "1", RiskLevel::Low).await;
    let risky = released("cart", "2", RiskLevel::High).await;
    let harmless = released("till", "2", RiskLevel::Low).await;
    for (undone, state) in [
        (&harmless, DeploymentState::Succeeded),
        (&risky, DeploymentState::PendingApproval),
    ] {
        let request = RollbackDeploymentRequest {
            project: project.slug.clone(),
            deployment: undone.number.to_string(),
            reason: "customers see nonsense".to_owned(),
            ..Default::default()
        };
        let mut deployments = gate.developer.deployments();
        let rollback = deployments.rollback_deployment(request).await.granted();
        let rollback = rollback.deployment.unwrap();
        assert_eq!(rollback.state(), state, "{rollback:?}");
    }
}
