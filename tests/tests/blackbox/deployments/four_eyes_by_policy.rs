//! Ways around four eyes where policies say who has to agree.

use std::time::Duration;

use slipway_api::approvals::v1::policy_scope::Scope;
use slipway_api::approvals::v1::{
    ApprovalRule, ApproveRequest, DeletePolicyRequest, EligibleRole, OverrideApprovalRequest,
    PolicyScope, PolicyTerms, RejectRequest, ReviewOverrideRequest, WithdrawApprovalRequest,
};
use slipway_api::catalog::v1::{ApplicationKind, CreateApplicationRequest, CreateVersionRequest};
use slipway_api::deployments::v1::{
    CreateReleaseRequest, Deployment, DeploymentState, ExecuteDeploymentRequest, ReleaseItem,
    StartPromotionRequest, release_item,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{CreatePrincipalRequest, PrincipalKind, RemoveMemberRequest, Role};
use slipway_api::ledger::v1::RiskLevel;
use slipway_tests::world::{token, user};
use slipway_tests::{Backend, Client, Granted, Refused, World};
use tonic::{Code, Response, Status};

use super::approvals::Gate;
use super::policies::{admins, rule, terms};
use crate::case::cases;

cases![
    nobody_gets_around_the_rules_of_policies,
    who_agreed_and_was_demoted_counts_no_more,
    one_person_votes_once_at_once,
    who_made_a_version_does_not_approve_its_release,
];

const OWN_DOING: (Code, ErrorReason) = (Code::PermissionDenied, ErrorReason::SelfApproval);
const NOT_ASKED: (Code, ErrorReason) = (Code::PermissionDenied, ErrorReason::ApproverNotEligible);
const TWICE: (Code, ErrorReason) = (Code::FailedPrecondition, ErrorReason::AlreadyDecided);
const MISSING: (Code, ErrorReason) = (Code::PermissionDenied, ErrorReason::PermissionMissing);

/// How many ways were tried; each has to be refused like this.
struct Tries(usize);

impl Tries {
    fn refused<T: std::fmt::Debug>(
        &mut self,
        answer: Result<Response<T>, Status>,
        (code, reason): (Code, ErrorReason),
    ) {
        self.0 += 1;
        answer.refused(code, reason);
    }

    async fn approve(&mut self, who: &Client, answer: ApproveRequest, why: (Code, ErrorReason)) {
        self.refused(who.approvals().approve(answer).await, why);
    }
}

/// The deployment waits still.
async fn still_waits(gate: &Gate, deployment: &Deployment) {
    tokio::time::sleep(Duration::from_millis(300)).await;
    let found = gate.get(deployment).await;
    assert_eq!(found.state(), DeploymentState::PendingApproval, "{found:?}");
}

/// A lead, and two people out of administrators and technical leads.
fn board() -> PolicyTerms {
    let both = [EligibleRole::Admin, EligibleRole::TenantAdmin];
    terms(vec![
        rule("lead", 1, &[], &["lead"]),
        rule("two", 2, &both, &["tech-lead"]),
    ])
}

/// A gate with that policy, and a lead who is a technical lead too.
async fn governed(backend: Backend) -> (Gate, Client) {
    let gate = Gate::governed(backend, PolicyTerms::default()).await;
    let lead = gate.project.member_in(Role::Viewer, "lead").await;
    let groups = ["lead", "tech-lead"];
    gate.project
        .set_groups(&lead.principal_id, &[Role::Viewer], &groups)
        .await;
    gate.project.member_in(Role::Viewer, "lead").await;
    gate.project.set_policy("prod", board()).await;
    (gate, lead)
}

async fn nobody_gets_around_the_rules_of_policies(backend: Backend) {
    let (gate, lead) = governed(backend).await;
    let mut tries = Tries(0);
    let asked_for = who_asks(&gate, &mut tries).await;
    latecomers(&gate, &asked_for, &mut tries).await;
    one_person(&gate, &lead, &asked_for, &mut tries).await;
    loosened(&gate, &asked_for, &mut tries).await;
    authors(&gate, backend, &mut tries).await;
    overriders(&gate, &mut tries).await;
    println!(
        "{backend}: {} ways around the rules of policies tried, 0 passed",
        tries.0
    );
    assert_eq!(tries.0, 30);
    // What was overridden alone.
    assert_eq!(gate.in_prod(), 3);
}

/// Whoever may not ask; and whoever asks, by whatever account, for whatever rule.
async fn who_asks(gate: &Gate, tries: &mut Tries) -> Deployment {
    let approver = gate.project.member(Role::Approver).await;
    let mut deployments = approver.deployments();
    let refused = deployments.start_promotion(gate.starting()).await;
    tries.refused(refused, MISSING);
    gate.project
        .set_policy("prod", {
            let mut nobody = board();
            nobody.requesters = None;
            nobody
        })
        .await;
    let not_eligible = (Code::PermissionDenied, ErrorReason::RequesterNotEligible);
    let mut deployments = gate.developer.deployments();
    let refused = deployments.start_promotion(gate.starting()).await;
    tries.refused(refused, not_eligible);
    gate.project.set_policy("prod", board()).await;

    let asker = gate.project.member(Role::Admin).await;
    let groups = ["lead", "tech-lead"];
    gate.project
        .set_groups(&asker.principal_id, &[Role::Admin], &groups)
        .await;
    let machine = gate.machine_of(&asker.principal_id, Role::Admin).await;
    let own = gate.start_as(&asker).await;
    let another = token(&gate.project.admin, &asker.principal_id, None).await;
    let another = asker.with_token(Some(&another.secret));
    let for_rule = |rule: &str| ApproveRequest {
        rule: rule.to_owned(),
        ..gate.approval(&own)
    };
    for who in [&asker, &another, &machine] {
        tries.approve(who, gate.approval(&own), OWN_DOING).await;
    }
    for rule in ["lead", "two"] {
        tries.approve(&asker, for_rule(rule), OWN_DOING).await;
    }
    // The same address in capitals would be a second account of hers.
    let mut identity = gate.project.admin.identity();
    let mut create = async |email: &str| {
        let request = CreatePrincipalRequest {
            kind: PrincipalKind::User.into(),
            display_name: "somebody".to_owned(),
            email: email.to_owned(),
            ..Default::default()
        };
        identity.create_principal(request).await
    };
    let email = format!("{}@example.com", gate.project.slug);
    create(&email).await.granted();
    let taken = (Code::AlreadyExists, ErrorReason::PrincipalAlreadyExists);
    tries.refused(create(&email.to_uppercase()).await, taken);
    own
}

/// Who was nobody when people were asked, and who is nobody by now.
async fn latecomers(gate: &Gate, asked_for: &Deployment, tries: &mut Tries) {
    let project = &gate.project;
    let answer = || gate.approval(asked_for);
    let joined = project.member(Role::Viewer).await;
    project
        .set_groups(
            &joined.principal_id,
            &[Role::Viewer],
            &["lead", "tech-lead"],
        )
        .await;
    tries.approve(&joined, answer(), NOT_ASKED).await;
    let promoted = project.member(Role::Admin).await;
    tries.approve(&promoted, answer(), NOT_ASKED).await;
    let machine = gate
        .machine_of(&gate.approver.principal_id, Role::Admin)
        .await;
    tries.approve(&machine, answer(), NOT_ASKED).await;
    // The approver is no member, is demoted, and becomes one again only to disagree with the rule that asks others.
    let id = &gate.approver.principal_id;
    let removal = RemoveMemberRequest {
        project: project.slug.clone(),
        principal_id: id.clone(),
        ..Default::default()
    };
    let mut identity = project.admin.identity();
    identity.remove_member(removal).await.granted();
    let no_project = (Code::NotFound, ErrorReason::ProjectNotFound);
    tries.approve(&gate.approver, answer(), no_project).await;
    project.set_roles(id, &[Role::Developer]).await;
    tries.approve(&gate.approver, answer(), NOT_ASKED).await;
    let rejection = || RejectRequest {
        comment: "no".to_owned(),
        ..gate.rejection(asked_for)
    };
    let refused = gate.approver.approvals().reject(rejection()).await;
    tries.refused(refused, NOT_ASKED);
    project.set_roles(id, &[Role::Admin]).await;
    let for_others = ApproveRequest {
        rule: "lead".to_owned(),
        ..answer()
    };
    tries.approve(&gate.approver, for_others, NOT_ASKED).await;
    let viewer = project.member(Role::Viewer).await;
    let refused = viewer.approvals().reject(rejection()).await;
    tries.refused(refused, NOT_ASKED);
}

/// A person of two groups, with what she votes and takes back.
async fn one_person(gate: &Gate, lead: &Client, asked_for: &Deployment, tries: &mut Tries) {
    let answer = |rule: &str| ApproveRequest {
        rule: rule.to_owned(),
        ..gate.approval(asked_for)
    };
    let mut approvals = lead.approvals();
    approvals.approve(answer("lead")).await.granted();
    tries.approve(lead, answer("two"), TWICE).await;
    tries.approve(lead, answer(""), TWICE).await;
    let mut other = gate.approver.approvals();
    other.approve(answer("")).await.granted();
    // One lead and one of the two: three different people are needed.
    still_waits(gate, asked_for).await;
    let withdrawal = WithdrawApprovalRequest {
        project: gate.project.slug.clone(),
        deployment: asked_for.deployment_id.clone(),
        reason: "on second thought".to_owned(),
        ..Default::default()
    };
    let others = gate.project.member(Role::Viewer).await;
    let refused = others
        .approvals()
        .withdraw_approval(withdrawal.clone())
        .await;
    let nothing = (Code::FailedPrecondition, ErrorReason::NothingToWithdraw);
    tries.refused(refused, nothing);
    approvals.withdraw_approval(withdrawal).await.granted();
    tries.approve(lead, answer("two"), TWICE).await;
}

/// Loosening or deleting a policy meets nothing, and what was answered to something else neither.
async fn loosened(gate: &Gate, asked_for: &Deployment, tries: &mut Tries) {
    gate.project.set_policy("prod", admins(1)).await;
    still_waits(gate, asked_for).await;
    let deleting = DeletePolicyRequest {
        project: gate.project.slug.clone(),
        scope: Some(PolicyScope {
            scope: Some(Scope::Environment("prod".to_owned())),
        }),
        ..Default::default()
    };
    let mut approvals = gate.developer.approvals();
    tries.refused(approvals.delete_policy(deleting.clone()).await, MISSING);
    let mut approvals = gate.project.admin.approvals();
    approvals.delete_policy(deleting).await.granted();
    still_waits(gate, asked_for).await;
    // The newcomer could approve by the rules of now, and was not asked.
    let newcomer = gate.project.member(Role::Admin).await;
    tries
        .approve(&newcomer, gate.approval(asked_for), NOT_ASKED)
        .await;
    let replayed = ApproveRequest {
        plan_digest: "0".repeat(64),
        ..gate.approval(asked_for)
    };
    let changed = (Code::Aborted, ErrorReason::PlanChanged);
    tries.approve(&gate.project.admin, replayed, changed).await;
    gate.project.set_policy("prod", admins(1)).await;
}

/// Who made the versions that the catalog knows, and the owner of a machine that did.
async fn authors(gate: &Gate, backend: Backend, tries: &mut Tries) {
    let project = &gate.project;
    let world = World::shared(backend).await;
    let folder = world.server.workflows(&[]);
    project.environment_on("early", &folder).await;
    project.pipeline("early", "dev", "early").await;
    let (author, owner) = (
        project.member(Role::Admin).await,
        project.member(Role::Admin).await,
    );
    let machine = gate.machine_of(&author.principal_id, Role::Admin).await;
    let maker = gate.machine_of(&owner.principal_id, Role::Admin).await;
    for (who, name) in [(&author, "Written"), (&maker, "Made")] {
        gate.add(name);
        let request = StartPromotionRequest {
            pipeline: "early".to_owned(),
            target: "early".to_owned(),
            ..gate.starting()
        };
        let started = who.deployments().start_promotion(request).await;
        let done = gate.over(&started.granted().deployment.unwrap()).await;
        assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    }
    let started = gate.start().await;
    for who in [&author, &machine, &owner, &maker] {
        tries.approve(who, gate.approval(&started), OWN_DOING).await;
    }
    let mut deployments = project.admin.deployments();
    let cancellation = gate.cancellation(&started);
    deployments.cancel_deployment(cancellation).await.granted();
}

/// Whoever overrides says nothing about it afterwards.
async fn overriders(gate: &Gate, tries: &mut Tries) {
    let started = gate.start().await;
    let passing = OverrideApprovalRequest {
        project: gate.project.slug.clone(),
        deployment: started.deployment_id.clone(),
        plan_digest: started.plan_digest.clone(),
        reason: "orders are lost".to_owned(),
        ..Default::default()
    };
    let mut approvals = gate.developer.approvals();
    tries.refused(approvals.override_approval(passing.clone()).await, MISSING);
    let overrider = gate.project.member(Role::Admin).await;
    let machine = gate.machine_of(&overrider.principal_id, Role::Admin).await;
    let mut approvals = overrider.approvals();
    approvals.override_approval(passing).await.granted();
    let reviewing = ReviewOverrideRequest {
        project: gate.project.slug.clone(),
        deployment: started.deployment_id.clone(),
        finding: 1,
        comment: "they were".to_owned(),
        ..Default::default()
    };
    let own = (Code::PermissionDenied, ErrorReason::OwnOverride);
    for who in [&overrider, &machine] {
        let refused = who.approvals().review_override(reviewing.clone()).await;
        tries.refused(refused, own);
    }
    gate.over(&started).await;
}

/// Between the approval and the start, which a policy puts off.
async fn who_agreed_and_was_demoted_counts_no_more(backend: Backend) {
    let patient = PolicyTerms {
        wait: Some(Duration::from_secs(3).try_into().unwrap()),
        ..admins(1)
    };
    let gate = Gate::governed(backend, patient).await;
    let started = gate.start().await;
    let mut approvals = gate.approver.approvals();
    approvals.approve(gate.approval(&started)).await.granted();
    gate.project
        .set_roles(&gate.approver.principal_id, &[Role::Approver])
        .await;
    let waits = |found: &Deployment| found.state() == DeploymentState::PendingApproval;
    let fell = gate.until(&started, waits).await;
    assert_eq!((fell.approved_by.as_str(), gate.in_prod()), ("", 0));
    let again = approvals.approve(gate.approval(&started)).await;
    again.refused(NOT_ASKED.0, NOT_ASKED.1);
}

/// By several tokens and machines at the same time.
async fn one_person_votes_once_at_once(backend: Backend) {
    let gate = Gate::governed(backend, admins(2)).await;
    let person = user(&gate.project.admin, "busy").await;
    let id = &person.principal_id;
    gate.project.set_roles(id, &[Role::Admin]).await;
    let second = token(&gate.project.admin, id, None).await;
    let accounts = [
        person.clone(),
        person.with_token(Some(&second.secret)),
        gate.machine_of(id, Role::Admin).await,
        gate.machine_of(id, Role::Admin).await,
    ];
    for round in 0..4 {
        gate.add(&format!("Round {round}"));
        let started = gate.start().await;
        let votes: Vec<_> = accounts
            .iter()
            .map(|account| {
                let (mut approvals, answer) = (account.approvals(), gate.approval(&started));
                tokio::spawn(async move { approvals.approve(answer).await })
            })
            .collect();
        let mut taken = 0;
        for vote in votes {
            match vote.await.unwrap() {
                Ok(_) => taken += 1,
                refused => drop(refused.refused(TWICE.0, TWICE.1)),
            }
        }
        assert_eq!(taken, 1);
        let found = gate.get(&started).await;
        assert_eq!(found.state(), DeploymentState::PendingApproval);
        assert_eq!(gate.request_of(&started).await.decisions.len(), 1);
        let mut deployments = gate.developer.deployments();
        let cancellation = gate.cancellation(&started);
        deployments.cancel_deployment(cancellation).await.granted();
    }
}

/// Critical ones need two people; authors, whoever made a version for somebody, and owners of machines that did are none.
async fn who_made_a_version_does_not_approve_its_release(backend: Backend) {
    let both = [EligibleRole::Admin, EligibleRole::TenantAdmin];
    let critical = ApprovalRule {
        from_risk: RiskLevel::High.into(),
        kinds: vec![ApplicationKind::Prompt.into()],
        ..rule("critical", 1, &both, &[])
    };
    let gate = Gate::governed(backend, PolicyTerms::default()).await;
    let project = &gate.project;
    let members = [
        project.member(Role::Admin).await,
        project.member(Role::Admin).await,
        project.member(Role::Admin).await,
        project.member(Role::Admin).await,
    ];
    let [author, editor, owner, other] = &members;
    let mut everybody = admins(1);
    everybody.rules.push(critical);
    project.set_policy("prod", everybody).await;
    let machine = gate.machine_of(&owner.principal_id, Role::Admin).await;
    let authors_machine = gate.machine_of(&author.principal_id, Role::Admin).await;
    prompt_by(&gate, author, [(editor, "1"), (&machine, "2")]).await;
    let release = async |version: &str, risk_level: RiskLevel| {
        let item = ReleaseItem {
            application: "greeting".to_owned(),
            change: Some(release_item::Change::Version(version.to_owned())),
            risk_level: risk_level.into(),
            ..Default::default()
        };
        let request = CreateReleaseRequest {
            project: project.slug.clone(),
            name: format!("greeting-{version}"),
            environment: "prod".to_owned(),
            items: vec![item],
            ..Default::default()
        };
        let made = gate.developer.deployments().create_release(request).await;
        made.granted().deployment.unwrap()
    };
    let mut tries = Tries(0);
    let first = release("1", RiskLevel::Critical).await;
    let second = release("2", RiskLevel::Low).await;
    for who in [author, &authors_machine, editor] {
        tries.approve(who, gate.approval(&first), OWN_DOING).await;
    }
    for who in [author, owner, &machine] {
        tries.approve(who, gate.approval(&second), OWN_DOING).await;
    }
    let replayed = ApproveRequest {
        plan_digest: second.plan_digest.clone(),
        ..gate.approval(&first)
    };
    let changed = (Code::Aborted, ErrorReason::PlanChanged);
    tries.approve(other, replayed, changed).await;
    let executing = |deployment: &Deployment| ExecuteDeploymentRequest {
        project: project.slug.clone(),
        deployment: deployment.deployment_id.clone(),
        plan_digest: deployment.plan_digest.clone(),
        ..Default::default()
    };
    let not_yet = (
        Code::FailedPrecondition,
        ErrorReason::DeploymentNotExecutable,
    );
    let mut deployments = project.admin.deployments();
    let refused = deployments.execute_deployment(executing(&first)).await;
    tries.refused(refused, not_yet);
    let mut approvals = other.approvals();
    approvals.approve(gate.approval(&first)).await.granted();
    // Of the two rules one is met.
    still_waits(&gate, &first).await;
    let refused = deployments.execute_deployment(executing(&first)).await;
    tries.refused(refused, not_yet);
    let mut root = project.admin.approvals();
    let approved = root.approve(gate.approval(&first)).await.granted();
    assert_eq!(
        approved.deployment.unwrap().state(),
        DeploymentState::Approved
    );
    let executed = deployments.execute_deployment(executing(&first)).await;
    let done = executed.granted().deployment.unwrap();
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    println!("{backend}: {} ways around tried, 0 passed", tries.0);
    assert_eq!(tries.0, 9);
}

/// A prompt whose versions one wrote and others made.
async fn prompt_by(gate: &Gate, author: &Client, makers: [(&Client, &str); 2]) {
    let project = &gate.project;
    let application = CreateApplicationRequest {
        project: project.slug.clone(),
        key: "greeting".to_owned(),
        kind: ApplicationKind::Prompt.into(),
        ..Default::default()
    };
    let mut applications = project.admin.applications();
    applications.create_application(application).await.granted();
    for (maker, identifier) in makers {
        let version = CreateVersionRequest {
            project: project.slug.clone(),
            application: "greeting".to_owned(),
            identifier: identifier.to_owned(),
            author_principal_id: author.principal_id.clone(),
            ..Default::default()
        };
        maker.applications().create_version(version).await.granted();
    }
}
