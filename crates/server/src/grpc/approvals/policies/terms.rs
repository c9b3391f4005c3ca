//! What policies say, from messages and as messages have it.

use std::collections::BTreeSet;
use std::time::Duration;

use slipway_api::approvals::v1 as proto;
use slipway_approvals::{Eligible, RequiredCheck, Rule, SoundTerms, Terms, TermsFault};
use slipway_kernel::{PrincipalId, RiskLevel};

use crate::grpc::approvals::words::{role, shown_role};
use crate::grpc::catalog::words::{application_kind, shown_application_kind};
use crate::grpc::fields::Fields;
use crate::grpc::ledger::{risk_level, shown_risk};

/// The terms of a request, or nothing where something is wrong with them.
pub(super) fn read(fields: &mut Fields, message: Option<proto::PolicyTerms>) -> Option<SoundTerms> {
    let Some(message) = message else {
        fields.refuse("terms", "is required");
        return None;
    };
    let mut inner = Fields::within("terms");
    let terms = terms(&mut inner, message);
    fields.absorb(inner);
    SoundTerms::new(terms?)
        .map_err(|faults| {
            for fault in faults {
                fields.refuse(&field_of(&fault), fault);
            }
        })
        .ok()
}

fn field_of(fault: &TermsFault) -> String {
    match fault {
        TermsFault::TooManyRules { .. } => "terms.rules".to_owned(),
        TermsFault::TooManyChecks { .. } => "terms.required_checks".to_owned(),
        TermsFault::RuleNamedTwice { rule, .. } => format!("terms.rules[{rule}].name"),
        TermsFault::CheckNamedTwice { check, .. } => format!("terms.required_checks[{check}].name"),
        TermsFault::Required { rule, .. } => format!("terms.rules[{rule}].required"),
        TermsFault::NobodyNamed { rule }
        | TermsFault::TooManyNamed {
            rule: Some(rule), ..
        } => format!("terms.rules[{rule}].eligible"),
        TermsFault::TooManyNamed { rule: None, .. } => "terms.requesters".to_owned(),
        TermsFault::Expiry => "terms.expire_after".to_owned(),
        TermsFault::Wait => "terms.wait".to_owned(),
    }
}

/// `None` where a part can't be read; what is wrong is noted.
fn terms(fields: &mut Fields, message: proto::PolicyTerms) -> Option<Terms> {
    let default = Terms::default();
    let rules_given = message.rules.len();
    let rules: Vec<_> = (0..)
        .zip(message.rules)
        .filter_map(|(at, message)| rule(fields, at, message))
        .collect();
    let required_checks: Vec<_> = (0..)
        .zip(message.required_checks)
        .map(|(at, message)| check(fields, at, message))
        .collect();
    let expire_after = duration(fields, "expire_after", message.expire_after);
    let wait = duration(fields, "wait", message.wait);
    let requesters = eligible(fields, "requesters", message.requesters.unwrap_or_default());
    let complete = rules.len() == rules_given;
    let terms = Terms {
        rules,
        required_checks,
        expire_after: expire_after?.unwrap_or(default.expire_after),
        wait: wait?.unwrap_or(default.wait),
        refuse_reports: message.refuse_reports,
        rollback_needs_approval: message.rollback_needs_approval,
        requesters: requesters?,
    };
    complete.then_some(terms)
}

fn rule(fields: &mut Fields, at: usize, message: proto::ApprovalRule) -> Option<Rule> {
    let field = |name: &str| format!("rules[{at}].{name}");
    let name = fields.required(&field("name"), &message.name);
    let required = u8::try_from(message.required)
        .map_err(|_| fields.refuse(&field("required"), "must be 1 to 10"))
        .ok();
    let eligible = eligible(
        fields,
        &field("eligible"),
        message.eligible.unwrap_or_default(),
    );
    let from_risk = from_risk(fields, &field("from_risk"), message.from_risk);
    let given = message.kinds.len();
    let kinds = message.kinds.into_iter().enumerate();
    let kinds: Vec<_> = kinds
        .filter_map(|(n, kind)| {
            fields.required_choice(&format!("rules[{at}].kinds[{n}]"), kind, application_kind)
        })
        .collect();
    let complete = kinds.len() == given;
    let rule = Rule {
        name: name?,
        required: required?,
        eligible: eligible?,
        from_risk,
        kinds: kinds.into_iter().collect(),
    };
    complete.then_some(rule)
}

fn check(fields: &mut Fields, at: usize, message: proto::RequiredCheck) -> RequiredCheck {
    let name = format!("required_checks[{at}].name");
    let name = fields.required_text(&name, message.name);
    let field = format!("required_checks[{at}].from_risk");
    let from_risk = from_risk(fields, &field, message.from_risk);
    RequiredCheck { name, from_risk }
}

fn from_risk(fields: &mut Fields, field: &str, word: i32) -> RiskLevel {
    fields
        .choice(field, word, risk_level)
        .unwrap_or(RiskLevel::Low)
}

/// `None` where a part can't be read.
fn eligible(fields: &mut Fields, field: &str, message: proto::Eligible) -> Option<Eligible> {
    let given = message.principal_ids.len() + message.roles.len() + message.groups.len();
    let principals: Vec<PrincipalId> = (0..)
        .zip(&message.principal_ids)
        .filter_map(|(at, id): (usize, _)| {
            fields.required(&format!("{field}.principal_ids[{at}]"), id)
        })
        .collect();
    let roles: Vec<_> = (0..)
        .zip(message.roles)
        .filter_map(|(at, word): (usize, _)| {
            fields.required_choice(&format!("{field}.roles[{at}]"), word, role)
        })
        .collect();
    let groups: Vec<_> = (0..)
        .zip(&message.groups)
        .filter_map(|(at, group): (usize, _)| {
            fields.required(&format!("{field}.groups[{at}]"), group)
        })
        .collect();
    let complete = principals.len() + roles.len() + groups.len() == given;
    complete.then(|| Eligible {
        principals: principals.into_iter().collect(),
        roles: roles.into_iter().collect(),
        groups: groups.into_iter().collect::<BTreeSet<_>>(),
    })
}

/// `Some(None)` where it was left out, `None` where it can't be read.
#[expect(
    clippy::option_option,
    reason = "what was left out is not what can't be read"
)]
fn duration(
    fields: &mut Fields,
    field: &str,
    message: Option<prost_types::Duration>,
) -> Option<Option<Duration>> {
    let Some(message) = message else {
        return Some(None);
    };
    match u64::try_from(message.seconds) {
        Ok(seconds) if message.nanos == 0 => Some(Some(Duration::from_secs(seconds))),
        _ => {
            fields.refuse(
                field,
                "must be a duration of whole seconds, and not negative",
            );
            None
        }
    }
}

/// Terms as a message has them.
pub(super) fn shown(terms: &Terms) -> proto::PolicyTerms {
    let checks = terms.required_checks.iter();
    proto::PolicyTerms {
        rules: terms.rules.iter().map(shown_rule).collect(),
        required_checks: checks
            .map(|check| proto::RequiredCheck {
                name: check.name.to_string(),
                from_risk: shown_risk(check.from_risk).into(),
            })
            .collect(),
        expire_after: Some(shown_duration(terms.expire_after)),
        wait: Some(shown_duration(terms.wait)),
        refuse_reports: terms.refuse_reports,
        rollback_needs_approval: terms.rollback_needs_approval,
        requesters: Some(shown_eligible(&terms.requesters)),
    }
}

/// A rule as a message has it.
pub(in crate::grpc::approvals) fn shown_rule(rule: &Rule) -> proto::ApprovalRule {
    let kinds = rule.kinds.iter();
    proto::ApprovalRule {
        name: rule.name.to_string(),
        required: rule.required.into(),
        eligible: Some(shown_eligible(&rule.eligible)),
        from_risk: shown_risk(rule.from_risk).into(),
        kinds: kinds
            .map(|kind| shown_application_kind(*kind).into())
            .collect(),
    }
}

fn shown_eligible(eligible: &Eligible) -> proto::Eligible {
    proto::Eligible {
        principal_ids: eligible
            .principals
            .iter()
            .map(ToString::to_string)
            .collect(),
        roles: eligible
            .roles
            .iter()
            .map(|role| shown_role(*role).into())
            .collect(),
        groups: eligible.groups.iter().map(ToString::to_string).collect(),
    }
}

fn shown_duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: 0,
    }
}
