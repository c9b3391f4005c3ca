//! Policies: set, looked at, removed, and what they ask of deployments.

use std::time::Duration;

use slipway_api::approvals::v1::policy_scope::Scope;
use slipway_api::approvals::v1::{
    ApprovalRule, ApprovalState, ApproveRequest, DeletePolicyRequest, Eligible, EligibleRole,
    GetPolicyRequest, ListPoliciesRequest, OverrideApprovalRequest, OverrideFinding, PolicyScope,
    PolicyTerms, ReviewOverrideRequest, RuleSource, SetPolicyRequest, WithdrawApprovalRequest,
};
use slipway_api::catalog::v1::{EnvironmentTier, UpdateEnvironmentRequest};
use slipway_api::deployments::v1::{Deployment, DeploymentState, RollbackDeploymentRequest};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{PrincipalRef, Role};
use slipway_tests::refusal::violated_fields;
use slipway_tests::{Backend, Client, Granted, Project, Refused, World};
use tonic::Code;

use super::approvals::Gate;
use crate::case::cases;

cases![
    policies_are_set_read_and_removed,
    faulty_policies_are_refused,
    what_nobody_could_meet_is_refused,
    production_takes_two_people,
    every_rule_is_met_by_itself,
    an_approval_is_withdrawn,
    an_override_is_reviewed_by_somebody_else,
    a_deployment_waits_as_long_as_policies_say,
    stricter_rules_win_and_looser_ones_do_not,
    going_back_to_what_was_approved_needs_no_approval,
];

/// So many people of these roles and groups.
pub(super) fn rule(
    name: &str,
    required: i32,
    roles: &[EligibleRole],
    groups: &[&str],
) -> ApprovalRule {
    ApprovalRule {
        name: name.to_owned(),
        required,
        eligible: Some(Eligible {
            roles: roles.iter().map(|role| (*role).into()).collect(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// These rules; developers ask.
pub(super) fn terms(rules: Vec<ApprovalRule>) -> PolicyTerms {
    PolicyTerms {
        rules,
        requesters: Some(Eligible {
            roles: vec![EligibleRole::Developer.into()],
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// So many administrators.
pub(crate) fn admins(required: i32) -> PolicyTerms {
    let both = [EligibleRole::Admin, EligibleRole::TenantAdmin];
    terms(vec![rule("admins", required, &both, &[])])
}

const fn about(scope: Scope) -> PolicyScope {
    PolicyScope { scope: Some(scope) }
}

fn setting(project: &Project, scope: Scope, terms: PolicyTerms) -> SetPolicyRequest {
    SetPolicyRequest {
        project: project.slug.clone(),
        scope: Some(about(scope)),
        terms: Some(terms),
        ..Default::default()
    }
}

fn ids(principals: &[PrincipalRef]) -> Vec<&str> {
    principals
        .iter()
        .map(|principal| principal.principal_id.as_str())
        .collect()
}

async fn approves(gate: &Gate, who: &Client, deployment: &Deployment) -> DeploymentState {
    let answer = who.approvals().approve(gate.approval(deployment)).await;
    answer.granted().deployment.unwrap().state()
}

async fn policies_are_set_read_and_removed(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    project.environment("prod").await;
    let (admin, viewer) = (
        project.member(Role::Admin).await,
        project.member(Role::Viewer).await,
    );
    let here = || Scope::Environment("prod".to_owned());
    let get = |scope: Scope| GetPolicyRequest {
        project: project.slug.clone(),
        scope: Some(about(scope)),
    };
    let mut looks = viewer.approvals();
    // What is built in.
    let production = Scope::Tier(EnvironmentTier::Production.into());
    let found = looks.get_policy(get(production.clone())).await.granted();
    let built_in = found.policy.unwrap();
    assert!(built_in.built_in && built_in.policy_id.is_empty());
    let two = &built_in.terms.unwrap().rules[0];
    assert_eq!((two.name.as_str(), two.required), ("two-people", 2));
    for absent in [here(), Scope::WholeProject(true)] {
        let nothing = looks.get_policy(get(absent)).await;
        nothing.refused(Code::NotFound, ErrorReason::PolicyNotFound);
    }
    let nowhere = get(Scope::Environment("gone".to_owned()));
    let nowhere = looks.get_policy(nowhere).await;
    nowhere.refused(Code::NotFound, ErrorReason::EnvironmentNotFound);

    let mut approvals = admin.approvals();
    let once = SetPolicyRequest {
        request_id: "once".to_owned(),
        ..setting(&project, here(), admins(1))
    };
    let set = approvals.set_policy(once.clone()).await.granted();
    let first = set.policy.unwrap();
    assert_eq!(first.etag, "1");
    assert_eq!(
        first.updated_by.as_ref().unwrap().principal_id,
        admin.principal_id
    );
    let again = approvals.set_policy(once).await.granted();
    assert_eq!(again.policy.as_ref(), Some(&first));
    let found = looks.get_policy(get(here())).await.granted();
    assert_eq!(found.policy.as_ref(), Some(&first));
    // All that apply to an environment: its own, and what is built in for its tier.
    let request = ListPoliciesRequest {
        project: project.slug.clone(),
        environment: "prod".to_owned(),
        ..Default::default()
    };
    let listed = looks.list_policies(request).await.granted().policies;
    assert_eq!(listed.len(), 2);
    assert_eq!((&listed[0], listed[1].built_in), (&first, true));
    let elsewhere = ListPoliciesRequest {
        project: project.slug.clone(),
        environment: "gone".to_owned(),
        ..Default::default()
    };
    let refused = looks.list_policies(elsewhere).await;
    refused.refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    let all = ListPoliciesRequest {
        project: project.slug.clone(),
        ..Default::default()
    };
    assert_eq!(
        looks.list_policies(all.clone()).await.granted().policies,
        [first]
    );

    let deleting = DeletePolicyRequest {
        project: project.slug.clone(),
        scope: Some(about(here())),
        etag: "7".to_owned(),
        ..Default::default()
    };
    let stale = approvals.delete_policy(deleting.clone()).await;
    stale.refused(Code::Aborted, ErrorReason::EtagMismatch);
    let deleting = DeletePolicyRequest {
        etag: "1".to_owned(),
        ..deleting
    };
    approvals.delete_policy(deleting.clone()).await.granted();
    let gone = approvals.delete_policy(deleting).await;
    gone.refused(Code::NotFound, ErrorReason::PolicyNotFound);
    assert_eq!(looks.list_policies(all).await.granted().policies, []);
}

async fn faulty_policies_are_refused(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    project.environment("prod").await;
    let viewer = project.member(Role::Viewer).await;
    let here = || Scope::Environment("prod".to_owned());
    let mut approvals = project.admin.approvals();
    let stale = SetPolicyRequest {
        etag: "7".to_owned(),
        ..setting(&project, here(), admins(1))
    };
    let stale = approvals.set_policy(stale).await;
    stale.refused(Code::Aborted, ErrorReason::EtagMismatch);
    let refused = viewer
        .approvals()
        .set_policy(setting(&project, here(), admins(1)))
        .await;
    refused.refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
    let mut faulty = admins(11);
    faulty.rules.push(rule("admins", 1, &[], &[]));
    faulty.wait = Some(Duration::from_hours(8 * 24).try_into().unwrap());
    let refused = approvals
        .set_policy(setting(&project, here(), faulty))
        .await;
    let refused = refused.refused(Code::InvalidArgument, ErrorReason::InvalidField);
    let mut fields = violated_fields(&refused);
    fields.sort();
    assert_eq!(
        fields,
        [
            "terms.rules[0].required",
            "terms.rules[1].eligible",
            "terms.rules[1].name",
            "terms.wait"
        ]
    );
    let gone = Scope::Environment("gone".to_owned());
    let refused = approvals
        .set_policy(setting(&project, gone, admins(1)))
        .await;
    refused.refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
}

async fn what_nobody_could_meet_is_refused(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    let set = async |rules| {
        let request = setting(&project, Scope::WholeProject(true), terms(rules));
        project.admin.approvals().set_policy(request).await
    };
    let lead = || rule("lead", 1, &[], &["lead"]);
    let refused = set(vec![lead()]).await;
    refused.refused(Code::FailedPrecondition, ErrorReason::PolicyUnsatisfiable);
    project.member_in(Role::Viewer, "lead").await;
    set(vec![lead()]).await.granted();
    // One person does not meet two rules.
    let second = rule("second", 1, &[], &["lead"]);
    let refused = set(vec![lead(), second.clone()]).await;
    refused.refused(Code::FailedPrecondition, ErrorReason::PolicyUnsatisfiable);
    project.member_in(Role::Viewer, "lead").await;
    set(vec![lead(), second]).await.granted();
}

async fn production_takes_two_people(backend: Backend) {
    let gate = Gate::governed(backend, PolicyTerms::default()).await;
    let tier = UpdateEnvironmentRequest {
        project: gate.project.slug.clone(),
        environment: "prod".to_owned(),
        tier: EnvironmentTier::Production.into(),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["tier".to_owned()],
        }),
        ..Default::default()
    };
    let mut environments = gate.project.admin.environments();
    environments.update_environment(tier).await.granted();
    let mut deployments = gate.developer.deployments();
    let refused = deployments.start_promotion(gate.starting()).await;
    refused.refused(Code::PermissionDenied, ErrorReason::RequesterNotEligible);

    let asker = gate.project.member(Role::Admin).await;
    let lead = gate.project.member_in(Role::Viewer, "tech-lead").await;
    let started = gate.start_as(&asker).await;
    let request = gate.request_of(&started).await;
    let [two] = &request.rules[..] else {
        panic!("{request:?}")
    };
    assert_eq!(two.source(), RuleSource::BuiltIn);
    assert_eq!(two.rule.as_ref().unwrap().required, 2);
    assert!(two.counted.is_empty() && request.warnings.is_empty());
    let can = ids(&two.can_approve);
    for who in [&gate.approver, &lead] {
        assert!(can.contains(&who.principal_id.as_str()), "{two:?}");
    }
    assert!(!can.contains(&asker.principal_id.as_str()));
    let own = asker.approvals().approve(gate.approval(&started)).await;
    own.refused(Code::PermissionDenied, ErrorReason::SelfApproval);
    let waits = DeploymentState::PendingApproval;
    assert_eq!(approves(&gate, &lead, &started).await, waits);
    let request = gate.request_of(&started).await;
    assert_eq!(request.state(), ApprovalState::Pending);
    assert_eq!(ids(&request.rules[0].counted), [lead.principal_id.as_str()]);
    assert_eq!(gate.in_prod(), 0);
    assert_eq!(
        approves(&gate, &gate.approver, &started).await,
        DeploymentState::Queued
    );
    let done = gate.over(&started).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    let request = gate.request_of(&started).await;
    assert_eq!(request.rules[0].counted.len(), 2);
}

/// A person counts once, for the rule named or for whichever needs it most.
async fn every_rule_is_met_by_itself(backend: Backend) {
    let rules = vec![
        rule("business", 1, &[EligibleRole::Admin], &["business"]),
        rule("security", 1, &[], &["security"]),
    ];
    let gate = Gate::governed(backend, PolicyTerms::default()).await;
    let project = &gate.project;
    let both = project.member_in(Role::Approver, "security").await;
    let groups = ["business", "security"];
    project
        .set_groups(&both.principal_id, &[Role::Approver], &groups)
        .await;
    project.set_policy("prod", terms(rules)).await;
    let started = gate.start().await;
    let counted = async || {
        let request = gate.request_of(&started).await;
        let of = |at: usize| ids(&request.rules[at].counted).join(",");
        (of(0), of(1))
    };
    let waits = DeploymentState::PendingApproval;
    assert_eq!(approves(&gate, &both, &started).await, waits);
    let (business, security) = counted().await;
    assert_eq!(business.is_empty(), !security.is_empty());
    // Whoever counts for one rule only takes that place, and who counts for both moves.
    let done = approves(&gate, &gate.approver, &started).await;
    assert_eq!(done, DeploymentState::Queued);
    let expected = (
        gate.approver.principal_id.clone(),
        both.principal_id.clone(),
    );
    assert_eq!(counted().await, expected);
    gate.over(&started).await;

    // A rule that is named is respected, and one that does not ask the caller is refused.
    gate.add("Mail");
    let started = gate.start().await;
    let named = |rule: &str| ApproveRequest {
        rule: rule.to_owned(),
        ..gate.approval(&started)
    };
    let mut approvals = gate.approver.approvals();
    let refused = approvals.approve(named("security")).await;
    refused.refused(Code::PermissionDenied, ErrorReason::ApproverNotEligible);
    let refused = approvals.approve(named("nobody")).await;
    refused.refused(Code::NotFound, ErrorReason::ApprovalRuleNotFound);
    both.approvals().approve(named("business")).await.granted();
    approvals.approve(named("business")).await.granted();
    let request = gate.request_of(&started).await;
    assert_eq!(request.state(), ApprovalState::Pending);
    assert_eq!(request.decisions[0].rule, "business");
    assert!(request.rules[1].counted.is_empty());
    // Nobody is left who could: that is told.
    assert_eq!(request.warnings.len(), 1, "{request:?}");
}

async fn an_approval_is_withdrawn(backend: Backend) {
    let gate = Gate::governed(backend, admins(2)).await;
    let other = gate.project.member(Role::Admin).await;
    let started = gate.start().await;
    let withdrawing = || WithdrawApprovalRequest {
        project: gate.project.slug.clone(),
        deployment: started.deployment_id.clone(),
        reason: "on second thought".to_owned(),
        ..Default::default()
    };
    let mut approvals = gate.approver.approvals();
    let nothing = approvals.withdraw_approval(withdrawing()).await;
    nothing.refused(Code::FailedPrecondition, ErrorReason::NothingToWithdraw);
    approves(&gate, &gate.approver, &started).await;
    let once = WithdrawApprovalRequest {
        request_id: "once".to_owned(),
        ..withdrawing()
    };
    let back = approvals.withdraw_approval(once.clone()).await.granted();
    let request = back.approval_request.unwrap();
    assert!(request.rules[0].counted.is_empty());
    let withdrawal = request.decisions[0].withdrawal.as_ref().unwrap();
    assert_eq!(withdrawal.reason, "on second thought");
    approvals.withdraw_approval(once).await.granted();
    let again = approvals.approve(gate.approval(&started)).await;
    again.refused(Code::FailedPrecondition, ErrorReason::AlreadyDecided);
    approves(&gate, &other, &started).await;
    let root = &gate.project.admin;
    approves(&gate, root, &started).await;
    let done = gate.over(&started).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    let late = other.approvals().withdraw_approval(withdrawing()).await;
    late.refused(Code::FailedPrecondition, ErrorReason::ApprovalUsed);
}

async fn an_override_is_reviewed_by_somebody_else(backend: Backend) {
    let gate = Gate::governed(backend, admins(2)).await;
    let started = gate.start_as(&gate.approver).await;
    let passing = OverrideApprovalRequest {
        project: gate.project.slug.clone(),
        deployment: started.deployment_id.clone(),
        plan_digest: started.plan_digest.clone(),
        reason: "orders are lost".to_owned(),
        ..Default::default()
    };
    let reviewing = || ReviewOverrideRequest {
        project: gate.project.slug.clone(),
        deployment: started.number.to_string(),
        finding: OverrideFinding::Justified.into(),
        comment: "they were".to_owned(),
        ..Default::default()
    };
    let mut not_hers = gate.developer.approvals();
    let refused = not_hers.override_approval(passing.clone()).await;
    refused.refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
    let mut approvals = gate.approver.approvals();
    let other_plan = OverrideApprovalRequest {
        plan_digest: "0".repeat(64),
        ..passing.clone()
    };
    let refused = approvals.override_approval(other_plan).await;
    refused.refused(Code::Aborted, ErrorReason::PlanChanged);
    let nothing = approvals.review_override(reviewing()).await;
    nothing.refused(Code::FailedPrecondition, ErrorReason::NotOverridden);
    let passed = approvals.override_approval(passing).await.granted();
    let request = passed.approval_request.unwrap();
    assert_eq!(request.state(), ApprovalState::Approved);
    assert_eq!(request.r#override.unwrap().reason, "orders are lost");
    let done = gate.over(&started).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    let own = approvals.review_override(reviewing()).await;
    own.refused(Code::PermissionDenied, ErrorReason::OwnOverride);
    let mut root = gate.project.admin.approvals();
    let reviewed = root.review_override(reviewing()).await.granted();
    let request = reviewed.approval_request.unwrap();
    let review = request.r#override.unwrap().review.unwrap();
    assert_eq!(review.finding(), OverrideFinding::Justified);
    let again = root.review_override(reviewing()).await;
    again.refused(Code::FailedPrecondition, ErrorReason::OverrideReviewed);
}

async fn a_deployment_waits_as_long_as_policies_say(backend: Backend) {
    let wait = Duration::from_secs(3);
    let patient = PolicyTerms {
        wait: Some(wait.try_into().unwrap()),
        ..admins(1)
    };
    let gate = Gate::governed(backend, patient).await;
    let started = gate.start().await;
    let request = gate.request_of(&started).await;
    let waits = request.not_before_time.unwrap().seconds - request.created_time.unwrap().seconds;
    assert_eq!(waits, 3);
    approves(&gate, &gate.approver, &started).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(gate.in_prod(), 0);
    let done = gate.over(&started).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    let began = done.started_time.unwrap().seconds - request.created_time.unwrap().seconds;
    assert!(began >= 3, "{began} s");
}

/// What waits for its time is asked about again where rules have become stricter meanwhile; looser ones, or none, change
/// nothing about what was asked.
async fn stricter_rules_win_and_looser_ones_do_not(backend: Backend) {
    let patient = |required| PolicyTerms {
        wait: Some(Duration::from_secs(3).try_into().unwrap()),
        ..admins(required)
    };
    let gate = Gate::governed(backend, patient(1)).await;
    let other = gate.project.member(Role::Admin).await;
    let started = gate.start().await;
    let queued = approves(&gate, &gate.approver, &started).await;
    assert_eq!(queued, DeploymentState::Queued);
    gate.project.set_policy("prod", admins(2)).await;
    let waits = |found: &Deployment| found.state() == DeploymentState::PendingApproval;
    gate.until(&started, waits).await;
    assert_eq!(gate.in_prod(), 0);
    let asked = gate.request_of(&started).await;
    assert_eq!(asked.rules[0].rule.as_ref().unwrap().required, 2);
    assert!(asked.decisions.is_empty());

    gate.project
        .set_policy("prod", PolicyTerms::default())
        .await;
    assert_eq!(
        approves(&gate, &gate.approver, &started).await,
        DeploymentState::PendingApproval
    );
    let deleting = DeletePolicyRequest {
        project: gate.project.slug.clone(),
        scope: Some(about(Scope::Environment("prod".to_owned()))),
        ..Default::default()
    };
    let mut approvals = gate.project.admin.approvals();
    approvals.delete_policy(deleting).await.granted();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(waits(&gate.get(&started).await));
    let queued = approves(&gate, &other, &started).await;
    assert_eq!(queued, DeploymentState::Queued);
    let done = gate.over(&started).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
}

async fn going_back_to_what_was_approved_needs_no_approval(backend: Backend) {
    let gate = Gate::governed(backend, admins(1)).await;
    let back = async |deployment: &Deployment| {
        let request = RollbackDeploymentRequest {
            project: gate.project.slug.clone(),
            deployment: deployment.deployment_id.clone(),
            reason: "orders are lost".to_owned(),
            ..Default::default()
        };
        let mut deployments = gate.project.admin.deployments();
        let asked = deployments.rollback_deployment(request).await;
        asked.granted().deployment.unwrap()
    };
    let carried_out = async || {
        let started = gate.start().await;
        approves(&gate, &gate.approver, &started).await;
        gate.over(&started).await
    };
    let first = carried_out().await;
    gate.add("Mail");
    let second = carried_out().await;
    let undone = gate.over(&back(&second).await).await;
    assert_eq!(undone.state(), DeploymentState::Succeeded, "{undone:?}");
    assert_eq!(undone.approved_by, "");
    // Nobody ever approved of an environment without anything in it.
    let waits = back(&first).await;
    assert_eq!(waits.state(), DeploymentState::PendingApproval);
    // A policy may want to be asked.
    gate.add("Chat");
    let third = carried_out().await;
    let asks = PolicyTerms {
        rollback_needs_approval: true,
        ..admins(1)
    };
    gate.project.set_policy("prod", asks).await;
    let waits = back(&third).await;
    assert_eq!(waits.state(), DeploymentState::PendingApproval);
}
