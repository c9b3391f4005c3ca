//! Audit events of what the server does by itself about deployments.

use serde_json::Value;
use slipway_audit::{ChainId, Event, Outcome, Resource};
use slipway_deployments::Deployment;
use slipway_kernel::{EventId, Timestamp};

use crate::Context;

/// What executors do, as events name it.
pub(crate) const CARRY_OUT: &str = "CarryOutDeployment";

/// An event about a deployment, before and after, in the name of whoever asked for it. It vouches for no rows.
pub(crate) fn event(
    context: &Context,
    deployment: &Deployment,
    command: &str,
    (before, after): (Option<Value>, Option<Value>),
    at: Timestamp,
) -> Event {
    Event {
        id: EventId::new(&*context.ids),
        chain: ChainId(Some(deployment.project)),
        at,
        principal: deployment.requested_by,
        command: command.to_owned(),
        outcome: Outcome::Allowed,
        resource: Resource::new("deployment", &deployment.id),
        before,
        after,
        facts: Vec::new(),
        correlation_id: deployment.id.to_string(),
        repeat_count: 1,
    }
}
