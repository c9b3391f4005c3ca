//! People agree, disagree, take back and override at the same time, while others execute and cancel: one end, and every
//! answer that was taken is there.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use rand::seq::SliceRandom as _;
use slipway_api::approvals::v1::{
    ApprovalRequest, ApprovalState, GetApprovalRequestRequest, OverrideApprovalRequest,
    RejectRequest, Verdict, WithdrawApprovalRequest,
};
use slipway_api::audit::v1::{AuditEventFilter, AuditOutcome};
use slipway_api::deployments::v1::{Deployment, DeploymentState, Transition};
use slipway_tests::backend::scaled;
use slipway_tests::refusal::reason_of;
use slipway_tests::{Backend, Granted};
use tonic::{Code, Status};

use super::races::{Ask, Field, PEOPLE, REQUIRED, is_legal, lateness};
use crate::audit::{events, of};
use crate::case::cases;

cases![contested_releases_come_to_one_end];

/// Rounds in which nobody is ahead, at scale 1.
const ROUNDS: usize = 10;
const CANCELLATIONS: usize = 2;

/// What one caller asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Move {
    Approve,
    Reject,
    Withdraw,
    Override,
    Execute,
    Cancel,
}

impl Move {
    const ALL: [Self; 6] = [
        Self::Approve,
        Self::Reject,
        Self::Withdraw,
        Self::Override,
        Self::Execute,
        Self::Cancel,
    ];

    /// By whom; who approves or takes back is one of the first, who disagrees or overrides one of the last.
    fn calls() -> Vec<(Self, usize)> {
        let mut calls: Vec<_> = (0..PEOPLE - 4)
            .map(|person| (Self::Approve, person))
            .collect();
        calls.extend((0..=REQUIRED).map(|person| (Self::Withdraw, person)));
        calls.extend([(Self::Reject, PEOPLE - 1), (Self::Reject, PEOPLE - 2)]);
        calls.extend([(Self::Override, PEOPLE - 3), (Self::Override, PEOPLE - 4)]);
        calls.extend([(Self::Execute, 0); 12]);
        calls.extend([(Self::Cancel, 0); CANCELLATIONS]);
        calls.shuffle(&mut rand::rng());
        calls
    }

    /// The reasons for which it is refused where it comes too late or too soon.
    const fn refusals(self) -> &'static [&'static str] {
        match self {
            Self::Approve | Self::Reject => &["ALREADY_DECIDED", "APPROVAL_NOT_PENDING"],
            Self::Withdraw => &[
                "NOTHING_TO_WITHDRAW",
                "APPROVAL_NOT_PENDING",
                "APPROVAL_USED",
            ],
            Self::Override => &["APPROVAL_NOT_PENDING"],
            Self::Execute => &["DEPLOYMENT_NOT_EXECUTABLE"],
            Self::Cancel => &["DEPLOYMENT_NOT_CANCELABLE"],
        }
    }

    const fn command(self) -> &'static str {
        match self {
            Self::Approve => "Approve",
            Self::Reject => "Reject",
            Self::Withdraw => "WithdrawApproval",
            Self::Override => "OverrideApproval",
            Self::Execute => "ExecuteDeployment",
            Self::Cancel => "CancelDeployment",
        }
    }
}

type Granteds = BTreeMap<Move, usize>;

async fn contested_releases_come_to_one_end(backend: Backend) {
    let field = Field::new(backend).await;
    let mut granted = Granteds::new();
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    // First each is ahead once, so that each of the ends comes about.
    let ahead = Move::ALL.into_iter().map(Some);
    let rounds = ahead.chain((0..scaled(ROUNDS)).map(|_| None));
    for (round, ahead) in rounds.enumerate() {
        let (end, of_round) = fight(&field, ahead, &(round + 1).to_string()).await;
        *ends.entry(end.as_str_name()).or_default() += 1;
        for (kind, count) in of_round {
            *granted.entry(kind).or_default() += count;
        }
    }
    println!("{backend}: contested releases: {ends:?}, granted {granted:?}");
    assert_eq!(ends.len(), 3, "{ends:?}");
    for kind in Move::ALL {
        assert!(granted.contains_key(&kind), "no {kind:?}: {granted:?}");
    }
}

async fn fight(field: &Field, ahead: Option<Move>, version: &str) -> (DeploymentState, Granteds) {
    let made = field.asked_for(version, false).await;
    let agreed = matches!(ahead, Some(Move::Withdraw | Move::Execute));
    if agreed {
        field.agree(&made).await;
    }
    let before = field.cells().await;
    let calls = Move::calls().into_iter().map(async |(kind, person)| {
        tokio::time::sleep(lateness(ahead.is_none_or(|ahead| ahead == kind))).await;
        (kind, ask(field, &made, kind, person).await)
    });
    let mut granted = Granteds::new();
    for (kind, answer) in join_all(calls).await {
        match answer {
            Ok(()) => *granted.entry(kind).or_default() += 1,
            Err(status) => {
                let reason = reason_of(&status).unwrap_or_default();
                let expected = kind.refusals().contains(&&*reason);
                assert!(expected, "{kind:?}: {status:?}");
                assert_eq!(
                    status.code(),
                    Code::FailedPrecondition,
                    "{kind:?}: {status:?}"
                );
            }
        }
    }
    let found = field.over(&made).await;
    check_end(&found, &granted);
    field.check_records(&found, version, &before).await;
    let before = if agreed { REQUIRED } else { 0 };
    check_answers(field, &found, &granted, before).await;
    check_events(field, &found, &granted, before).await;
    (found.state(), granted)
}

async fn ask(field: &Field, made: &Deployment, kind: Move, person: usize) -> Result<(), Status> {
    let project = made.project.clone();
    let deployment = made.deployment_id.clone();
    let plan_digest = made.plan_digest.clone();
    let mut approvals = field.people[person].approvals();
    let reason = "it seemed right".to_owned();
    match kind {
        Move::Approve => field.ask(made, Ask::Approve(person)).await,
        Move::Execute => field.ask(made, Ask::Execute).await,
        Move::Cancel => field.ask(made, Ask::Cancel).await,
        Move::Reject => {
            let request = RejectRequest {
                project,
                deployment,
                plan_digest,
                comment: reason,
                ..Default::default()
            };
            approvals.reject(request).await.map(drop)
        }
        Move::Withdraw => {
            let request = WithdrawApprovalRequest {
                project,
                deployment,
                reason,
                ..Default::default()
            };
            approvals.withdraw_approval(request).await.map(drop)
        }
        Move::Override => {
            let request = OverrideApprovalRequest {
                project,
                deployment,
                plan_digest,
                reason,
                ..Default::default()
            };
            approvals.override_approval(request).await.map(drop)
        }
    }
}

fn count(granted: &Granteds, kind: Move) -> usize {
    granted.get(&kind).copied().unwrap_or_default()
}

/// One end, which nobody was told otherwise of.
fn check_end(found: &Deployment, granted: &Granteds) {
    use DeploymentState::{Approved, Canceled, PendingApproval, Rejected, Succeeded};
    let history: Vec<_> = found.history.iter().map(Transition::state).collect();
    for step in history.windows(2) {
        let (from, to) = (step[0], step[1]);
        let by_answer = matches!(
            (from, to),
            (PendingApproval, Rejected) | (Approved, PendingApproval)
        );
        assert!(by_answer || is_legal(from, to), "{history:?}");
    }
    assert_eq!(history.last(), Some(&found.state()));
    let (executed, rejected, canceled) = match found.state() {
        Succeeded => (1, 0, 0),
        Rejected => (0, 1, 0),
        Canceled => (0, 0, CANCELLATIONS),
        state => panic!("{state:?}: {found:?}"),
    };
    assert_eq!(count(granted, Move::Execute), executed, "{history:?}");
    assert_eq!(count(granted, Move::Reject), rejected, "{history:?}");
    assert_eq!(count(granted, Move::Cancel), canceled, "{history:?}");
}

/// Every answer that was taken is there, once for each person, and what was taken back is marked.
async fn check_answers(field: &Field, found: &Deployment, granted: &Granteds, before: usize) {
    let request = GetApprovalRequestRequest {
        project: found.project.clone(),
        deployment: found.deployment_id.clone(),
    };
    let mut approvals = field.project.admin.approvals();
    let asked = approvals.get_approval_request(request).await.granted();
    let asked: ApprovalRequest = asked.approval_request.unwrap();
    let of = |verdict| {
        asked
            .decisions
            .iter()
            .filter(move |it| it.verdict() == verdict)
    };
    let given = before + count(granted, Move::Approve);
    assert_eq!(of(Verdict::Approve).count(), given, "{asked:?}");
    let disagree = of(Verdict::Reject).count();
    assert_eq!(disagree, count(granted, Move::Reject), "{asked:?}");
    let mut people: Vec<_> = asked
        .decisions
        .iter()
        .map(|decision| &decision.principal.as_ref().unwrap().principal_id)
        .collect();
    people.sort_unstable();
    people.dedup();
    assert_eq!(people.len(), asked.decisions.len(), "{asked:?}");
    let withdrawn = of(Verdict::Approve).filter(|it| it.withdrawal.is_some());
    let withdrawn = withdrawn.count();
    assert_eq!(withdrawn, count(granted, Move::Withdraw), "{asked:?}");
    let overridden = usize::from(asked.r#override.is_some());
    assert_eq!(overridden, count(granted, Move::Override), "{asked:?}");
    let waited = found.history.iter().rev().nth(1).map(Transition::state);
    let state = match found.state() {
        DeploymentState::Succeeded => {
            let enough = overridden == 1 || given - withdrawn >= REQUIRED;
            assert!(enough, "{asked:?}");
            ApprovalState::Approved
        }
        DeploymentState::Rejected => ApprovalState::Rejected,
        _ if waited == Some(DeploymentState::PendingApproval) => ApprovalState::Canceled,
        _ => ApprovalState::Approved,
    };
    assert_eq!(asked.state(), state, "{found:?}: {asked:?}");
}

/// The audit trail tells of exactly what was granted.
async fn check_events(field: &Field, found: &Deployment, granted: &Granteds, before: usize) {
    let filter = AuditEventFilter {
        outcome: AuditOutcome::Allowed.into(),
        resource_type: "deployment".to_owned(),
        resource_name: found.deployment_id.clone(),
        ..of(&field.project)
    };
    let events = events(&field.project.admin, filter, 200).await;
    for kind in Move::ALL {
        let told = events.iter().filter(|it| it.command == kind.command());
        let expected = match (kind, count(granted, kind)) {
            (Move::Approve, granted) => before + granted,
            // Who cancels what is canceled is told so, and nothing more happens.
            (Move::Cancel, granted) => granted.min(1),
            (_, granted) => granted,
        };
        assert_eq!(told.count(), expected, "{kind:?}: {found:?}");
    }
}
