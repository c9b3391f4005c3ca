//! What stands between a deployment and its beginning, at the moment in which it is to begin.

use slipway_approvals::{ApprovalRequest, AtStart, Rule, Source};
use slipway_deployments::{Deployment, DeploymentKind, check::Missing};
use slipway_kernel::{PrincipalId, StoreError, Timestamp};
use slipway_store::UnitOfWork;

use super::gate::{Demands, demands, lets};
use crate::{CommandError, Context, checks};

/// What policies demand of a deployment now, and what people were asked.
pub(crate) struct Passage {
    demands: Demands,
    request: Option<ApprovalRequest>,
}

impl Passage {
    /// Looks. Whoever calls holds the deployment.
    pub(crate) async fn look(
        unit: &mut dyn UnitOfWork,
        deployment: &Deployment,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            demands: demands(unit, deployment).await?,
            request: unit.approvals().last_of(deployment.id).await?,
        })
    }

    /// Passes where this one may carry the deployment out: whoever may ask for it.
    pub(crate) async fn lets_execute(
        &self,
        context: &Context,
        unit: &mut dyn UnitOfWork,
        deployment: &Deployment,
        who: PrincipalId,
    ) -> Result<(), CommandError> {
        lets(context, unit, &self.demands.policies, deployment, who).await
    }

    /// Why the deployment may not begin, where it may not: nobody was asked who has to be by now, or what was answered does not
    /// count any more.
    pub(crate) async fn objection(
        &self,
        unit: &mut dyn UnitOfWork,
        deployment: &Deployment,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let rules = &self.demands.rules;
        let Some(request) = &self.request else {
            let asks = |(_, rule): &(Source, Rule)| {
                format!(
                    "the rule `{}` has to be met by now, and nobody was asked",
                    rule.name
                )
            };
            return Ok(rules.first().map(asks));
        };
        let current: Vec<_> = rules.iter().map(|(_, rule)| rule.clone()).collect();
        let deciders = request.decisions.iter().map(|made| made.principal);
        let deciders: Vec<_> = deciders
            .chain(request.overridden.iter().map(|made| made.principal))
            .collect();
        let approvals = unit.approvals();
        let start = AtStart {
            digest: deployment.plan_digest,
            current: &current,
            voters: &approvals
                .voters(deployment.project, Some(&deciders))
                .await?,
            excluded: &approvals.had_a_part(deployment.id).await?,
            now,
        };
        Ok(request.enough(&start).err().map(|error| error.to_string()))
    }

    /// When it may begin at the soonest by the policies as they were when people were asked and as they are now. The latest
    /// counts; `None` where at once.
    pub(crate) fn earliest_start(&self, deployment: &Deployment) -> Option<Timestamp> {
        match &self.request {
            Some(request) => request
                .not_before
                .max(self.demands.not_before(request.created_at)),
            None => self.demands.not_before(deployment.created_at),
        }
    }

    /// The checks that policies demand and that have not passed. What goes back needs none.
    pub(crate) async fn missing_checks(
        &self,
        unit: &mut dyn UnitOfWork,
        deployment: &Deployment,
    ) -> Result<Vec<Missing>, StoreError> {
        if deployment.kind == DeploymentKind::Rollback {
            return Ok(Vec::new());
        }
        let required = self.demands.policies.checks(self.demands.risk);
        let required: Vec<_> = required.iter().map(|check| check.name.as_str()).collect();
        checks::missing(unit, deployment, &required).await
    }
}
