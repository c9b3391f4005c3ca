//! What was agreed to is not what would happen any more: people are asked about what would.

use slipway_deployments::{Claim, Deployment, Item, MAX_ITEMS, Plan, Step, steps_for};
use slipway_kernel::{EnvironmentId, Sha256};
use slipway_workflows::Link;

use crate::{
    CommandError, Context,
    approvals::gate,
    deployments::{items, planning::Made},
    error::chain,
    releases::{inline, workflows},
};

/// What a deployment would do now.
pub(super) struct Replanned {
    what: What,
    /// With their documents kept.
    items: Vec<Item>,
    /// Keys of the target's workflows that were new.
    target_links: Vec<Link>,
}

enum What {
    Promotion {
        digest: Sha256,
        /// None begun.
        steps: Vec<Step>,
        source: EnvironmentId,
        /// Keys of the source's workflows that were new.
        source_links: Vec<Link>,
    },
    /// Its steps are made when it is carried out.
    Release {
        /// The digest of what its workflows take.
        workflows: Sha256,
    },
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
            what: What::Promotion {
                digest: plan.digest,
                steps: steps_for(&plan.order()),
                source,
                source_links: made.source_links,
            },
            items: kept,
            target_links: made.target_links,
        })))
    }

    /// What a release would be, whose workflows take this by now.
    pub(super) async fn of_release(
        context: &Context,
        release: &Deployment,
        plan: &Plan,
        target_links: Vec<Link>,
    ) -> Result<Box<Self>, String> {
        let mut items = release.items.clone();
        workflows::fill(context, &mut items, plan, true)
            .await
            .map_err(|error| chain(&error))?;
        Ok(Box::new(Self {
            what: What::Release {
                workflows: plan.digest,
            },
            items,
            target_links,
        }))
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
        deployment.items = self.items;
        match self.what {
            What::Promotion {
                digest,
                steps,
                source,
                source_links,
            } => {
                deployment.plan_digest = digest;
                let deployments = unit.deployments();
                deployments.replace_plan(&deployment, &steps).await?;
                unit.engines().set_links(source, &source_links).await?;
            }
            What::Release { workflows } => {
                deployment.workflows = Some(workflows);
                inline::rebase(&mut *unit, &mut deployment).await?;
            }
        }
        let engines = unit.engines();
        engines
            .set_links(deployment.target, &self.target_links)
            .await?;
        let why = "what would happen has changed since it was agreed to";
        let now = context.clock.now();
        gate::ask_again(context, &mut *unit, &mut deployment, why, now).await?;
        unit.commit().await?;
        Ok(Asked::Again(Box::new(deployment)))
    }
}
