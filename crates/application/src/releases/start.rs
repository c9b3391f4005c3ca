//! Whether a release may begin at this moment; where it may, it is carried out in the same unit of work.

use std::time::Duration;

use slipway_audit::Fact;
use slipway_deployments::{Deployment, FROZEN, Problem, State, check::Missing};
use slipway_kernel::{StoreError, Timestamp};
use slipway_store::UnitOfWork;

use super::{
    inline::{self, Ran},
    queue::{engine_since, queue},
};
use crate::{
    CommandError, Context,
    approvals::passage::Passage,
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

impl Started {
    /// The records that say that it was carried out; none where it was not.
    pub(crate) fn facts(self) -> Vec<Fact> {
        match self {
            Self::Done { facts } => facts,
            Self::Held(_) | Self::Objected(_) | Self::Changed | Self::Impossible(_) => Vec::new(),
        }
    }
}

/// Carries a release out that is approved, unless something stands against that at this moment.
pub(crate) async fn start(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
    now: Timestamp,
) -> Result<Started, CommandError> {
    let passage = Passage::look(unit, deployment).await?;
    pass(context, unit, deployment, &passage, now).await
}

/// Likewise, where somebody looked already.
pub(super) async fn pass(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
    passage: &Passage,
    now: Timestamp,
) -> Result<Started, CommandError> {
    if let Some(why) = passage.objection(unit, deployment, now).await? {
        return Ok(Started::Objected(why));
    }
    if let Some(hold) = hold(unit, deployment, passage, now).await? {
        return Ok(Started::Held(hold));
    }
    if !deployment.runs_inline() {
        return queue(unit, deployment, now).await;
    }
    if let Some(problem) = engine_since(context, deployment).await? {
        return Ok(Started::Impossible(problem));
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
    passage: &Passage,
    now: Timestamp,
) -> Result<Option<Hold>, StoreError> {
    let policies_say = passage.earliest_start(deployment);
    let scheduled = deployment.not_before.filter(|_| !deployment.is_put_off());
    if let Some(until) = policies_say.max(scheduled).filter(|until| *until > now) {
        return Ok(Some(Hold::Early(until)));
    }
    let standing = freezes::standing(unit, deployment, now).await?;
    if !standing.is_empty() {
        return Ok(Some(Hold::Frozen(Frozen { standing })));
    }
    let missing = passage.missing_checks(unit, deployment).await?;
    Ok((!missing.is_empty()).then_some(Hold::Checks(missing)))
}

/// Carries out at once, in the unit of work that adds it, what nobody has to agree to and nobody has to execute; `None` for
/// what waits for either. What is held up begins by itself later.
pub(crate) async fn start_new(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
    now: Timestamp,
) -> Result<Option<Started>, CommandError> {
    let waits = !deployment.runs_inline() || deployment.waits_for_execution();
    if waits || deployment.state != State::Approved {
        return Ok(None);
    }
    Ok(Some(start(context, unit, deployment, now).await?))
}
