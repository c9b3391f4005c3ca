//! Ways around four eyes, and answers that come at once.

use std::time::Duration;

use slipway_api::approvals::v1::{ApprovalState, ApproveRequest, RejectRequest};
use slipway_api::deployments::v1::{Deployment, DeploymentState};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{DisablePrincipalRequest, Role};
use slipway_tests::world::token;
use slipway_tests::{Backend, Client, Granted, Refused};
use tokio::time::sleep;
use tonic::Code;

use super::approvals::Gate;
use crate::case::cases;

cases![
    nobody_gets_around_four_eyes,
    of_answers_at_once_one_is_taken,
];

const OWN_DOING: (Code, ErrorReason) = (Code::PermissionDenied, ErrorReason::SelfApproval);
const NOT_ASKED: (Code, ErrorReason) = (Code::PermissionDenied, ErrorReason::ApproverNotEligible);
const CHANGED: (Code, ErrorReason) = (Code::Aborted, ErrorReason::PlanChanged);
const OVER: (Code, ErrorReason) = (Code::FailedPrecondition, ErrorReason::ApprovalNotPending);
const TWICE: (Code, ErrorReason) = (Code::FailedPrecondition, ErrorReason::AlreadyDecided);

/// How much later the others begin where some have a start.
const START: Duration = Duration::from_millis(50);

/// How many ways were tried.
struct Tries(usize);

impl Tries {
    async fn attempt(
        &mut self,
        who: &Client,
        answer: ApproveRequest,
        (code, reason): (Code, ErrorReason),
    ) {
        self.0 += 1;
        who.approvals().approve(answer).await.refused(code, reason);
    }
}

async fn nobody_gets_around_four_eyes(backend: Backend) {
    let gate = Gate::new(backend).await;
    let asker = gate.project.member(Role::Admin).await;
    let own = gate.start_as(&asker).await;
    let mut tries = Tries(0);
    let by_machine = the_same_person(&gate, &asker, &own, &mut tries).await;
    whom_nobody_asks(&gate, &own, backend, &mut tries).await;
    another_plan(&gate, &own, &by_machine, &mut tries).await;
    println!(
        "{backend}: {} ways around four eyes tried, 0 passed",
        tries.0
    );
    assert_eq!(tries.0, 20);
    let waiting = gate.get(&own).await;
    assert_eq!(waiting.state(), DeploymentState::PendingApproval);
    gate.over(&by_machine).await;
}

/// By whatever account, and whatever name of the deployment. What the machine asked for waits.
async fn the_same_person(
    gate: &Gate,
    asker: &Client,
    own: &Deployment,
    tries: &mut Tries,
) -> Deployment {
    let machine = gate.machine_of(&asker.principal_id, Role::Admin).await;
    let second = gate.machine_of(&asker.principal_id, Role::Admin).await;
    let by_id = ApproveRequest {
        deployment: own.deployment_id.clone(),
        ..gate.approval(own)
    };
    let another_token = token(&gate.project.admin, &asker.principal_id, None).await;
    let another_token = asker.with_token(Some(&another_token.secret));
    tries.attempt(asker, gate.approval(own), OWN_DOING).await;
    tries.attempt(asker, by_id, OWN_DOING).await;
    for who in [&machine, &another_token] {
        tries.attempt(who, gate.approval(own), OWN_DOING).await;
    }
    gate.add("Mail");
    let by_machine = gate.start_as(&machine).await;
    for who in [asker, &machine, &second] {
        let answer = gate.approval(&by_machine);
        tries.attempt(who, answer, OWN_DOING).await;
    }
    // The administrator of the installation is not exempt, and what was stopped stays so.
    gate.add("Chat");
    let root = &gate.project.admin;
    let by_root = gate.start_as(root).await;
    tries
        .attempt(root, gate.approval(&by_root), OWN_DOING)
        .await;
    let mut deployments = gate.developer.deployments();
    let cancellation = gate.cancellation(&by_root);
    deployments.cancel_deployment(cancellation).await.granted();
    let answer = gate.approval(&by_root);
    tries.attempt(&gate.approver, answer, OVER).await;
    by_machine
}

/// Other roles, other projects, and those who were somebody until just now.
async fn whom_nobody_asks(gate: &Gate, own: &Deployment, backend: Backend, tries: &mut Tries) {
    for role in [Role::Viewer, Role::Developer, Role::Approver] {
        let member = gate.project.member(role).await;
        tries.attempt(&member, gate.approval(own), NOT_ASKED).await;
    }
    let elsewhere = Gate::new(backend).await;
    let stranger = &elsewhere.approver;
    let no_project = (Code::NotFound, ErrorReason::ProjectNotFound);
    tries
        .attempt(stranger, gate.approval(own), no_project)
        .await;
    let smuggled = ApproveRequest {
        project: elsewhere.project.slug.clone(),
        deployment: own.deployment_id.clone(),
        ..gate.approval(own)
    };
    let nothing = (Code::NotFound, ErrorReason::DeploymentNotFound);
    tries.attempt(stranger, smuggled, nothing).await;

    let demoted = gate.project.member(Role::Admin).await;
    gate.project
        .set_roles(&demoted.principal_id, &[Role::Developer])
        .await;
    tries.attempt(&demoted, gate.approval(own), NOT_ASKED).await;
    let disabled = gate.project.member(Role::Admin).await;
    let left = DisablePrincipalRequest {
        principal_id: disabled.principal_id.clone(),
        reason: "left".to_owned(),
        ..Default::default()
    };
    let mut identity = gate.project.admin.identity();
    identity.disable_principal(left).await.granted();
    let shut_out = (Code::Unauthenticated, ErrorReason::PrincipalDisabled);
    tries.attempt(&disabled, gate.approval(own), shut_out).await;
}

/// Another deployment's plan, a request id that was used for something else, and what has ended.
async fn another_plan(gate: &Gate, own: &Deployment, by_machine: &Deployment, tries: &mut Tries) {
    let approver = &gate.approver;
    let other_plan = ApproveRequest {
        plan_digest: by_machine.plan_digest.clone(),
        ..gate.approval(own)
    };
    tries.attempt(approver, other_plan, CHANGED).await;
    let once = |deployment| ApproveRequest {
        request_id: "once".to_owned(),
        ..gate.approval(deployment)
    };
    let mut approvals = approver.approvals();
    approvals.approve(once(by_machine)).await.granted();
    let reused = (Code::InvalidArgument, ErrorReason::RequestIdReused);
    tries.attempt(approver, once(own), reused).await;

    gate.add("Bills");
    let ended = gate.start().await;
    let rejection = RejectRequest {
        request_id: "once".to_owned(),
        ..gate.rejection(&ended)
    };
    approvals.reject(rejection).await.granted();
    let third = gate.project.member(Role::Admin).await;
    tries.attempt(&third, gate.approval(&ended), OVER).await;
    tries.attempt(approver, gate.approval(&ended), TWICE).await;
}

async fn of_answers_at_once_one_is_taken(backend: Backend) {
    let gate = Gate::new(backend).await;
    let mut admins = vec![gate.approver.clone()];
    for _ in 0..3 {
        admins.push(gate.project.member(Role::Admin).await);
    }
    let mut outcomes = [0; 3];
    for round in 0..12 {
        // First all begin together; then some have a start, so that each of the ends comes about.
        let late = move |kind| {
            let ahead = round < 3 || kind == round % 3;
            sleep(if ahead { Duration::ZERO } else { START })
        };
        gate.add(&format!("Round {round}"));
        let started = gate.start().await;
        let (mut yes, mut no) = (Vec::new(), Vec::new());
        for (number, admin) in admins.iter().enumerate() {
            if number % 2 == 0 || round % 3 == 0 {
                let answer = gate.approval(&started);
                let mut approvals = admin.approvals();
                yes.push(tokio::spawn(async move {
                    late(0).await;
                    approvals.approve(answer).await
                }));
            } else {
                let answer = gate.rejection(&started);
                let mut approvals = admin.approvals();
                no.push(tokio::spawn(async move {
                    late(1).await;
                    approvals.reject(answer).await
                }));
            }
        }
        let stop = (round % 2 == 0 || round % 3 == 2).then(|| {
            let cancellation = gate.cancellation(&started);
            let mut deployments = gate.developer.deployments();
            tokio::spawn(async move {
                late(2).await;
                deployments.cancel_deployment(cancellation).await
            })
        });
        let (mut approved, mut rejected) = (0, 0);
        for answer in yes {
            match answer.await.unwrap() {
                Ok(_) => approved += 1,
                refused => lost(refused),
            }
        }
        for answer in no {
            match answer.await.unwrap() {
                Ok(_) => rejected += 1,
                refused => lost(refused),
            }
        }
        let canceled = match stop {
            None => false,
            Some(stop) => match stop.await.unwrap() {
                Ok(_) => true,
                refused => {
                    refused.refused(
                        Code::FailedPrecondition,
                        ErrorReason::DeploymentNotCancelable,
                    );
                    false
                }
            },
        };
        // What was approved first can be canceled still.
        assert!(approved + rejected <= 1, "{approved} and {rejected}");
        let request = gate.request_of(&started).await;
        assert_eq!(request.decisions.len(), approved + rejected);
        let over = gate.over(&started).await;
        match request.state() {
            ApprovalState::Approved => {
                assert_eq!(approved, 1);
                let succeeded = over.state() == DeploymentState::Succeeded;
                assert!(succeeded || canceled, "{over:?}");
                outcomes[0] += 1;
            }
            ApprovalState::Rejected => {
                assert_eq!((rejected, canceled), (1, false));
                assert_eq!(over.state(), DeploymentState::Rejected);
                outcomes[1] += 1;
            }
            ApprovalState::Canceled => {
                assert_eq!((approved + rejected, canceled), (0, true));
                assert_eq!(over.state(), DeploymentState::Canceled);
                outcomes[2] += 1;
            }
            state => panic!("{state:?}"),
        }
    }
    println!("{backend}: of answers at once, approved, rejected, canceled: {outcomes:?}");
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

/// Whoever was too late is told so.
fn lost<T: std::fmt::Debug>(refused: Result<tonic::Response<T>, tonic::Status>) {
    refused.refused(Code::FailedPrecondition, ErrorReason::ApprovalNotPending);
}
