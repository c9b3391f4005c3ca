//! What deployments were let pass.

use slipway_api::deployments::v1 as proto;
use slipway_application::deployments::Overrides;
use slipway_approvals::{Finding, FreezeOverride, Override, Review};

use crate::grpc::show;

/// All of it, oldest first.
pub(super) fn overridden(made: Overrides) -> Vec<proto::DeploymentOverride> {
    let Overrides { approvals, freezes } = made;
    let approvals = approvals.into_iter().map(|made| (made.at, approval(made)));
    let freezes = freezes.into_iter().map(|made| (made.at, freeze(made)));
    let mut all: Vec<_> = approvals.chain(freezes).collect();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, shown)| shown).collect()
}

fn approval(made: Override) -> proto::DeploymentOverride {
    proto::DeploymentOverride {
        gate: proto::OverriddenGate::Approval.into(),
        freeze_window: String::new(),
        overridden_by: made.principal.to_string(),
        overridden_time: Some(show::time(made.at)),
        reason: made.reason.into(),
        plan_digest: made.digest.to_string(),
        review: made.review.map(review),
    }
}

fn review(review: Review) -> proto::DeploymentOverrideReview {
    proto::DeploymentOverrideReview {
        reviewed_by: review.principal.to_string(),
        reviewed_time: Some(show::time(review.at)),
        justified: review.finding == Finding::Justified,
        comment: review.comment.into(),
    }
}

fn freeze(made: FreezeOverride) -> proto::DeploymentOverride {
    proto::DeploymentOverride {
        gate: proto::OverriddenGate::Freeze.into(),
        freeze_window: made.slug.into(),
        overridden_by: made.by.to_string(),
        overridden_time: Some(show::time(made.at)),
        reason: made.reason.into(),
        plan_digest: made.digest.to_string(),
        review: None,
    }
}
