//! What every deployment passes before it is carried out.

use std::collections::BTreeSet;

use serde_json::json;
use slipway_approvals::{
    ApprovalRequest, Asked, Effective, Governed, IllegalStep, RequestState, Rule, Source,
    StateKind, Subject, stage_rule,
};
use slipway_deployments::{
    APPROVAL_NEEDED, Change, Deployment, DeploymentKind, Item, ItemStatus, Origin, PLAN_CHANGED,
    Problem, State, release::risk::of_plan,
};
use slipway_kernel::{
    ApplicationKind, ApprovalRequestId, DeploymentId, EnvironmentId, PrincipalId, RiskLevel,
    StoreError, Tier, Timestamp,
};
use slipway_store::UnitOfWork;

use crate::{
    CommandError, Context,
    deployments::event::{CARRY_OUT, event},
    error::dangling,
};

/// Adds a new deployment without steps. Where somebody has to agree first, it waits in `PENDING_APPROVAL` for the request
/// that is answered; else in `QUEUED` for its environment. Refused where whoever asks may not ask there.
pub(crate) async fn add(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
) -> Result<Option<ApprovalRequestId>, CommandError> {
    let demands = demands(unit, deployment).await?;
    let asker = deployment.requested_by;
    lets(context, unit, &demands.policies, deployment, asker).await?;
    let required = !demands.rules.is_empty();
    deployment.risk = demands.risk;
    deployment.state = match required {
        true => State::PendingApproval,
        false if deployment.runs_inline() || deployment.waits_for_execution() => State::Approved,
        false => State::Queued,
    };
    let now = deployment.created_at;
    deployment.not_before = deployment.not_before.max(demands.not_before(now));
    deployment.number = unit.deployments().insert(deployment).await?;
    if !required {
        return Ok(None);
    }
    Ok(Some(open(context, unit, deployment, demands, now).await?))
}

/// Passes where this one may ask for deployments to the environment, or carry them out.
pub(super) async fn lets(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    policies: &Effective,
    deployment: &Deployment,
    who: PrincipalId,
) -> Result<(), CommandError> {
    if !policies.governs() {
        return Ok(());
    }
    let voters = unit
        .approvals()
        .voters(deployment.project, Some(&[who]))
        .await?;
    if voters.iter().any(|voter| policies.lets_ask(voter)) {
        return Ok(());
    }
    let slug = context.environment_slug(deployment.target).await?;
    Err(CommandError::MayNotAsk { slug })
}

/// What has to hold for a deployment at this moment.
pub(super) struct Demands {
    pub(super) policies: Effective,
    pub(super) rules: Vec<(Source, Rule)>,
    /// How risky it is taken to be.
    pub(super) risk: RiskLevel,
    /// Whether it goes back to what was approved for its environment before.
    goes_back: bool,
}

impl Demands {
    /// When it may begin at the soonest if people were asked at that moment.
    pub(super) fn not_before(&self, asked: Timestamp) -> Option<Timestamp> {
        let wait = self.policies.wait(self.goes_back);
        (!wait.is_zero()).then(|| asked.plus(wait))
    }
}

pub(super) async fn demands(
    unit: &mut dyn UnitOfWork,
    deployment: &Deployment,
) -> Result<Demands, StoreError> {
    let environment = deployment.target;
    let found = unit.policies().about(environment).await?;
    let (tier, about) = found.ok_or_else(|| dangling("environment", environment))?;
    let policies = Effective::new(environment, tier, about);
    let goes_back = goes_back(unit, deployment).await?;
    let subject = subject(deployment, tier);
    let mut rules = policies.rules(&subject, goes_back);
    if is_guarded(unit, deployment).await? {
        rules.push((Source::Stage, stage_rule()));
    }
    Ok(Demands {
        policies,
        rules,
        risk: subject.risk,
        goes_back,
    })
}

/// Whether policies govern an environment, and refuse reports of deployments to it. One cheap statement; the store has the
/// same as a part of its statements.
pub(crate) async fn governs(
    unit: &mut dyn UnitOfWork,
    environment: EnvironmentId,
) -> Result<Governed, StoreError> {
    unit.policies().governed(environment).await
}

/// What a deployment is, as far as rules ask. What is planned only when it is carried out writes workflows.
fn subject(deployment: &Deployment, tier: Tier) -> Subject {
    let kind = |item: &Item| match &item.released {
        Some(released) => released.kind,
        None => ApplicationKind::Workflow,
    };
    let mut kinds: BTreeSet<_> = deployment.items.iter().map(kind).collect();
    if kinds.is_empty() {
        kinds.insert(ApplicationKind::Workflow);
    }
    let chosen = deployment.items.iter().any(|item| item.released.is_some());
    let risk = if chosen {
        deployment.risk
    } else {
        of_plan(tier, &deployment.items)
    };
    Subject { risk, kinds }
}

/// Whether a deployment goes back to what people had approved for its environment before: to versions that were, or to how
/// an approved deployment had left all of it.
async fn goes_back(unit: &mut dyn UnitOfWork, deployment: &Deployment) -> Result<bool, StoreError> {
    let (DeploymentKind::Rollback, Origin::Undoes { deployment: undone }) =
        (deployment.kind, deployment.origin)
    else {
        return Ok(false);
    };
    let released: Vec<_> = deployment
        .items
        .iter()
        .filter(|item| item.change != Change::Unchanged)
        .filter_map(|item| item.released.as_ref())
        .collect();
    if !deployment.chooses_versions() {
        return unit.approvals().came_after_approved(undone).await;
    }
    let versions = released.iter().filter_map(|item| item.after.as_ref());
    let versions: BTreeSet<_> = versions.map(|version| version.id).collect();
    let versions: Vec<_> = versions.into_iter().collect();
    // What is taken away was not there either when the deployment that it goes back to had succeeded: people agreed to that.
    let removes = released.iter().any(|item| item.after.is_none());
    if removes && !was_approved(unit, deployment.back_to).await? {
        return Ok(false);
    }
    unit.approvals()
        .were_approved(deployment.target, &versions)
        .await
}

async fn was_approved(
    unit: &mut dyn UnitOfWork,
    deployment: Option<DeploymentId>,
) -> Result<bool, StoreError> {
    let Some(id) = deployment else {
        return Ok(false);
    };
    let request = unit.approvals().last_of(id).await?;
    Ok(request.is_some_and(|it| it.state.kind() == StateKind::Approved && it.overridden.is_none()))
}

/// Whether a stage adds its rule: the stage as it was when a promotion was asked for or as it is now, and to whatever else
/// changes an environment any stage into it.
async fn is_guarded(
    unit: &mut dyn UnitOfWork,
    deployment: &Deployment,
) -> Result<bool, StoreError> {
    if deployment.gates.approval_required {
        return Ok(true);
    }
    let guarding = unit.pipelines().guarding(deployment.target).await?;
    Ok(match deployment.origin {
        Origin::Stage { pipeline, .. } => guarding.contains(&pipeline),
        Origin::Chosen | Origin::Snapshot { .. } | Origin::Undoes { .. } => !guarding.is_empty(),
    })
}

async fn open(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    deployment: &Deployment,
    demands: Demands,
    now: Timestamp,
) -> Result<ApprovalRequestId, StoreError> {
    let not_before = demands.not_before(now);
    let people = unit.approvals().voters(deployment.project, None).await?;
    let asked = demands
        .rules
        .into_iter()
        .map(|(source, rule)| Asked::of(source, rule, &people));
    let request = ApprovalRequest {
        id: ApprovalRequestId::new(&*context.ids),
        project: deployment.project,
        deployment: deployment.id,
        deployment_number: deployment.number,
        environment: deployment.target,
        digest: deployment.plan_digest,
        requester: deployment.requested_by,
        rules: asked.collect(),
        created_at: now,
        not_before,
        expires_at: now.plus(demands.policies.expire_after()),
        state: RequestState::Pending,
        decisions: Vec::new(),
        overridden: None,
    };
    unit.approvals().open(&request).await?;
    Ok(request.id)
}

/// Lets a deployment of which nothing was touched wait for approval again, of what it would do now: another request takes
/// the place of the last one. Until it begins, its problem says why. Nobody has its lease afterwards.
pub(crate) async fn ask_again(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
    why: &str,
    now: Timestamp,
) -> Result<(), CommandError> {
    let from = deployment.state;
    deployment.state = from.to(State::PendingApproval)?;
    deployment.approved_by = None;
    deployment.executed_by = None;
    deployment.started_at = None;
    deployment.problem = Some(Problem {
        reason: APPROVAL_NEEDED.to_owned(),
        message: why.to_owned(),
    });
    let mut demands = demands(unit, deployment).await?;
    if demands.rules.is_empty() {
        demands.rules = asked_before(unit, deployment.id).await?;
    }
    deployment.risk = demands.risk;
    deployment.not_before = deployment.not_before.max(demands.not_before(now));
    unit.deployments().update(deployment, from).await?;
    let fell = close(unit, deployment.id, StateKind::Superseded, now).await?;
    let opened = open(context, unit, deployment, demands, now).await?;
    let before = Some(json!({ "state": from, "risk": deployment.risk, "approval_request": fell }));
    let after = Some(json!({
        "state": deployment.state,
        "risk": deployment.risk,
        "plan_digest": deployment.plan_digest,
        "approval_request": opened,
        "reason": why,
    }));
    let event = event(context, deployment, CARRY_OUT, (before, after), now);
    Ok(unit.audit().append(&event).await?)
}

/// What was asked before, where nothing would be asked by now: what waits for people stays with them. Where nothing was, an
/// administrator is asked.
async fn asked_before(
    unit: &mut dyn UnitOfWork,
    deployment: DeploymentId,
) -> Result<Vec<(Source, Rule)>, StoreError> {
    let last = unit.approvals().last_of(deployment).await?;
    let asked = last.map(|request| request.rules).unwrap_or_default();
    if asked.is_empty() {
        return Ok(vec![(Source::Stage, stage_rule())]);
    }
    let rule = |asked: Asked| (asked.source, asked.rule);
    Ok(asked.into_iter().map(rule).collect())
}

/// What was agreed to is not what a release would do any more, and it has been planned anew: it waits for approval again
/// where somebody has to agree, and else for whoever looks at what it does now and executes that, also where it was to begin
/// by itself.
pub(crate) async fn fall(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
    why: &str,
    now: Timestamp,
) -> Result<(), CommandError> {
    let demands = demands(unit, deployment).await?;
    let Some(release) = deployment
        .release
        .as_mut()
        .filter(|_| demands.rules.is_empty() && deployment.approved_by.is_none())
    else {
        return ask_again(context, unit, deployment, why, now).await;
    };
    release.execute_on_approval = false;
    deployment.problem = Some(Problem {
        reason: PLAN_CHANGED.to_owned(),
        message: format!("{why}: look at what it does now, and execute it"),
    });
    let state = deployment.state;
    unit.deployments().update(deployment, state).await?;
    let before = Some(json!({ "state": state }));
    let after = Some(json!({
        "state": state,
        "plan_digest": deployment.plan_digest,
        "reason": why,
    }));
    let event = event(context, deployment, CARRY_OUT, (before, after), now);
    Ok(unit.audit().append(&event).await?)
}

/// Ends the request that a deployment has waited for, where it still is open.
pub(crate) async fn close(
    unit: &mut dyn UnitOfWork,
    deployment: DeploymentId,
    to: StateKind,
    now: Timestamp,
) -> Result<Option<ApprovalRequestId>, CommandError> {
    let request = unit.approvals().last_of(deployment).await?;
    let Some(request) = request.filter(|request| request.state.kind().may_become(to)) else {
        return Ok(None);
    };
    let from = request.state.kind();
    let closed = request.become_state(to, now)?;
    unit.approvals().update(&closed, from).await?;
    Ok(Some(closed.id))
}

/// Ends a deployment of which nothing was done: its items are skipped.
pub(crate) async fn end(
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
    to: State,
    now: Timestamp,
) -> Result<(), CommandError> {
    let from = deployment.state;
    deployment.state = from.to(to)?;
    deployment.finished_at = Some(now);
    for item in &mut deployment.items {
        item.status = ItemStatus::Skipped;
    }
    let deployments = unit.deployments();
    deployments
        .update_items(deployment.id, &deployment.items)
        .await?;
    Ok(deployments.update(deployment, from).await?)
}

impl From<IllegalStep> for CommandError {
    fn from(error: IllegalStep) -> Self {
        StoreError::Fault(Box::new(error)).into()
    }
}
