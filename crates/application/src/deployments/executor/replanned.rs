//! What was agreed to is not what would happen any more: people are asked about what would.

use slipway_deployments::{Claim, Deployment, Item, MAX_ITEMS, Step, steps_for};
use slipway_kernel::{EnvironmentId, Sha256};
use slipway_workflows::Link;

use crate::{
    CommandError, Context,
    approvals::gate,
    deployments::{items, planning::Made},
    error::chain,
};

/// What a deployment would do now.
pub(super) struct Replanned {
    digest: Sha256,
    /// With their documents kept.
    items: Vec<Item>,
    /// None begun.
    steps: Vec<Step>,
    source: EnvironmentId,
    /// Keys of the source's workflows that were new.
    source_links: Vec<Link>,
    /// Keys of the target's.
    target_links: Vec<Link>,
}

/// What came of asking.
pub(super) enum Asked {
    /// The deployment waits for approval of its new plan, and nobody has its lease.
    Again(Box<Deployment>),
    /// Somebody asked to stop it: nothing was written.
    Stopping,
    /// Somebody else has claimed the deployment since: nothing was written.
    Lost,
}

impl Replanned {
    /// What a promotion would be by this plan; `None` where nobody could ask for that either.
    pub(super) async fn new(
        context: &Context,
        source: EnvironmentId,
        made: Made,
    ) -> Result<Option<Box<Self>>, String> {
        let plan = made.plan;
        if !plan.problems.is_empty() || plan.items.len() > MAX_ITEMS {
            return Ok(None);
        }
        let kept = items::keep(context, &plan)
            .await
            .map_err(|error| chain(&error))?;
        Ok(Some(Box::new(Self {
            digest: plan.digest,
            items: kept,
            steps: steps_for(&plan.order()),
            source,
            source_links: made.source_links,
            target_links: made.target_links,
        })))
    }

    /// Lets a deployment of which nothing was touched become this, and asks for approval of it.
    pub(super) async fn ask(
        self,
        context: &Context,
        claim: &Claim,
        deployment: &Deployment,
    ) -> Result<Asked, CommandError> {
        let mut deployment = deployment.clone();
        let mut unit = context.store.begin().await?;
        if !unit.deployments().guard(claim).await? {
            return Ok(Asked::Lost);
        }
        if unit.deployments().cancel(deployment.id).await?.is_some() {
            return Ok(Asked::Stopping);
        }
        deployment.plan_digest = self.digest;
        deployment.items = self.items;
        let deployments = unit.deployments();
        deployments.replace_plan(&deployment, &self.steps).await?;
        for (environment, links) in [
            (self.source, self.source_links),
            (deployment.target, self.target_links),
        ] {
            unit.engines().set_links(environment, &links).await?;
        }
        let why = "what would happen has changed since it was agreed to";
        let now = context.clock.now();
        gate::ask_again(context, &mut *unit, &mut deployment, why, now).await?;
        unit.commit().await?;
        Ok(Asked::Again(Box::new(deployment)))
    }
}
