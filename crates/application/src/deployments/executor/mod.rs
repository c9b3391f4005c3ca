//! The executor: carries out deployments that have effects outside of the database.
//!
//! Any number of executors, in any number of servers, share the work through the database alone. What is next is decided
//! by [`slipway_deployments::next`] from what is written down; here it is done and written down. Every write names the
//! claim's epoch, so that an executor that was away for too long changes nothing any more.

mod apply;
mod chosen;
mod effect;
mod lease;
mod pointers;
mod preflight;
mod prepare;
mod record;
mod replanned;
mod run;
mod seen;
mod snapshot;
mod verify;

pub(super) use chosen::plan_now;
pub(crate) use run::problem;
pub(crate) use run::tell_undone;

use std::{sync::Arc, time::Duration};

use slipway_deployments::Claim;
use tokio::time::Instant;

use crate::{
    CommandError, Context,
    approvals::{gate, passage::Passage},
    freezes,
    releases::start::{Hold, TRY_AGAIN},
};
use lease::Lease;

/// How deployments are carried out.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a claim lasts without a sign of life. Another executor takes over afterwards.
    pub lease: Duration,
    /// How long one effect takes at most: no more than a third of the lease. One begins only where twice as long is left, so
    /// that an effect that is cut off has landed before somebody else looks.
    pub effect: Duration,
    /// How many effects of one deployment are under way at the same time.
    pub parallel: usize,
    /// How often a deployment is claimed without coming to an end before it is left to people.
    pub max_claims: u32,
}

impl Default for Limits {
    /// A lease of 3 minutes, effects of 1 minute, 16 at a time, 20 claims. An engine takes 8 calls at a time, so that
    /// there is one to make while the result of another step is written down.
    fn default() -> Self {
        Self {
            lease: Duration::from_mins(3),
            effect: Duration::from_mins(1),
            parallel: 16,
            max_claims: 20,
        }
    }
}

/// One executor.
pub struct Executor {
    context: Arc<Context>,
    /// Its name in the database, for people.
    owner: String,
    limits: Limits,
}

/// How the work on one deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There was nothing to claim.
    Idle,
    /// The deployment is over, in doubt, or waits for people or for the end of a freeze.
    Settled,
    /// The lease was given back, so that somebody else can go on.
    GivenBack,
    /// Somebody else has claimed the deployment since: the last write changed nothing.
    Lost,
    /// The lease was over before anything came of a renewal.
    Expired,
}

/// What came of asking for a deployment to work on.
enum Claimed {
    /// There is none.
    Nothing,
    /// What was agreed to does not count any more: the deployment waits for people.
    AskedAgain,
    /// It may not begin yet: it waits until then.
    PutOff,
    /// A freeze stands in the way: the deployment waits for its end.
    Frozen,
    /// This one.
    Taken(Claim),
}

impl Executor {
    /// An executor that goes by this name.
    pub fn new(context: Arc<Context>, owner: impl Into<String>, limits: Limits) -> Self {
        Self {
            context,
            owner: owner.into(),
            limits,
        }
    }

    /// Claims one deployment and works on it until it has settled, the lease is lost, or `draining` says to stop: then
    /// the steps under way are ended and the lease is given back.
    pub async fn carry_out_one(
        &self,
        draining: impl Fn() -> bool + Send + Sync,
    ) -> Result<Ended, CommandError> {
        let asked = Instant::now();
        let claim = match self.claim().await? {
            Claimed::Nothing => return Ok(Ended::Idle),
            Claimed::AskedAgain | Claimed::PutOff | Claimed::Frozen => return Ok(Ended::Settled),
            Claimed::Taken(claim) => claim,
        };
        let lease = Lease::asked_at(asked, self.limits.lease);
        run::carry_out(self, claim, lease, draining).await
    }

    /// Claims a deployment; a queued one becomes running in the same unit of work, where the approval that it needs still
    /// counts and no freeze stands in the way. Else the deployment waits for approval again, or for the end of the freeze,
    /// and nothing is touched.
    async fn claim(&self) -> Result<Claimed, CommandError> {
        let mut unit = self.context.store.begin().await?;
        let claim = unit
            .deployments()
            .claim(&self.owner, self.limits.lease)
            .await?;
        let Some(claim) = claim else {
            return Ok(Claimed::Nothing);
        };
        let deployment = unit.deployments().find_by_id(claim.deployment).await?;
        let now = self.context.clock.now();
        if let Some(mut deployment) = deployment
            && let Ok(running) = deployment.state.to(slipway_deployments::State::Running)
            && deployment.state == slipway_deployments::State::Queued
        {
            let passage = Passage::look(&mut *unit, &deployment).await?;
            if let Some(why) = passage.objection(&mut *unit, &deployment, now).await? {
                gate::ask_again(&self.context, &mut *unit, &mut deployment, &why, now).await?;
                unit.commit().await?;
                return Ok(Claimed::AskedAgain);
            }
            if freezes::hold_back(&self.context, &mut *unit, &claim, &mut deployment, now).await? {
                unit.commit().await?;
                return Ok(Claimed::Frozen);
            }
            let from = deployment.state;
            // Policies may have become stricter about that since.
            let until = passage.earliest_start(&deployment);
            if let Some(until) = until.filter(|until| *until > now) {
                deployment.not_before = Some(until);
                unit.deployments().update(&deployment, from).await?;
                let deployments = unit.deployments();
                deployments.put_off(&claim, until, freezes::PAUSE).await?;
                unit.commit().await?;
                return Ok(Claimed::PutOff);
            }
            let missing = passage.missing_checks(&mut *unit, &deployment).await?;
            if !missing.is_empty() {
                let (problem, until) = Hold::Checks(missing).told(now);
                deployment.problem = problem;
                unit.deployments().update(&deployment, from).await?;
                let deployments = unit.deployments();
                deployments.put_off(&claim, until, TRY_AGAIN).await?;
                unit.commit().await?;
                return Ok(Claimed::PutOff);
            }
            deployment.state = running;
            deployment.started_at = Some(now);
            deployment.problem = None;
            unit.deployments().update(&deployment, from).await?;
        }
        unit.commit().await?;
        Ok(Claimed::Taken(claim))
    }
}
