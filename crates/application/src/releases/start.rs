//! Whether a release may begin at this moment; where it may, it is carried out in the same unit of work.

use std::time::Duration;

use slipway_audit::Fact;
use slipway_deployments::{Deployment, DeploymentKind, FROZEN, Problem, State, check::Missing};
use slipway_kernel::{StoreError, Timestamp};
use slipway_store::UnitOfWork;

use super::{
    inline::{self, Ran},
    queue::queue,
};
use crate::{
    CommandError, Context,
    approvals::gate,
    checks,
    freezes::{self, Frozen},
};

/// How long one waits before it is tried again that waits for checks, or for what can't be done at this moment.
pub(crate) const TRY_AGAIN: Duration = Duration::from_secs(10);
/// When one is tried again whose freeze does not end within a year.
const LOOK_AGAIN: Duration = Duration::from_hours(30 * 24);

/// What became of beginning.
pub(crate) enum Started {
    /// It was carried out; the records that say so, none where it waits for an executor now.
    Done {
        /// What the audit event vouches for.
        facts: Vec<Fact>,
    },
    /// It may not begin at this moment; nothing was written.
    Held(Hold),
    /// What people agreed to does not count any more; nothing was written.
    Objected(String),
    /// Something else would happen than what was agreed to; nothing was written.
    Changed,
    /// It can't be done; nothing was written.
    Impossible(Problem),
}

/// Why a release may not begin at this moment.
pub(crate) enum Hold {
    /// It is too early.
    Early(Timestamp),
    /// Freezes stand in the way.
    Frozen(Frozen),
    /// Checks that a policy demands have not passed.
    Checks(Vec<Missing>),
}

impl Hold {
    /// As the deployment tells it, and when to try again.
    pub(crate) fn told(&self, now: Timestamp) -> (Option<Problem>, Timestamp) {
        let problem = |reason: &str, message| {
            let reason = reason.to_owned();
            Some(Problem { reason, message })
        };
        match self {
            Self::Early(until) => (None, *until),
            Self::Frozen(frozen) => {
                let until = frozen.opens_again();
                let until = until.unwrap_or_else(|| now.plus(LOOK_AGAIN));
                (problem(FROZEN, frozen.to_string()), until)
            }
            Self::Checks(missing) => (
                problem("CHECKS_MISSING", told(missing)),
                now.plus(TRY_AGAIN),
            ),
        }
    }
}

/// Checks that have not passed, for people.
pub(crate) fn told(missing: &[Missing]) -> String {
    let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
    missing.join("; ")
}

/// Carries a release out that is approved, unless something stands against that at this moment.
pub(crate) async fn start(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
    now: Timestamp,
) -> Result<Started, CommandError> {
    if let Some(why) = gate::objection(unit, deployment, now).await? {
        return Ok(Started::Objected(why));
    }
    if let Some(hold) = hold(unit, deployment, now).await? {
        return Ok(Started::Held(hold));
    }
    if !deployment.runs_inline() {
        return queue(unit, deployment).await;
    }
    Ok(match inline::run(context, unit, deployment, now).await? {
        Ran::Done { facts } => Started::Done { facts },
        Ran::Changed => Started::Changed,
        Ran::Impossible(problem) => Started::Impossible(problem),
    })
}

async fn hold(
    unit: &mut dyn UnitOfWork,
    deployment: &Deployment,
    now: Timestamp,
) -> Result<Option<Hold>, StoreError> {
    let policy_says = gate::earliest_start(unit, deployment).await?;
    let frozen_then = deployment.is_frozen();
    let scheduled = deployment.not_before.filter(|_| !frozen_then);
    if let Some(until) = policy_says.max(scheduled).filter(|until| *until > now) {
        return Ok(Some(Hold::Early(until)));
    }
    if let Some(action) = freezes::action(deployment.kind) {
        let (target, id) = (deployment.target, deployment.id);
        let standing = freezes::standing(unit, target, action, id, now).await?;
        if !standing.is_empty() {
            return Ok(Some(Hold::Frozen(Frozen { standing })));
        }
    }
    let missing = missing_checks(unit, deployment).await?;
    Ok((!missing.is_empty()).then_some(Hold::Checks(missing)))
}

/// The checks that policies demand and that have not passed. What goes back needs none.
pub(crate) async fn missing_checks(
    unit: &mut dyn UnitOfWork,
    deployment: &Deployment,
) -> Result<Vec<Missing>, StoreError> {
    if deployment.kind == DeploymentKind::Rollback {
        return Ok(Vec::new());
    }
    let policies = gate::policies(unit, deployment.target).await?;
    let required = policies.checks(deployment.risk);
    let required: Vec<_> = required.iter().map(|check| check.name.as_str()).collect();
    checks::missing(unit, deployment, &required).await
}

/// Carries out at once, in the unit of work that adds it, what nobody has to agree to and nobody has to execute. What is held up
/// begins by itself later.
pub(crate) async fn start_new(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
    now: Timestamp,
) -> Result<Vec<Fact>, CommandError> {
    let waits = !deployment.runs_inline() || deployment.waits_for_execution();
    if waits || deployment.state != State::Approved {
        return Ok(Vec::new());
    }
    Ok(match start(context, unit, deployment, now).await? {
        Started::Done { facts } => facts,
        Started::Held(_) | Started::Objected(_) | Started::Changed | Started::Impossible(_) => {
            Vec::new()
        }
    })
}
