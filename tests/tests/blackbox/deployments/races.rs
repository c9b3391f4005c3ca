//! Many people approve, execute and cancel one release at the same time: it comes to one end.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use rand::Rng as _;
use rand::seq::SliceRandom as _;
use slipway_api::approvals::v1::{ApprovalState, ApproveRequest, GetApprovalRequestRequest};
use slipway_api::audit::v1::{AuditEventFilter, AuditOutcome};
use slipway_api::deployments::v1::{
    CancelDeploymentRequest, CreateReleaseRequest, Deployment, DeploymentState,
    ExecuteDeploymentRequest, GetDeploymentRequest, ItemStatus, Transition,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_tests::backend::scaled;
use slipway_tests::{Backend, Client, Granted, Project, Refused, World};
use tonic::{Code, Response, Status};

use super::policies::admins;
use super::releases::{bring, prompt, release};
use crate::audit::{events, of, settle, verify};
use crate::case::cases;

cases![many_at_once_come_to_one_end];

/// Rounds at scale 1; in each of them one release of each [`Start`] is fought for.
const ROUNDS: usize = 10;
/// Calls at the same time.
const CALLS: usize = 50;
/// How many people have to agree.
pub(super) const REQUIRED: usize = 3;
/// Those who may.
pub(super) const PEOPLE: usize = 12;
/// How much later than the first call the last one begins.
const SCATTER: Duration = Duration::from_millis(60);
/// How much later the others begin where some are ahead.
const HEAD_START: Duration = Duration::from_millis(500);
/// What a release brings.
const APPLICATIONS: [&str; 3] = ["answer", "farewell", "greeting"];

/// Where a release is when all begin.
#[derive(Debug, Clone, Copy)]
enum Start {
    /// Nobody has agreed.
    Waits,
    /// All have who have to, and it waits for whoever executes it.
    Approved,
    /// Nobody has agreed, and the last one who does lets it be carried out.
    ExecutesItself,
}

/// What one caller asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// By this one of the people.
    Approve(usize),
    Execute,
    Cancel,
}

/// When a call begins. Where some are ahead, the others come after they have had their answer.
pub(super) fn lateness(ahead: bool) -> Duration {
    let late = rand::rng().random_range(Duration::ZERO..SCATTER);
    if ahead { late } else { late + HEAD_START }
}

impl Start {
    const ALL: [Self; 3] = [Self::Waits, Self::Approved, Self::ExecutesItself];

    /// Who is ahead in the first round, so that each of the ends comes about.
    const fn ahead(self) -> Option<Ask> {
        match self {
            Self::Waits => Some(Ask::Cancel),
            Self::Approved => Some(Ask::Execute),
            Self::ExecutesItself => None,
        }
    }

    /// The calls in no order; some people agree more than once.
    fn calls(self) -> Vec<Ask> {
        let (executions, cancellations) = match self {
            Self::Waits => (20, 3),
            Self::Approved => (25, 10),
            Self::ExecutesItself => (5, 3),
        };
        let mut calls = vec![Ask::Execute; executions];
        calls.resize(executions + cancellations, Ask::Cancel);
        let approvals = CALLS - calls.len();
        calls.extend((0..approvals).map(|call| Ask::Approve(call % PEOPLE)));
        calls.shuffle(&mut rand::rng());
        calls
    }
}

/// A project in which a release to `prod` needs several of many people.
pub(super) struct Field {
    pub(super) project: Project,
    pub(super) developer: Client,
    pub(super) people: Vec<Client>,
}

/// What all calls came to.
#[derive(Debug, Default)]
struct Granteds {
    /// Whose approvals were taken.
    approvals: Vec<usize>,
    executions: usize,
    cancellations: usize,
}

async fn many_at_once_come_to_one_end(backend: Backend) {
    let field = Field::new(backend).await;
    let (mut succeeded, mut canceled) = (0, 0);
    for round in 0..scaled(ROUNDS) {
        for (place, start) in Start::ALL.into_iter().enumerate() {
            let version = (round * Start::ALL.len() + place + 1).to_string();
            let ahead = if round == 0 { start.ahead() } else { None };
            let end = field.fight(start, ahead, &version).await;
            if end == DeploymentState::Succeeded {
                succeeded += 1;
            } else {
                canceled += 1;
            }
        }
    }
    assert!(succeeded > 0 && canceled > 0, "{succeeded} and {canceled}");
    settle(&field.project).await;
    let verification = verify(&field.project, None).await;
    assert!(verification.verified, "{verification:?}");
    println!(
        "{backend}: {CALLS} calls at once, {succeeded} releases succeeded and {canceled} were canceled; {} audit events \
         verified",
        verification.event_count
    );
}

impl Field {
    pub(super) async fn new(backend: Backend) -> Self {
        let project = World::shared(backend).await.project().await;
        project.environment("prod").await;
        for application in APPLICATIONS {
            prompt(&project, application, &[]).await;
        }
        let mut people = Vec::new();
        for _ in 0..PEOPLE {
            people.push(project.member(Role::Admin).await);
        }
        let required = i32::try_from(REQUIRED).unwrap();
        project.set_policy("prod", admins(required)).await;
        Self {
            developer: project.member(Role::Developer).await,
            project,
            people,
        }
    }

    /// Lets everybody have at one release, and says how it ended.
    async fn fight(&self, start: Start, ahead: Option<Ask>, version: &str) -> DeploymentState {
        let executes_itself = matches!(start, Start::ExecutesItself);
        let made = self.asked_for(version, executes_itself).await;
        if matches!(start, Start::Approved) {
            self.agree(&made).await;
        }
        let before = self.cells().await;
        let calls = start.calls().into_iter().map(async |ask| {
            tokio::time::sleep(lateness(ahead.is_none_or(|ahead| ahead == ask))).await;
            (ask, self.ask(&made, ask).await)
        });
        let mut granted = Granteds::default();
        for (ask, answer) in join_all(calls).await {
            granted.count(ask, answer);
        }
        let found = self.over(&made).await;
        Self::check_end(start, &found, &granted);
        self.check_records(&found, version, &before).await;
        self.check_answers(start, &found, &granted).await;
        self.check_events(start, &found, &granted).await;
        found.state()
    }

    /// A release that nobody agreed to yet.
    pub(super) async fn asked_for(&self, version: &str, execute_on_approval: bool) -> Deployment {
        for application in APPLICATIONS {
            self.project.version(application, version).await;
        }
        let items = APPLICATIONS.map(|application| bring(application, version));
        let request = CreateReleaseRequest {
            execute_on_approval,
            ..release(&self.project, items.into())
        };
        let mut deployments = self.developer.deployments();
        let made = deployments.create_release(request).await.granted();
        let made = made.deployment.unwrap();
        assert_eq!(made.state(), DeploymentState::PendingApproval);
        made
    }

    /// As many agree as have to.
    pub(super) async fn agree(&self, made: &Deployment) {
        for person in &self.people[..REQUIRED] {
            let approved = person.approvals().approve(approval(made)).await;
            approved.granted();
        }
    }

    pub(super) async fn ask(&self, made: &Deployment, ask: Ask) -> Result<(), Status> {
        match ask {
            Ask::Approve(person) => {
                let mut approvals = self.people[person].approvals();
                approvals.approve(approval(made)).await.map(drop)
            }
            Ask::Execute => {
                let request = ExecuteDeploymentRequest {
                    project: made.project.clone(),
                    deployment: made.deployment_id.clone(),
                    plan_digest: made.plan_digest.clone(),
                    ..Default::default()
                };
                let mut deployments = self.developer.deployments();
                deployments.execute_deployment(request).await.map(drop)
            }
            Ask::Cancel => {
                let request = CancelDeploymentRequest {
                    project: made.project.clone(),
                    deployment: made.deployment_id.clone(),
                    reason: "changed our minds".to_owned(),
                    ..Default::default()
                };
                let mut deployments = self.developer.deployments();
                deployments.cancel_deployment(request).await.map(drop)
            }
        }
    }

    /// Everybody was answered, so it ends without another call.
    pub(super) async fn over(&self, made: &Deployment) -> Deployment {
        let request = GetDeploymentRequest {
            project: made.project.clone(),
            deployment: made.deployment_id.clone(),
        };
        for _ in 0..600 {
            let mut deployments = self.project.admin.deployments();
            let found = deployments.get_deployment(request.clone()).await.granted();
            let found = found.deployment.unwrap();
            if found.finished_time.is_some() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("deployment #{} does not end", made.number);
    }

    /// What is current of each application.
    pub(super) async fn cells(&self) -> Vec<Option<String>> {
        let cells = APPLICATIONS.map(async |application| {
            let cell = self.project.cell(application, "prod").await;
            cell.map(|cell| cell.version)
        });
        join_all(cells).await
    }

    /// One end, which nobody was told otherwise of.
    fn check_end(start: Start, found: &Deployment, granted: &Granteds) {
        let history: Vec<_> = found.history.iter().map(Transition::state).collect();
        assert_eq!(history.first(), Some(&DeploymentState::PendingApproval));
        assert_eq!(history.last(), Some(&found.state()));
        for step in history.windows(2) {
            assert!(is_legal(step[0], step[1]), "{start:?}: {history:?}");
        }
        let cancellations = Self::cancellations(start);
        let (executions, canceled, status) = match (found.state(), start) {
            (DeploymentState::Canceled, _) => (0, cancellations, ItemStatus::Skipped),
            (DeploymentState::Succeeded, Start::ExecutesItself) => (0, 0, ItemStatus::Succeeded),
            (DeploymentState::Succeeded, _) => (1, 0, ItemStatus::Succeeded),
            (state, _) => panic!("{start:?} ended as {state:?}: {found:?}"),
        };
        assert_eq!(granted.executions, executions, "{start:?}: {history:?}");
        assert_eq!(granted.cancellations, canceled, "{start:?}: {history:?}");
        for item in &found.items {
            assert_eq!(item.status(), status, "{start:?}: {item:?}");
        }
    }

    fn cancellations(start: Start) -> usize {
        let calls = start.calls();
        calls.iter().filter(|ask| **ask == Ask::Cancel).count()
    }

    /// All records or none, and the cells say the same.
    pub(super) async fn check_records(
        &self,
        found: &Deployment,
        version: &str,
        before: &[Option<String>],
    ) {
        let mut records = self
            .project
            .history(slipway_api::ledger::v1::ListDeploymentRecordsRequest::default())
            .await;
        records.retain(|record| record.deployment_id == found.deployment_id);
        let cells = self.cells().await;
        if found.state() != DeploymentState::Succeeded {
            assert_eq!((records.len(), &*cells), (0, before));
            return;
        }
        let recorded: BTreeSet<_> = records.iter().map(|record| &*record.application).collect();
        assert_eq!(recorded, APPLICATIONS.into());
        assert_eq!(records.len(), APPLICATIONS.len());
        assert!(records.iter().all(|record| record.version == version));
        assert!(cells.iter().all(|cell| cell.as_deref() == Some(version)));
    }

    /// Every answer that was taken is there, once for each person, and none beyond what was needed.
    async fn check_answers(&self, start: Start, found: &Deployment, granted: &Granteds) {
        let request = GetApprovalRequestRequest {
            project: found.project.clone(),
            deployment: found.deployment_id.clone(),
        };
        let mut approvals = self.project.admin.approvals();
        let asked = approvals.get_approval_request(request).await.granted();
        let asked = asked.approval_request.unwrap();
        let mut taken: Vec<_> = granted
            .approvals
            .iter()
            .map(|person| &*self.people[*person].principal_id)
            .collect();
        if matches!(start, Start::Approved) {
            assert_eq!(taken.len(), 0, "what is approved takes no answers");
            taken.extend(self.people[..REQUIRED].iter().map(|it| &*it.principal_id));
        }
        taken.sort_unstable();
        let mut kept: Vec<_> = asked
            .decisions
            .iter()
            .map(|decision| &*decision.principal.as_ref().unwrap().principal_id)
            .collect();
        kept.sort_unstable();
        assert_eq!(kept, taken, "{start:?}");
        let distinct: BTreeSet<_> = kept.iter().collect();
        assert_eq!(distinct.len(), kept.len(), "{start:?}: {kept:?}");
        let reached = DeploymentState::Approved;
        let was_approved = found.history.iter().any(|step| {
            let state = step.state();
            state == reached || state == DeploymentState::Queued
        });
        assert_eq!(kept.len() == REQUIRED, was_approved, "{start:?}: {found:?}");
        assert!(kept.len() <= REQUIRED, "{start:?}: {kept:?}");
        let state = match found.state() {
            DeploymentState::Succeeded => ApprovalState::Approved,
            // What was approved stays so, whatever becomes of the deployment.
            _ if was_approved => ApprovalState::Approved,
            _ => ApprovalState::Canceled,
        };
        assert_eq!(asked.state(), state, "{start:?}: {asked:?}");
    }

    /// The audit trail tells of exactly what was done.
    async fn check_events(&self, start: Start, found: &Deployment, granted: &Granteds) {
        let filter = AuditEventFilter {
            outcome: AuditOutcome::Allowed.into(),
            resource_type: "deployment".to_owned(),
            resource_name: found.deployment_id.clone(),
            ..of(&self.project)
        };
        let events = events(&self.project.admin, filter, 200).await;
        let told = |command: &str| events.iter().filter(|it| it.command == command).count();
        let before = match start {
            Start::Approved => REQUIRED,
            Start::Waits | Start::ExecutesItself => 0,
        };
        assert_eq!(told("Approve"), before + granted.approvals.len());
        assert_eq!(told("ExecuteDeployment"), granted.executions, "{start:?}");
        let canceled = usize::from(found.state() == DeploymentState::Canceled);
        assert_eq!(told("CancelDeployment"), canceled, "{start:?}");
    }
}

impl Granteds {
    /// Counts what was granted; what was not was refused for a reason that there is.
    fn count(&mut self, ask: Ask, answer: Result<(), Status>) {
        let Err(status) = answer else {
            match ask {
                Ask::Approve(person) => self.approvals.push(person),
                Ask::Execute => self.executions += 1,
                Ask::Cancel => self.cancellations += 1,
            }
            return;
        };
        let reason = match ask {
            Ask::Approve(_) if is(&status, ErrorReason::AlreadyDecided) => {
                ErrorReason::AlreadyDecided
            }
            Ask::Approve(_) => ErrorReason::ApprovalNotPending,
            Ask::Execute => ErrorReason::DeploymentNotExecutable,
            Ask::Cancel => ErrorReason::DeploymentNotCancelable,
        };
        let refused: Result<Response<()>, _> = Err(status);
        refused.refused(Code::FailedPrecondition, reason);
    }
}

fn is(status: &Status, reason: ErrorReason) -> bool {
    let name = slipway_tests::refusal::name(reason);
    slipway_tests::refusal::reason_of(status).as_deref() == Some(name)
}

pub(super) fn approval(made: &Deployment) -> ApproveRequest {
    ApproveRequest {
        project: made.project.clone(),
        deployment: made.deployment_id.clone(),
        plan_digest: made.plan_digest.clone(),
        ..Default::default()
    }
}

/// The life cycle of a release that nothing falls behind, as the documentation has it.
pub(super) fn is_legal(from: DeploymentState, to: DeploymentState) -> bool {
    use DeploymentState::{Approved, Canceled, PendingApproval, Queued, Running, Succeeded};
    match from {
        PendingApproval => matches!(to, Approved | Canceled),
        Approved => matches!(to, Queued | Canceled),
        Queued => matches!(to, Running | Canceled),
        Running => matches!(to, Succeeded),
        _ => false,
    }
}
