//! What the report, the deployment and the audit trail say of the story.

use slipway_api::approvals::v1::ApprovalState;
use slipway_api::audit::v1::{
    AuditEventFilter, AuditOutcome, ComplianceDecision, ComplianceExceptionKind,
    ComplianceReportFormat, FourEyesResult,
};
use slipway_api::deployments::v1::{Deployment, DeploymentState, OverriddenGate, Transition};
use slipway_tests::Client;

use super::Team;
use crate::audit::events;
use crate::audit::report::{Told, question, text};

/// All of it is told: the refused approval of one's own request, the agreement that fell and the one that took its place, the
/// freeze and why it did not stop it, that it was carried out, and that it was undone.
pub(super) async fn is_told(team: &Team, asked: &Deployment, done: &Deployment, back: &Deployment) {
    let told = Told::of(&team.project, question(&team.project)).await;
    assert_eq!(told.header.deployment_count, 4);
    assert_eq!(told.header.deployment_record_count, 5);
    assert_eq!(told.header.exception_count, 1);
    let (found, exceptions) = told.deployment(done);
    assert_eq!(exceptions, [ComplianceExceptionKind::FreezeCrossed]);
    assert_eq!(told.entries[0].exceptions.len(), 1, "it is first");
    assert_eq!(found.four_eyes(), FourEyesResult::Met);
    assert_eq!(found.state(), DeploymentState::RolledBack);
    let by = found.requested_by.clone().unwrap().principal_id;
    assert_eq!(by, team.lead.principal_id);
    let both: Vec<_> = [&team.second, &team.third].map(agreed).into();
    let [fell] = &found.earlier_requests[..] else {
        panic!("{:?}", found.earlier_requests);
    };
    assert_eq!(fell.state(), ApprovalState::Superseded);
    assert_eq!(fell.plan_digest, asked.plan_digest);
    assert_eq!(answers(&fell.decisions), both);
    assert!(found.approval_required);
    assert_eq!(answers(&found.decisions), both);
    for decision in &found.decisions {
        assert_eq!(decision.plan_digest, done.plan_digest);
    }
    assert_eq!(found.plan_digest, done.plan_digest);
    let [crossed] = &found.freezes_crossed[..] else {
        panic!("{:?}", found.freezes_crossed);
    };
    assert_eq!(crossed.freeze_window, "christmas");
    assert_eq!(crossed.reason, "customers can't log in");
    assert_eq!(crossed.plan_digest, done.plan_digest);
    let by = crossed.principal.clone().unwrap().principal_id;
    assert_eq!(by, team.second.principal_id);
    let history: Vec<_> = found.history.iter().map(Transition::state).collect();
    assert_eq!(history.len(), 8, "{history:?}");
    let [item] = &told.items[&done.deployment_id][..] else {
        panic!("{:?}", told.items);
    };
    let versions = (&*item.version_before, &*item.version_after);
    assert_eq!(versions, ("1.0.0", "2.0.0"));
    assert!(!item.risk_factors.is_empty());

    let undone_by = found.rolled_back_by.clone().unwrap();
    assert_eq!(undone_by.number, back.number);
    let (rollback, exceptions) = told.deployment(back);
    assert_eq!(exceptions, []);
    assert_eq!(rollback.undoes.clone().unwrap().number, done.number);
    assert_eq!(rollback.state(), DeploymentState::Succeeded);
    texts_say_the_same(team, &told, done, back).await;
    the_deployment_says_so_too(team, done).await;
    the_trail_says_so_too(team, done, back).await;
}

fn agreed(who: &Client) -> (String, bool) {
    (who.principal_id.clone(), true)
}

fn answers(decisions: &[ComplianceDecision]) -> Vec<(String, bool)> {
    let answers = decisions.iter().map(|made| {
        let by = made.principal.clone().unwrap().principal_id;
        (by, made.approved)
    });
    answers.collect()
}

async fn texts_say_the_same(team: &Team, told: &Told, done: &Deployment, back: &Deployment) {
    for format in [ComplianceReportFormat::Csv, ComplianceReportFormat::Html] {
        let (header, text) = text(&team.project, question(&team.project), format).await;
        assert_eq!(header.exception_count, told.header.exception_count);
        assert_eq!(header.deployment_count, told.header.deployment_count);
        for expected in [
            "FREEZE_CROSSED",
            "SUPERSEDED",
            "christmas",
            "customers can't log in",
            "customers see nonsense",
            "ROLLED_BACK",
            "2.0.0",
            &done.plan_digest,
            &done.deployment_id,
            &back.deployment_id,
            &team.third.principal_id,
        ] {
            assert!(text.contains(expected), "{format:?}: {expected}");
        }
        for record in &told.records {
            assert_eq!(text.matches(&record.record_id).count(), 1, "{format:?}");
        }
        for deployment in [done, back] {
            let number = match format {
                ComplianceReportFormat::Html => format!("href=\"#d-{}\"", deployment.number),
                _ => format!("\"{}\"", deployment.number),
            };
            assert!(text.contains(&number), "{format:?}: {number}");
        }
    }
}

/// For ever.
async fn the_deployment_says_so_too(team: &Team, done: &Deployment) {
    let found = team.get(done).await;
    let [made] = &found.overrides[..] else {
        panic!("{:?}", found.overrides);
    };
    assert_eq!(made.gate(), OverriddenGate::Freeze);
    assert_eq!(made.freeze_window, "christmas");
    assert_eq!(made.overridden_by, team.second.principal_id);
    assert_eq!(made.reason, "customers can't log in");
    assert_eq!(made.plan_digest, done.plan_digest);
    assert_eq!(made.review, None);
}

/// The attempt to agree to one's own request is there, and what was allowed says how risky it was.
async fn the_trail_says_so_too(team: &Team, done: &Deployment, back: &Deployment) {
    let filter = AuditEventFilter {
        project: team.project.slug.clone(),
        ..Default::default()
    };
    let all = events(&team.project.admin, filter, 1_000).await;
    let refused = all.iter().any(|event| {
        event.outcome() == AuditOutcome::Refused
            && event.command == "Approve"
            && event.principal.as_ref().map(|by| &by.principal_id) == Some(&team.lead.principal_id)
    });
    assert!(refused, "{all:#?}");
    for (deployment, command, before) in [
        (done, "CreateRelease", false),
        (done, "Approve", true),
        (done, "OverrideFreeze", true),
        (done, "ExecuteDeployment", true),
        (back, "RollbackDeployment", false),
    ] {
        let found = all.iter().find(|event| {
            let resource = event.resource.as_ref();
            resource.is_some_and(|of| of.name == deployment.deployment_id)
                && event.command == command
                && event.outcome() == AuditOutcome::Allowed
        });
        let event = found.unwrap_or_else(|| panic!("no {command}: {all:#?}"));
        let says = |json: &str| json.contains("\"risk\":") && json.contains("\"state\":");
        assert!(says(&event.after_json), "{event:?}");
        assert_eq!(says(&event.before_json), before, "{event:?}");
    }
}
