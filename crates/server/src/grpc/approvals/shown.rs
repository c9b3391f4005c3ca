//! Approval requests as messages have them.

use slipway_api::approvals::v1 as proto;
use slipway_application::Context;
use slipway_application::approvals::Shown;
use slipway_approvals::{ApprovalRequest, Asked, Decision, Override, Scope, Source};
use slipway_kernel::{EnvironmentId, PrincipalId, StoreError};

use super::policies::{shown_rule, shown_scope};
use super::words::{shown_finding, shown_state, shown_verdict};
use crate::grpc::show::{self, Environments, Names};

/// The names of everybody whom these requests mention.
pub(super) async fn names(context: &Context, requests: &[Shown]) -> Result<Names, StoreError> {
    let ids: Vec<_> = requests.iter().flat_map(mentioned).collect();
    Ok(Names(context.display_names(ids).await?))
}

fn mentioned(shown: &Shown) -> Vec<PrincipalId> {
    let request = &shown.request;
    let mut ids = vec![request.requester];
    for made in &request.decisions {
        ids.push(made.principal);
        ids.extend(made.withdrawn.as_ref().map(|withdrawn| withdrawn.principal));
    }
    if let Some(made) = &request.overridden {
        ids.push(made.principal);
        ids.extend(made.review.as_ref().map(|review| review.principal));
    }
    ids.extend(shown.tally.counted.iter().flatten());
    ids.extend(shown.can.iter().flat_map(|can| &can.principals));
    ids
}

/// The environments that the rules of a request name.
pub(super) fn scoped(request: &ApprovalRequest) -> impl Iterator<Item = EnvironmentId> {
    request.rules.iter().filter_map(|asked| match asked.source {
        Source::Policy(Scope::Environment(environment)) => Some(environment),
        Source::Policy(Scope::Project | Scope::Tier(_)) | Source::BuiltIn(_) | Source::Stage => {
            None
        }
    })
}

/// One request.
pub(super) async fn shown(
    context: &Context,
    shown: Shown,
    project: &str,
) -> Result<proto::ApprovalRequest, StoreError> {
    let names = names(context, std::slice::from_ref(&shown)).await?;
    let ids = scoped(&shown.request).chain([shown.request.environment]);
    let environments = Environments::of(context, ids).await?;
    Ok(message_of(shown, project, &environments, &names))
}

/// One request, where all names are known.
pub(super) fn message_of(
    shown: Shown,
    project: &str,
    environments: &Environments,
    names: &Names,
) -> proto::ApprovalRequest {
    let rules = progress(&shown, environments, names);
    let request = shown.request;
    proto::ApprovalRequest {
        approval_request_id: request.id.to_string(),
        project: project.to_owned(),
        deployment_id: request.deployment.to_string(),
        deployment_number: request.deployment_number,
        environment: environments.slug(request.environment),
        plan_digest: request.digest.to_string(),
        state: shown_state(request.state.kind()).into(),
        requested_by: Some(names.principal(request.requester)),
        created_time: Some(show::time(request.created_at)),
        expire_time: Some(show::time(request.expires_at)),
        closed_time: request.state.since().map(show::time),
        decisions: request
            .decisions
            .into_iter()
            .map(|made| decision(made, names))
            .collect(),
        rules,
        not_before_time: request.not_before.map(show::time),
        r#override: request.overridden.map(|made| overridden(made, names)),
        warnings: shown.warnings,
    }
}

fn progress(shown: &Shown, environments: &Environments, names: &Names) -> Vec<proto::RuleProgress> {
    let principals = |ids: &[PrincipalId]| ids.iter().map(|id| names.principal(*id)).collect();
    let rules = shown.request.rules.iter().enumerate();
    let rule = |(at, asked): (usize, &Asked)| {
        let (source, scope) = source(asked.source, environments);
        let can = shown.can.get(at);
        proto::RuleProgress {
            rule: Some(shown_rule(&asked.rule)),
            source: source.into(),
            scope,
            counted: shown
                .tally
                .counted
                .get(at)
                .map(|ids| principals(ids))
                .unwrap_or_default(),
            can_approve: can
                .map(|can| principals(&can.principals))
                .unwrap_or_default(),
            others_can_approve: can.map_or(0, |can| i32::try_from(can.others).unwrap_or(i32::MAX)),
        }
    };
    rules.map(rule).collect()
}

fn source(
    source: Source,
    environments: &Environments,
) -> (proto::RuleSource, Option<proto::PolicyScope>) {
    match source {
        Source::Policy(scope) => (
            proto::RuleSource::Policy,
            Some(shown_scope(scope, environments)),
        ),
        Source::BuiltIn(_) => (proto::RuleSource::BuiltIn, None),
        Source::Stage => (proto::RuleSource::Stage, None),
    }
}

fn decision(made: Decision, names: &Names) -> proto::Decision {
    let withdrawal = made.withdrawn.map(|withdrawn| proto::ApprovalWithdrawal {
        principal: Some(names.principal(withdrawn.principal)),
        reason: withdrawn.reason.into(),
        withdrawn_time: Some(show::time(withdrawn.at)),
    });
    proto::Decision {
        principal: Some(names.principal(made.principal)),
        verdict: shown_verdict(made.verdict).into(),
        comment: made.comment.into(),
        decided_time: Some(show::time(made.at)),
        plan_digest: made.digest.to_string(),
        rule: made.rule.map(Into::into).unwrap_or_default(),
        withdrawal,
    }
}

fn overridden(made: Override, names: &Names) -> proto::ApprovalOverride {
    let review = made.review.map(|review| proto::OverrideReview {
        principal: Some(names.principal(review.principal)),
        finding: shown_finding(review.finding).into(),
        comment: review.comment.into(),
        reviewed_time: Some(show::time(review.at)),
    });
    proto::ApprovalOverride {
        principal: Some(names.principal(made.principal)),
        reason: made.reason.into(),
        overridden_time: Some(show::time(made.at)),
        plan_digest: made.digest.to_string(),
        review,
    }
}
