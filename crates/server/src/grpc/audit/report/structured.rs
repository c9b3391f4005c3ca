//! Parts of compliance reports as messages.

use slipway_api::audit::v1 as proto;
use slipway_api::ledger::v1 as ledger;
use slipway_approvals::{ApprovalRequest, Decision, FreezeOverride, Override, Verdict};
use slipway_audit::report::{
    DeploymentFacts, Exception, Finding, FourEyes, ReportedItem, ReportedLink,
};
use slipway_ledger::{Record, RecordKind};

use super::MAX_STATES;
use crate::grpc::approvals::shown_state as shown_request_state;
use crate::grpc::deployments::{
    shown_change, shown_factor, shown_kind, shown_state, shown_status, shown_transition,
};
use crate::grpc::ledger::shown_risk;
use crate::grpc::show::{self, Names, count};

pub(super) fn exception(exception: Exception, names: &Names) -> proto::ComplianceException {
    use proto::ComplianceExceptionKind as Kind;
    let (kind, principal, rule) = match exception {
        Exception::OverrideNotReviewed => (Kind::OverrideNotReviewed, None, None),
        Exception::Overridden => (Kind::Overridden, None, None),
        Exception::OutsideGovernance => (Kind::OutsideGovernance, None, None),
        Exception::FreezeCrossed => (Kind::FreezeCrossed, None, None),
        Exception::Violation {
            finding,
            principal,
            rule,
        } => (violation(finding), principal, rule),
    };
    proto::ComplianceException {
        kind: kind.into(),
        principal: principal.map(|id| names.principal(id)),
        rule: rule.unwrap_or_default(),
    }
}

const fn violation(finding: Finding) -> proto::ComplianceExceptionKind {
    use proto::ComplianceExceptionKind as Kind;
    match finding {
        Finding::ApprovedByRequester => Kind::ApprovedByRequester,
        Finding::ApprovedByMaker => Kind::ApprovedByMaker,
        Finding::ApprovedTwice => Kind::ApprovedTwice,
        Finding::OtherPerson => Kind::OtherPerson,
        Finding::TooFew => Kind::TooFew,
        Finding::NotApproved => Kind::NotApproved,
        Finding::NotAsked => Kind::NotAsked,
        Finding::OtherPlan => Kind::OtherPlan,
        Finding::ApprovedLate => Kind::ApprovedLate,
        Finding::ApprovalExpired => Kind::ApprovalExpired,
        Finding::ReviewedOwn => Kind::ReviewedOwn,
    }
}

const fn shown_four_eyes(result: FourEyes) -> proto::FourEyesResult {
    match result {
        FourEyes::NotRequired => proto::FourEyesResult::NotRequired,
        FourEyes::NotCarriedOut => proto::FourEyesResult::NotCarriedOut,
        FourEyes::Met => proto::FourEyesResult::Met,
        FourEyes::Overridden => proto::FourEyesResult::Overridden,
        FourEyes::Violated => proto::FourEyesResult::Violated,
    }
}

fn link(link: Option<ReportedLink>) -> Option<proto::ComplianceLink> {
    link.map(|link| proto::ComplianceLink {
        deployment_id: link.id.to_string(),
        number: link.number,
    })
}

pub(super) fn deployment(
    facts: DeploymentFacts,
    four_eyes: FourEyes,
    (items, records): (usize, usize),
    names: &Names,
) -> proto::ComplianceDeployment {
    let was_asked = facts.was_asked();
    let counts = facts.request();
    let (rules, decisions) = counts.map_or_else(Default::default, |it| asked(it, names));
    let earlier_requests = facts.requests.iter();
    let earlier_requests = earlier_requests
        .filter(|request| counts.is_some_and(|it| it.id != request.id))
        .map(|request| earlier(request, names))
        .collect();
    let overridden = facts.requests.iter();
    let overrides = overridden
        .filter_map(|request| request.overridden.as_ref())
        .map(|made| shown_override(made, names))
        .collect();
    let earlier = facts.history.len().saturating_sub(MAX_STATES);
    let history = facts.history.into_iter().skip(earlier);
    let of = facts.deployment;
    proto::ComplianceDeployment {
        deployment_id: of.id.to_string(),
        number: of.number,
        kind: shown_kind(of.kind).into(),
        name: of.name.unwrap_or_default(),
        environment: of.environment.to_string(),
        state: shown_state(of.state).into(),
        problem_reason: of.problem.unwrap_or_default(),
        risk_level: shown_risk(of.risk).into(),
        requested_by: Some(names.principal(of.requested_by)),
        reason: of.reason.unwrap_or_default(),
        executed_by: of.executed_by.map(|id| names.principal(id)),
        created_time: Some(show::time(of.created_at)),
        started_time: of.started_at.map(show::time),
        finished_time: of.finished_at.map(show::time),
        plan_digest: of.plan_digest.to_string(),
        approval_required: was_asked,
        four_eyes: shown_four_eyes(four_eyes).into(),
        rules,
        decisions,
        overrides,
        freezes_crossed: facts
            .freezes
            .into_iter()
            .map(|crossed| shown_freeze(crossed, names))
            .collect(),
        history: history.map(shown_transition).collect(),
        undoes: link(of.undoes),
        rolled_back_by: link(of.rolled_back_by),
        back_to: link(of.back_to),
        item_count: count(of.items),
        record_count: count(records as u64),
        changed_item_count: count(items as u64),
        earlier_requests,
    }
}

pub(super) fn shown_item(item: ReportedItem) -> proto::ComplianceItem {
    let shown = proto::ComplianceItem {
        application: item.application.into(),
        change: shown_change(item.change).into(),
        status: shown_status(item.status).into(),
        ..Default::default()
    };
    let Some(chosen) = item.chosen else {
        return shown;
    };
    proto::ComplianceItem {
        version_before: chosen.before.map(String::from).unwrap_or_default(),
        version_after: chosen.after.map(String::from).unwrap_or_default(),
        change_message: chosen.message,
        declared_risk_level: shown_risk(chosen.declared).into(),
        risk_level: shown_risk(chosen.risk).into(),
        risk_factors: chosen.factors.into_iter().map(shown_factor).collect(),
        ..shown
    }
}

fn earlier(request: &ApprovalRequest, names: &Names) -> proto::ComplianceRequest {
    let (rules, decisions) = asked(request, names);
    proto::ComplianceRequest {
        time: Some(show::time(request.created_at)),
        state: shown_request_state(request.state.kind()).into(),
        plan_digest: request.digest.to_string(),
        rules,
        decisions,
    }
}

fn asked(
    request: &ApprovalRequest,
    names: &Names,
) -> (Vec<proto::ComplianceRule>, Vec<proto::ComplianceDecision>) {
    let rule = |asked: &slipway_approvals::Asked| proto::ComplianceRule {
        name: asked.rule.name.to_string(),
        required_count: asked.rule.required.into(),
    };
    let decision = |made: &Decision| proto::ComplianceDecision {
        principal: Some(names.principal(made.principal)),
        person_id: made.person.to_string(),
        approved: made.verdict == Verdict::Approve,
        rule: made
            .rule
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        time: Some(show::time(made.at)),
        plan_digest: made.digest.to_string(),
        comment: made.comment.to_string(),
        withdrawn_time: made.withdrawn.as_ref().map(|taken| show::time(taken.at)),
    };
    (
        request.rules.iter().map(rule).collect(),
        request.decisions.iter().map(decision).collect(),
    )
}

fn shown_override(made: &Override, names: &Names) -> proto::ComplianceOverride {
    let review = |review: &slipway_approvals::Review| proto::ComplianceReview {
        principal: Some(names.principal(review.principal)),
        time: Some(show::time(review.at)),
        justified: review.finding == slipway_approvals::Finding::Justified,
        comment: review.comment.to_string(),
    };
    proto::ComplianceOverride {
        principal: Some(names.principal(made.principal)),
        time: Some(show::time(made.at)),
        reason: made.reason.to_string(),
        plan_digest: made.digest.to_string(),
        review: made.review.as_ref().map(review),
    }
}

fn shown_freeze(crossed: FreezeOverride, names: &Names) -> proto::ComplianceFreeze {
    proto::ComplianceFreeze {
        freeze_window: crossed.slug.to_string(),
        principal: Some(names.principal(crossed.by)),
        time: Some(show::time(crossed.at)),
        reason: crossed.reason.into(),
        plan_digest: crossed.digest.to_string(),
    }
}

pub(super) fn shown_record(record: Record, names: &Names) -> proto::ComplianceRecord {
    proto::ComplianceRecord {
        record_id: record.id.to_string(),
        application: record.application.into(),
        version: record.version.into(),
        environment: record.environment.into(),
        kind: match record.kind {
            RecordKind::Deployed => ledger::RecordKind::Deployed,
            RecordKind::Removed => ledger::RecordKind::Removed,
        }
        .into(),
        deployed_time: Some(show::time(record.deployed_at)),
        recorded_time: Some(show::time(record.recorded_at)),
        reporter: Some(names.principal(record.reporter)),
        outside_governance: record.outside_governance,
        retraction: record.retraction.map(|retraction| ledger::Retraction {
            retracted_time: Some(show::time(retraction.at)),
            retracted_by: Some(names.principal(retraction.by)),
            reason: retraction.reason.into(),
        }),
    }
}
