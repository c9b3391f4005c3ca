//! Which rules stood, as far as today's policies tell.

use slipway_approvals::{Effective, Scope, Subject, Terms};
use slipway_deployments::DeploymentKind;
use slipway_kernel::{ApplicationKind, Slug, Tier, Timestamp};

use super::ReportedDeployment;

/// A policy as it is now.
#[derive(Debug, Clone)]
pub struct StandingPolicy {
    /// What it is about.
    pub scope: Scope,
    /// What it asks for.
    pub terms: Terms,
    /// When it was set last: before that, something else may have been asked for.
    pub since: Timestamp,
}

/// The rules that stood unchanged since before a deployment was created and apply to it. Of tiers without a policy what is
/// built in counts, as if it had always stood. A rollback may go without, by the policies' own word, and is left out.
pub fn unasked(
    deployment: &ReportedDeployment,
    tier: Tier,
    policies: &[StandingPolicy],
) -> Vec<Slug> {
    if deployment.kind == DeploymentKind::Rollback {
        return Vec::new();
    }
    let of_tier = |policy: &StandingPolicy| policy.scope == Scope::Tier(tier);
    let newer = |policy: &&StandingPolicy| policy.since >= deployment.created_at;
    // What a tier's policy was before it was set last is not known, and what is built in does not take its place.
    let unknown = policies.iter().filter(newer).any(of_tier);
    let stood = policies.iter().filter(|policy| !newer(policy));
    let stood = stood.map(|policy| (policy.scope, policy.terms.clone()));
    let mut kinds = deployment.kinds.clone();
    if kinds.is_empty() {
        kinds.insert(ApplicationKind::Workflow);
    }
    let subject = Subject {
        risk: deployment.risk,
        kinds,
    };
    let rules = Effective::new(deployment.target, tier, stood).rules(&subject, false);
    let counts = |source| !unknown || source != slipway_approvals::Source::BuiltIn(tier);
    let counting = rules.into_iter().filter(|(source, _)| counts(*source));
    counting.map(|(_, rule)| rule.name).collect()
}
